"""The observation's scaling and the record's reading, without a simulator."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest

from pyagent.envs.observation import (
    FEATURES,
    NAMES,
    FeatureMismatchError,
    UnknownFeatureError,
    check_features,
    feature_name,
    normalise,
    physical,
)
from pyagent.envs.record import DeliveryRecord, Outcome


def test_every_feature_maps_its_range_to_zero_and_one() -> None:
    for feature in FEATURES:
        assert feature.normalise(feature.low) == 0
        assert feature.normalise(feature.high) == pytest.approx(1)
        middle = feature.restore(0.5)
        assert feature.low < middle < feature.high
        assert feature.normalise(middle) == pytest.approx(0.5)


def test_a_name_that_is_no_feature_lists_the_features() -> None:
    """`rate` is a word of phy_rate_mbps; nothing resembles `colour`."""
    features = physical(np.full(len(NAMES), 0.5, dtype=np.float32), num_layers=32)
    with pytest.raises(KeyError) as caught:
        features["rate"]
    names = ", ".join(NAMES)
    assert str(caught.value) == f"no feature is called 'rate'; did you mean phy_rate_mbps? valid: {names}"
    with pytest.raises(UnknownFeatureError, match=f"^no feature is called 'colour'; valid: {names}$"):
        features["colour"]
    assert features.get("colour") is None


def test_a_feature_goes_by_its_name_and_by_the_label_of_trees() -> None:
    """A label is the name without its unit; no label is the name or the label of another feature."""
    assert [feature_name(name) for name in NAMES] == list(NAMES)
    assert [feature_name(feature.quantity) for feature in FEATURES] == list(NAMES)
    assert list(map(feature_name, ("rsrp", "distance"))) == ["rsrp_dbm", "distance_m"]
    with pytest.raises(UnknownFeatureError, match=r"'distanc'; did you mean distance_m\? valid: "):
        feature_name("distanc")


def test_values_beyond_the_range_are_clipped_and_the_split_becomes_a_share() -> None:
    raw = [feature.high * 10 + 1000 for feature in FEATURES]
    raw[NAMES.index("previous_split")] = 8
    context = normalise(raw, num_layers=32)
    assert context.dtype == np.float32
    assert context[NAMES.index("previous_split")] == 0.25
    assert np.delete(context, NAMES.index("previous_split")).tolist() == [1.0] * (len(FEATURES) - 1)


def test_another_version_of_the_simulator_is_noticed() -> None:
    check_features(list(NAMES))
    with pytest.raises(FeatureMismatchError, match="make build"):
        check_features([*NAMES[:-1], "cell_id"])


def encode(values: Any, dtype: str) -> str:
    return base64.b64encode(np.asarray(values, dtype=dtype).tobytes()).decode()


def record_json(**changes: Any) -> dict[str, Any]:
    """P=2, N=2, F=2: one lost, one late, one never sent."""
    outcome = [0, 0, 0, 1, 3, 4]
    delay = [0.01, 0.02, 0.03, np.nan, 0.5, np.nan]
    data: dict[str, Any] = {
        "request": 3,
        "action": 0,
        "split": 1,
        "codec": 0,
        "prompt_tokens": 2,
        "output_tokens": 2,
        "generated_tokens": 2,
        "fragments_per_token": 2,
        "failed": False,
        "fail_reason": "",
        "arrival_s": 2.0,
        "latency_s": 0.7,
        "outcome": encode(outcome, "<u1"),
        "delay_s": encode(delay, "<f4"),
        "retries": encode([0, 1], "<u1"),
        "token_time_s": encode([0.2, 0.7], "<f4"),
        "downlink_outcome": encode([0, 0], "<u1"),
        "uplink_packets": 6,
        "uplink_bytes": 6000,
        "downlink_bytes": 80,
        "ue_compute_s": 0.1,
        "edge_compute_s": 0.1,
        "edge_queue_s": 0.0,
        "ue_compute_energy_j": 0.5,
        "ue_radio_energy_j": 0.1,
    }
    return data | changes


def test_a_record_gives_shapes_times_shares_and_the_mask() -> None:
    record = DeliveryRecord.from_json(record_json())
    assert record.outcome.shape == (3, 2)
    assert record.ttft_s == pytest.approx(0.2)
    assert record.tpot_s == pytest.approx(0.5)
    assert record.ue_energy_j == pytest.approx(0.6)
    # The last fragment was never sent, but the edge computed its step without it: it is missing all the same.
    assert record.loss == pytest.approx(3 / 6)
    for outcome in (Outcome.LOST_RADIO, Outcome.LATE, Outcome.NOT_SENT):
        assert record.share(outcome) == pytest.approx(1 / 6)
    assert record.mask().delivered.tolist() == [[True, True], [True, False], [False, False]]


def test_steps_that_were_never_begun_are_no_loss() -> None:
    outcome = encode([0, 0, 0, 0, 4, 4], "<u1")
    record = DeliveryRecord.from_json(record_json(outcome=outcome))
    assert record.loss == 0
    assert DeliveryRecord.from_json(record_json(outcome=encode([4] * 6, "<u1"))).loss == 0


def test_a_request_without_tokens_has_no_times() -> None:
    record = DeliveryRecord.from_json(
        record_json(generated_tokens=0, failed=True, token_time_s=encode([np.nan, np.nan], "<f4"))
    )
    assert np.isnan(record.ttft_s)
    assert np.isnan(record.tpot_s)


def test_an_array_of_the_wrong_size_is_refused() -> None:
    with pytest.raises(ValueError, match="outcome holds 5 values"):
        DeliveryRecord.from_json(record_json(outcome=encode([0] * 5, "<u1")))
