"""Tracks: where a node is, and moving, cutting and choosing them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyagent.traces.errors import TraceError
from pyagent.traces.mobility import Track, Tracks

WALK = Track("walk", np.array([2.0, 4.0, 9.0]), np.array([[0, 0, 1], [3, 4, 1], [3, 4, 1]]))
POST = Track("post", np.array([0.0]), np.array([[-10.0, 20.0, 3.0]]), stays=True)
BOTH = Tracks(Path("both.csv"), "csv", {"walk": WALK, "post": POST})


def test_a_track_says_when_how_far_and_how_fast() -> None:
    assert (WALK.enter_s, WALK.leave_s, WALK.duration_s) == (2, 9, 7)
    assert (WALK.length_m, WALK.max_speed_mps) == (5, 2.5)
    assert (POST.duration_s, POST.length_m, POST.max_speed_mps) == (0, 0, 0)


@pytest.mark.parametrize(
    ("t_s", "place"), [(2, [0, 0, 1]), (3, [1.5, 2, 1]), (4, [3, 4, 1]), (8.5, [3, 4, 1])]
)
def test_between_samples_a_node_moves_straight(t_s: float, place: list[float]) -> None:
    assert WALK.position_at(t_s).tolist() == place


def test_a_node_has_no_place_when_it_isnt_there() -> None:
    with pytest.raises(TraceError, match=r"^node 'walk': not there at 1 s; valid: from 2 s to 9 s$"):
        WALK.position_at(1)
    with pytest.raises(TraceError, match=r"^node 'walk': not there at 9.5 s; valid: from 2 s to 9 s$"):
        WALK.position_at(9.5)
    with pytest.raises(TraceError, match=r"^node 'post': not there at -1 s; valid: from 0 s on$"):
        POST.position_at(-1)
    assert POST.position_at(1e6).tolist() == [-10, 20, 3]


def test_a_track_cant_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        WALK.positions_m[0, 0] = 1
    with pytest.raises(TypeError):
        BOTH.tracks["more"] = POST  # type: ignore[index]


@pytest.mark.parametrize("times", [[1.0, 1.0], [2.0, 1.0], [0.0, np.nan], [0.0]])
def test_a_track_needs_increasing_times(times: list[float]) -> None:
    with pytest.raises(ValueError, match="times"):
        Track("a", np.array(times), np.zeros((2, 3)))


def test_the_whole_has_bounds_and_ends() -> None:
    lower, upper = BOTH.bounds_m
    assert lower.tolist() == [-10, 0, 1]
    assert upper.tolist() == [3, 20, 3]
    assert (BOTH.start_s, BOTH.end_s) == (0, 9)


def test_shifting_moves_time_and_place() -> None:
    moved = BOTH.shifted(-2, (10, 0)).tracks["walk"]
    assert moved.times_s.tolist() == [0, 2, 7]
    assert moved.positions_m[1].tolist() == [13, 4, 1]
    assert BOTH.tracks["walk"].times_s[0] == 2


@pytest.mark.parametrize(
    ("origin", "walk_start"),
    [("lower", [10, 0, 1]), ("centre", [3.5, -10, 1]), ([1, 2], [-1, -2, 1]), ([1, 2, 0.5], [-1, -2, 0.5])],
)
def test_recentring_makes_a_place_the_origin(origin: str | list[float], walk_start: list[float]) -> None:
    assert BOTH.recentred(origin).tracks["walk"].positions_m[0].tolist() == walk_start  # type: ignore[arg-type]


def test_a_wrong_origin_is_refused() -> None:
    with pytest.raises(TraceError, match=r"^origin = 'upper': not known; valid: lower, centre, or "):
        BOTH.recentred("upper")
    with pytest.raises(
        TraceError, match=r"^origin = \[1\]: not a place; valid: \[x, y\] or \[x, y, z\] in metres$"
    ):
        BOTH.recentred([1])


def test_cutting_interpolates_both_ends() -> None:
    cut = BOTH.cut(3, 5)
    walk, post = cut.tracks["walk"], cut.tracks["post"]
    assert walk.times_s.tolist() == [3, 4, 5]
    assert walk.positions_m[:, 0].tolist() == [1.5, 3, 3]
    # A node that stays is there all the time, and gone with the end of the cut.
    assert post.times_s.tolist() == [3, 5]
    assert not post.stays


def test_cutting_leaves_out_who_isnt_there() -> None:
    assert list(BOTH.cut(10, 20).tracks) == ["post"]
    alone = Tracks(Path("walk.csv"), "csv", {"walk": WALK})
    assert alone.cut(9, 20).tracks["walk"].times_s.tolist() == [9]
    with pytest.raises(
        TraceError, match=r"^walk.csv: cut = \[10, 20\]: no node is there then; valid: within \[2, 9\]$"
    ):
        alone.cut(10, 20)
    with pytest.raises(TraceError, match=r"^cut = \[5, 5\]: not two times in order$"):
        alone.cut(5, 5)


def test_selecting_names_the_nodes_there_are() -> None:
    assert BOTH.select("post") is POST
    with pytest.raises(TraceError, match=r"^both.csv: node 'car': not in the file; valid: walk, post$"):
        BOTH.select("car")
    many = Tracks(Path("many.csv"), "csv", {str(n): POST for n in range(20)})
    with pytest.raises(TraceError, match=r"valid: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 8 more$"):
        many.select("20")
