"""Which part of a recorded link an episode plays: the simulator's choice of the seed, worked out again."""

from __future__ import annotations

from pyagent.scenario.schema import ReplayLink

_OFFSET_STREAM = 1100
"""`OFFSET_STREAM` of ns3_scenarios/links/replay-link.cc."""
_GOLDEN = 0x9E3779B97F4A7C15
_BITS = (1 << 64) - 1


def offset_s(link: ReplayLink, seed: int, ue: int = 0) -> float:
    """Where in what is replayed the time 0 of a UE is, in seconds.

    The numbers are those of `CounterRandom` in ns3_scenarios/scenario/exogenous.cc, the finaliser of
    SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).

    Args:
        link: whose `offset_s` is the range; none: all that is replayed.
        seed: of the episode.
        ue: index, 0 is the agent's.
    """
    low, high = link.offset_s or (0.0, link.uplink_trace().duration_s)
    key = _mixed(_mixed(seed + _GOLDEN) + _OFFSET_STREAM * _GOLDEN)
    share = ((_mixed(key + (ue + 1) * _GOLDEN) >> 12) + 0.5) * 2.0**-52
    return low + share * (high - low)


def played_parts_s(link: ReplayLink, seed: int, length_s: float) -> list[tuple[float, float]]:
    """What an episode plays of the uplink's file, in seconds of the file; more than one part where it loops.

    Args:
        link: the recorded link.
        seed: of the episode.
        length_s: of the episode, > 0.
    """
    whole_s = link.uplink_trace().duration_s
    at_s, left_s, parts = offset_s(link, seed) % whole_s, length_s, []
    while left_s > 0:
        taken_s = min(left_s, whole_s - at_s)
        parts.append((link.start_s + at_s, link.start_s + at_s + taken_s))
        at_s, left_s = 0.0, left_s - taken_s
    return parts


def _mixed(value: int) -> int:
    value &= _BITS
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _BITS
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _BITS
    return value ^ (value >> 31)
