"""Rules in words: what a policy says of itself is what it does."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from pyagent.envs.observation import FEATURES, NAMES, normalise
from pyagent.evaluation.rules import StepRule
from pyagent.policies import (
    AllLocalPolicy,
    BestStaticPolicy,
    Link,
    MinSplitPolicy,
    NeurosurgeonPolicy,
    RandomPolicy,
    ThresholdPolicy,
    TwoThresholdPolicy,
)
from pyagent.policies.neurosurgeon import NO_RATE_MBPS
from pyagent.policies.rules import rules_of
from pyagent.policies.user import PolicyError, user_policy
from pyagent.scenario.compile import Deployment, deploy
from tests.conftest import small_scenario

SNR, RATE, PREVIOUS = (NAMES.index(name) for name in ("snr_db", "phy_rate_mbps", "previous_split"))


@pytest.fixture(scope="module")
def deployment() -> Deployment:
    """Splits 1, 16 and 32 of 32."""
    return deploy(small_scenario())


def test_a_threshold_is_told_in_the_unit_of_its_feature(deployment: Deployment) -> None:
    # The SNR's range is -10 to 50 dB and linear: 0.45 of it is 17 dB. The rate's is 0 to 150 Mbit/s over
    # log1p: 3.7 Mbit/s is ln 4.7 / ln 151. The split before is a share of 32 blocks.
    share = math.log(4.7) / math.log(151)
    rules = {
        "snr < 17 dB -> 32, else 1": ThresholdPolicy(SNR, 0.45, 2, 0, 3),
        "phy_rate < 3.7 Mbit/s -> 32, else 1": ThresholdPolicy(RATE, share, 2, 0, 3),
        "previous_split < 8 blocks -> 1, else 16": ThresholdPolicy(PREVIOUS, 0.25, 0, 1, 3),
        "snr < 17 dB -> 32, < 26 dB -> 16, else 1": TwoThresholdPolicy(SNR, (0.45, 0.6), (2, 1, 0), 3),
        "always 16": BestStaticPolicy(1, 3),
        "always 32": AllLocalPolicy((1, 16, 32), 32),
        "always 1": MinSplitPolicy((1, 16, 32)),
        "one of 1, 16, 32, each as likely": RandomPolicy((1, 16, 32)),
    }
    for text, policy in rules.items():
        assert policy.describe(deployment) == text


def test_a_rule_that_never_switches_says_so(deployment: Deployment) -> None:
    for policy in (
        ThresholdPolicy(SNR, math.inf, 2, 0, 3),
        ThresholdPolicy(SNR, -math.inf, 0, 2, 3),
        ThresholdPolicy(SNR, 0.5, 2, 2, 3),
        TwoThresholdPolicy(SNR, (-math.inf, math.inf), (0, 2, 1), 3),
    ):
        assert policy.describe(deployment) == "always 32"
    # An empty piece in the middle, and two neighbours with the same split.
    assert str(StepRule.simplest("mcs", (3, 3, 9), (1, 16, 32, 32))) == "mcs < 3 -> 1, else 32"


def test_a_rule_chooses_what_the_policy_plays(deployment: Deployment) -> None:
    rng = np.random.default_rng(0)
    policy = TwoThresholdPolicy(SNR, (0.3, 0.62), (2, 0, 1), 3)
    rule = policy.rule(deployment)
    values = rng.uniform(-12, 52, 400)
    contexts = [normalise([v if n == "snr_db" else 0.0 for n in NAMES], 32) for v in values]
    played = [deployment.splits[policy.act(context)] for context in contexts]
    assert rule.choose(values).tolist() == played
    assert StepRule.from_json(rule.to_json()) == rule


def test_every_feature_has_a_name_without_its_unit() -> None:
    told = {feature.name: (feature.quantity, feature.unit) for feature in FEATURES}
    assert told["snr_trend_db_per_s"] == ("snr_trend", "dB/s")
    assert told["rsrp_dbm"] == ("rsrp", "dBm")
    assert told["queue_packets"] == ("queue", "packets")
    assert told["speed_mps"] == ("speed", "m/s")
    assert told["recent_loss"] == ("recent_loss", "")
    # No unit is cut in two, and none is left in a name.
    units = ("db", "dbm", "mbps", "mps", "m", "s", "packets", "tokens")
    assert not [quantity for quantity, _ in told.values() if quantity.split("_")[-1] in units]


def test_neurosurgeon_tells_the_rate_at_which_sending_pays(deployment: Deployment) -> None:
    """4 blocks at splits 1, 2, 4; 10 ms a block on the UE, 1 ms on the edge; 100 bytes a token."""
    tables = [
        replace(table, **_flat(block_s))
        for table, block_s in ((deployment.ue, 0.01), (deployment.edge, 0.001))
    ]
    shape = deployment.shape.model_copy(update={"num_layers": 4})
    small = replace(
        deployment, shape=shape, splits=(1, 2, 4), ue=tables[0], edge=tables[1], fragment_bytes=(60, 40)
    )
    policy = NeurosurgeonPolicy(small, Link(0.5, 2.0, 1.0), typical=(10, 5))
    # All local: 5 (4 + 1) 10 ms. Split 1: 5 (10 + 4) ms and 14 tokens of 800 bit at half the rate.
    pays_mbps = 14 * 800 / (0.5 * (0.250 - 0.070)) / 1e6
    # Below 0.001 no rate is known, and the usual 1 Mbit/s counts.
    assert policy.rule(small).thresholds == pytest.approx((NO_RATE_MBPS, pays_mbps), rel=2e-3)
    assert policy.rule(small).splits == (1, 4, 1)
    assert policy.describe(small) == (
        "least predicted latency; for 10 + 5 tokens phy_rate < 0.001 Mbit/s -> 1, "
        f"< {pays_mbps:.3g} Mbit/s -> 4, else 1"
    )
    slow = NeurosurgeonPolicy(small, Link(0.5, 2.0, 0.02), typical=(10, 5))
    assert slow.rule(small).splits == (4, 1)


def _flat(block_s: float) -> dict[str, object]:
    return {
        "prefill_block_s": [0.0] + [block_s] * 512,
        "decode_block_s": [0.0] + [block_s] * 600,
        "prefill_head_s": 0.0,
        "decode_head_s": block_s,
    }


class Rated:
    """A user's policy that is tuned, and tells its rule afterwards."""

    def tune(self, features, splits, rewards):
        self.limit = 3.7

    def split(self, features, splits):
        return splits[-1] if features["phy_rate_mbps"] < self.limit else splits[0]

    def describe(self):
        return f"phy_rate < {self.limit} Mbit/s ->\n the largest"


