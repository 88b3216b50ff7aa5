"""From a scenario to what ns-3 is given: all sizes and times worked out, nothing left to look up."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from llm_split.codecs import get_codec
from llm_split.devices import DeviceCard, ModelShape, load_device, load_shape
from llm_split.plain import one_line
from llm_split.roofline import ComputeTables, compute_tables
from pyagent.scenario.feasibility import contradiction, least_cost
from pyagent.scenario.load import ScenarioError
from pyagent.scenario.memory import fitting_splits
from pyagent.scenario.schema import Fec, Movement, Scenario, TraceMobility


@dataclass(frozen=True)
class Deployment:
    """The scenario's model on the scenario's machines.

    Attributes:
        shape: the deployed model.
        splits: the feasible ones of the scenario's splits; action i stands for splits[i].
        too_large_for_ue, too_large_for_edge: splits whose half on that side its memory can't hold.
        ue, edge: compute times; `ue_device.compute_power_w` is the power above idle in W.
        fragment_bytes: bytes of each fragment of one token.
        fec: how fragments are protected.
    """

    shape: ModelShape
    splits: tuple[int, ...]
    too_large_for_ue: tuple[int, ...]
    too_large_for_edge: tuple[int, ...]
    ue_device: DeviceCard
    ue: ComputeTables
    edge: ComputeTables
    fragment_bytes: tuple[int, ...]
    fec: Fec | None = None

    def uplink_bytes(self, tokens: int) -> int:
        """Of a step that sends the activations of so many tokens once, without headers; parity as if each
        group had one of the longest fragments."""
        data = sum(self.fragment_bytes) * tokens
        if self.fec is None:
            return data
        groups = math.ceil(len(self.fragment_bytes) * tokens / self.fec.data)
        return data + groups * self.fec.parity * max(self.fragment_bytes)

    @property
    def infeasible(self) -> tuple[int, ...]:
        """The scenario's splits that one of the memories can't hold, in increasing order."""
        return tuple(sorted({*self.too_large_for_ue, *self.too_large_for_edge}))

    @property
    def num_layers(self) -> int:
        """Transformer blocks of the deployed model."""
        return self.shape.num_layers

    def all_local_compute_s(self, prompt_tokens: int, output_tokens: int) -> float:
        """Seconds of UE computing for a request run wholly on the UE."""
        layers = self.num_layers
        prefill = layers * self.ue.prefill_block_s[prompt_tokens]
        contexts = range(prompt_tokens + 1, prompt_tokens + output_tokens)
        decode = sum(layers * self.ue.decode_block_s[context] for context in contexts)
        return prefill + decode + output_tokens * self.ue.decode_head_s

    def all_local_energy_j(self, prompt_tokens: int, output_tokens: int) -> float:
        """Joules above idle that the UE computes away on a request run wholly on it."""
        return self.all_local_compute_s(prompt_tokens, output_tokens) * self.ue_device.compute_power_w


@lru_cache(maxsize=16)
def _deploy(text: str) -> Deployment:
    scenario = Scenario.model_validate_json(text)
    shape = _named("model.deployed", load_shape, scenario.model.deployed)
    ue_device = _named("ue.device", load_device, scenario.ue.device)
    edge_device = _named("edge.device", load_device, scenario.edge.device)
    requests, model = scenario.requests, scenario.model
    too_deep = [split for split in model.splits if split > shape.num_layers]
    if too_deep:
        raise ScenarioError(
            f"model.splits = {one_line(str(model.splits))}: {too_deep[0]} is outside the model; valid: "
            f"{model.min_split} to {shape.num_layers} ({one_line(model.deployed)})"
        )
    for group in scenario.others:
        if group.split is not None and group.split > shape.num_layers:
            raise ScenarioError(
                f"others.split = {group.split}: outside the model; valid: up to {shape.num_layers}"
            )
    tokens = (requests.prompt_tokens[1], requests.max_tokens)
    ue = _tables("ue", shape, ue_device, scenario.ue.weight_bits, tokens)
    edge = _tables("edge", shape, edge_device, scenario.edge.weight_bits, tokens)
    fit = fitting_splits(scenario, shape, ue_device, edge_device)
    deployment = Deployment(
        shape=shape,
        splits=fit.splits,
        too_large_for_ue=fit.too_large_for_ue,
        too_large_for_edge=fit.too_large_for_edge,
        ue_device=ue_device,
        ue=ue,
        edge=edge,
        fragment_bytes=tuple(
            get_codec(model.codec).fragment_bytes(
                shape.hidden_size,
                scenario.transport.payload_bytes,
                model.impairment().parts_of_fragment,
            )
        ),
        fec=scenario.transport.fec,
    )
    _check_targets(scenario, deployment)
    return deployment


def _check_targets(scenario: Scenario, deployment: Deployment) -> None:
    costs = [
        least_cost(
            split,
            deployment.num_layers,
            deployment.ue,
            deployment.edge,
            deployment.ue_device.compute_power_w,
            scenario.requests,
        )
        for split in deployment.splits
    ]
    problem = contradiction(scenario.targets, costs)
    if problem:
        raise ScenarioError(f"targets: {problem}")


def deploy(scenario: Scenario) -> Deployment:
    """Work out sizes and times of the deployed model.

    Raises:
        ScenarioError: unknown device or model, a split outside the model, no split that fits both machines,
            or targets that no split can meet.
    """
    return _deploy(scenario.model_dump_json())


def reassembly_timeout_s(scenario: Scenario) -> float:
    """How long the edge waits for another fragment of a step: the scenario's own, or what suits the link."""
    return (scenario.transport.reassembly_timeout_ms or scenario.link.reassembly_timeout_ms) / 1e3


