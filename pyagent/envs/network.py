"""What a delivery record says about quality before the language model is asked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from llm_split.codecs import get_codec
from pyagent.envs.record import DeliveryRecord
from pyagent.scenario.schema import Scenario

NETWORK = ("prompt_loss", "output_loss", "generated_share")
"""The last axis of every `network` array."""


def record_network(record: DeliveryRecord) -> NDArray[np.float64]:
    """`NETWORK` [3] of one record."""
    generated = record.generated_tokens / record.output_tokens
    return np.array([record.prompt_loss, record.output_loss, generated])


def is_exact(scenario: Scenario) -> bool:
    """Whether what arrives whole is as good as unsplit, for which no model need be asked."""
    return get_codec(scenario.model.codec).exact


def is_lossy(
    network: NDArray[np.float64], sent: NDArray[np.bool_] | bool, exact_codec: bool
) -> NDArray[np.bool_]:
    """Bool [...] from network [..., 3] and whether anything was sent [...]: must the model be asked?"""
    damaged = (network[..., 0] > 0) | (network[..., 1] > 0) | (not exact_codec)
    return np.asarray(damaged & sent & (network[..., 2] > 0))
