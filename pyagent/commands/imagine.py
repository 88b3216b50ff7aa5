"""`splitsim imagine`: imagined against real trajectories of a run that has learned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.console import Console
from rich.table import Table

from pyagent.errors import UserError, usage_errors

if TYPE_CHECKING:
    import pandas as pd

    from pyagent.scenario.schema import Scenario
    from pyagent.surrogate.imagined import ImaginedModel
    from pyagent.surrogate.trajectories import Bands, LeadSkill, RealEpisode, TrackedFeature

WIDTH = 100
CHECKPOINT = "checkpoint"
FEATURES = ("snr_db", "phy_rate_mbps", "recent_delay_s")
"""What is shown of the context."""
_EPISODE = ["policy", "seed", "replicate"]


def imagine(
    run: Annotated[Path, typer.Argument(help="Run folder of `splitsim run`.")],
    episode: Annotated[
        int, typer.Option(min=0, help="Which of the run's test episodes is drawn, from 0.")
    ] = 0,
    draws: Annotated[int, typer.Option(min=20, max=2000, help="Imagined trajectories of each.")] = 200,
    horizon: Annotated[int, typer.Option(min=1, help="Decisions ahead that are scored, at most.")] = 10,
    out: Annotated[
        Path | None, typer.Option(help="Picture to write, without suffix. [default: RUN/plots/imagined]")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of the table.")
    ] = False,
) -> None:
    """Show what surrogate and channel model imagine of real episodes, and how far ahead they can be trusted.

    Example: splitsim imagine runs/default-4553bcc8ad --episode 2
    """
    from pyagent.surrogate.trajectories import imagine_episode, lead_skill

    phase, labels, real, seen, tracked, model = _load(run)
    if episode >= len(real):
        raise UserError(f"--episode is {episode}, valid: 0 to {len(real) - 1}, the run's {phase} episodes")
    with usage_errors():
        skills = lead_skill(model, real, seen, tracked, horizon=horizon, draws=draws)
        bands = imagine_episode(model, real[episode], tracked, draws=draws)
    title = ", ".join(f"{name} {value}" for name, value in labels[episode].items())
    files = _draw(run, bands, skills, f"Episode {episode}: {title}", out or run / "plots" / "imagined")
    if as_json:
        print(json.dumps(_report(run, phase, labels, episode, draws, bands, skills, files)))
        return
    console = Console(width=max(Console().width, WIDTH), highlight=False, markup=False)
    console.print(_table(bands, skills, horizon))
    held_out = "" if phase == "test" else ", which the models have learned from: it tested no policy"
    console.print(f"{len(real)} {phase} episodes of the run{held_out}; drawn: {episode}, {title}")
    for file in files:
        print(file)


def _load(
    run: Path,
) -> tuple[
    str,
    list[dict[str, Any]],
    list[RealEpisode],
    list[RealEpisode],
    list[TrackedFeature],
    ImaginedModel,
]:
    """Phase, labels and real episodes to compare with; those that were learned from; features; models."""
    import numpy as np

    from pyagent.campaign.learn import MODEL
    from pyagent.envs.observation import FEATURES as ALL
    from pyagent.envs.observation import NAMES
    from pyagent.surrogate.trajectories import TrackedFeature

    scenario, decisions = _read(run)
    # Bandits train on decisions of their own, which the model has not seen.
    decisions = decisions[(decisions["phase"] != "train") | (decisions["policy"] == MODEL)]
    phases = set(decisions["phase"])
    if "train" not in phases:
        raise UserError(
            f"{run}: decisions.parquet has no training decisions; the run bought no evaluation for training"
        )
    phase = "test" if "test" in phases else "train"
    _, seen = _episodes(decisions[decisions["phase"] == "train"], scenario)
    labels, real = _episodes(decisions[decisions["phase"] == phase], scenario)
    contexts = np.concatenate([each.contexts for each in seen])
    model = _models(run, scenario, contexts)
    tracked = [TrackedFeature(name, NAMES.index(name), ALL[NAMES.index(name)].restore) for name in FEATURES]
    return phase, labels, real, seen, tracked, model


def _read(run: Path) -> tuple[Scenario, pd.DataFrame]:
    """The run's scenario and decisions."""
    from pyagent.envs.observation import NAMES
    from pyagent.plots.data import MissingDataError, read_scenario, read_table
    from pyagent.reward import COMPONENTS

    if not run.is_dir():
        raise UserError(f"{run}: no such folder; valid: the run folder of a `splitsim run`")
    columns = {"phase", "decision", "action", "reward", *_EPISODE, *COMPONENTS, *(f"obs_{n}" for n in NAMES)}
    try:
        return read_scenario(run), read_table(run, "decisions", columns)
    except MissingDataError as error:
        raise UserError(f"{run}: {error}; valid: the run folder of a `splitsim run`") from error


