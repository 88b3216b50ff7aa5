"""Rate, loss and delay of the Wi-Fi link over distance, without fading.

`python -m benchmarks.wifi_range` prints one JSON line. The lists have one entry for each distance, in steps
of 3 m until nothing arrives:

- `distance_m`: on the ground, from the access point to the UE (1.5 m lower).
- `snr_db`: of the beacons, as the UE observes it.
- `goodput_mbps`: bytes of a prompt's activations that arrived, without headers, over the time to the first
  token less the computing of both halves; over the deadline where no token came.
- `mcs`: of the last frame that the UE sent.
- `loss`: share of the packets that never arrived. `delay_ms`: mean one-way delay of those that did.
- `goodput_steps`: how often the goodput falls by a tenth or more on the way out, the last fall to nothing
  included.
- `max_loss_at_6_db`: the largest loss where the SNR is 6 dB or more.

`--page` writes the table and the picture of docs/wifi.md.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from itertools import count
from typing import Any

import numpy as np

from benchmarks.page import put_table
from pyagent.envs.record import DeliveryRecord, there
from pyagent.envs.simulator import Episode
from pyagent.paths import REPOSITORY
from pyagent.plots import style
from pyagent.scenario.compile import deploy
from pyagent.scenario.schema import Scenario

STEP_M = 3.0
FALL = 0.9
"""A goodput below this share of the one before counts as a step down."""
PAGE = REPOSITORY / "docs" / "wifi.md"
PICTURE = REPOSITORY / "docs" / "images" / "wifi-range"
EDGE_M = 300.0
"""Where the walk ends if packets still arrive: far beyond any reach of the defaults."""


@dataclass(frozen=True)
class Place:
    """What the link does at one distance."""

    distance_m: float
    snr_db: float
    mcs: int
    goodput_mbps: float
    loss: float
    delay_ms: float


def scenario_at(distance_m: float, sensitivity_dbm: float | None) -> Scenario:
    """Three prompts of 64 tokens, all other things as the schema's defaults have them, without fading."""
    link: dict[str, Any] = {"technology": "wifi", "fading": {"model": "none"}}
    if sensitivity_dbm is not None:
        link["sensitivity_dbm"] = sensitivity_dbm
    data = {
        "name": "wifi-range",
        "mobility": {"model": "constant", "position_m": (distance_m, 0, 1.5)},
        "link": link,
        "requests": {
            "count": 3,
            "prompt_tokens": (64, 64),
            "output_tokens": (2, 2),
            "deadline_s": 4,
            "min_gap_s": 4,
            "mean_extra_gap_s": 0,
        },
        "model": {"splits": [1]},
    }
    return Scenario.model_validate(data)


def transfer_s(scenario: Scenario, record: DeliveryRecord) -> float:
    """Seconds that the prompt and the first reply spent on the way; the deadline without a reply."""
    if record.generated_tokens == 0:
        return scenario.requests.deadline_s
    deployment, prompt = deploy(scenario), record.prompt_tokens
    ue_s = record.split * deployment.ue.prefill_block_s[prompt]
    blocks = deployment.num_layers - record.split
    edge_s = blocks * deployment.edge.prefill_block_s[prompt] + deployment.edge.prefill_head_s
    return record.ttft_s - ue_s - edge_s


def prompt_bytes(scenario: Scenario, record: DeliveryRecord) -> float:
    """Bytes of the prompt's activations that arrived, without headers."""
    arrived = there(record.outcome[: record.prompt_tokens]).sum(axis=0)
    return float(arrived @ np.array(deploy(scenario).fragment_bytes))


