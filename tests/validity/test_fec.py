"""Forward error correction in the real simulator: what is sent, and how much of what is lost comes back."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from pyagent.envs.record import DeliveryRecord, Outcome, there
from pyagent.scenario.compile import reassembly_timeout_s
from pyagent.scenario.schema import Scenario
from tests.agreement import Agreement
from tests.integration.episodes import HALF, MIN_SPLIT, make_scenario, play
from tests.validity.by_hand import LLAMA_2_7B, OUR_HEADER_BYTES, UDP_AND_IP_BYTES, token_packet_bytes

pytestmark = pytest.mark.ns3

PAYLOADS = [
    size - OUR_HEADER_BYTES - UDP_AND_IP_BYTES for size in token_packet_bytes(LLAMA_2_7B.width, 2, 1400)
]
"""Activation bytes of each fragment of a token."""


def protected(
    folder: Path,
    fec: dict[str, int] | None,
    *,
    loss: float = 0.0,
    prompt_tokens: int = 100,
    rate_mbps: float = 200,
    **transport: float,
) -> Scenario:
    """Alone on a link, mostly a fast one, that loses packets uplink, one by one, at random."""
    trace = folder / f"loss-{loss}.csv"
    trace.write_text(f"t_s,rate_mbps,loss\n0,{rate_mbps},{loss}\n")
    link = {"technology": "replay", "uplink": trace, "offset_s": (0, 0), "downlink_rate_mbps": 200}
    requests = {
        "count": 6,
        "prompt_tokens": (prompt_tokens, prompt_tokens),
        "output_tokens": (4, 4),
        "deadline_s": 6,
        "min_gap_s": 6,
        "mean_extra_gap_s": 0.5,
    }
    return make_scenario(link=link, requests=requests, transport={"fec": fec, **transport})


def records(scenario: Scenario, action: int = MIN_SPLIT) -> list[DeliveryRecord]:
    return [record for _, record in play(scenario, 5, action)]


def groups(record: DeliveryRecord, data: int) -> list[list[int]]:
    """Sizes in bytes of each group's fragments, by hand."""
    steps = [PAYLOADS * record.prompt_tokens, *[PAYLOADS] * (record.output_tokens - 1)]
    return [step[first : first + data] for step in steps for first in range(0, len(step), data)]


@pytest.mark.parametrize("action", [MIN_SPLIT, HALF])
@pytest.mark.parametrize(("data", "parity"), [(20, 3), (7, 1), (254, 1), (1, 2)])
def test_parity_is_sent_behind_every_group(tmp_path: Path, action: int, data: int, parity: int) -> None:
    for record in records(protected(tmp_path, {"data": data, "parity": parity}), action):
        packets = [len(group) + parity for group in groups(record, data)]
        payload = [sum(group) + parity * max(group) for group in groups(record, data)]
        assert record.uplink_packets == sum(packets)
        assert record.uplink_bytes == sum(payload) + OUR_HEADER_BYTES * sum(packets)
        assert (record.outcome == Outcome.DELIVERED).all()
        assert record.loss == 0


def missing(data: int, parity: int, loss: float) -> tuple[float, float]:
    """Mean and variance of the fragments that a group is without in the end, packets lost independently."""
    lost, of_parity = np.arange(data + 1), np.arange(parity + 1)
    both = np.outer(binom.pmf(lost, data, loss), binom.pmf(of_parity, parity, loss))
    beyond = lost[:, None] + of_parity[None, :] > parity
    mean, square = ((both * beyond * lost[:, None] ** power).sum() for power in (1, 2))
    return float(mean), float(square - mean**2)


@pytest.mark.parametrize(("data", "parity", "loss"), [(20, 3, 0.1), (20, 6, 0.2), (7, 1, 0.05), (1, 2, 0.4)])
def test_what_is_missing_in_the_end_is_what_the_binomial_says(
    agree: Agreement, tmp_path: Path, data: int, parity: int, loss: float
) -> None:
    found = records(protected(tmp_path, {"data": data, "parity": parity}, loss=loss, prompt_tokens=200))
    without, mean, variance, fragments = 0, 0.0, 0.0, 0
    for record in found:
        assert not record.failed
        if record.retries.any():  # all of a step was lost: chance has had two goes
            continue
        without += int((~there(record.outcome)).sum())
        fragments += record.outcome.size
        for group in groups(record, data):
            of_group = missing(len(group), parity, loss)
            mean, variance = mean + of_group[0], variance + of_group[1]
    assert fragments > 4000
    assert any((record.outcome == Outcome.RECOVERED).any() for record in found)
    agree(
        "share of the fragments missing after FEC",
        without / fragments,
        mean / fragments,
        within=float(f"{4 * math.sqrt(variance) / fragments:.1g}"),
        origin="binomial distribution (scipy) of a code that any packets decode; four standard errors",
    )


def test_what_is_recovered_reaches_the_language_model_and_counts_as_no_loss(tmp_path: Path) -> None:
    bare, coded = (records(protected(tmp_path, fec, loss=0.05)) for fec in (None, {"data": 10, "parity": 5}))
    assert np.mean([record.loss for record in bare]) > 0.03
    for record in coded:
        recovered = record.outcome == Outcome.RECOVERED
        assert record.loss == 0
        assert recovered.any()
        assert record.mask().delivered.all()
        assert record.share(Outcome.RECOVERED) == pytest.approx(recovered.mean())
        # It is there once its group's parity is: no packet of its own was as late.
        assert np.isfinite(record.delay_s).all()
        assert record.delay_s[recovered].min() > record.delay_s[~recovered].min()


@pytest.mark.parametrize(("data", "parity"), [(20, 4), (6, 6)])
def test_parity_that_nobody_needs_is_no_silence(tmp_path: Path, data: int, parity: int) -> None:
    # A group's parity is under way for longer than the edge waits for another packet.
    waits = {"reassembly_timeout_ms": 30, "retry_timeout_ms": 2000}
    fec = {"data": data, "parity": parity}
    scenario = protected(tmp_path, fec, rate_mbps=0.8, prompt_tokens=8, **waits)
    assert parity * 8 * 1400 / 0.8e6 > reassembly_timeout_s(scenario) > 2 * 8 * 1400 / 0.8e6
    for record in records(scenario):
        assert record.loss == 0
        assert record.retries.sum() == 0


def test_no_step_is_computed_from_parity_alone(tmp_path: Path) -> None:
    found = records(protected(tmp_path, {"data": 6, "parity": 6}, loss=0.8, prompt_tokens=4))
    assert any(record.retries.any() for record in found)
    for record in found:
        steps = there(record.outcome[record.prompt_tokens :]).any(axis=1)
        assert steps[: record.generated_tokens - 1].all()
        assert record.generated_tokens == 0 or there(record.outcome[: record.prompt_tokens]).any()


def test_other_fields_of_a_record_do_not_see_parity(tmp_path: Path) -> None:
    bare, coded = (
        records(protected(tmp_path, fec, prompt_tokens=20)) for fec in (None, {"data": 6, "parity": 1})
    )
    for one, other in zip(bare, coded, strict=True):
        for name in ("outcome", "retries", "downlink_outcome", "downlink_bytes", "generated_tokens"):
            assert np.array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize(
    ("fec", "said"),
    [
        ({"data": 200, "parity": 56}, "data + parity is 256"),
        ({"data": 0, "parity": 1}, "greater than or equal to 1"),
        ({"data": 4}, "parity"),
    ],
)
def test_what_no_code_allows_is_refused(fec: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("+", r"\+")):
        make_scenario(transport={"fec": fec})
