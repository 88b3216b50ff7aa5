"""What coupling ns-3 with an agent costs, and how a cell's cost grows with its UEs.

`python -m benchmarks.coupling` prints one JSON line; all it takes is the built simulator. It says on stderr
how far it is. Times are the simulator's own, from the first simulated event to the last, without the start
of a process and without building the scenario. What is compared takes turns, so that another program on the
machine disturbs both alike.

- `overhead`: the scenario `default` with an agent in Python, which reads every delivery record and answers,
  over the same program that answers itself (`--self`, nothing leaves the process), less 1; median over
  pairs. No language model.
- `sim_seconds_per_wall_second`, `events_per_s`: of the scenario `default` on each technology, answering
  itself with its smallest split; fastest of the runs.
- `ue_scaling_exponent`: by technology, the slope of log(wall time) over log(UEs), by least squares over 1, 5,
  10, 25 and 50 UEs of one small stream each, beside an agent that sends nothing.
  `whole`: everything. `bare`: the same cell and streams without what observes the link and without split
  inference (`--bare`), which is ns-3 and the losses on its channel. `own_share`: the difference of the two,
  which is what our code costs, null where it is lost in the noise.
- `ue_wall_s`: the times behind the exponents: [UEs, whole, bare].
- `skipped`: technologies that this version hasn't, and why.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from pyagent.envs.simulator import Episode
from pyagent.paths import REPOSITORY, simulator_executable
from pyagent.scenario.compile import deploy, write_simulator_config
from pyagent.scenario.load import ScenarioError, load_scenario, parse_scenario
from pyagent.scenario.schema import Scenario

TECHNOLOGIES: dict[str, dict[str, Any]] = {
    "wifi": {"technology": "wifi"},
    "lte": {"technology": "lte"},
    "replay": {
        "technology": "replay",
        "uplink": str(REPOSITORY / "ns3_scenarios" / "scenarios" / "traces" / "tram-lte.csv"),
    },
}
"""`link` section by name; one that this version refuses is skipped."""
UE_COUNTS = (1, 5, 10, 25, 50)
STREAM = {"kind": "cbr", "rate_kbps": 16, "packet_bytes": 200}
"""Of each UE: ten small packets a second."""
_SEED = 1
_LIMIT_S = 600


@dataclass(frozen=True)
class Pace:
    """What a program with `--pace` says of its run."""

    events: int
    sim_s: float
    wall_s: float

    @classmethod
    def of(cls, stdout: str) -> Pace:
        """Read the last line of its output."""
        return cls(**json.loads(stdout.splitlines()[-1]))


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    Attributes:
        pairs: runs of each side of `overhead`.
        requests: decisions of these runs.
        rounds: runs of every cell; the fastest counts.
        ue_counts: cells of `ue_scaling_exponent`.
        cell_s: simulated seconds of a cell, roughly.
    """

    pairs: int = 5
    requests: int = 8
    rounds: int = 2
    ue_counts: tuple[int, ...] = UE_COUNTS
    cell_s: float = 6.0


QUICK = Effort(pairs=1, requests=2, rounds=1, ue_counts=(1, 3), cell_s=4.0)


def run_alone(scenario: Scenario, *options: str) -> Pace:
    """One episode without an agent."""
    with tempfile.TemporaryDirectory(prefix="splitsim-coupling-") as folder:
        config = write_simulator_config(scenario, Path(folder) / "scenario.json")
        command = [
            str(simulator_executable()),
            f"--config={config}",
            f"--simSeed={_SEED}",
            "--pace=1",
            *options,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_LIMIT_S)
    return Pace.of(done.stdout)


def run_with_agent(scenario: Scenario, action: int) -> Pace:
    """The same with an agent in Python that always gives the same answer."""
    with tempfile.TemporaryDirectory(prefix="splitsim-coupling-") as folder:
        with Episode(scenario, _SEED, log_dir=Path(folder), options=["--pace=1"]) as episode:
            episode.begin()
            over = False
            while not over:
                _, _, over = episode.decide(action)
        (output,) = Path(folder).glob("*.stdout.log")
        return Pace.of(output.read_text(encoding="utf-8"))


def default_on(link: dict[str, Any], requests: int) -> Scenario:
    """The scenario `default` on another link.

    Raises:
        ScenarioError: this version hasn't the technology.
    """
    data = load_scenario("default").model_dump(mode="json", exclude_unset=True)
    data["requests"]["count"] = requests
    if link["technology"] != data["link"]["technology"]:
        data["link"] = link
    scenario = parse_scenario(data, str(link["technology"]))
    deploy(scenario)
    return scenario


