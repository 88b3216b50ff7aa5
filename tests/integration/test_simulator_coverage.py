"""Loss follows the radio: none beside the access point, nothing but loss beyond its reach."""

from __future__ import annotations

from typing import Any

import pytest
from episodes import ALL_LOCAL, HALF, MIN_SPLIT, make_scenario, play

from pyagent.envs.record import Outcome

pytestmark = pytest.mark.ns3

NEVER_ASSOCIATED = {"model": "constant", "position_m": (500, 0, 1.5)}
# Beside the access point long enough to associate, then far away from the first request on.
WALKED_AWAY = {"model": "waypoints", "waypoints": [(0, 5, 0, 1.5), (1.8, 5, 0, 1.5), (1.9, 500, 0, 1.5)]}


@pytest.mark.parametrize("action", [MIN_SPLIT, HALF])
@pytest.mark.parametrize("seed", [1, 2])
def test_every_fragment_is_delivered_beside_the_access_point(action: int, seed: int) -> None:
    for state, record in play(make_scenario(at_m=3), seed, action):
        assert state.raw["serving_cell"] == 0
        assert (record.outcome == Outcome.DELIVERED).all()
        assert (record.downlink_outcome == Outcome.DELIVERED).all()
        assert record.loss == 0
        assert not record.failed
        assert record.generated_tokens == record.output_tokens


@pytest.mark.parametrize("mobility", [NEVER_ASSOCIATED, WALKED_AWAY], ids=["never-associated", "walked-away"])
class TestBeyondCoverage:
    def scenario(self, mobility: dict[str, Any]) -> Any:
        return make_scenario(mobility=mobility)

    @pytest.mark.parametrize("action", [MIN_SPLIT, HALF])
    def test_what_needs_the_link_fails(self, mobility: dict[str, Any], action: int) -> None:
        records = [record for _, record in play(self.scenario(mobility), 1, action)]
        failed = [record for record in records if record.failed]
        assert len(failed) >= 0.9 * len(records)
        for record in failed:
            assert record.fail_reason in {"deadline", "retries"}
            assert record.latency_s == 2.0  # censored at the deadline
            assert record.generated_tokens == 0
            assert not (record.outcome == Outcome.DELIVERED).any()

    def test_all_local_needs_no_link(self, mobility: dict[str, Any]) -> None:
        for _, record in play(self.scenario(mobility), 1, ALL_LOCAL):
            assert not record.failed
            assert record.generated_tokens == record.output_tokens


def test_the_state_tells_that_the_ue_has_no_cell() -> None:
    states = [state for state, _ in play(make_scenario(mobility=WALKED_AWAY), 1, ALL_LOCAL)]
    ages = [state.raw["snr_age_s"] for state in states]
    assert ages == sorted(ages)
    assert ages[-1] > 5
    assert [state.raw["serving_cell"] for state in states[1:]] == [-1, -1, -1]
    assert all(state.raw["distance_m"] == pytest.approx(500, abs=0.01) for state in states)


def test_the_ue_comes_back_into_coverage() -> None:
    there_and_back = [*WALKED_AWAY["waypoints"], (6, 500, 0, 1.5), (6.1, 5, 0, 1.5)]
    mobility = {"model": "waypoints", "waypoints": there_and_back}
    decisions = play(make_scenario(mobility=mobility), 3, MIN_SPLIT)
    assert decisions[0][1].failed
    after = [record for state, record in decisions if state.sim_time_s > 6.5]
    assert after
    assert not any(record.failed for record in after)
