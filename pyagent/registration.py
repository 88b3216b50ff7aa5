"""Tells Gymnasium of our environments, when pyagent is imported; imports nothing heavy itself."""

from __future__ import annotations

from gymnasium.envs.registration import register, registry

SPLIT_INFERENCE = "pyagent/SplitInference-v0"
REPLAY = "pyagent/Replay-v0"


def register_environments() -> None:
    """Register every environment of this package; calling it again changes nothing."""
    if SPLIT_INFERENCE not in registry:
        register(id=SPLIT_INFERENCE, entry_point="pyagent.envs.split_inference:SplitInferenceEnv")
    if REPLAY not in registry:
        register(id=REPLAY, entry_point="pyagent.envs.replay:ReplayEnv")
