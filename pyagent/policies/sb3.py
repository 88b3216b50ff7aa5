"""What every training with stable-baselines3 needs: nothing leaks out, and the actor comes away alone."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.logger import Logger

from pyagent.policies.actor import Actor
from pyagent.threads import one_torch_thread


@contextmanager
def isolated_torch() -> Iterator[None]:
    """One torch thread inside, and the global random states of Python, NumPy and torch as before afterwards.

    stable-baselines3 seeds those global states; a caller's own random numbers must not change because of it.
    On networks this small more threads cost time.
    """
    python_state, numpy_state = random.getstate(), np.random.get_state()
    try:
        with one_torch_thread(), torch.random.fork_rng(devices=[]):
            yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)


def silenced(algorithm: Any) -> Any:
    """The algorithm with a logger that writes nowhere; the default one leaves a folder behind."""
    algorithm.set_logger(Logger(folder=None, output_formats=[]))
    return algorithm


def actor_of(algorithm: Any) -> Actor:
    """A copy of what a stable-baselines3 algorithm has learned so far.

    Raises:
        ValueError: see `Actor.from_state`.
    """
    state = algorithm.policy.state_dict()
    arrays = {key: value.detach().cpu().numpy().copy() for key, value in state.items()}
    return Actor.from_state(arrays, algorithm.policy.activation_fn.__name__)
