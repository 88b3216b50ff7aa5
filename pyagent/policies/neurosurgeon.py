"""The split of least predicted latency or energy, from known tables and the PHY rate of the moment.

After Neurosurgeon (Kang et al., ASPLOS 2017), which adds up what the device computes, the transfer at the
observed bandwidth, and what the server computes. Like it, this looks neither at loss nor at quality, nor at
the price of a switch: that is what the comparison is to show. It does not wait in the edge's queue either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pyagent.envs.observation import FEATURES, NAMES
from pyagent.evaluation.rules import StepRule
from pyagent.policies.base import Context, Mask, OfflinePolicy, masked_argmax
from pyagent.reward import FloatArray
from pyagent.scenario.compile import Deployment
from pyagent.scenario.computing import Computing, computing
from pyagent.surrogate.types import Contexts, Indices

Objective = Literal["latency", "energy"]
_PROMPT, _OUTPUT, _RATE = (NAMES.index(n) for n in ("prompt_tokens", "output_tokens", "phy_rate_mbps"))

_DEAD_EFFICIENCY = 1e-9
"""Sending a request would take years: whoever can do without, does."""

NO_RATE_MBPS = 1e-3
"""Below, a rule says what is done while no rate is known."""
_RATES, _HALVINGS = 200, 12
"""Rates at which `rule` asks for the choice, and how often it halves the gap around a change."""


@dataclass(frozen=True)
class Link:
    """What Neurosurgeon knows of the link besides the current rate.

    Args:
        efficiency: goodput over PHY rate, > 0.
        radio_power_w: of the UE while it sends, >= 0.
        usual_rate_mbps: taken where no rate was seen yet, > 0; else it would never send and never see one.
    """

    efficiency: float
    radio_power_w: float
    usual_rate_mbps: float

    def __post_init__(self) -> None:
        if not (self.efficiency > 0 and self.radio_power_w >= 0 and self.usual_rate_mbps > 0):
            raise ValueError(f"want efficiency, usual_rate_mbps > 0, radio_power_w >= 0; got {self}")

    @classmethod
    def fit(cls, deployment: Deployment, contexts: Contexts, actions: Indices, outcomes: FloatArray) -> Link:
        """Least squares on the tuning seeds: what latency and energy exceed the computing by, per second of
        sending at the PHY rate.

        Args:
            deployment: its compute tables are known exactly.
            contexts, actions, outcomes: float32 [K, D], int64 [K], float64 [K, C]; delta_nll may be nan.
                Used are the decisions that sent something at a known rate and did not fail. Where there are
                none, the link is taken to be one that delivers nothing.

        Raises:
            ValueError: the decisions take no longer than their computing.
        """
        rates_mbps = FEATURES[_RATE].restore(contexts[:, _RATE])
        sends = np.asarray(deployment.splits)[actions] < deployment.num_layers
        used = np.flatnonzero(sends & (rates_mbps > 0) & (outcomes[:, 3] == 0))
        if not len(used):
            return cls(_DEAD_EFFICIENCY, 0.0, 1.0)
        sending_s, extra_s, extra_j = np.empty((3, len(used)))
        for i, k in enumerate(used):
            prompt, output = request_size(deployment, contexts[k])
            known = _computing(deployment, deployment.splits[actions[k]], prompt, output)
            sending_s[i] = _sent_bits(deployment, prompt, output) / (rates_mbps[k] * 1e6)
            extra_s[i] = outcomes[k, 0] - known.completion_s
            extra_j[i] = outcomes[k, 2] - known.ue_s * deployment.ue_device.compute_power_w
        slowdown = float(sending_s @ extra_s / (sending_s @ sending_s))
        if slowdown <= 0:
            raise ValueError(
                "the tuning decisions take no longer than their computing; the tables do not fit"
            )
        joules = max(float(sending_s @ extra_j / (sending_s @ sending_s)), 0.0)
        return cls(1 / slowdown, joules / slowdown, float(np.median(rates_mbps[used])))


class NeurosurgeonPolicy(OfflinePolicy):
    """Predicts every split and takes the cheapest.

    Args:
        deployment: the scenario's model on its machines.
        link: `Link.fit` finds it.
        objective: what is to be least.
        typical: prompt and output tokens of the request that `rule` is about; None: the longest.
    """

    def __init__(
        self,
        deployment: Deployment,
        link: Link,
        *,
        objective: Objective = "latency",
        typical: tuple[int, int] | None = None,
    ) -> None:
        if objective not in ("latency", "energy"):
            raise ValueError(f"objective={objective!r} must be 'latency' or 'energy'")
        self._deployment, self._link, self._objective = deployment, link, objective
        prompt = len(deployment.ue.prefill_block_s) - 1
        self._typical = typical or (prompt, len(deployment.ue.decode_block_s) - prompt)

    @property
    def name(self) -> str:
        """``neurosurgeon`` or ``neurosurgeon-energy``."""
        return "neurosurgeon" if self._objective == "latency" else "neurosurgeon-energy"

    def predict(self, context: Context) -> FloatArray:
        """Predicted latency_s and ue_energy_j of each split, [S, 2], at a context [D]."""
        deployment, link = self._deployment, self._link
        prompt, output = request_size(deployment, context)
        rate_mbps = float(FEATURES[_RATE].restore(context[_RATE])) or link.usual_rate_mbps
        transfer_s = _sent_bits(deployment, prompt, output) / (link.efficiency * rate_mbps * 1e6)
        predicted = np.empty((len(deployment.splits), 2))
        for action, split in enumerate(deployment.splits):
            known = _computing(deployment, split, prompt, output)
            sending_s = transfer_s if split < deployment.num_layers else 0.0
            energy_j = known.ue_s * deployment.ue_device.compute_power_w + sending_s * link.radio_power_w
            predicted[action] = known.completion_s + sending_s, energy_j
        return predicted

    def act(self, context: Context, mask: Mask | None = None) -> int:
        """The allowed split of the least predicted cost."""
        column = 0 if self._objective == "latency" else 1
        return masked_argmax(-self.predict(context)[:, column], mask)

    def rule(self, deployment: Deployment) -> StepRule:
        """The choice over the PHY rate for the typical request; below `NO_RATE_MBPS` the usual one counts."""
        lowest = FEATURES[_RATE].normalise(NO_RATE_MBPS)
        shares = np.linspace(lowest, 1.0, _RATES)
        actions = [self._at_rate(share) for share in shares]
        changes = [i for i in range(1, len(actions)) if actions[i] != actions[i - 1]]
        cuts = [self._change(shares[i - 1], shares[i]) for i in changes]
        choices = [self._at_rate(0.0), actions[0], *(actions[i] for i in changes)]
        thresholds = [NO_RATE_MBPS, *(float(FEATURES[_RATE].restore(cut)) for cut in cuts)]
        return StepRule.simplest(NAMES[_RATE], thresholds, [deployment.splits[a] for a in choices])

    def describe(self, deployment: Deployment) -> str:
        """Objective, and the rule for the typical request."""
        prompt, output = self._typical
        return f"least predicted {self._objective}; for {prompt} + {output} tokens {self.rule(deployment)}"

    def _at_rate(self, share: float) -> int:
        """Action for the typical request at a normalised rate."""
        context = np.zeros(len(FEATURES), np.float32)
        context[_RATE] = share
        context[[_PROMPT, _OUTPUT]] = [
            FEATURES[place].normalise(tokens)
            for place, tokens in zip((_PROMPT, _OUTPUT), self._typical, strict=True)
        ]
        return self.act(context)

    def _change(self, low: float, high: float) -> float:
        """The normalised rate between two at which the action changes."""
        before = self._at_rate(low)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if self._at_rate(middle) == before else (low, middle)
        return high


def request_size(deployment: Deployment, context: Context) -> tuple[int, int]:
    """P and N of the request that a context [D] announces, within what the tables hold."""
    longest = len(deployment.ue.decode_block_s) - 1
    prompt = int(
        np.clip(
            np.rint(FEATURES[_PROMPT].restore(context[_PROMPT])), 1, len(deployment.ue.prefill_block_s) - 1
        )
    )
    output = int(np.clip(np.rint(FEATURES[_OUTPUT].restore(context[_OUTPUT])), 1, longest - prompt + 1))
    return prompt, output


def _computing(deployment: Deployment, split: int, prompt: int, output: int) -> Computing:
    return computing(split, deployment.num_layers, deployment.ue, deployment.edge, prompt, output)


def _sent_bits(deployment: Deployment, prompt: int, output: int) -> int:
    """Uplink of a request: the prompt's tensors, and one for each output token but the last."""
    return 8 * (deployment.uplink_bytes(prompt) + (output - 1) * deployment.uplink_bytes(1))
