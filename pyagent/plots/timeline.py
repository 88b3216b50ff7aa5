"""One test episode over time: link, loss, delay, choice and reward, beside what the oracle would do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pyagent.plots import style
from pyagent.plots.data import (
    MissingDataError,
    column,
    focus_episode,
    num_layers,
    proxy_note,
    read_scenario,
    read_table,
)
from pyagent.scenario.schema import Scenario

_COLUMNS = (
    "decision",
    "split",
    "reward",
    "failed",
    "latency_s",
    "mean_delay_s",
    "obs_snr_db",
    "obs_phy_rate_mbps",
    *(f"loss_{kind}" for kind in style.LOSS_COLOURS),
)


@style.styled()
def figure_timeline(run: Path) -> Figure:
    """SNR, loss, delay, split and reward of one test episode over a shared time axis in seconds.

    For a link without sites its rate stands in the place of the SNR.

    Args:
        run: run folder.

    Raises:
        MissingDataError: no scenario, or no test decisions.
    """
    scenario = read_scenario(run)
    rows = _with_oracle(run, focus_episode(run, _COLUMNS))
    policy = str(rows["policy"].iloc[0])
    notes = ["reward: of this one replicate, the oracle's a mean over replicates", style.REWARD_NOTE]
    figure = style.new_figure(8.2, [*notes, proxy_note(run)])
    panels = figure.subplots(5, 1, sharex=True, height_ratios=[1, 1, 1.25, 1.15, 1.15])
    if scenario.link.sites_m:
        _draw_snr(panels[0], rows)
    else:
        _draw_rate(panels[0], rows)
    _draw_loss(panels[1], rows)
    _draw_delay(panels[2], rows, scenario, policy)
    _draw_split(panels[3], rows, scenario, policy)
    _draw_reward(panels[4], rows, policy)
    for panel in panels:
        panel.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    figure.align_ylabels(panels)
    panels[0].set_title(f"{policy}, test seed {rows['seed'].iloc[0]}")
    panels[-1].set_xlabel("Time in the simulation [s]")
    return figure


def _with_oracle(run: Path, rows: pd.DataFrame) -> pd.DataFrame:
    """Adds oracle_split and oracle_value, NaN where the oracle has nothing to say."""
    try:
        oracle = read_table(run, "oracle", ("seed", "decision", "value", "split"))
    except MissingDataError:
        blank: pd.DataFrame = rows.assign(oracle_split=np.nan, oracle_value=np.nan)
        return blank
    oracle = oracle.drop_duplicates(["seed", "decision"])
    known = oracle[["seed", "decision", "value", "split"]].rename(
        columns={"value": "oracle_value", "split": "oracle_split"}
    )
    joined: pd.DataFrame = rows.merge(known, on=["seed", "decision"], how="left")
    return joined


def _failed(rows: pd.DataFrame) -> NDArray[np.bool_]:
    return rows["failed"].fillna(False).to_numpy(dtype=bool)


def _cross_failures(axes: Axes, rows: pd.DataFrame, name: str) -> None:
    failed = rows[_failed(rows)]
    if len(failed):
        axes.plot(failed["arrival_s"], failed[name], "x", color=style.BLACK, ms=7, mew=1.4, label="failed")


def _draw_snr(axes: Axes, rows: pd.DataFrame) -> None:
    axes.plot(rows["arrival_s"], rows["obs_snr_db"], "o-", color="#555555", label="measured,\nlast 1 s")
    axes.set_ylabel("SNR [dB]")


def _draw_rate(axes: Axes, rows: pd.DataFrame) -> None:
    axes.plot(
        rows["arrival_s"], rows["obs_phy_rate_mbps"], "o-", color="#555555", label="link's mean,\nlast 1 s"
    )
    axes.set_ylabel("Rate\n[Mbit/s]")


def _draw_loss(axes: Axes, rows: pd.DataFrame) -> None:
    time_s = column(rows, "arrival_s")
    width_s = 0.7 * float(np.diff(time_s).min()) if len(time_s) > 1 else 1.0
    floor = np.zeros(len(rows))
    for kind, colour in style.LOSS_COLOURS.items():
        share = 100 * np.nan_to_num(column(rows, f"loss_{kind}"))
        axes.bar(
            time_s, share, max(width_s, 0.1), floor, color=colour, edgecolor="#555555", lw=0.4, label=kind
        )
        floor += share
    axes.set(ylim=(0, max(5.0, 1.08 * float(floor.max()))), ylabel="Fragments\nlost [%]")


def _draw_delay(axes: Axes, rows: pd.DataFrame, scenario: Scenario, policy: str) -> None:
    colour = style.policy_colour(policy)
    axes.plot(rows["arrival_s"], rows["latency_s"], "o-", color=colour, label="request latency")
    _cross_failures(axes, rows, "latency_s")
    axes.plot(
        rows["arrival_s"], rows["mean_delay_s"], "D", color="#555555", ms=3.5, label="one-way delay\n(mean)"
    )
    axes.axhline(scenario.reward.slo_s, color=style.BLACK, ls="--", lw=1, label="latency SLO")
    axes.axhline(scenario.requests.deadline_s, color=style.BLACK, ls=":", lw=1, label="deadline")
    axes.set(yscale="log", ylabel="Delay [s]")
    style.plain_log(axes.yaxis, *axes.get_ylim())


def _draw_split(axes: Axes, rows: pd.DataFrame, scenario: Scenario, policy: str) -> None:
    axes.step(rows["arrival_s"], rows["split"], where="post", color=style.policy_colour(policy), lw=1.1)
    axes.plot(rows["arrival_s"], rows["split"], "o", color=style.policy_colour(policy), label="chosen")
    if rows["oracle_split"].notna().any():
        axes.plot(
            rows["arrival_s"],
            rows["oracle_split"],
            "s",
            ms=8,
            mfc="none",
            mec=style.POLICY_COLOURS["oracle"],
            label="oracle's choice",
        )
    layers = num_layers(scenario)
    axes.set(ylim=(-0.07 * layers, 1.09 * layers), ylabel=f"Split [blocks\non the UE, of {layers}]")
    axes.set_yticks(scenario.model.splits)


def _draw_reward(axes: Axes, rows: pd.DataFrame, policy: str) -> None:
    if rows["oracle_value"].notna().any():
        axes.plot(
            rows["arrival_s"],
            rows["oracle_value"],
            "s-",
            color=style.POLICY_COLOURS["oracle"],
            mfc="none",
            lw=1,
            label="oracle",
        )
    axes.plot(rows["arrival_s"], rows["reward"], "o-", color=style.policy_colour(policy), label=policy)
    _cross_failures(axes, rows, "reward")
    axes.set_ylabel(f"Reward\n[{style.REWARD_UNIT}]")
