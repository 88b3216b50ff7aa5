"""Invariants of the delivery record, on a link that loses some fragments and fails some requests."""

from __future__ import annotations

import numpy as np
import pytest
from episodes import ALL_LOCAL, MIN_SPLIT, make_scenario, play

from pyagent.envs.record import DeliveryRecord, Outcome
from pyagent.scenario.compile import deploy

pytestmark = pytest.mark.ns3

DEADLINE_S = 2.0
OTHERS = [{"count": 2, "traffic": {"rate_kbps": 500}}]
SCENARIO = make_scenario(at_m=88, others=OTHERS)
EDGE_OF_COVERAGE = make_scenario(at_m=130, others=OTHERS)


@pytest.fixture(scope="module")
def records() -> list[DeliveryRecord]:
    runs = [(SCENARIO, 1), (SCENARIO, 2), (EDGE_OF_COVERAGE, 1), (EDGE_OF_COVERAGE, 2)]
    return [record for scenario, seed in runs for _, record in play(scenario, seed, MIN_SPLIT)]


@pytest.fixture(scope="module")
def local_records() -> list[DeliveryRecord]:
    return [record for _, record in play(SCENARIO, 1, ALL_LOCAL)]


def test_the_link_is_in_between(records: list[DeliveryRecord]) -> None:
    """Else the tests below would say little."""
    outcomes = np.concatenate([record.outcome.ravel() for record in records])
    assert 0.2 < (outcomes == Outcome.DELIVERED).mean() < 0.999
    assert {Outcome.LOST_RADIO, Outcome.LATE, Outcome.NOT_SENT} <= set(outcomes)
    assert any(record.retries.any() for record in records)
    assert 0 < sum(record.failed for record in records) < len(records)


def test_requests_come_in_order(records: list[DeliveryRecord]) -> None:
    assert [record.request for record in records] == [0, 1, 2, 3] * 4


def test_outcomes_are_known_and_delays_belong_to_arrivals(records: list[DeliveryRecord]) -> None:
    for record in records:
        assert set(np.unique(record.outcome)) <= set(Outcome)
        assert set(np.unique(record.downlink_outcome)) <= set(Outcome)
        arrived = ~np.isnan(record.delay_s)
        assert (arrived[record.outcome == Outcome.DELIVERED]).all()
        # Late is also what was still under way at the end, and that has no delay.
        assert np.isin(record.outcome[arrived], [Outcome.DELIVERED, Outcome.LATE]).all()
        assert (record.delay_s[arrived] > 0).all()
        assert (record.delay_s[arrived] <= DEADLINE_S).all()


def test_tokens_are_counted_and_come_in_order(records: list[DeliveryRecord]) -> None:
    for record in records:
        times = record.token_time_s[: record.generated_tokens]
        assert not np.isnan(times).any()
        assert np.isnan(record.token_time_s[record.generated_tokens :]).all()
        assert (np.diff(times) > 0).all()
        delivered = record.downlink_outcome == Outcome.DELIVERED
        assert delivered[: record.generated_tokens].all()
        assert not delivered[record.generated_tokens :].any()


def test_latency_is_the_last_tokens_time_or_the_deadline(records: list[DeliveryRecord]) -> None:
    for record in records:
        assert record.latency_s <= DEADLINE_S
        assert record.failed == (record.generated_tokens < record.output_tokens)
        assert record.failed == bool(record.fail_reason)
        expected = DEADLINE_S if record.failed else record.token_time_s[-1]
        assert record.latency_s == pytest.approx(expected, rel=1e-6)


def test_steps_after_the_last_token_were_not_sent(records: list[DeliveryRecord]) -> None:
    for record in records:
        # The step of token i (i > 0) is row P + i - 1; the one under way when it ended may have gone out.
        first_unsent = record.prompt_tokens + record.generated_tokens
        assert (record.outcome[first_unsent:] == Outcome.NOT_SENT).all()


def test_a_generated_tokens_step_had_something_to_compute_with(records: list[DeliveryRecord]) -> None:
    for record in records:
        delivered = record.outcome == Outcome.DELIVERED
        if record.generated_tokens > 0:
            assert delivered[: record.prompt_tokens].any()
        for step in range(1, record.generated_tokens):
            assert delivered[record.prompt_tokens + step - 1].any()


def test_packets_and_bytes_agree_with_the_outcomes(records: list[DeliveryRecord]) -> None:
    header = 24
    sizes = np.array(deploy(SCENARIO).fragment_bytes) + header
    for record in records:
        assert record.fragments_per_token == len(sizes)
        sent = record.outcome != Outcome.NOT_SENT
        assert record.uplink_packets >= sent.sum()
        assert record.uplink_bytes >= (sent * sizes).sum()
        if not record.retries.any():
            assert record.uplink_packets == sent.sum()
            assert record.uplink_bytes == (sent * sizes).sum()
        assert record.downlink_bytes >= record.generated_tokens * (header + SCENARIO.transport.token_id_bytes)
        assert record.downlink_bytes % (header + SCENARIO.transport.token_id_bytes) == 0


def test_energy_and_compute_are_within_bounds(records: list[DeliveryRecord]) -> None:
    power_w = deploy(SCENARIO).ue_device.compute_power_w
    for record in records:
        assert 0 < record.ue_compute_s < record.latency_s
        assert record.ue_compute_energy_j == pytest.approx(record.ue_compute_s * power_w)
        # A UE without an access point sends nothing.
        assert (record.ue_radio_energy_j > 0) or not (record.outcome == Outcome.DELIVERED).any()
        assert record.edge_compute_s >= 0
        assert record.edge_queue_s == 0  # nobody else's jobs in this scenario


def test_all_local_sends_nothing(local_records: list[DeliveryRecord]) -> None:
    for record in local_records:
        assert not record.failed
        assert record.fragments_per_token == 0
        assert record.outcome.size == 0
        assert record.delay_s.size == 0
        assert (record.uplink_packets, record.uplink_bytes, record.downlink_bytes) == (0, 0, 0)
        assert (record.downlink_outcome == Outcome.NOT_SENT).all()
        assert not record.retries.any()
        assert record.edge_compute_s == 0
