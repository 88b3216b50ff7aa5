"""The coupling benchmark runs and says what it promises; its figures are for a quiet machine."""

from __future__ import annotations

import pytest

from benchmarks.coupling import exponent
from tests.running import printed_json

pytestmark = pytest.mark.ns3


def test_the_exponent_of_a_power_law_is_its_power() -> None:
    ues = [1, 5, 10, 25, 50]
    assert exponent(ues, [0.3 * n**1.7 for n in ues]) == 1.7
    assert exponent(ues, [1, 2, 0, 4, 5]) is None


@pytest.mark.slow
def test_one_json_line_with_all_keys() -> None:
    result = printed_json("benchmarks.coupling", "--quick", timeout_s=170)
    assert isinstance(result["overhead"], float)
    measured = set(result["sim_seconds_per_wall_second"])
    assert "wifi" in measured
    assert measured | set(result["skipped"]) == {"wifi", "lte", "replay"}
    for figures in ("events_per_s", "ue_scaling_exponent", "ue_wall_s"):
        assert set(result[figures]) == measured
    assert set(result["ue_scaling_exponent"]["wifi"]) == {"whole", "bare", "own_share"}
    assert [ues for ues, _, _ in result["ue_wall_s"]["wifi"]] == [1, 3]
    assert all(seconds > 0 for row in result["ue_wall_s"]["wifi"] for seconds in row[1:])
