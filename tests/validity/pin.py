"""What ns-3 does in each scenario that ships, kept as a digest with readable figures.

    python -m tests.validity.pin [NAME ...]                     compare
    python -m tests.validity.pin --update --why TEXT [NAME ...] keep what is there now, and why it changed

`--why` becomes a line of pinned/CHANGES.md for each scenario that changed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import sys
from dataclasses import fields
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from pyagent.envs.record import DeliveryRecord, Outcome
from pyagent.envs.simulator import State
from pyagent.paths import shipped_scenarios, simulator_executable
from pyagent.scenario.compile import deploy
from pyagent.scenario.load import load_scenario
from pyagent.sweep.identity import ns3_version
from tests.integration.episodes import Decision, play

FOLDER = Path(__file__).with_name("pinned")
LOG = FOLDER / "CHANGES.md"
SEED = 20
DECISIONS = 3
"""At the smallest, the middle and the largest split. The first requests of an episode are the same however
many follow."""
SHOWN = ("snr_db", "rsrp_dbm", "phy_rate_mbps", "serving_cell", "recent_loss", "edge_backlog_s")
"""Observations that are kept readable; the digest has all of them."""


def scenario_names() -> list[str]:
    """Every scenario that ships."""
    return sorted(shipped_scenarios())


def episode(name: str) -> list[Decision]:
    """The first decisions of a scenario, played anew in a process of its own."""
    scenario = load_scenario(name)
    requests = scenario.requests.model_copy(update={"count": DECISIONS})
    short = scenario.model_copy(update={"requests": requests})
    splits = len(deploy(short).splits)
    actions = (0, splits // 2, splits - 1)
    return play(short, SEED, lambda k: actions[k])


@lru_cache(maxsize=32)
def first_episode(name: str) -> list[Decision]:
    """The same, played once in this process."""
    return episode(name)


def digest(name: str, decisions: list[Decision]) -> dict[str, Any]:
    """What is kept of a scenario, as plain JSON."""
    content = json.dumps([[_everything(state), _everything(record)] for state, record in decisions])
    return {
        "scenario": name,
        "ns3": ns3_version(simulator_executable()),
        "seed": SEED,
        "sha256": hashlib.sha256(content.encode()).hexdigest(),
        "decisions": [_readable(state, record) for state, record in decisions],
    }


def pinned(name: str) -> dict[str, Any]:
    """What was kept; empty where nothing was.

    Raises:
        ValueError: the file is no JSON.
    """
    path = FOLDER / f"{name}.json"
    if not path.is_file():
        return {}
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def logged() -> dict[str, str]:
    """Scenario -> beginning of the digest that the log names last."""
    found = {}
    for line in LOG.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 6 and cells[2] in shipped_scenarios():
            found[cells[2]] = cells[3]
    return found


def update(names: list[str], why: str) -> list[str]:
    """Keep what is there now, and log what changed; returns its names."""
    changed = []
    for name in names:
        now = digest(name, episode(name))
        if now == pinned(name):
            continue
        changed.append(name)
        path = FOLDER / f"{name}.json"
        path.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8")
        with LOG.open("a", encoding="utf-8") as log:
            log.write(f"| {date.today()} | {name} | {now['sha256'][:12]} | {why} |\n")
    return changed


def _everything(thing: State | DeliveryRecord) -> dict[str, Any]:
    """All fields, rounded far below what matters and far above a last bit."""
    return {field.name: _plain(getattr(thing, field.name), 9) for field in fields(thing)}


def _plain(value: Any, digits: int) -> Any:
    if isinstance(value, np.ndarray):
        kept = 6 if value.dtype == np.float32 else digits
        return [_plain(one, kept) for one in value.ravel().tolist()]
    if isinstance(value, dict):
        return {name: _plain(inner, digits) for name, inner in value.items()}
    if isinstance(value, tuple):
        return [_plain(one, digits) for one in value]
    if isinstance(value, float):
        return _rounded(value, digits)
    return value


def _rounded(value: float, digits: int) -> float | None:
    return float(f"{value:.{digits}g}") if math.isfinite(value) else None


def _readable(state: State, record: DeliveryRecord) -> dict[str, Any]:
    outcomes = record.outcome.ravel()
    floats = {
        "sim_time_s": state.sim_time_s,
        "x_m": state.position_m[0],
        "y_m": state.position_m[1],
        **{name: state.raw[name] for name in SHOWN},
        "latency_s": record.latency_s,
        "ttft_s": record.ttft_s,
        "ue_compute_energy_j": record.ue_compute_energy_j,
        "ue_radio_energy_j": record.ue_radio_energy_j,
    }
    return {
        "split": record.split,
        "prompt_tokens": record.prompt_tokens,
        "output_tokens": record.output_tokens,
        "generated_tokens": record.generated_tokens,
        "fail_reason": record.fail_reason,
        "uplink_packets": record.uplink_packets,
        "retries": int(record.retries.sum()),
        "fragments": {
            outcome.name.lower(): count for outcome in Outcome if (count := int((outcomes == outcome).sum()))
        },
        **{name: _rounded(value, 6) for name, value in floats.items()},
    }


def main(arguments: list[str] | None = None) -> int:
    """Entry point; 1 where something differs, 2 for a wrong call."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="scenarios; default: all that ship")
    parser.add_argument("--update", action="store_true", help="keep what is there now")
    parser.add_argument("--why", default="", help="why it changed; needed with --update")
    chosen = parser.parse_args(arguments)
    unknown = sorted(set(chosen.names) - set(scenario_names()))
    if unknown:
        parser.error(f"NAME = {unknown[0]!r}: no such scenario; valid: {', '.join(scenario_names())}")
    why = " ".join(chosen.why.split())
    if chosen.update and (not why or "|" in why):
        parser.error("--why says in one line, without '|', why what was pinned has changed")
    names = chosen.names or scenario_names()
    if chosen.update:
        changed = update(names, why)
    else:
        changed = [name for name in names if digest(name, episode(name)) != pinned(name)]
    for name in changed:
        print(f"{name}: {'kept anew' if chosen.update else 'differs from what is pinned'}")
    return 1 if changed and not chosen.update else 0


if __name__ == "__main__":
    sys.exit(main())
