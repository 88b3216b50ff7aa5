"""Which of a scenario's splits the memories of the two machines can hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from llm_split.devices import DeviceCard, ModelShape
from llm_split.plain import one_line
from llm_split.roofline import edge_memory_bytes, ue_memory_bytes
from pyagent.scenario.load import ScenarioError
from pyagent.scenario.schema import Edge, Scenario, Ue

GIB = 2**30


@dataclass(frozen=True)
class Fit:
    """A scenario's splits, by whether both halves fit.

    Attributes:
        splits: those whose halves both fit.
        too_large_for_ue, too_large_for_edge: those whose half on that side does not; a split may be in both.
    """

    splits: tuple[int, ...]
    too_large_for_ue: tuple[int, ...]
    too_large_for_edge: tuple[int, ...]


@dataclass(frozen=True)
class _Side:
    """One machine: the bytes that there are, and those that each split needs."""

    name: str
    available_bytes: float
    device: str
    needed_bytes: Mapping[int, int]

    @property
    def too_large(self) -> tuple[int, ...]:
        return tuple(s for s, needed in self.needed_bytes.items() if needed > self.available_bytes)

    @property
    def field(self) -> str:
        """The field with its value, and the device where the value is the card's."""
        where = f" (all of {one_line(self.device)})" if self.device else ""
        return f"{self.name}.memory_gib = {self.available_bytes / GIB:.2f}{where}"

    def need(self, split: int) -> str:
        """What one split needs."""
        return f"split {split} needs {self.needed_bytes[split] / GIB:.2f} GiB"


def fitting_splits(
    scenario: Scenario, shape: ModelShape, ue_device: DeviceCard, edge_device: DeviceCard
) -> Fit:
    """Sort the scenario's splits by what fits.

    Each half needs its weights and the keys and values of the longest request. The edge also holds what the
    other UEs with a `split` need: one copy of the blocks that any UE leaves to it, and one request's keys and
    values for each of them.

    Args:
        scenario: the splits, weight bits, requests and memories; a memory that is not given is the card's.
        shape: the deployed model; every split is within it.
        ue_device, edge_device: the two machines.

    Raises:
        ScenarioError: no split fits; one line names the split that needs least, its need and what there is.
    """
    splits, tokens = scenario.model.splits, scenario.requests.max_tokens
    on_ue = {s: ue_memory_bytes(shape, s, scenario.ue.weight_bits, tokens) for s in splits}
    on_edge = {s: _edge_bytes(scenario, shape, s) for s in splits}
    ue = _side("ue", scenario.ue, ue_device, on_ue)
    edge = _side("edge", scenario.edge, edge_device, on_edge)
    refused = {*ue.too_large, *edge.too_large}
    fit = Fit(tuple(s for s in splits if s not in refused), ue.too_large, edge.too_large)
    if not fit.splits:
        raise ScenarioError(_nothing_fits(ue, edge))
    return fit


def _edge_bytes(scenario: Scenario, shape: ModelShape, split: int) -> int:
    """Weights from the lowest cut on, once, and the keys and values of one request of every UE."""
    bits, tokens = scenario.edge.weight_bits, scenario.requests.max_tokens
    peers = [group.split for group in scenario.others for _ in range(group.count) if group.split is not None]
    cuts = [split, *peers]
    weights = edge_memory_bytes(shape, min(cuts), bits, 0)
    caches = (edge_memory_bytes(shape, s, bits, tokens) - edge_memory_bytes(shape, s, bits, 0) for s in cuts)
    return weights + sum(caches)


def _side(name: str, section: Ue | Edge, device: DeviceCard, needed: Mapping[int, int]) -> _Side:
    if section.memory_gib is None:
        return _Side(name, device.memory_bytes, device.name, needed)
    return _Side(name, section.memory_gib * GIB, "", needed)


def _nothing_fits(ue: _Side, edge: _Side) -> str:
    for side in (ue, edge):
        if len(side.too_large) == len(side.needed_bytes):
            least = min(side.needed_bytes, key=lambda split: side.needed_bytes[split])
            return f"{side.field}: too small for every split; {side.need(least)}"
    on_ue, on_edge = ue.need(min(ue.too_large)), edge.need(max(edge.too_large))
    return f"no split fits both machines; {ue.field}: {on_ue}; {edge.field}: {on_edge}"
