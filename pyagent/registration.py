"""Tells Gymnasium of our environments, when pyagent is imported; imports nothing heavy itself."""

from __future__ import annotations

from gymnasium.envs.registration import register, registry

SPLIT_INFERENCE = "pyagent/SplitInference-v0"
SEED_SPLIT = "pyagent/SeedSplit-v0"


def register_environments() -> None:
    """Register every environment of this package; calling it again changes nothing."""
    if SPLIT_INFERENCE not in registry:
        register(id=SPLIT_INFERENCE, entry_point="pyagent.envs.split_inference:SplitInferenceEnv")
    if SEED_SPLIT not in registry:
        register(id=SEED_SPLIT, entry_point="pyagent.envs.seed_split:SeedSplitEnv")
