"""What a policy sees: nineteen numbers, each with its meaning, unit and range."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from llm_split.plain import did_you_mean

_UNITS = {
    "_db_per_s": "dB/s",
    "_dbm": "dBm",
    "_db": "dB",
    "_mbps": "Mbit/s",
    "_mps": "m/s",
    "_packets": "packets",
    "_tokens": "tokens",
    "_s": "s",
    "_m": "m",
    "previous_split": "blocks",
}
"""Unit by the end of a feature's name; of several that fit the first."""


@dataclass(frozen=True)
class Feature:
    """One element of the observation.

    Attributes:
        name: as ns-3 sends it, with the unit.
        low, high: physical values that become 0 and 1; beyond them the value is clipped.
        scale: linear, or the logarithm of 1 + the value.
        meaning: what it is.
    """

    name: str
    low: float
    high: float
    scale: Literal["linear", "log1p"]
    meaning: str

    @property
    def unit(self) -> str:
        """Unit of the physical value; empty for a share, an index or a count without one."""
        return next((unit for suffix, unit in _UNITS.items() if self.name.endswith(suffix)), "")

    @property
    def quantity(self) -> str:
        """Name without its unit."""
        suffix = next((suffix for suffix in _UNITS if self.name.endswith(suffix)), "")
        return self.name.removesuffix(suffix) if suffix.startswith("_") else self.name

    def normalise(self, value: float) -> float:
        """Physical value to [0, 1]."""
        low, high = self.low, self.high
        if self.scale == "log1p":
            value, low, high = np.log1p(max(value, 0.0)), np.log1p(low), np.log1p(high)
        return float(np.clip((value - low) / (high - low), 0.0, 1.0))

    def restore(self, values: ArrayLike) -> NDArray[np.float64]:
        """[0, 1] of any shape back to physical values (of what was clipped, the end of the range)."""
        shares, low, high = np.asarray(values, dtype=np.float64), self.low, self.high
        if self.scale == "log1p":
            shares = np.log1p(low) + shares * (np.log1p(high) - np.log1p(low))
            return np.asarray(np.expm1(shares))
        return np.asarray(low + shares * (high - low))


FEATURES: tuple[Feature, ...] = (
    Feature("snr_db", -10, 50, "linear", "mean SNR (LTE: RS-SINR) over the second before the newest sample"),
    Feature("snr_trend_db_per_s", -20, 20, "linear", "least-squares slope of these samples"),
    Feature("snr_age_s", 0, 10, "log1p", "since the newest sample"),
    Feature("rsrp_dbm", -140, -30, "linear", "mean power of the serving cell over the same second"),
    Feature("phy_rate_mbps", 0, 150, "log1p", "PHY rate of the last data sent"),
    Feature("mcs", 0, 28, "linear", "its modulation and coding scheme, by index"),
    Feature(
        "retry_share", 0, 1, "linear", "share of repetitions in what was sent in the last second of sending"
    ),
    Feature("handover_age_s", 0, 100, "log1p", "since the serving cell changed"),
    Feature("recent_loss", 0, 1, "linear", "what the edge did without, last request over the link"),
    Feature("recent_delay_s", 0, 4, "log1p", "mean one-way delay of that request's fragments"),
    Feature("link_age_s", 0, 100, "log1p", "since that request arrived; 1000 if there was none"),
    Feature("queue_packets", 0, 500, "log1p", "packets in the UE's device queue"),
    Feature("speed_mps", 0, 30, "log1p", "speed of the UE"),
    Feature("distance_m", 0, 2000, "log1p", "from UE to the serving site, to the nearest without one"),
    Feature("prompt_tokens", 0, 512, "linear", "P, prompt length"),
    Feature("output_tokens", 0, 64, "linear", "N, output length"),
    Feature("previous_split", 0, 1, "linear", "split before, as a share of L; 0 for none"),
    Feature("edge_backlog_s", 0, 1, "log1p", "work waiting in the edge's queue"),
    Feature("serving_cell", -1, 7, "linear", "index of the site that serves, -1 for none"),
)

NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)


class FeatureMismatchError(Exception):
    """The simulator sends other features than this version of pyagent knows."""


def check_features(names: Sequence[str]) -> None:
    """Compare the simulator's list with ours.

    Raises:
        FeatureMismatchError: they differ; the simulator is of another version.
    """
    if tuple(names) != NAMES:
        raise FeatureMismatchError(
            f"the simulator sends the features {', '.join(names)}; this pyagent knows {', '.join(NAMES)}. "
            "Build the simulator anew with `make build`"
        )


def normalise(raw: Sequence[float] | NDArray[np.float64], num_layers: int) -> NDArray[np.float32]:
    """The observation of a policy.

    Args:
        raw: [D] physical values in the order of `FEATURES`, as ns-3 sends them (previous_split in blocks).
        num_layers: L of the deployed model.

    Returns:
        float32 [D] in [0, 1].
    """
    physical = dict(zip(NAMES, map(float, raw), strict=True))
    physical["previous_split"] /= num_layers
    return np.array([f.normalise(physical[f.name]) for f in FEATURES], dtype=np.float32)


class UnknownFeatureError(KeyError):
    """A policy asked for a feature that is not in the observation."""

    def __str__(self) -> str:
        name = self.args[0]
        guess = did_you_mean(name, NAMES)
        return f"no feature is called {name!r}; {guess and guess + ' '}valid: {', '.join(NAMES)}"


def feature_name(name: str) -> str:
    """The feature of a name, or of the label that trees and rules print: `snr_db` for `snr`.

    Raises:
        UnknownFeatureError: it is neither.
    """
    for feature in FEATURES:
        if name in (feature.name, feature.quantity):
            return feature.name
    raise UnknownFeatureError(name)


class NamedFeatures(dict[str, float]):
    """Features by name; a name that is not one of them raises UnknownFeatureError, which lists them."""

    def __missing__(self, name: str) -> float:
        raise UnknownFeatureError(name)


def physical(context: NDArray[np.float32], num_layers: int) -> NamedFeatures:
    """A policy's observation by feature name in physical units: `normalise` undone.

    Args:
        context: float32 [D] in [0, 1].
        num_layers: L of the deployed model.

    Returns:
        Values to about six digits; what was beyond a feature's range is at its end.
    """
    shares = zip(NAMES, context, strict=True)
    return NamedFeatures((name, physical_value(name, share, num_layers)) for name, share in shares)


def physical_value(name: str, share: float, num_layers: int) -> float:
    """Physical value of one normalised feature; see `physical`."""
    value = float(FEATURES[NAMES.index(name)].restore(share))
    return value * num_layers if name == "previous_split" else value