def cell(link: dict[str, Any], ues: int, sim_s: float) -> Scenario:
    """UEs of one light stream each around a site, and a UE whose agent is to send nothing."""
    data = {
        "name": "cell",
        "mobility": {"model": "constant", "position_m": [5, 0, 1.5]},
        "link": link,
        "others": [{"count": ues, "traffic": STREAM}],
        "requests": {"count": 1, "start_s": 1, "deadline_s": sim_s, "min_gap_s": sim_s},
        "ue": {"memory_gib": 64},
    }
    return parse_scenario(data, f"{link['technology']} with {ues} UEs")


def overhead(effort: Effort, note: Notes) -> float:
    scenario = default_on(TECHNOLOGIES["wifi"], effort.requests)
    ratios = []
    for pair in range(effort.pairs):
        note(f"overhead, pair {pair + 1} of {effort.pairs}")
        ratios.append(run_with_agent(scenario, 0).wall_s / run_alone(scenario, "--self=0").wall_s)
    return median(ratios) - 1.0


def fastest(runs: Iterator[Pace]) -> Pace:
    return min(runs, key=lambda pace: pace.wall_s)


def speed(link: dict[str, Any], effort: Effort) -> Pace:
    scenario = default_on(link, effort.requests)
    return fastest(run_alone(scenario, "--self=0") for _ in range(effort.rounds))


def cell_times(link: dict[str, Any], effort: Effort, note: Notes) -> list[tuple[int, float, float]]:
    """(UEs, wall seconds of the whole, of the bare cell), the two taking turns."""
    rows = []
    for ues in effort.ue_counts:
        scenario = cell(link, ues, effort.cell_s)
        silent = len(deploy(scenario).splits) - 1
        pairs = []
        for number in range(effort.rounds):
            note(f"{link['technology']}, {ues} UEs, round {number + 1} of {effort.rounds}")
            pairs.append((run_alone(scenario, f"--self={silent}"), run_alone(scenario, "--bare=1")))
        whole, bare = (fastest(iter(side)) for side in zip(*pairs, strict=True))
        rows.append((ues, whole.wall_s, bare.wall_s))
    return rows


def exponent(ues: Sequence[int], seconds: Sequence[float]) -> float | None:
    """Slope of log(seconds) over log(ues); None where a time isn't positive."""
    if min(seconds) <= 0:
        return None
    slope = np.polyfit(np.log(ues), np.log(seconds), 1)[0]
    return round(float(slope), 3)


def exponents(rows: list[tuple[int, float, float]]) -> dict[str, float | None]:
    ues, whole, bare = zip(*rows, strict=True)
    own = [a - b for a, b in zip(whole, bare, strict=True)]
    return {"whole": exponent(ues, whole), "bare": exponent(ues, bare), "own_share": exponent(ues, own)}


class Notes:
    """Says on stderr what is measured next, how long it has taken so far and about how much is left.

    Args:
        steps: how many notes there will be; a step is taken to last as long as those before it.
    """

    def __init__(self, steps: int) -> None:
        self._start = time.monotonic()
        self._steps = steps
        self._done = 0

    def __call__(self, text: str) -> None:
        passed_s = time.monotonic() - self._start
        left = f"about {passed_s / self._done * (self._steps - self._done):.0f} s left" if self._done else ""
        print(f"{passed_s:5.0f} s  {text}  {left}".rstrip(), file=sys.stderr, flush=True)
        self._done += 1


def available(requests: int) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """The technologies of this version, and why the others are skipped."""
    found: dict[str, dict[str, Any]] = {}
    skipped: dict[str, str] = {}
    for name, link in TECHNOLOGIES.items():
        try:
            default_on(link, requests)
            found[name] = link
        except ScenarioError as error:
            skipped[name] = str(error)
    return found, skipped


def measure(effort: Effort) -> dict[str, Any]:
    """All figures; see the module."""
    technologies, skipped = available(effort.requests)
    note = Notes(effort.pairs + len(technologies) * (1 + len(effort.ue_counts) * effort.rounds))
    result: dict[str, Any] = {
        "benchmark": "coupling",
        "overhead": round(overhead(effort, note), 4),
        "sim_seconds_per_wall_second": {},
        "events_per_s": {},
        "ue_scaling_exponent": {},
        "ue_wall_s": {},
        "skipped": skipped,
    }
    for name, link in technologies.items():
        note(f"{name}, speed")
        pace = speed(link, effort)
        result["sim_seconds_per_wall_second"][name] = round(pace.sim_s / pace.wall_s, 2)
        result["events_per_s"][name] = round(pace.events / pace.wall_s)
        rows = cell_times(link, effort, note)
        result["ue_scaling_exponent"][name] = exponents(rows)
        result["ue_wall_s"][name] = [[ues, round(whole, 4), round(bare, 4)] for ues, whole, bare in rows]
    return result


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="benchmarks.coupling", description=(__doc__ or "").split("\n", 1)[0]
    )
    parser.add_argument("--quick", action="store_true", help="far too little to measure; for tests")
    options = parser.parse_args()
    print(json.dumps(measure(QUICK if options.quick else Effort())))


if __name__ == "__main__":
    main()