class Printed:
    def split(self, features, splits):
        return splits[0]

    def __str__(self) -> str:
        return "the smallest"


def test_policies_of_the_users_own_tell_their_rule(deployment: Deployment) -> None:
    rated, printed, silent = (
        user_policy(n, p) for n, p in (("rated", Rated()), ("printed", Printed()), ("f", min))
    )
    rated.tune(np.zeros((2, len(NAMES)), np.float32), np.zeros((2, 3)))
    ours = user_policy("ours", ThresholdPolicy(SNR, 0.45, 2, 0, 3))
    rules = rules_of({p.name: p for p in (rated, printed, silent, ours)}, deployment)
    assert rules["rated"] == {"text": "phy_rate < 3.7 Mbit/s -> the largest", "chance": False}
    assert rules["printed"]["text"] == "the smallest"
    assert "f" not in rules
    assert rules["ours"]["thresholds"] == [pytest.approx(17)]
    assert rules["ours"]["splits"] == [32, 1]


def test_a_describe_that_fails_is_one_line_before_anything_is_played() -> None:
    class Wrong(Printed):
        def describe(self):
            return 3

    with pytest.raises(PolicyError, match=r"policies\['wrong'\]: describe returned 3; valid: a text"):
        user_policy("wrong", Wrong()).prepare((1, 16, 32), 32)

    class Late(Rated):
        def describe(self):
            return self.limits

    with pytest.raises(PolicyError, match="describe raised AttributeError"):
        user_policy("late", Late()).tune(np.zeros((2, len(NAMES)), np.float32), np.zeros((2, 3)))
