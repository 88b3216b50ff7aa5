"""`link.technology: replay` in the real simulator: what the trace says is what the packets meet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from episodes import HALF, MIN_SPLIT, Decision, make_scenario, play, same_record

from pyagent.envs.record import DeliveryRecord, Outcome
from pyagent.scenario.compile import deploy
from pyagent.scenario.schema import ReplayLink, Scenario

pytestmark = pytest.mark.ns3

UDP_AND_IP_BYTES = 28
TOLERANCE = 0.02


def write_trace(folder: Path, *rows: tuple[float, ...], header: str = "t_s,rate_mbps") -> Path:
    path = folder / "trace.csv"
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


def replay_scenario(trace: Path, *, others: list[dict[str, Any]] | None = None, **link: Any) -> Scenario:
    """Four requests over the trace, begun at its start."""
    link = {"technology": "replay", "uplink": trace, "offset_s": (0, 0), **link}
    return make_scenario(link=link, others=others or [])


def link_of(scenario: Scenario) -> ReplayLink:
    assert isinstance(scenario.link, ReplayLink)
    return scenario.link


def token_bits(record: DeliveryRecord) -> float:
    """Bits of one token's packets with all headers; every step of the request was sent once."""
    tokens = record.prompt_tokens + record.output_tokens - 1
    return 8 * (record.uplink_bytes + UDP_AND_IP_BYTES * record.uplink_packets) / tokens


def first_token_compute_s(scenario: Scenario, record: DeliveryRecord) -> tuple[float, float]:
    """Seconds on the UE before, and at the edge after the prompt's transfer."""
    deployment = deploy(scenario)
    ue_s = record.split * deployment.ue.prefill_block_s[record.prompt_tokens]
    edge_blocks = deployment.num_layers - record.split
    edge_s = edge_blocks * deployment.edge.prefill_block_s[record.prompt_tokens]
    return ue_s, edge_s + deployment.edge.prefill_head_s


@pytest.fixture
def uneven(tmp_path: Path) -> Path:
    """8, 2 and 20 Mbit/s by turns, with a short outage in between."""
    rates = (8, 2, 0, 20, 3, 11)
    return write_trace(tmp_path, *((0.05 * i, rate) for i, rate in enumerate(rates)))


def test_throughput_is_the_traces(uneven: Path) -> None:
    scenario = replay_scenario(uneven, downlink_rate_mbps=100)
    trace = link_of(scenario).uplink_trace()
    way_s = (link_of(scenario).delay_ms + link_of(scenario).backhaul.delay_ms) / 1e3
    for _, record in play(scenario, 5, MIN_SPLIT):
        assert record.retries.sum() == 0
        ue_s, edge_s = first_token_compute_s(scenario, record)
        begin_s = record.arrival_s + ue_s
        end_s = record.arrival_s + record.ttft_s - edge_s - 2 * way_s
        sent = record.prompt_tokens * token_bits(record)
        assert trace.bits_between(begin_s, end_s) == pytest.approx(sent, rel=TOLERANCE)


@pytest.mark.parametrize("action", [MIN_SPLIT, HALF])
def test_latency_on_an_idle_link_is_arithmetic(tmp_path: Path, action: int) -> None:
    scenario = replay_scenario(write_trace(tmp_path, (0, 25)), delay_ms=15, backhaul={"delay_ms": 4})
    deployment = deploy(scenario)
    for _, record in play(scenario, 5, action):
        reply_bits = 8 * record.downlink_bytes / record.output_tokens + 8 * UDP_AND_IP_BYTES
        round_trip_s = 2 * (0.015 + 0.004) + reply_bits / 25e6
        compute_s = sum(first_token_compute_s(scenario, record))
        ttft_s = compute_s + record.prompt_tokens * token_bits(record) / 25e6 + round_trip_s
        assert record.ttft_s == pytest.approx(ttft_s, rel=TOLERANCE)
        later = range(record.prompt_tokens + 1, record.prompt_tokens + record.output_tokens)
        decode_s = sum(
            record.split * deployment.ue.decode_block_s[context]
            + (deployment.num_layers - record.split) * deployment.edge.decode_block_s[context]
            for context in later
        ) / len(later)
        tpot_s = decode_s + deployment.edge.decode_head_s + token_bits(record) / 25e6 + round_trip_s
        assert record.tpot_s == pytest.approx(tpot_s, rel=TOLERANCE)


def test_the_traces_own_delay_counts(tmp_path: Path) -> None:
    header = "t_s,rate_mbps,delay_ms"
    near = play(replay_scenario(write_trace(tmp_path, (0, 25, 5), header=header)), 5, MIN_SPLIT)
    far = play(replay_scenario(write_trace(tmp_path, (0, 25, 65), header=header)), 5, MIN_SPLIT)
    for (_, one), (_, other) in zip(near, far, strict=True):
        assert other.ttft_s - one.ttft_s == pytest.approx(2 * 0.060, rel=TOLERANCE)


