"""What a scenario looks like before it is run: paths, sites, coverage and the agent's link, told by ns-3."""

from __future__ import annotations

import json
import re
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyagent.bridge.errors import SimulatorDied, SimulatorTimeout
from pyagent.bridge.process import SimulatorProcess
from pyagent.bridge.session import describe_exit
from pyagent.errors import UserError
from pyagent.paths import simulator_executable
from pyagent.scenario.compile import write_simulator_config
from pyagent.scenario.load import ScenarioError
from pyagent.scenario.schema import Scenario
from pyagent.silence import step_timeout_s
from pyagent.temporary import TemporaryFolder

PATIENCE = 2.0
"""ns-3 says nothing before the end of an episode, so it may take longer than in between decisions."""

SAMPLES = 500
"""How many samples a preview has at most, about."""

SHORTEST_STEP_S = 0.1
_HEAD_CHARACTERS = 64 * 1024
HEAT_CELLS = 96
"""Points of the heat map along its longer side."""

REFUSED = 2
"""Exit status with which the simulator says that the scenario isn't valid."""

Frame = tuple[float, float, float, float]
"""West, east, south, north in metres."""


UNKNOWN_OPTION = "Invalid command-line argument: "
"""How ns-3's CommandLine begins its help in a program that does not know an option."""


class PreviewError(UserError):
    """ns-3 can't show the scenario."""


class NoPreviewError(PreviewError):
    """The scenario's own program has no preview."""


@dataclass(frozen=True, eq=False)
class Signal:
    """What could be received from each site without fading; NaN where nothing is.

    Attributes:
        rx_power_dbm, snr_db, rate_mbps: float64 [sites, ...], the last of the PHY, alone in the cell.
    """

    rx_power_dbm: NDArray[np.float64]
    snr_db: NDArray[np.float64]
    rate_mbps: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class HeatMap:
    """What every site reaches, at time 0.

    Attributes:
        x_m, y_m: float64 [columns], [rows].
        height_m: of the receiver.
        signal: [sites, rows, columns].
    """

    x_m: NDArray[np.float64]
    y_m: NDArray[np.float64]
    height_m: float
    signal: Signal

    @property
    def frame_m(self) -> Frame:
        """The area that it covers."""
        return float(self.x_m[0]), float(self.x_m[-1]), float(self.y_m[0]), float(self.y_m[-1])


@dataclass(frozen=True, eq=False)
class LinkTimeline:
    """What the agent's UE knows of its link; no request is made, so only others' traffic is in it.

    Attributes:
        snr_db, snr_age_s, rsrp_dbm, phy_rate_mbps: float64 [samples]; the age is that of SNR and power.
        serving_cell: int64 [samples], index into the sites, -1 for none.
    """

    snr_db: NDArray[np.float64]
    snr_age_s: NDArray[np.float64]
    rsrp_dbm: NDArray[np.float64]
    phy_rate_mbps: NDArray[np.float64]
    serving_cell: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Preview:
    """One episode of a scenario without an agent.

    Attributes:
        seed: of the episode.
        site_names, sites_m: access points or base stations; float64 [sites, 3].
        time_s: float64 [samples].
        ues_m: float64 [UEs, samples, 3], the agent's first; NaN where it isn't there.
        request_s, request_m: float64 [requests], [requests, 3]: when the agent's requests come, and where.
        link: of the agent.
        reception: [sites, samples], where the agent is.
        heat: None where there are no sites.
    """

    seed: int
    site_names: tuple[str, ...]
    sites_m: NDArray[np.float64]
    time_s: NDArray[np.float64]
    ues_m: NDArray[np.float64]
    request_s: NDArray[np.float64]
    request_m: NDArray[np.float64]
    link: LinkTimeline
    reception: Signal
    heat: HeatMap | None

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Preview:
        """From what `preview_json` gives.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        link, requests, heat = data["link"], data["requests"], data["heat"]
        return cls(
            seed=int(data["seed"]),
            site_names=tuple(site["name"] for site in data["sites"]),
            sites_m=_floats([site["position_m"] for site in data["sites"]]).reshape(-1, 3),
            time_s=_floats(data["time_s"]),
            ues_m=np.stack([_places(path) for path in data["ues"]]),
            request_s=_floats(requests["time_s"]),
            request_m=_places(requests),
            link=LinkTimeline(
                _floats(link["snr_db"]),
                _floats(link["snr_age_s"]),
                _floats(link["rsrp_dbm"]),
                _floats(link["phy_rate_mbps"]),
                np.asarray(link["serving_cell"], dtype=np.int64),
            ),
            reception=_signal(data["reception"], (len(data["time_s"]),)),
            heat=_heat(heat) if heat else None,
        )

    @property
    def moving(self) -> NDArray[np.bool_]:
        """Which UEs are ever seen at two places, bool [UEs]."""
        places = np.ma.masked_invalid(self.ues_m)
        spans = (places.max(axis=1) - places.min(axis=1)).max(axis=1)
        return np.asarray(spans.filled(0.0) > 0.0, dtype=np.bool_)

    def frame_m(self) -> Frame:
        """The area around everyone's paths and all sites."""
        return frame_m(np.concatenate([self.ues_m.reshape(-1, 3), self.sites_m]))


