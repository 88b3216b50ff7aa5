"""What learning and interrupted runs leave in files: surrogates, policies, journals, trainings."""

from __future__ import annotations

import io
import random
import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from stable_baselines3 import A2C, DQN, PPO

from llm_split.quality import QualityResult
from pyagent.campaign.collect import Decision, Job
from pyagent.campaign.journal import Journal
from pyagent.dataset import Dataset, open_dataset, shipped_dataset
from pyagent.dataset.dataset import CLEAN
from pyagent.envs.observation import NAMES
from pyagent.errors import UserError
from pyagent.learning.on_table import episodes, model_based, play_episode
from pyagent.learning.training import restore_latest, save_checkpoint
from pyagent.policies.actor import Actor
from pyagent.policies.random import RandomPolicy
from pyagent.policies.sb3 import actor_of, isolated_torch
from pyagent.policies.sb3_zip import ZipPolicy
from pyagent.surrogate import ActionEncoder, Batch, ChannelModel, ComponentScales
from pyagent.surrogate.ensemble import EnsembleSettings, EnsembleSurrogate
from pyagent.surrogate.gaussian_process import GaussianProcessSurrogate
from pyagent.surrogate.linear import LinearSurrogate
from pyagent.surrogate.registry import load_surrogate
from tests.fuzz.samples import LAYERS, delivery, state
from tests.fuzz.structured import damaged_zip
from tests.fuzz.target import FileTarget, FolderTarget

_SPLITS = (1, 16, 32)
_DIM = 5
_SCALES = ComponentScales(
    deadline_s=6.0,
    delta_nll_clip=3.0,
    energy_max_j=40.0,
    latency_knee_s=1.0,
    delta_nll_knee=0.15,
    energy_knee_j=2.5,
)


def _surrogate(kind: str) -> Any:
    made: dict[str, Any] = {
        "ensemble": lambda *a, **k: EnsembleSurrogate(
            *a, settings=EnsembleSettings(members=2, hidden=(8,)), **k
        ),
        "linear": LinearSurrogate,
        "gp": GaussianProcessSurrogate,
    }
    return made[kind](_DIM, ActionEncoder(_SPLITS, LAYERS), _SCALES, seed=1)


class Surrogates(FolderTarget):
    """The checkpoint of a run: a surrogate of each kind, and the channel model."""

    name = "surrogate"
    refusals = (UserError, FileNotFoundError)
    variants = 3

    def make(self, folder: Path, number: int) -> None:
        rng = np.random.default_rng(2)
        contexts, actions = rng.random((6, _DIM)).astype(np.float32), rng.integers(0, 3, 6)
        outcomes = np.abs(rng.normal(0.5, 0.1, (6, 4)))
        outcomes[:, 3] = rng.integers(0, 2, 6)
        surrogate = _surrogate(("ensemble", "linear", "gp")[number])
        surrogate.update(Batch(contexts, actions, outcomes), 2)
        surrogate.save(folder)
        channel = ChannelModel(ActionEncoder(_SPLITS, LAYERS), previous_split=_DIM - 1)
        channel.fit(contexts[:-1], actions[:-1], contexts[1:])
        channel.save(folder)

    def load(self, folder: Path) -> None:
        surrogate, channel = load_surrogate(folder), ChannelModel.load(folder)
        contexts, actions = np.full((2, surrogate.context_dim), 0.5, np.float32), np.zeros(2, np.int64)
        seen = surrogate.predict(contexts, surrogate.encoder.encode(actions))
        assert seen.mean.shape == (2, 4)
        if channel.fitted:
            contexts = np.full((2, channel.context_dim), 0.5, np.float32)
            following = channel.sample(contexts, actions, np.random.default_rng(0))
            assert following.shape == contexts.shape


class _Spaces(gymnasium.Env[Any, Any]):
    """Only its spaces matter."""

    def __init__(self) -> None:
        self.observation_space = gymnasium.spaces.Box(0, 1, (len(NAMES),), np.float32)
        self.action_space = gymnasium.spaces.Discrete(len(_SPLITS))


