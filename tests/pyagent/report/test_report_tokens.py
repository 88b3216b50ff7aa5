"""Where the time of a token went, from a delivery record."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pyagent.campaign.tokens import TokenClock
from pyagent.envs.record import Outcome
from pyagent.scenario.compile import deploy
from tests.conftest import small_scenario
from tests.pyagent.report.conftest import FRAGMENTS, delivery

PARTS = ("ue_s", "uplink_s", "resend_s", "edge_s", "rest_s")
SILENCE_S = 0.2  # reassembly and retry timeout of the transport's defaults


def record(**changes: Any) -> Any:
    row = {"decision": 4, "split": 16, "prompt_tokens": 10, "output_tokens": 4, "loss": 0.0, "failed": False}
    return delivery(SimpleNamespace(**{**row, "latency_s": 2.0, "arrival_s": 9.0, **changes}))


@pytest.fixture(scope="module")
def clock() -> TokenClock:
    return TokenClock(small_scenario())


@pytest.mark.parametrize("split", [1, 16, 32])
@pytest.mark.parametrize("failed", [False, True])
def test_parts_are_not_negative_and_sum_to_the_time_of_the_step(
    clock: TokenClock, split: int, failed: bool
) -> None:
    made = record(split=split, failed=failed, loss=0.5)
    rows = clock.rows(made)
    assert len(rows) == (3 if failed else 4)
    ends_s = [*made.token_time_s[: made.generated_tokens], *([made.latency_s] if failed else [])]
    for row, end_s in zip(rows, ends_s, strict=True):
        assert all(row[part] >= 0 for part in PARTS)
        assert row["begun_s"] + sum(row[part] for part in PARTS) == pytest.approx(end_s)
    assert np.isnan(rows[-1]["arrived_s"]) == failed


def test_computing_is_what_the_simulator_is_told(clock: TokenClock) -> None:
    deployment = deploy(small_scenario())
    first, second = clock.rows(record())[:2]
    head_s = deployment.edge.decode_head_s
    assert first["ue_s"] == 16 * deployment.ue.prefill_block_s[10]
    assert second["ue_s"] == 16 * deployment.ue.decode_block_s[11]
    assert first["edge_s"] == 16 * deployment.edge.prefill_block_s[10] + head_s
    assert second["edge_s"] == 16 * deployment.edge.decode_block_s[11] + head_s


def test_all_local_has_computing_on_the_ue_alone(clock: TokenClock) -> None:
    deployment = deploy(small_scenario())
    row = clock.rows(record(split=32))[1]
    assert row["ue_s"] == 32 * deployment.ue.decode_block_s[11] + deployment.ue.decode_head_s
    assert (row["uplink_s"], row["edge_s"], row["fragments"]) == (0, 0, 0)


def test_a_step_sent_once_has_its_slowest_fragment(clock: TokenClock) -> None:
    made = record()
    delay_s = made.delay_s.copy()
    delay_s[10, 3] = 0.03
    rows = clock.rows(replace(made, delay_s=delay_s))
    assert rows[1]["uplink_s"] == pytest.approx(0.03)
    assert rows[2]["uplink_s"] == pytest.approx(0.002)
    assert [row["fragments"] for row in rows] == [10 * FRAGMENTS, *[FRAGMENTS] * 3]


def test_a_late_fragment_was_not_waited_for(clock: TokenClock) -> None:
    made = record()
    delay_s, outcome = made.delay_s.copy(), made.outcome.copy()
    delay_s[10, 3], outcome[10, 3] = 0.5, Outcome.LATE
    row = clock.rows(replace(made, delay_s=delay_s, outcome=outcome))[1]
    assert row["uplink_s"] == pytest.approx(0.002)
    assert row["lost_late"] == 1


def test_a_step_sent_again_waited_a_timeout_each_time(clock: TokenClock) -> None:
    row = clock.rows(record(loss=0.5))[1]
    assert row["resent"] == 1
    assert row["resend_s"] == pytest.approx(SILENCE_S)
    assert row["uplink_s"] == 0.0
    assert row["lost_radio"] == 2


def test_the_step_that_failed_reaches_to_the_deadline_without_an_edge(clock: TokenClock) -> None:
    last = clock.rows(record(failed=True, latency_s=4.0))[-1]
    assert last["begun_s"] + sum(last[part] for part in PARTS) == pytest.approx(4.0)
    assert last["edge_s"] == 0.0