def preview(
    scenario: Scenario, seed: int, *, duration_s: float | None = None, netanim: Path | None = None
) -> Preview:
    """Look at one episode; the paths are exactly those of a run's episode of this seed.

    Args:
        scenario: what to look at.
        seed: of the episode.
        duration_s: how much of it; None: all.
        netanim: file to write for ns-3's NetAnim.

    Raises:
        SimulatorNotFoundError: nothing was built.
        ScenarioError: ns-3 refuses the scenario.
        NoPreviewError: the scenario's own program has no preview.
        PreviewError: ns-3 failed.
        SimulatorTimeout, SimulatorDied: it took too long, or somebody killed it.
    """
    return Preview.from_json(preview_json(scenario, seed, duration_s=duration_s, netanim=netanim))


def preview_json(
    scenario: Scenario, seed: int, *, duration_s: float | None = None, netanim: Path | None = None
) -> dict[str, Any]:
    """As `preview`, as plain data: what ns-3 printed, and the seed."""
    options = [f"--netanim={netanim.resolve()}"] if netanim else []
    asked = {"step_s": _step_s(scenario, duration_s), "until_s": duration_s}
    data = _ask(scenario, seed, asked, options)
    if data["sites"]:
        # The area isn't known before the paths are, and the map is of time 0: so a second, short look.
        data["heat"] = _ask(scenario, seed, {"step_s": 1.0, "until_s": 0.0, "grid": _grid(data)})["heat"]
    return {"seed": seed, **data}


def check_in_ns3(scenario: Scenario) -> None:
    """Build the scenario's world in ns-3 and run no longer than its first instant.

    Raises:
        As `preview`.
    """
    _ask(scenario, 1, {"step_s": 1.0, "until_s": 0.0})


def frame_m(places_m: NDArray[np.float64]) -> Frame:
    """A rectangle around places, with a margin and not extremely long.

    Args:
        places_m: float64 [places, 2 or more]; NaN rows count for nothing.
    """
    there = places_m[np.isfinite(places_m[:, :2]).all(axis=1), :2]
    if not len(there):
        there = np.zeros((1, 2))
    low, high = there.min(axis=0), there.max(axis=0)
    width, height = (float(side) for side in (high - low) + 2 * np.maximum(0.1 * (high - low), 2.0))
    height = max(height, 10.0, 0.2 * width)
    width = max(width, 10.0, 0.9 * height)
    x, y = (float(middle) for middle in (low + high) / 2)
    return x - width / 2, x + width / 2, y - height / 2, y + height / 2


def _step_s(scenario: Scenario, duration_s: float | None) -> float:
    return max(SHORTEST_STEP_S, (duration_s or scenario.requests.expected_end_s) / SAMPLES)


def _grid(data: dict[str, Any]) -> dict[str, Any]:
    paths = [_places(path) for path in data["ues"]]
    sites = _floats([site["position_m"] for site in data["sites"]])
    west, east, south, north = frame_m(np.concatenate([*paths, sites]))
    heights = paths[0][:, 2]
    there = heights[np.isfinite(heights)]
    cell_m = max(east - west, north - south) / (HEAT_CELLS - 1)
    return {
        "x_m": [west, east],
        "y_m": [south, north],
        "height_m": float(there[0]) if len(there) else 1.5,
        "columns": max(2, round((east - west) / cell_m) + 1),
        "rows": max(2, round((north - south) / cell_m) + 1),
    }


