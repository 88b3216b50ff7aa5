"""What long, wide and many-times use costs in memory, descriptors and files.

`python -m benchmarks.load` prints one JSON line; all it takes is the built simulator. No language model: what
is loaded is ns-3 and the bridge. Times depend on what else the machine does, the other figures hardly.

- `hours`: one process that simulates eight hours of the scenario `default`, a request every 10 s, splits by
  turns. Requests are shorter and the other phones' streams thinner than there, so that it takes an hour, not
  ten.
- `ues`: the scenario `factory-50-ues`, splits by turns: how many decisions came back, and how long each took.
- `episodes`: 1,000 episodes through one `Ns3Env`, each a process of its own. `left` counts processes,
  descriptors and files that are there after `close` and were not before.
- `vector`: 64 simulators behind one `make_vec`. `equal` counts those whose observations and rewards are those
  of the same simulator alone, to the bit.

Of each part that is watched along the way, `growth` says how much more there was at its end than after its
first quarter: the Theil-Sen slope (the median of the slopes of all pairs of samples; P. K. Sen, 1968) times
that span, so that neither a warm-up nor one outlier counts. `agent` is this process, `simulators` all of its
children together; `temp_files` and `temp_mib` are what lies in their temporary folders.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import ArrayLike

from benchmarks.page import put_table
from pyagent.bridge import Ns3Env, make_vec
from pyagent.envs.simulator import Episode
from pyagent.paths import REPOSITORY, simulator_executable
from pyagent.scenario.compile import deploy, write_simulator_config
from pyagent.scenario.load import load_scenario, parse_scenario
from pyagent.scenario.schema import Scenario

PAGE = REPOSITORY / "docs" / "load.md"
FIGURES = REPOSITORY / "docs" / "load.json"
SAMPLES = 200
"""Looks at a part along its way, about."""
FOOTPRINT = ("agent_rss_mib", "simulators_rss_mib", "agent_fds", "simulators_fds", "temp_files", "temp_mib")
WARM_UP_SHARE = 0.25
SHORT: dict[str, Any] = {
    "name": "short",
    "mobility": {"model": "random-waypoint", "area_x_m": [2, 40], "area_y_m": [-10, 10]},
    "requests": {
        "count": 2,
        "deadline_s": 2,
        "min_gap_s": 2,
        "mean_extra_gap_s": 0.5,
        "prompt_tokens": [8, 16],
        "output_tokens": [3, 6],
    },
}
LIGHT = {"prompt_tokens": [8, 32], "output_tokens": [4, 8]}
LIGHT_KBPS = 20
_GAP_S = 10.0
_MIB = 2**20
_SEED = 1

Part = dict[str, Any]


@dataclass(frozen=True)
class Sizes:
    """How large each part is.

    Attributes:
        hours: of simulated time.
        ue_requests: decisions among 50 UEs.
        episodes: through one environment.
        environments: of the vector.
        vector_requests: decisions of each of them.
    """

    hours: float = 8.0
    ue_requests: int = 20
    episodes: int = 1000
    environments: int = 64
    vector_requests: int = 4


QUICK = Sizes(hours=0.05, ue_requests=2, episodes=12, environments=6, vector_requests=2)


class Footprint:
    """Samples of what this process, its children and a temporary folder hold.

    Args:
        folder: where all of them make their temporary files.
        steps: how many times `look` will be called; about `SAMPLES` of these are kept.
    """

    def __init__(self, folder: Path, steps: int) -> None:
        self._folder, self._every, self._looks = folder, max(1, steps // SAMPLES), 0
        self._samples: list[tuple[float, ...]] = []

    def look(self) -> None:
        """Take a sample when one is due."""
        self._looks += 1
        if self._looks % self._every == 0:
            self._samples.append((self._looks, *footprint(self._folder)))

    def report(self) -> Part:
        """`growth` of each figure, and what it was `at_end`."""
        samples = np.array(self._samples, dtype=np.float64)
        warm = samples[int(len(samples) * WARM_UP_SHARE) :]
        values = dict(zip(FOOTPRINT, warm[:, 1:].T, strict=True))
        return {
            "samples": len(samples),
            "at_end": {name: round(float(value[-1]), 2) for name, value in values.items()},
            "growth": {name: round(growth(warm[:, 0], value), 2) for name, value in values.items()},
        }


def footprint(folder: Path) -> tuple[float, ...]:
    """The figures of `FOOTPRINT`."""
    own = psutil.Process()
    children = own.children(recursive=True)
    files = [path for path in folder.rglob("*") if not path.is_dir()]
    return (
        own.memory_info().rss / _MIB,
        sum(child.memory_info().rss for child in children) / _MIB,
        own.num_fds(),
        sum(child.num_fds() for child in children),
        len(files),
        sum(path.stat().st_size for path in files) / _MIB,
    )


def growth(at: ArrayLike, values: ArrayLike) -> float:
    """Theil-Sen slope of values [n] over at [n], times the whole span; 0 for fewer than two samples."""
    x, y = np.asarray(at, dtype=np.float64), np.asarray(values, dtype=np.float64)
    first, second = np.triu_indices(len(x), 1)
    if len(first) == 0:
        return 0.0
    slopes = (y[second] - y[first]) / (x[second] - x[first])
    return float(np.median(slopes) * (x[-1] - x[0]))


@contextmanager
def temporary_files() -> Iterator[Path]:
    """Everything temporary is made in the folder that this gives."""
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix="load-") as folder:
        tempfile.tempdir = folder
        try:
            yield Path(folder)
        finally:
            tempfile.tempdir = before


def note(text: str) -> None:
    """Say on stderr how far it is."""
    print(text, file=sys.stderr, flush=True)


def with_requests(scenario: Scenario, **fields: Any) -> Scenario:
    """The scenario with other requests."""
    data = scenario.model_dump(mode="json", exclude_unset=True)
    return parse_scenario(data | {"requests": data["requests"] | fields}, scenario.name)


def thinner(scenario: Scenario) -> Scenario:
    """The scenario with streams of `LIGHT_KBPS`."""
    data = scenario.model_dump(mode="json", exclude_unset=True)
    for group in data["others"]:
        group["traffic"]["rate_kbps"] = LIGHT_KBPS
    return parse_scenario(data, scenario.name)


def by_turns(scenario: Scenario, folder: Path, steps: int, until_s: float) -> tuple[Part, float]:
    """Play an episode with each split in its turn; its part, and its simulated seconds."""
    seen, splits, failed, decisions = Footprint(folder, steps), len(deploy(scenario).splits), 0, 0
    started = time.monotonic()
    with Episode(scenario, _SEED) as episode:
        state, over = episode.begin(), False
        while not over and state.sim_time_s < until_s:
            record, state, over = episode.decide(decisions % splits)
            decisions += 1
            failed += record.failed
            seen.look()
            if decisions % max(1, steps // 10) == 0:
                wall_s = time.monotonic() - started
                note(f"{scenario.name}: {decisions} of about {steps} decisions, {wall_s:.0f} s")
    wall_s = time.monotonic() - started
    told = {"decisions": decisions, "failed": failed, "wall_s_per_decision": round(wall_s / decisions, 3)}
    return told | seen.report(), state.sim_time_s


def hours(sizes: Sizes) -> Part:
    """See the module."""
    until_s = sizes.hours * 3600
    steps = int(until_s / _GAP_S)
    # More requests than will be reached: the end of the last one would end the simulation early.
    count = int(steps * 1.2) + 10
    gaps = {"count": count, "min_gap_s": 0.8 * _GAP_S, "mean_extra_gap_s": 0.2 * _GAP_S}
    scenario = thinner(with_requests(load_scenario("default"), **gaps, **LIGHT))
    with temporary_files() as folder:
        part, sim_s = by_turns(scenario, folder, steps, until_s)
    return {"simulated_h": round(sim_s / 3600, 3)} | part


def ues(sizes: Sizes) -> Part:
    """See the module."""
    scenario = with_requests(load_scenario("factory-50-ues"), count=sizes.ue_requests)
    others = sum(group.count for group in scenario.others)
    with temporary_files() as folder:
        part, sim_s = by_turns(scenario, folder, sizes.ue_requests, float("inf"))
    return {"ues": 1 + others, "simulated_s": round(sim_s, 1)} | part


def short(requests: int) -> Scenario:
    """A scenario whose episodes take little but their start and their end."""
    return parse_scenario(SHORT | {"requests": SHORT["requests"] | {"count": requests}})


def program(scenario: Scenario, folder: Path) -> tuple[Path, list[str]]:
    """The simulator and its arguments."""
    config = write_simulator_config(scenario, folder / "scenario.json")
    return simulator_executable(), [f"--config={config}"]


Trajectory = list[tuple[bytes, float]]
"""Observation and reward of each state."""


def turns(first: int, splits: int) -> Callable[[int], int]:
    """Which split is due in a step, when this one is due in the first."""
    return lambda step: (first + step) % splits


def play(env: Ns3Env, split_of: Callable[[int], int]) -> Trajectory:
    """A whole episode."""
    states, over = [(env.reset()[0].tobytes(), 0.0)], False
    while not over:
        observation, reward, terminated, truncated, _ = env.step(split_of(len(states) - 1))
        states.append((observation.tobytes(), float(reward)))
        over = terminated or truncated
    return states


def episodes(sizes: Sizes) -> Part:
    """See the module."""
    scenario = short(SHORT["requests"]["count"])
    splits = len(deploy(scenario).splits)
    with temporary_files() as folder:
        executable, args = program(scenario, folder)
        before = footprint(folder)
        seen, started, steps = Footprint(folder, sizes.episodes), time.monotonic(), 0
        with Ns3Env(executable, args, seed=_SEED) as env:
            for number in range(sizes.episodes):
                steps += len(play(env, turns(number, splits))) - 1
                seen.look()
                if (number + 1) % max(1, sizes.episodes // 10) == 0:
                    note(f"{number + 1} of {sizes.episodes} episodes, {time.monotonic() - started:.0f} s")
        left = left_over(folder, before)
    return {"episodes": sizes.episodes, "decisions": steps, "left": left} | seen.report()


def left_over(folder: Path, before: tuple[float, ...]) -> dict[str, int]:
    """What is there now and was not before."""
    more = dict(zip(FOOTPRINT, np.subtract(footprint(folder), before), strict=True))
    return {
        "processes": len(psutil.Process().children(recursive=True)),
        "fds": int(more["agent_fds"]),
        "temp_files": int(more["temp_files"]),
    }


def vector(sizes: Sizes) -> Part:
    """See the module."""
    scenario, n = short(sizes.vector_requests), sizes.environments
    splits = len(deploy(scenario).splits)
    with temporary_files() as folder:
        executable, args = program(scenario, folder)
        # What a first simulator leaves behind on purpose, such as the thread that starts them all.
        with Ns3Env(executable, args, seed=_SEED):
            pass
        before = footprint(folder)
        started = time.monotonic()
        envs = make_vec(n, executable, args, seed=_SEED, connect_timeout_s=600, step_timeout_s=600)
        try:
            seen = Footprint(folder, 1)
            together = play_vector(envs, splits, seen.look)
            most = seen.report()["at_end"]
        finally:
            envs.close()
        note(f"{n} simulators together: {time.monotonic() - started:.0f} s")
        left = left_over(folder, before)
        equal = 0
        for i in range(n):
            with Ns3Env(executable, args, seed=_SEED + i) as alone:
                equal += play(alone, turns(i, splits)) == together[i]
    return {
        "environments": n,
        "cores": os.cpu_count(),
        "decisions": sum(len(states) - 1 for states in together),
        "equal": equal,
        "left": left,
        "simulators_rss_mib": round(most["simulators_rss_mib"], 1),
        "agent_rss_growth_mib": round(most["agent_rss_mib"] - before[0], 1),
    }


def play_vector(envs: Any, splits: int, look: Callable[[], None]) -> list[Trajectory]:
    """An episode of each, side by side; `look` is called while all of them run."""
    observations, _ = envs.reset()
    together = [[(observation.tobytes(), 0.0)] for observation in observations]
    look()
    over = np.zeros(envs.num_envs, np.bool_)
    step = 0
    while not over.all():
        actions = (np.arange(envs.num_envs) + step) % splits
        observations, rewards, terminated, truncated, _ = envs.step(actions)
        for i in np.flatnonzero(~over):
            together[i].append((observations[i].tobytes(), float(rewards[i])))
        over |= terminated | truncated
        step += 1
    return together


PARTS: dict[str, Callable[[Sizes], Part]] = {
    "hours": hours,
    "ues": ues,
    "episodes": episodes,
    "vector": vector,
}


def markdown(found: dict[str, Part]) -> str:
    """The table of the page: a row for each part that was measured."""
    rows = [ROWS[name](part) for name, part in found.items()]
    head = "| load | done | growth of ns-3's memory | of the agent's | descriptors, files | left |\n"
    return head + "|---|---|---|---|---|---|\n" + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _grown(part: Part) -> list[str]:
    grown = part["growth"]
    counted = [grown["agent_fds"] + grown["simulators_fds"], grown["temp_files"]]
    memory = [f"{grown[name]:+.1f} MiB" for name in ("simulators_rss_mib", "agent_rss_mib")]
    return [*memory, ", ".join(f"{value:.0f}" for value in counted)]


def _left(part: Part) -> str:
    names = {"processes": "processes", "fds": "descriptors", "temp_files": "files"}
    return ", ".join(f"{part['left'][key]} {name}" for key, name in names.items())


def _hours_row(part: Part) -> list[str]:
    load = f"{part['simulated_h']:.3g} simulated hours in one process"
    return [load, f"{part['decisions']} decisions", *_grown(part), "-"]


def _ues_row(part: Part) -> list[str]:
    done = f"{part['decisions']} decisions, {part['wall_s_per_decision']:.1f} s each"
    return [f"{part['ues']} UEs for {part['simulated_s']:.0f} simulated s", done, *_grown(part), "-"]


def _episodes_row(part: Part) -> list[str]:
    load = f"{part['episodes']} episodes through one environment"
    return [load, f"{part['decisions']} decisions", *_grown(part), _left(part)]


def _vector_row(part: Part) -> list[str]:
    load = f"{part['environments']} vector environments on {part['cores']} cores"
    done = f"{part['decisions']} decisions, {part['equal']} environments as each alone"
    memory = [f"{part['simulators_rss_mib']:.0f} MiB in all", f"{part['agent_rss_growth_mib']:+.1f} MiB"]
    return [load, done, *memory, "-", _left(part)]


ROWS: dict[str, Callable[[Part], list[str]]] = {
    "hours": _hours_row,
    "ues": _ues_row,
    "episodes": _episodes_row,
    "vector": _vector_row,
}


def write_page(found: dict[str, Part], figures: Path, page: Path) -> None:
    """Put the parts that were measured in the place of the old ones, and the table of all into the page."""
    old = json.loads(figures.read_text(encoding="utf-8")) if figures.is_file() else {}
    parts = {name: (old | found)[name] for name in PARTS if name in old | found}
    figures.write_text(json.dumps(parts, indent=1) + "\n", encoding="utf-8")
    put_table(page, "load", markdown(parts))


def main(arguments: list[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; default: all")
    parser.add_argument("--quick", action="store_true", help="far too little to measure; for tests")
    parser.add_argument("--page", action="store_true", help="write the table of docs/load.md")
    for name in ("hours", "episodes", "environments"):
        kind = type(getattr(Sizes, name))
        parser.add_argument(f"--{name}", type=kind, help=f"instead of {getattr(Sizes, name):g}")
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.parts) - set(PARTS):
        parser.error(f"parts = {', '.join(sorted(unknown))}: not known; valid: {', '.join(PARTS)}")
    sizes = QUICK if chosen.quick else Sizes()
    given = {name: getattr(chosen, name) for name in ("hours", "episodes", "environments")}
    sizes = replace(sizes, **{name: value for name, value in given.items() if value is not None})
    found = {name: PARTS[name](sizes) for name in chosen.parts or PARTS}
    if chosen.page:
        write_page(found, FIGURES, PAGE)
    print(json.dumps({"benchmark": "load"} | found))


if __name__ == "__main__":
    main()
