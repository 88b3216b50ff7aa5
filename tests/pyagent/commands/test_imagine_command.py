"""`splitsim imagine`: the table, the JSON, the picture, and one line for what is wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import typer
from matplotlib.image import imread
from typer.testing import CliRunner

from pyagent.commands.imagine import FEATURES, _episodes, _read, imagine
from pyagent.envs.observation import NAMES
from pyagent.errors import UserError
from pyagent.reward import RewardContext
from pyagent.scenario.compile import deploy
from pyagent.surrogate import (
    ActionEncoder,
    Batch,
    ChannelModel,
    ComponentScales,
    EnsembleSettings,
    EnsembleSurrogate,
)
from pyagent.surrogate.trajectories import OUTCOMES

CONFIG = """
name: synthetic
mobility: {model: random-waypoint, area_x_m: [2, 60], area_y_m: [-15, 15]}
requests: {count: 16}
"""
SERIES = [*FEATURES, *OUTCOMES]
COUNT = 16


def played(phase: str, policy: str, seed: int, actions: int, replicate: int = 0) -> pd.DataFrame:
    """An episode whose SNR lasts, and where what it does depends on the SNR."""
    rng = np.random.default_rng([seed, replicate, len(policy)])
    snr = np.empty(COUNT)
    snr[0] = rng.normal(20, 6)
    for k in range(1, COUNT):
        snr[k] = 20 + 0.9 * (snr[k - 1] - 20) + rng.normal(0, 2)
    action = rng.integers(0, actions, COUNT)
    table = pd.DataFrame(
        {"phase": phase, "policy": policy, "seed": seed, "replicate": replicate, "action": action}
    )
    table["decision"] = range(COUNT)
    obs = {f"obs_{name}": np.zeros(COUNT) for name in NAMES}
    obs |= {
        "obs_snr_db": snr,
        "obs_phy_rate_mbps": np.clip(4 * snr, 1, 140),
        "obs_recent_delay_s": 0.5 / (1 + snr**2),
    }
    obs |= {
        "obs_prompt_tokens": rng.integers(16, 128, COUNT),
        "obs_output_tokens": rng.integers(8, 32, COUNT),
    }
    latency = 0.3 + 0.2 * action + 6 / (2 + np.abs(snr)) + rng.uniform(0, 0.1, COUNT)
    quality = np.clip((25 - snr) / 20, 0, None) * rng.uniform(0.8, 1.2, COUNT)
    outcome = {"latency_s": latency, "delta_nll": quality, "ue_energy_j": 0.5 + action, "failed": False}
    return table.assign(**obs, **outcome, reward=-quality - latency)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Don't write to it."""
    run = tmp_path_factory.mktemp("imagine") / "run"
    run.mkdir()
    (run / "config.yaml").write_text(CONFIG)
    test = [
        played("test", p, s, 3, r) for p in ("random", "surrogate-argmax") for s in (201, 202) for r in (0, 1)
    ]
    train = [played("train", "surrogate-thompson", seed, 3) for seed in range(1, 9)]
    pd.concat([*train, *test]).to_parquet(run / "decisions.parquet")
    scenario, decisions = _read(run)
    _, seen = _episodes(decisions[decisions["phase"] == "train"], scenario)
    deployed = deploy(scenario)
    encoder = ActionEncoder(deployed.splits, deployed.num_layers)
    context = RewardContext(scenario.reward.slo_s, scenario.reward.delta_nll_clip, deployed.num_layers)
    scales = ComponentScales.from_reward(context, deadline_s=4.0, ue_energy_all_local_j=10.0)
    surrogate = EnsembleSurrogate(
        len(NAMES), encoder, scales, seed=0, settings=EnsembleSettings(members=2, hidden=(16,))
    )
    joined = [np.concatenate([getattr(e, n) for e in seen]) for n in ("contexts", "actions", "outcomes")]
    surrogate.update(Batch(*joined), 30)
    channel = ChannelModel(encoder)
    channel.fit(
        np.concatenate([e.contexts[:-1] for e in seen]),
        np.concatenate([e.actions[:-1] for e in seen]),
        np.concatenate([e.contexts[1:] for e in seen]),
    )
    surrogate.save(run / "checkpoint")
    channel.save(run / "checkpoint")
    return run


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    return shutil.copytree(whole, tmp_path / "run")


def call(*arguments: str | Path) -> str:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(imagine)
    done = CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def found(*arguments: str | Path) -> dict[str, Any]:
    return json.loads(call(*arguments, "--draws", "40", "--json"))


