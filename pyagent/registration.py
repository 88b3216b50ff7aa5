"""Tells Gymnasium of our environments, when pyagent is imported; imports nothing heavy itself."""

from __future__ import annotations

from gymnasium.envs.registration import register, registry

SPLIT_INFERENCE = "pyagent/SplitInference-v0"
REPLAY = "pyagent/Replay-v0"
SEED_SPLIT = "pyagent/SeedSplit-v0"
_ENTRY_POINTS = {
    SPLIT_INFERENCE: "pyagent.envs.split_inference:SplitInferenceEnv",
    REPLAY: "pyagent.envs.replay:ReplayEnv",
    SEED_SPLIT: "pyagent.envs.seed_split:SeedSplitEnv",
}


def register_environments() -> None:
    """Register every environment of this package; calling it again changes nothing."""
    for name, entry_point in _ENTRY_POINTS.items():
        if name not in registry:
            register(id=name, entry_point=entry_point)
