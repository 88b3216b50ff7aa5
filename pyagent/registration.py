"""Tells Gymnasium of our environments; imports nothing heavy itself, not even Gymnasium."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

SPLIT_INFERENCE = "pyagent/SplitInference-v0"
REPLAY = "pyagent/Replay-v0"
SEED_SPLIT = "pyagent/SeedSplit-v0"
_ENTRY_POINTS = {
    SPLIT_INFERENCE: "pyagent.envs.split_inference:SplitInferenceEnv",
    REPLAY: "pyagent.envs.replay:ReplayEnv",
    SEED_SPLIT: "pyagent.envs.seed_split:SeedSplitEnv",
}
_REGISTRY = "gymnasium.envs"
"""Imported by whoever imports Gymnasium."""


def register_environments() -> None:
    """Register every environment of this package, now or once Gymnasium is imported; again changes nothing.

    Gymnasium takes most of the time in which the command line starts, which needs none of it.
    """
    if _REGISTRY in sys.modules:
        _register()
    elif not any(isinstance(finder, _Awaiting) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Awaiting())


def _register() -> None:
    from gymnasium.envs.registration import register, registry

    for name, entry_point in _ENTRY_POINTS.items():
        if name not in registry:
            register(id=name, entry_point=entry_point)


class _Awaiting(MetaPathFinder):
    """Finds the registry as everybody else would, and registers behind it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != _REGISTRY:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        def load_and_register(module: ModuleType) -> None:
            load(module)
            _register()

        spec.loader.exec_module = load_and_register  # type: ignore[method-assign]
        return spec