def test_table_and_pictures(run: Path) -> None:
    lines = call(run, "--draws", "40", "--horizon", "4").splitlines()
    shown = [line.strip("│").split("│")[0].strip() for line in lines if line.startswith("│")]
    assert shown == SERIES
    assert "8 test episodes of the run; drawn: 0, policy random, seed 201, replicate 0" in lines
    assert lines[-2:] == [f"{run}/plots/imagined.png", f"{run}/plots/imagined.pdf"]
    picture = imread(lines[-2])
    assert picture.shape[1] > 1000
    assert picture[..., :3].std() > 0.05


def test_json_says_how_far_ahead_each_series_is_foreseen(run: Path, tmp_path: Path) -> None:
    report = found(run, "--horizon", "4", "--episode", "5", "--out", tmp_path / "new" / "picture")
    assert report["episode"] == {"number": 5, "policy": "surrogate-argmax", "seed": 201, "replicate": 1}
    assert (report["phase"], report["episodes"], report["draws"]) == ("test", 8, 40)
    assert report["files"] == [str(tmp_path / "new" / f"picture{suffix}") for suffix in (".png", ".pdf")]
    assert list(report["series"]) == SERIES
    snr, latency = report["series"]["snr_db"], report["series"]["latency_s"]
    assert (snr["leads"], latency["leads"]) == ([1, 2, 3, 4], [0, 1, 2, 3, 4])
    assert snr["skill"][0] > 0.2
    assert snr["skill"][0] > snr["skill"][-1]
    assert snr["horizon"] is None or snr["horizon"] > 1
    assert 0 <= latency["episode_coverage_50"] <= latency["episode_coverage_90"] <= 1


def test_a_run_that_tested_nobody_shows_its_training_without_the_quality_it_did_not_buy(run: Path) -> None:
    table = pd.read_parquet(run / "decisions.parquet")
    table = table[table["phase"] == "train"].reset_index(drop=True)
    table.loc[::2, ["delta_nll", "reward"]] = np.nan
    table.loc[table["seed"] == 1, ["delta_nll", "reward"]] = np.nan
    table.to_parquet(run / "decisions.parquet")
    report = found(run, "--horizon", "2")
    assert (report["phase"], report["episodes"]) == ("train", 8)
    quality = report["series"]["delta_nll"]
    assert None not in quality["skill"]
    assert quality["episode_coverage_90"] is None
    assert report["series"]["latency_s"]["episode_coverage_90"] is not None


@pytest.mark.parametrize(
    ("damage", "options", "problem"),
    [
        (lambda run: shutil.rmtree(run), (), "no such folder; valid: the run folder of a `splitsim run`"),
        (lambda run: (run / "config.yaml").unlink(), (), "there is no config.yaml; valid: the run folder"),
        (lambda run: (run / "decisions.parquet").unlink(), (), "there is no decisions.parquet; valid"),
        (
            lambda run: shutil.rmtree(run / "checkpoint"),
            (),
            "there is no checkpoint/surrogate.json; `splitsim run`",
        ),
        (
            lambda run: (run / "checkpoint/channel.safetensors").unlink(),
            (),
            "no checkpoint/channel.safetensors",
        ),
        (
            lambda run: (run / "checkpoint/surrogate.json").write_text("{}"),
            (),
            "doesn't fit this run and version",
        ),
        (
            lambda run: (run / "checkpoint/channel.safetensors").write_bytes(b"x"),
            (),
            "doesn't fit this run and version",
        ),
        (
            lambda run: (run / "config.yaml").write_text(CONFIG + "model: {splits: [1, 8, 16]}\n"),
            (),
            "encoder and composer differ",
        ),
        (lambda run: None, ("--episode", "8"), "--episode is 8, valid: 0 to 7, the run's test episodes"),
        (
            lambda run: None,
            ("--horizon", "16"),
            "no episode is long enough for horizon = 16; the longest has 16",
        ),
    ],
)
def test_what_is_wrong_is_one_line(run: Path, damage: Any, options: tuple[str, ...], problem: str) -> None:
    damage(run)
    with pytest.raises(UserError) as caught:
        call(run, "--draws", "20", *options)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_run_without_training_decisions_is_said_to_be_one(run: Path) -> None:
    table = pd.read_parquet(run / "decisions.parquet")
    table[table["phase"] == "test"].to_parquet(run / "decisions.parquet")
    with pytest.raises(UserError, match="the run bought no evaluation for training"):
        call(run)


def test_a_picture_that_cannot_be_written_is_one_line(run: Path) -> None:
    with pytest.raises(UserError, match=r"^--out is '\S+/config.yaml/x', and can't be written: "):
        call(run, "--draws", "20", "--horizon", "2", "--out", run / "config.yaml" / "x")
