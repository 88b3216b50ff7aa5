"""Small sound states and delivery records, made at random."""

from __future__ import annotations

import numpy as np

from pyagent.envs.observation import FEATURES, NAMES, normalise
from pyagent.envs.record import DeliveryRecord
from pyagent.envs.simulator import State

LAYERS = 32


def state(rng: np.random.Generator, request: int) -> State:
    """The state at a request's arrival."""
    raw = np.array([rng.uniform(f.low, f.high) for f in FEATURES])
    named = dict(zip(NAMES, raw.tolist(), strict=True))
    return State(normalise(raw, LAYERS), named, request, (1.5, rng.random(), 0.0), rng.random())


def delivery(rng: np.random.Generator, request: int) -> DeliveryRecord:
    """The record of a request with a prompt of 4 tokens, 2 output tokens, 3 fragments per token."""
    T, F, N = 5, 3, 2
    return DeliveryRecord(
        request=request,
        action=request % 3,
        split=8,
        prompt_tokens=4,
        output_tokens=N,
        generated_tokens=N,
        fragments_per_token=F,
        failed=False,
        fail_reason="",
        arrival_s=rng.random(),
        latency_s=rng.random(),
        outcome=rng.integers(0, 5, (T, F)).astype(np.uint8),
        delay_s=np.where(rng.random((T, F)) < 0.5, np.nan, rng.random((T, F))).astype(np.float32),
        retries=rng.integers(0, 3, N).astype(np.uint8),
        token_time_s=rng.random(N).astype(np.float32),
        downlink_outcome=np.zeros(N, np.uint8),
        uplink_packets=4,
        uplink_bytes=4000,
        downlink_bytes=32,
        ue_compute_s=rng.random(),
        edge_compute_s=rng.random(),
        edge_queue_s=0.0,
        ue_compute_energy_j=rng.random(),
        ue_radio_energy_j=rng.random(),
    )
