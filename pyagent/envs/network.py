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
    """True if a request that loses nothing has a dNLL of 0: neither codec nor weights cost quality."""
    return get_codec(scenario.model.codec).exact and weight_bits(scenario) == (16, 16)


def weight_bits(scenario: Scenario) -> tuple[int, int]:
    """Bits of a weight on the UE and on the edge, as far as quality is measured with them."""
    return (scenario.ue.weight_bits, scenario.edge.weight_bits) if scenario.model.quantise else (16, 16)


def is_lossy(network: NDArray[np.float64], sent: NDArray[np.bool_] | bool) -> NDArray[np.bool_]:
    """Bool [...]: generated tokens depend on something that is missing, so the dNLL takes an evaluation.

    Args:
        network: float64 [..., 3], see `NETWORK`.
        sent: bool [...], true unless all was local.
    """
    damaged = (network[..., 0] > 0) | (network[..., 1] > 0)
    return np.asarray(damaged & sent & (network[..., 2] > 0))