def _ask(
    scenario: Scenario, seed: int, asked: dict[str, Any], options: list[str] | None = None
) -> dict[str, Any]:
    with TemporaryFolder() as folder:
        config = write_simulator_config(scenario, folder / "scenario.json")
        wanted = folder / "preview.json"
        wanted.write_text(json.dumps(asked), encoding="utf-8")
        arguments = [f"--config={config}", f"--preview={wanted}", f"--simSeed={seed}", *(options or [])]
        program = simulator_executable(scenario.program)
        with SimulatorProcess(program, arguments, log_dir=folder) as process:
            bound_s = PATIENCE * step_timeout_s()
            status = process.wait(bound_s)
            if status is None:
                raise SimulatorTimeout(
                    f"waited {bound_s:g} s for ns-3 to show the scenario; a shorter --duration takes less, "
                    "and SPLITSIM_STEP_TIMEOUT_S sets half of that bound"
                )
            if status == -signal.SIGKILL:
                raise SimulatorDied(f"ns-3 {describe_exit(status)} while it showed the scenario", status)
            if status != 0:
                raise _failure(scenario, status, process)
        return _printed(scenario, process.stdout_path.read_text(encoding="utf-8", errors="replace"))


def _printed(scenario: Scenario, stdout: str) -> dict[str, Any]:
    """The last line of what a program printed; its own lines may stand before."""
    lines = stdout.splitlines() or [""]
    try:
        data = json.loads(lines[-1])
    except ValueError as error:
        if scenario.program:
            raise _no_preview(scenario) from error
        raise PreviewError(f"ns-3 printed no preview ({error})") from error
    if not isinstance(data, dict) or "ues" not in data:
        raise _no_preview(scenario) if scenario.program else PreviewError("ns-3 printed no preview")
    return data


def _knows_no_option(process: SimulatorProcess) -> bool:
    with open(process.stderr_path, encoding="utf-8", errors="replace") as file:
        return UNKNOWN_OPTION in file.read(_HEAD_CHARACTERS)


def _no_preview(scenario: Scenario) -> NoPreviewError:
    return NoPreviewError(
        f"program {scenario.program}: has no --preview; valid: a program that runs by ScenarioProgram, "
        "built against this version (docs/own-scenario-cpp.md)"
    )


def _failure(scenario: Scenario, status: int, process: SimulatorProcess) -> UserError:
    if scenario.program and _knows_no_option(process):
        return _no_preview(scenario)
    said = process.stderr_tail()
    if status == REFUSED:
        return ScenarioError(f"ns-3 refuses it: {_reason(said)}")
    how = f"status {status}" if status > 0 else f"signal {-status}"
    return PreviewError(f"ns-3 ended with {how}: {_reason(said)}")


def _reason(said: str) -> str:
    """The message of ns-3's own fatal errors, or the last line."""
    fatal = re.search(r'msg="([^"]*)"', said)
    lines = said.splitlines() or ["it said nothing"]
    return fatal[1] if fatal else lines[-1].removeprefix("splitsim-ns3: ")


def _floats(values: ArrayLike) -> NDArray[np.float64]:
    """None becomes NaN."""
    return np.asarray(values, dtype=np.float64)


def _places(path: dict[str, Any]) -> NDArray[np.float64]:
    return np.column_stack([_floats(path[axis]) for axis in ("x_m", "y_m", "z_m")])


def _signal(sites: list[dict[str, Any]], shape: tuple[int, ...]) -> Signal:
    def stacked(quantity: str) -> NDArray[np.float64]:
        return _floats([site[quantity] for site in sites]).reshape(len(sites), *shape)

    return Signal(stacked("rx_power_dbm"), stacked("snr_db"), stacked("rate_mbps"))


def _heat(data: dict[str, Any]) -> HeatMap:
    x_m, y_m = _floats(data["x_m"]), _floats(data["y_m"])
    signal = _signal(data["sites"], (len(y_m), len(x_m)))
    return HeatMap(x_m, y_m, float(data["height_m"]), signal)
