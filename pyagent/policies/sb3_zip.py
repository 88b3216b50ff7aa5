"""A policy from a stable-baselines3 zip (PPO, MaskablePPO, A2C, DQN), without running anything in it.

stable-baselines3's own `load` unpickles parts of the member `data`. Here `policy.pth` is read as tensors
alone (`torch.load(weights_only=True)`), and the network is built from their shapes. Of `data`, which is
JSON, only the name of the activation is read; its pickles are not looked at.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pyagent.envs.observation import NAMES
from pyagent.errors import reason
from pyagent.policies.actor import Actor, ActorPolicy
from pyagent.policies.user import PolicyError, UserPolicy

_CLASS = re.compile(r"<class 'torch\.nn\.modules\.activation\.(\w+)'>")
MAX_BYTES = 64 * 2**20
"""Of a member, of `policy.pth` unpacked, and of all its tensors: an MlpPolicy has some 100 kB."""


class ZipPolicy(UserPolicy):
    """The actor of a stable-baselines3 zip; it acts greedily and is named after the file.

    Raises:
        PolicyError: the file is not such a zip.
    """

    def __init__(self, path: Path) -> None:
        source = str(path)
        self._actor = _read_actor(source, path)
        policy = ActorPolicy(self._actor)
        policy.name = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-")[:32] or "zip"
        super().__init__(source, path, policy)

    def prepare(self, splits: tuple[int, ...], num_layers: int) -> None:
        """Say what the actions stand for.

        Raises:
            PolicyError: the network is for other observations or another number of splits.
        """
        actor = self._actor
        if actor.context_dim != len(NAMES):
            raise PolicyError(
                f"{self.source}: policy.pth takes {actor.context_dim} observations; valid: {len(NAMES)}"
            )
        if actor.actions != len(splits):
            raise PolicyError(
                f"{self.source}: policy.pth has {actor.actions} actions; valid: {len(splits)}, "
                f"for the splits {', '.join(map(str, splits))}"
            )
        super().prepare(splits, num_layers)


def _read_actor(source: str, path: Path) -> Actor:
    try:
        state = _tensors(_member(source, path, "policy.pth"))
        activation = _activation(json.loads(_member(source, path, "data")))
    except PolicyError:
        raise
    except Exception as error:  # of many kinds: damaged zips, pickles and tensors each have their own
        raise PolicyError(f"{source}: can't be read as a stable-baselines3 zip: {reason(error)}") from error
    try:
        return Actor.from_state({key: _array(key, value) for key, value in state.items()}, activation)
    except ValueError as error:
        raise PolicyError(f"{source}: policy.pth: {error}") from error


def _member(source: str, path: Path, name: str) -> bytes:
    """The bytes of a member, no more than allowed whatever the zip's directory says."""
    with zipfile.ZipFile(path) as archive:
        if name not in archive.namelist():
            raise PolicyError(f"{source}: holds no {name}; valid: a zip that stable-baselines3 saved")
        with archive.open(name) as member:
            data = member.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise PolicyError(f"{source}: {name} is larger than {MAX_BYTES >> 20} MiB")
    return data


def _activation(saved: Any) -> str | None:
    """The class between layers, as `data` names it beside its pickle; None for the default."""
    options = saved.get("policy_kwargs") if isinstance(saved, dict) else None
    if not isinstance(options, dict) or "activation_fn" not in options:
        return None
    named = _CLASS.fullmatch(str(options["activation_fn"]))
    return named[1] if named else str(options["activation_fn"])


def _tensors(data: bytes) -> dict[str, Any]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if sum(member.file_size for member in archive.infolist()) > MAX_BYTES:
            raise ValueError(f"policy.pth unpacks to more than {MAX_BYTES >> 20} MiB")
    state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    if not isinstance(state, dict) or not all(isinstance(key, str) for key in state):
        raise ValueError("policy.pth is no table of tensors")
    # Views can be far larger than what is stored.
    if sum(value.numel() for value in state.values() if isinstance(value, torch.Tensor)) * 4 > MAX_BYTES:
        raise ValueError(f"policy.pth unpacks to more than {MAX_BYTES >> 20} MiB")
    return state


def _array(key: str, value: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
    if not isinstance(value, torch.Tensor) or value.layout != torch.strided or value.dtype != torch.float32:
        raise ValueError(f"{key!r} is no dense float32 tensor")
    return np.ascontiguousarray(value.detach().numpy())