def simulator_config(scenario: Scenario) -> dict[str, Any]:
    """The JSON object that the ns-3 program reads; times in seconds.

    Raises:
        ScenarioError: as `deploy`.
    """
    deployment = deploy(scenario)
    requests, transport = scenario.requests, scenario.transport
    return {
        "name": scenario.name,
        "mobility": _agent_mobility(scenario.mobility).simulator(),
        "others": [group.simulator() for group in scenario.others],
        "link": scenario.link.simulator(),
        "environment": scenario.environment.simulator(),
        "arrivals": requests.model_dump(),
        "transport": {
            "reassembly_timeout_s": reassembly_timeout_s(scenario),
            "retry_timeout_s": transport.retry_timeout_ms / 1e3,
            "max_retries": transport.max_retries,
            "device_queue_window": transport.device_queue_window,
            "token_id_bytes": transport.token_id_bytes,
            **({} if transport.fec is None else {"fec": transport.fec.model_dump()}),
        },
        "codecs": [{"name": scenario.model.codec, "fragment_bytes": deployment.fragment_bytes}],
        "compute": {
            "num_layers": deployment.num_layers,
            "splits": deployment.splits,
            "ue": _profile(deployment.ue, deployment.ue_device.compute_power_w),
            "edge": _profile(deployment.edge, 0.0),
            "background_jobs_per_s": scenario.edge.background_jobs_per_s,
            "background_job_s": scenario.edge.background_job_ms / 1e3,
        },
    }


def _agent_mobility(mobility: Movement) -> Movement:
    return mobility.staying() if isinstance(mobility, TraceMobility) else mobility


def write_simulator_config(scenario: Scenario, path: Path) -> Path:
    """Write `simulator_config` as JSON.

    Args:
        scenario: what to simulate.
        path: the file; its folder must exist.

    Returns:
        `path`.
    """
    path.write_text(json.dumps(simulator_config(scenario), indent=1), encoding="utf-8")
    return path


def _profile(tables: ComputeTables, power_w: float) -> dict[str, Any]:
    return {
        "prefill_block_s": tables.prefill_block_s,
        "decode_block_s": tables.decode_block_s,
        "head_s": tables.decode_head_s,
        "power_w": power_w,
    }


def _tables(
    side: str, shape: ModelShape, device: DeviceCard, weight_bits: int, tokens: tuple[int, int]
) -> ComputeTables:
    try:
        return compute_tables(shape, device, weight_bits, *tokens)
    except ValueError as error:
        raise ScenarioError(f"{side}.weight_bits = {weight_bits}: {error}") from error


def _named(field: str, load: Any, name: str) -> Any:
    try:
        return load(name)
    except (KeyError, ValueError, LookupError) as error:
        raise ScenarioError(
            f"{field} = {one_line(repr(name))}: {error.args[0] if error.args else error}"
        ) from error