def measure(distance_m: float, sensitivity_dbm: float | None) -> Place:
    """Play the prompts at one distance; the first one settles the rate and is not counted."""
    scenario = scenario_at(distance_m, sensitivity_dbm)
    records: list[DeliveryRecord] = []
    with Episode(scenario, seed=1) as episode:
        state, over = episode.begin(), False
        while not over:
            record, following, over = episode.decide(0)
            records.append(record)
            state = following or state
    counted = records[1:]
    rates = [8e-6 * prompt_bytes(scenario, r) / transfer_s(scenario, r) for r in counted]
    delays_s = np.concatenate([r.delay_s[~np.isnan(r.delay_s)] for r in counted])
    return Place(
        distance_m,
        state.raw["snr_db"],
        int(state.raw["mcs"]),
        float(np.mean(rates)),
        float(np.mean([r.loss for r in counted])),
        float(1e3 * delays_s.mean()) if delays_s.size else float("nan"),
    )


def walk_out(sensitivity_dbm: float | None) -> list[Place]:
    """Measure in steps of `STEP_M` until nothing arrives."""
    places: list[Place] = []
    for step in count(1):
        places.append(measure(step * STEP_M, sensitivity_dbm))
        if places[-1].loss == 1 or places[-1].distance_m >= EDGE_M:
            return places
    raise AssertionError("unreachable")


def goodput_steps(places: list[Place]) -> int:
    """How often the goodput falls by a tenth or more below the level that it kept before."""
    steps, level = 0, places[0].goodput_mbps
    for place in places[1:]:
        if place.goodput_mbps < FALL * level:
            steps, level = steps + 1, place.goodput_mbps
    return steps


def summary(places: list[Place]) -> dict[str, Any]:
    """What is printed."""
    columns = {name: [asdict(place)[name] for place in places] for name in asdict(places[0])}
    rounded = {name: [_rounded(value) for value in values] for name, values in columns.items()}
    good = [place.loss for place in places if place.snr_db >= 6]
    return {**rounded, "goodput_steps": goodput_steps(places), "max_loss_at_6_db": max(good)}


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 4)


def table(places: list[Place]) -> str:
    """Every third place, and the last two, as Markdown."""
    shown = [*places[2:-2:3], *places[-2:]]
    lines = ["| distance m | SNR dB | MCS | goodput Mbit/s | loss | delay ms |", "|---|---|---|---|---|---|"]
    for p in shown:
        delay = "" if np.isnan(p.delay_ms) else f"{p.delay_ms:.1f}"
        cells = (
            f"{p.distance_m:.0f}",
            f"{p.snr_db:.1f}",
            str(p.mcs),
            f"{p.goodput_mbps:.1f}",
            f"{p.loss:.1%}",
            delay,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


@style.styled()
def draw(places: list[Place]) -> None:
    """Goodput, loss and delay over distance, one above the other."""
    figure = style.new_figure(5.0)
    panels = figure.subplots(3, 1, sharex=True)
    distance_m = [place.distance_m for place in places]
    rows = (
        ("Goodput [Mbit/s]", [place.goodput_mbps for place in places]),
        ("Loss [% of packets]", [100 * place.loss for place in places]),
        ("One-way delay [ms]", [place.delay_ms for place in places]),
    )
    for axes, (label, values) in zip(panels, rows, strict=True):
        axes.plot(distance_m, values, drawstyle="steps-mid")
        axes.set_ylabel(label)
        axes.set_ylim(bottom=0)
    panels[0].set_title("Wi-Fi over distance: 802.11ax, 20 MHz, 16 dBm, no fading", loc="left")
    panels[-1].set_xlabel("Distance to the access point [m]")
    style.save(figure, PICTURE)


def main() -> None:
    """Print the JSON line; with `--page` write the page's table and picture too."""
    parser = argparse.ArgumentParser(description="Rate, loss and delay of the Wi-Fi link over distance.")
    parser.add_argument(
        "--sensitivity-dbm", type=float, help="of all radios (default: the scenario schema's)"
    )
    parser.add_argument("--page", action="store_true", help="write the table and the picture of docs/wifi.md")
    options = parser.parse_args()
    places = walk_out(options.sensitivity_dbm)
    if options.page:
        put_table(PAGE, "wifi_range", table(places))
        draw(places)
    print(json.dumps(summary(places)))


if __name__ == "__main__":
    main()