def test_a_request_waits_for_the_end_of_a_short_outage_and_fails_in_a_long_one(tmp_path: Path) -> None:
    # Requests come from 2 s on; the first one's prompt meets half a second without any rate.
    trace = write_trace(tmp_path, (0, 20), (2.02, 0), (2.52, 20), (3.9, 0), (60, 1))
    decisions = play(replay_scenario(trace), 5, MIN_SPLIT)
    assert [record.failed for _, record in decisions] == [False, True, True, True]
    assert decisions[0][1].ttft_s > 0.5
    assert [state.raw["serving_cell"] for state, _ in decisions] == [0, 0, -1, -1]


def test_loss_is_the_traces_and_the_replicates(tmp_path: Path) -> None:
    trace = write_trace(tmp_path, (0, 50, 0.2), header="t_s,rate_mbps,loss")
    scenario = replay_scenario(trace)
    first, again, other = (play(scenario, 5, MIN_SPLIT, replicate) for replicate in (0, 0, 1))
    assert all(same_record(one, two) for (_, one), (_, two) in zip(first, again, strict=True))
    assert not all(same_record(one, two) for (_, one), (_, two) in zip(first, other, strict=True))
    lost = sum(record.share(Outcome.LOST_RADIO) for _, record in first + other) / 8
    assert 0.1 < lost < 0.3


def observed(decisions: list[Decision], feature: str) -> list[float]:
    return [state.raw[feature] for state, _ in decisions]


def test_the_seed_says_where_the_trace_begins(uneven: Path) -> None:
    scenario = replay_scenario(uneven, offset_s=None)
    one, again, other = (play(scenario, seed, MIN_SPLIT) for seed in (5, 5, 6))
    assert all(same_record(a, b) for (_, a), (_, b) in zip(one, again, strict=True))
    assert observed(one, "phy_rate_mbps") == observed(again, "phy_rate_mbps")
    assert observed(one, "phy_rate_mbps")[0] != observed(other, "phy_rate_mbps")[0]


def test_the_modem_reports_what_was_and_not_what_was_done(tmp_path: Path) -> None:
    header = "t_s,rate_mbps,rsrp_dbm,snr_db,cqi"
    rows = [(0.3 * i, 10 + i % 7, -90 - i % 11, i % 13, i % 15) for i in range(120)]
    scenario = replay_scenario(write_trace(tmp_path, *rows, header=header))
    trace = link_of(scenario).uplink_trace()
    busy, idle = play(scenario, 5, MIN_SPLIT), play(scenario, 5, 2)
    for feature in ("phy_rate_mbps", "snr_db", "snr_trend_db_per_s", "rsrp_dbm", "mcs", "snr_age_s"):
        assert observed(busy, feature) == observed(idle, feature)
    for state, _ in busy:
        now_s = state.sim_time_s
        rate_mbps = trace.bits_between(now_s - 1, now_s) / 1e6
        assert state.raw["phy_rate_mbps"] == pytest.approx(rate_mbps, rel=1e-6)
        newest = int(now_s // 0.3)
        last_second = trace.signals["snr_db"][newest - 3 : newest + 1]
        assert state.raw["snr_db"] == pytest.approx(last_second.mean())
        assert state.raw["mcs"] == trace.signals["cqi"][newest]
        assert state.raw["snr_age_s"] == pytest.approx(now_s % 0.3, abs=1e-6)
        assert state.raw["distance_m"] == 0


def test_energy_is_bytes_and_time(tmp_path: Path) -> None:
    trace = write_trace(tmp_path, (0, 25))
    bytes_only = {"power_w": 0, "uplink_j_per_byte": 1e-6, "downlink_j_per_byte": 1e-3}
    for _, record in play(replay_scenario(trace, radio_energy=bytes_only), 5, MIN_SPLIT):
        up = record.uplink_bytes + UDP_AND_IP_BYTES * record.uplink_packets
        down = record.downlink_bytes + UDP_AND_IP_BYTES * record.output_tokens
        assert record.ue_radio_energy_j == pytest.approx(1e-6 * up + 1e-3 * down)
    time_only = {"power_w": 2, "uplink_j_per_byte": 0, "downlink_j_per_byte": 0}
    for _, record in play(replay_scenario(trace, radio_energy=time_only), 5, MIN_SPLIT):
        up = record.uplink_bytes + UDP_AND_IP_BYTES * record.uplink_packets
        down = record.downlink_bytes + UDP_AND_IP_BYTES * record.output_tokens
        assert record.ue_radio_energy_j == pytest.approx(2 * 8 * (up + down) / 25e6, rel=1e-3)


def test_other_ues_have_links_of_their_own(uneven: Path) -> None:
    traffic = {"kind": "cbr", "rate_kbps": 20_000, "packet_bytes": 1400}
    crowd = [{"count": 3, "traffic": traffic}, {"count": 2, "split": 1}]
    alone = play(replay_scenario(uneven), 5, MIN_SPLIT)
    among = play(replay_scenario(uneven, others=crowd), 5, MIN_SPLIT)
    for (_, one), (_, other) in zip(alone, among, strict=True):
        # The wire to the edge and its queue are shared, the radio isn't.
        assert other.loss == 0
        assert other.ttft_s == pytest.approx(one.ttft_s, abs=0.05)