def _episodes(decisions: pd.DataFrame, scenario: Scenario) -> tuple[list[dict[str, Any]], list[RealEpisode]]:
    """Policy, seed and replicate of each episode in the order of the table, and the episodes."""
    import numpy as np

    from pyagent.dataset.table import row_components, row_contexts
    from pyagent.scenario.compile import deploy
    from pyagent.surrogate.trajectories import RealEpisode

    layers = deploy(scenario).num_layers
    labels, episodes = [], []
    for key, rows in decisions.groupby(_EPISODE, sort=False):
        policy, seed, replicate = cast(tuple[str, int, int], key)
        ordered = rows.sort_values("decision")
        labels.append({"policy": str(policy), "seed": int(seed), "replicate": int(replicate)})
        episodes.append(
            RealEpisode(
                int(seed),
                row_contexts(ordered, layers),
                ordered["action"].to_numpy(dtype=np.int64),
                # The table has the quality as measured; models and rewards know it clipped.
                row_components(ordered, scenario.reward.delta_nll_clip),
                ordered["reward"].to_numpy(dtype=np.float64),
            )
        )
    return labels, episodes


def _models(run: Path, scenario: Scenario, start_contexts: Any) -> ImaginedModel:
    """Surrogate and channel model of the run's checkpoint, with the scenario's rewards."""
    from safetensors import SafetensorError

    from pyagent.envs.scoring import make_composer
    from pyagent.surrogate.channel import ChannelModel
    from pyagent.surrogate.imagined import ImaginedModel
    from pyagent.surrogate.registry import load_surrogate

    folder = run / CHECKPOINT
    for part in ("surrogate", "channel"):
        for suffix in (".json", ".safetensors"):
            if not (folder / f"{part}{suffix}").is_file():
                raise UserError(
                    f"{run}: there is no {CHECKPOINT}/{part}{suffix}; `splitsim run` with a learning agent "
                    "writes it"
                )
    try:
        surrogate, channel = load_surrogate(folder), ChannelModel.load(folder)
        if surrogate.context_dim != start_contexts.shape[1]:
            raise ValueError(f"the surrogate knows {surrogate.context_dim} features")
        if not channel.fitted:
            raise ValueError("the channel model has seen no transition")
        return ImaginedModel(surrogate, channel, surrogate.encoder, make_composer(scenario), start_contexts)
    except (OSError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise UserError(f"{folder}: doesn't fit this run and version: {error}") from error


def _draw(
    run: Path, bands: dict[str, Bands], skills: dict[str, LeadSkill], title: str, out: Path
) -> list[Path]:
    from pyagent.plots.data import proxy_note
    from pyagent.plots.imagined import figure_imagined
    from pyagent.plots.style import save

    figure = figure_imagined(bands, skills, title, [proxy_note(run)])
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        return save(figure, out)
    except OSError as error:
        raise UserError(f"--out is {str(out)!r}, and can't be written: {error.strerror}") from error


def _report(
    run: Path,
    phase: str,
    labels: list[dict[str, Any]],
    episode: int,
    draws: int,
    bands: dict[str, Bands],
    skills: dict[str, LeadSkill],
    files: list[Path],
) -> dict[str, Any]:
    return {
        "run": str(run),
        "phase": phase,
        "episodes": len(labels),
        "episode": {"number": episode, **labels[episode]},
        "draws": draws,
        "series": {
            name: {
                "leads": skill.leads.tolist(),
                "skill": _numbers(skill.skill),
                "coverage_50": _numbers(skill.coverage_50),
                "coverage_90": _numbers(skill.coverage_90),
                "horizon": skill.horizon,
                "episode_coverage_50": _numbers([bands[name].coverage(0.5)])[0],
                "episode_coverage_90": _numbers([bands[name].coverage(0.9)])[0],
            }
            for name, skill in skills.items()
        },
        "files": [str(file) for file in files],
    }


def _numbers(values: Any) -> list[float | None]:
    """JSON has no NaN."""
    import math

    return [round(float(value), 6) if math.isfinite(value) else None for value in values]


def _table(bands: dict[str, Bands], skills: dict[str, LeadSkill], horizon: int) -> Table:
    table = Table(
        title="Imagined against real: skill over the marginal distribution, real values in the bands",
        title_justify="left",
    )
    table.add_column("series")
    for title in (
        "skill at first",
        f"at {horizon}",
        "none from",
        "in 50 %",
        "in 90 %",
        "this episode",
    ):
        table.add_column(title, justify="right")
    for name, skill in skills.items():
        known = skill.horizon
        table.add_row(
            name,
            f"{skill.skill[0]:.2f}",
            f"{skill.skill[-1]:.2f}",
            f"beyond {horizon}" if known is None else str(known),
            f"{100 * skill.coverage_50.mean():.0f} %",
            f"{100 * skill.coverage_90.mean():.0f} %",
            f"{100 * bands[name].coverage(0.9):.0f} %",
        )
    return table