@cache
def _algorithms() -> tuple[Any, ...]:
    with isolated_torch(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tuple(
            kind("MlpPolicy", _Spaces(), seed=1, device="cpu", policy_kwargs={"net_arch": [4]})
            for kind in (PPO, A2C, DQN)
        )


class PolicyZips(FileTarget):
    """A zip of stable-baselines3, from anywhere."""

    name = "policy-zip"
    file_name = "agent.zip"

    def seeds(self) -> Sequence[bytes]:
        return [_saved(algorithm) for algorithm in _algorithms()]

    def mutate(self, data: bytes, rng: random.Random) -> bytes:
        return damaged_zip(data, rng)

    def load(self, path: Path) -> None:
        policy = ZipPolicy(path)
        policy.prepare(_SPLITS, LAYERS)
        assert policy.act(np.full(len(NAMES), 0.5, np.float32)) in range(len(_SPLITS))


def _saved(algorithm: Any) -> bytes:
    buffer = io.BytesIO()
    algorithm.save(buffer, exclude=["policy.optimizer"])
    return buffer.getvalue()


class Actors(FolderTarget):
    """What a learned policy is kept in."""

    name = "actor"

    def make(self, folder: Path, number: int) -> None:
        actor_of(_algorithms()[0]).save(folder, "ppo")

    def load(self, folder: Path) -> None:
        actor = Actor.load(folder, "ppo")
        assert actor.scores(np.full(actor.context_dim, 0.5, np.float32)).shape == (actor.actions,)


class Journals(FolderTarget):
    """What `run --resume` goes on from."""

    name = "journal"

    def make(self, folder: Path, number: int) -> None:
        journal, rng = Journal(folder, LAYERS), np.random.default_rng(4)
        states = [state(rng, i) for i in range(3)]
        decisions = [Decision(states[i], i % 3, delivery(rng, i)) for i in range(2)]
        answers = {1: QualityResult(rng.random(), float("nan"), 0.5, float("inf"), 3.0, 1.0, 2, False)}
        journal.keep_training("mine", 0, states, decisions, answers)
        rows = [{"phase": "tune", "reward": -0.1, "loss": float("nan"), "failed": True, "fail_reason": ""}]
        journal.keep_rows(self._job(), rows * 2)
        journal.keep_tokens(self._job(), [{"token": 0, "ue_s": 0.1, "resent": 1}])

    def _job(self) -> Job:
        return Job("tune", "static-1", 5, 0, lambda: RandomPolicy((1, 2)))

    def load(self, folder: Path) -> None:
        journal = Journal(folder, LAYERS)
        for episode in journal.training("mine"):
            episode.begin()
            over, step = False, 0
            while not over:
                record, _, over = episode.decide(step % 3)
                record.mask()
                step += 1
        journal.rows(self._job())
        journal.tokens(self._job())


@cache
def small_dataset() -> Dataset:
    """Two decisions of one seed of each part of a dataset that ships."""
    whole = open_dataset(shipped_dataset("tram-replay")).slim()
    rows = whole.rows
    seeds = rows.groupby("part")["seed"].transform("min")
    few = (rows["seed"] == seeds) & (rows["replicate"] == rows["replicate"].min()) & (rows["decision"] < 2)
    about = {CLEAN: {"train": whole.clean_delta_nll.tolist()}}
    return Dataset(whole.scenario, rows[few].reset_index(drop=True), about)


class Learners(FolderTarget):
    """What `train --resume` goes on from."""

    name = "learner"

    def make(self, folder: Path, number: int) -> None:
        learner, dataset = self._learner(), small_dataset()
        rows, replicate = next(episodes(dataset.train, 1))
        played = len(list(play_episode(learner, dataset.train, rows, replicate)))
        save_checkpoint(learner, folder, played)

    def _learner(self) -> Any:
        return model_based(small_dataset(), seed=1)

    def load(self, folder: Path) -> None:
        learner = self._learner()
        restore_latest(learner, folder)
        assert learner.act(small_dataset().train.contexts[0, 0, 0]) in range(small_dataset().train.actions)
