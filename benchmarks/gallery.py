"""What each ready-made scenario is like, and whether its decision is worth learning.

Plays every split of a scenario on the same test seeds with several replicates, asks the language model, and
scores the oracle on runs that it did not choose from (design: docs/how-it-works.md#the-oracle). Tuning
episodes of their own, one replicate each, choose the best static split and the best pair of splits and fit
the causal ceiling, so that none of the three has seen the test seeds. With 2 test seeds, 4 replicates and 4
tuning episodes they are a third of the simulation. One JSON line per scenario; the rows are kept in a file,
from which the table of docs/gallery.md is written.

    python -m benchmarks.gallery                        # every shipped scenario that has no row yet
    python -m benchmarks.gallery campus-walk --again    # this one anew
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from benchmarks.page import put_table
from pyagent.campaign.collect import EpisodePool, Job, score_episode
from pyagent.campaign.progress import PhaseProgress
from pyagent.campaign.seeds import Seeds
from pyagent.dataset.table import recorded_table
from pyagent.envs.scoring import Scorer, make_composer
from pyagent.envs.simulator import Episode
from pyagent.evaluation.oracle import oracle
from pyagent.evaluation.share import NOTHING_TO_GAIN, share_text
from pyagent.learning.references import CEILING, PAIR, choose, reference_rows, yardstick_of
from pyagent.paths import REPOSITORY, shipped_scenarios
from pyagent.policies.best_static import BestStaticPolicy
from pyagent.scenario.load import load_scenario
from pyagent.scenario.schema import Scenario
from pyagent.threads import one_thread

ROWS = REPOSITORY / "docs" / "gallery.json"
PAGE = REPOSITORY / "docs" / "gallery.md"


@dataclass(frozen=True)
class Row:
    """One scenario.

    Attributes:
        decisions: per split and replicate of the test seeds.
        tuning_contexts: decisions of the tuning episodes.
        loss, delay_ms: mean over all requests that used the link.
        rate_mbps: mean PHY rate that the UE knew at decisions where a site served it.
        covered: share of the decisions at which a site served the UE.
        failed: share of failed requests, all splits.
        sim_s_per_wall_s: of one episode at the smallest split, alone on the machine.
        static_split: best on the tuning episodes.
        static_reward, oracle_reward: on the test seeds.
        gap, gap_low, gap_high: oracle over the best static split, per decision, cross-scored, 95 %.
        naive_gap: the same by a plain maximum over the table, biased upwards.
        pair: the best pair of splits on the tuning episodes.
        pair_share: what a perfect choice between the pair keeps of the gap; None if there is nothing to gain.
        ceiling_share: what the causal ceiling keeps of it.
    """

    scenario: str
    technology: str
    ues: int
    seeds: int
    replicates: int
    decisions: int
    tuning_contexts: int
    splits: list[int]
    loss: float
    delay_ms: float
    rate_mbps: float
    covered: float
    failed: float
    sim_s_per_wall_s: float
    static_split: int
    static_reward: float
    oracle_reward: float
    gap: float
    gap_low: float
    gap_high: float
    naive_gap: float
    pair: list[int]
    pair_share: float | None
    ceiling_share: float | None
    wall_s: float

    @property
    def worth_learning(self) -> bool:
        """True if the interval of the gap is above 0."""
        return self.gap_low > 0


def measure(name: str, seeds: int, replicates: int, tuning: int, progress: PhaseProgress) -> Row:
    """Play and judge one scenario."""
    scenario = load_scenario(name)
    started = time.monotonic()
    speed = _speed(scenario, progress)
    scorer = Scorer(scenario)
    splits = scorer.deployment.splits
    tuned_on = _play(scorer, "tune", Seeds(1).tune(tuning), 1, progress)
    rows = _play(scorer, "test", Seeds(1).test(seeds), replicates, progress)
    table, composer = recorded_table(rows, scenario), make_composer(scenario)
    best = oracle(table.rewards)
    with one_thread():
        chosen = choose(scorer.deployment, recorded_table(tuned_on, scenario), composer)
    scale = yardstick_of(chosen.static, table, best)
    kept = reference_rows(chosen, table, best, scale, splits, composer.weights.switching)
    assert scale.gap is not None
    used, served = rows[rows["uplink_bytes"] > 0], rows[rows["obs_serving_cell"] >= 0]
    return Row(
        scenario=name,
        technology=scenario.link.technology,
        ues=1 + sum(group.count for group in scenario.others),
        seeds=seeds,
        replicates=replicates,
        decisions=len(table.rewards),
        tuning_contexts=tuned_on.groupby(["seed", "decision"]).ngroups,
        splits=list(splits),
        loss=float(used["loss"].mean()),
        delay_ms=float(1e3 * used["mean_delay_s"].mean()),
        rate_mbps=float(served["obs_phy_rate_mbps"].mean()),
        covered=len(served) / len(rows),
        failed=float(rows["failed"].mean()),
        sim_s_per_wall_s=speed,
        static_split=splits[chosen.static],
        static_reward=scale.static,
        oracle_reward=scale.oracle,
        gap=scale.gap.estimate,
        gap_low=scale.gap.low,
        gap_high=scale.gap.high,
        naive_gap=float(best.naive_value.mean()) - scale.static,
        pair=[splits[action] for action in chosen.pair],
        pair_share=kept[PAIR]["share"],
        ceiling_share=kept[CEILING]["share"],
        wall_s=round(time.monotonic() - started, 1),
    )


def _speed(scenario: Scenario, progress: PhaseProgress) -> float:
    with progress.phase("speed", f"{scenario.name}: one episode alone", scenario.requests.count):
        started = time.monotonic()
        with Episode(scenario, Seeds(0).test(1)[0]) as episode:
            state, over = episode.begin(), False
            while not over:
                _, state, over = episode.decide(0)
                progress.advance()
        return state.sim_time_s / (time.monotonic() - started)


def _play(
    scorer: Scorer,
    part: Literal["tune", "test"],
    seeds: Sequence[int],
    replicates: int,
    progress: PhaseProgress,
) -> pd.DataFrame:
    """Decisions of every split on the same seeds."""
    scenario, splits = scorer.scenario, scorer.deployment.splits
    jobs = [
        Job("gallery", f"static-{split}", seed, replicate, partial(BestStaticPolicy, action, len(splits)))
        for seed in seeds
        for replicate in range(replicates)
        for action, split in enumerate(splits)
    ]
    rows: list[dict[str, Any]] = []
    decisions = len(jobs) * scenario.requests.count
    with (
        tempfile.TemporaryDirectory(prefix="splitsim-gallery-") as logs,
        progress.phase(part, f"{scenario.name}: {len(jobs)} episodes", decisions),
    ):
        for job, episode in EpisodePool(scenario, Path(logs)).run(jobs):
            rows.extend(score_episode(scorer, job, episode, "test" if part == "test" else "train"))
            progress.advance(len(episode), note=f"{job.policy}, seed {job.seed}")
    frame: pd.DataFrame = pd.DataFrame(rows)
    return frame


def markdown(rows: list[Row]) -> str:
    """The table of the gallery page."""
    head = (
        "| scenario | link | UEs | loss | delay ms | rate Mbit/s | covered | failed | sim-s per wall-s "
        "| best static | oracle over it [95 %] | plain maximum | best pair: share | causal ceiling: share "
        "| worth learning |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n"
    )
    return head + "".join(f"| {' | '.join(_cells(row))} |\n" for row in rows)


def _cells(row: Row) -> list[str]:
    return [
        f"[{row.scenario}](#{row.scenario})",
        row.technology,
        str(row.ues),
        f"{row.loss:.1%}",
        _digits(row.delay_ms),
        _digits(row.rate_mbps),
        f"{row.covered:.0%}",
        f"{row.failed:.1%}",
        _digits(row.sim_s_per_wall_s),
        f"{row.static_split} ({row.static_reward:.2f})",
        f"{row.gap:+.3f} [{row.gap_low:+.3f}, {row.gap_high:+.3f}]",
        f"{row.naive_gap:+.3f}",
        f"{', '.join(map(str, row.pair))}: {share_text(row.pair_share)}",
        share_text(row.ceiling_share),
        _verdict(row),
    ]


def _verdict(row: Row) -> str:
    """Worth learning if the gap is above 0, and how much of it a choice between two splits keeps."""
    if not row.worth_learning:
        return f"no: {NOTHING_TO_GAIN}"
    return f"**yes**, a choice between two splits keeps {share_text(row.pair_share)}"


def _digits(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.3g}"


def _load(path: Path) -> dict[str, Row]:
    if not path.is_file():
        return {}
    names = {field.name for field in fields(Row)}
    found = json.loads(path.read_text(encoding="utf-8"))
    # Rows of an earlier version lack columns; they are measured anew.
    return {data["scenario"]: Row(**data) for data in found if data.keys() == names}


def _store(rows: dict[str, Row], path: Path, page: Path) -> None:
    ordered = [rows[name] for name in sorted(rows)]
    path.write_text(json.dumps([asdict(row) for row in ordered], indent=1) + "\n", encoding="utf-8")
    if page.is_file():
        put_table(page, "gallery", markdown(ordered))


def main(arguments: list[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("scenarios", nargs="*", help="names of shipped scenarios; default: all")
    parser.add_argument("--seeds", type=int, default=2, help="test seeds")
    parser.add_argument("--replicates", type=int, default=4, help="even, 4 or more")
    parser.add_argument("--tuning", type=int, default=4, help="tuning episodes, one replicate each")
    parser.add_argument("--again", action="store_true", help="also those that have a row")
    parser.add_argument("--rows", type=Path, default=ROWS, help="file of the rows")
    parser.add_argument("--page", type=Path, default=PAGE, help="page that holds the table")
    chosen = parser.parse_args(arguments)
    rows = _load(chosen.rows)
    names = chosen.scenarios or sorted(shipped_scenarios())
    for name in names:
        if name in rows and not chosen.again:
            continue
        with PhaseProgress() as progress:
            rows[name] = measure(name, chosen.seeds, chosen.replicates, chosen.tuning, progress)
        _store(rows, chosen.rows, chosen.page)
        print(json.dumps({"benchmark": "gallery", **asdict(rows[name])}), flush=True)
    worth = sum(row.worth_learning for row in rows.values())
    print(f"{worth} of {len(rows)} scenarios are worth learning", file=sys.stderr)


if __name__ == "__main__":
    main()
