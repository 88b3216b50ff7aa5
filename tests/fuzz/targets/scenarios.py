"""Scenario files, sweep files, previews, and texts."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from llm_split.texts import TextNotFoundError, load_text
from pyagent.paths import shipped_scenarios
from pyagent.plots.data import read_preview
from pyagent.scenario.compile import simulator_config
from pyagent.scenario.load import load_scenario
from pyagent.sweep.file import load_sweep
from tests.fuzz.mutate import damaged_text
from tests.fuzz.structured import damaged_json
from tests.fuzz.target import FileTarget

_RADIO_TRACE = "t_s,rate_mbps,delay_ms,loss,cqi\n0,5,20,0,9\n2,7.5,25,0.01,3\n4,1,1,0,2\n"
_MOBILITY_TRACE = "t_s,node,x_m,y_m,z_m\n0,a,1,2,3\n0.5,b,-1,2e1,0\n1,a,2,2,3\n"
_REQUESTS = {"count": 2, "prompt_tokens": [8, 16], "output_tokens": [3, 6]}


def _scenarios() -> list[dict[str, Any]]:
    """The ready-made ones, with small traces in the place of theirs."""
    found = []
    for path in shipped_scenarios().values():
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        data["requests"] = data.get("requests", {}) | _REQUESTS
        found.append(_with_small_traces(data))
    return found


def _with_small_traces(data: Any, key: str = "") -> Any:
    if isinstance(data, dict):
        return {name: _with_small_traces(value, name) for name, value in data.items()}
    if isinstance(data, list):
        return [_with_small_traces(value) for value in data]
    return {"file": "places.csv", "uplink": "rates.csv", "downlink": "rates.csv"}.get(key, data)


class _BesideTraces(FileTarget):
    """A YAML file beside two traces."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        (folder / "places.csv").write_text(_MOBILITY_TRACE)
        (folder / "rates.csv").write_text(_RADIO_TRACE)

    def mutate(self, data: bytes, rng: random.Random) -> bytes:
        return damaged_json(data, rng)


class Scenarios(_BesideTraces):
    """A scenario file, up to what ns-3 is given."""

    name = "scenario"
    file_name = "scenario.yaml"

    def seeds(self) -> Sequence[bytes]:
        return [json.dumps(data).encode() for data in _scenarios()]

    def load(self, path: Path) -> None:
        json.dumps(simulator_config(load_scenario(path)), allow_nan=False)


class Sweeps(_BesideTraces):
    """A sweep file, up to the runs that it stands for."""

    name = "sweep"
    file_name = "sweep.yaml"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        (folder / "base.yaml").write_text(json.dumps(_scenarios()[0]))

    def seeds(self) -> Sequence[bytes]:
        live = {
            "name": "live",
            "base": {"scenario": "base.yaml"},
            "agent": {"budget": 4, "policies": ["threshold", "best-static"]},
            "seeds": {"first": 3, "count": 2},
            "grid": {"scenario.requests.count": [2, 3], "agent.budget": [2, 4]},
            "list": [{"scenario.reward.slo_s": 1.0, "scenario.name": "a"}, {"scenario.reward.slo_s": 2}],
            "engine": {"workers": 1},
        }
        recorded = {
            "name": "recorded",
            "base": {"dataset": "tram-replay"},
            "grid": {"scenario.reward.slo_s": [0.5, 1.0]},
        }
        return [json.dumps(each).encode() for each in (live, recorded)]

    def load(self, path: Path) -> None:
        sweep = load_sweep(path)
        assert len(sweep.points) == len(list(sweep.file.points()))
        assert sweep.of_point(0, range(1))


class Previews(FileTarget):
    """`preview.json` of a run folder; what can't be read counts as not there."""

    name = "preview"
    file_name = "preview.json"
    refusals = ()

    def seeds(self) -> Sequence[bytes]:
        path = {"x_m": [1, 2, None], "y_m": [0, 0.5, None], "z_m": [1.5, 1.5, None]}
        seen = {"rx_power_dbm": [-50, -51, None], "snr_db": [20, 19, None], "rate_mbps": [10, 10, 0]}
        data = {
            "seed": 3,
            "time_s": [0, 1, 2],
            "sites": [{"name": "a", "position_m": [0, 0, 3]}],
            "ues": [path, path],
            "requests": {"time_s": [0.5], "x_m": [1.5], "y_m": [0.25], "z_m": [1.5]},
            "link": {
                "snr_db": [20, 19, None],
                "snr_age_s": [0, 0.1, None],
                "rsrp_dbm": [-50, -51, None],
                "phy_rate_mbps": [10, 10, 0],
                "serving_cell": [0, 0, -1],
            },
            "reception": [seen],
            "heat": {
                "x_m": [0, 1],
                "y_m": [0],
                "height_m": 1.5,
                "sites": [{k: v[:2] for k, v in seen.items()}],
            },
        }
        return [json.dumps(each).encode() for each in (data, data | {"heat": None})]

    def mutate(self, data: bytes, rng: random.Random) -> bytes:
        return damaged_json(data, rng)

    def load(self, path: Path) -> None:
        found = read_preview(path.parent)
        if found is not None:
            assert found.moving.shape == (len(found.ues_m),)
            assert np.isfinite(found.frame_m()).all()


class Texts(FileTarget):
    """A text file of the user's, for the quality model."""

    name = "text"
    file_name = "text.txt"
    refusals = (TextNotFoundError, ValueError)

    def seeds(self) -> Sequence[bytes]:
        return ["One line, ümlaut.\n\nAnother paragraph.\n".encode(), b"short"]

    def mutate(self, data: bytes, rng: random.Random) -> bytes:
        return damaged_text(data, rng)

    def load(self, path: Path) -> None:
        parts = [load_text(str(path), part) for part in ("train", "test")]
        assert "".join(parts) == load_text(str(path), "all")
