"""What the radio of the real simulator does, against the standards' formulas and closed forms of chance."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special

from pyagent.scenario.preview import HeatMap, preview
from pyagent.scenario.schema import Scenario
from tests.agreement import Agreement
from tests.integration.episodes import MIN_SPLIT, make_scenario, play

pytestmark = pytest.mark.ns3

Floats = NDArray[np.float64]


def slow(*values: Any) -> Any:
    """A case that `make test` leaves out: half a second of each adds up."""
    return pytest.param(*values, marks=pytest.mark.slow)


# --- path loss of LTE ---

CARRIER_GHZ = 1.8425
LIGHT_MPS = 3.0e8
"""As 3GPP TR 38.901 rounds it."""
SITE_M = (0.0, 0.0, 25.0)
UE_HEIGHT_M = 1.5
ELEMENT_DBM = 46 - 10 * math.log10(50 * 12)
"""46 dBm over the subcarriers of 50 resource blocks."""
TR_38_901 = "3GPP TR 38.901, table 7.4.1-1"


def uma_sight(flat: Floats, straight: Floats) -> Floats:
    break_m = 4 * (SITE_M[2] - 1) * (UE_HEIGHT_M - 1) * CARRIER_GHZ * 1e9 / LIGHT_MPS
    near = 28 + 22 * np.log10(straight) + 20 * math.log10(CARRIER_GHZ)
    far = 28 + 40 * np.log10(straight) + 20 * math.log10(CARRIER_GHZ)
    far -= 9 * math.log10(break_m**2 + (SITE_M[2] - UE_HEIGHT_M) ** 2)
    return np.where(flat <= break_m, near, far)


def uma_shadow(flat: Floats, straight: Floats) -> Floats:
    loss = 13.54 + 39.08 * np.log10(straight) + 20 * math.log10(CARRIER_GHZ) - 0.6 * (UE_HEIGHT_M - 1.5)
    return np.maximum(uma_sight(flat, straight), loss)


def umi_sight(flat: Floats, straight: Floats) -> Floats:
    break_m = 4 * (SITE_M[2] - 1) * (UE_HEIGHT_M - 1) * CARRIER_GHZ * 1e9 / LIGHT_MPS
    near = 32.4 + 21 * np.log10(straight) + 20 * math.log10(CARRIER_GHZ)
    far = 32.4 + 40 * np.log10(straight) + 20 * math.log10(CARRIER_GHZ)
    far -= 9.5 * math.log10(break_m**2 + (SITE_M[2] - UE_HEIGHT_M) ** 2)
    return np.where(flat <= break_m, near, far)


def umi_shadow(flat: Floats, straight: Floats) -> Floats:
    loss = 35.3 * np.log10(straight) + 22.4 + 21.3 * math.log10(CARRIER_GHZ) - 0.3 * (UE_HEIGHT_M - 1.5)
    return np.maximum(umi_sight(flat, straight), loss)


def rma_sight(flat: Floats, straight: Floats) -> Floats:
    height_m = 5.0  # of buildings
    break_m = 2 * math.pi * SITE_M[2] * UE_HEIGHT_M * CARRIER_GHZ * 1e9 / LIGHT_MPS

    def near(distance: Floats | float) -> Floats:
        loss = 20 * np.log10(40 * math.pi * distance * CARRIER_GHZ / 3)
        loss += min(0.03 * height_m**1.72, 10) * np.log10(distance)
        return loss - min(0.044 * height_m**1.72, 14.77) + 0.002 * math.log10(height_m) * distance

    far = near(break_m) + 40 * np.log10(straight / break_m)
    return np.where(flat <= break_m, near(straight), far)


def rma_shadow(flat: Floats, straight: Floats) -> Floats:
    height_m, street_m = 5.0, 20.0
    loss = 161.04 - 7.1 * math.log10(street_m) + 7.5 * math.log10(height_m)
    loss -= (24.37 - 3.7 * (height_m / SITE_M[2]) ** 2) * math.log10(SITE_M[2])
    slope = 43.42 - 3.1 * math.log10(SITE_M[2])
    tail = 20 * math.log10(CARRIER_GHZ) - (3.2 * math.log10(11.75 * UE_HEIGHT_M) ** 2 - 4.97)
    return np.maximum(rma_sight(flat, straight), loss + slope * (np.log10(straight) - 3) + tail)


def friis(flat: Floats, straight: Floats) -> Floats:
    return 20 * np.log10(4 * math.pi * straight * CARRIER_GHZ * 1e9 / 299_792_458.0)


def log_distance(flat: Floats, straight: Floats) -> Floats:
    return 37.8 + 35 * np.log10(straight)


def heat_of(scenario: Scenario) -> HeatMap:
    heat = preview(scenario, 1, duration_s=0.1).heat
    assert heat is not None
    return heat


@pytest.mark.parametrize(
    ("model", "sight", "formula", "origin"),
    [
        slow("uma", "always", uma_sight, TR_38_901),
        slow("uma", "never", uma_shadow, TR_38_901),
        slow("umi", "always", umi_sight, TR_38_901),
        ("umi", "never", umi_shadow, TR_38_901),
        slow("rma", "always", rma_sight, TR_38_901),
        slow("rma", "never", rma_shadow, TR_38_901),
        slow("friis", "by-distance", friis, "Friis 1946"),
        slow("log-distance", "by-distance", log_distance, "37.8 dB + 35 log10(d)"),
    ],
)
def test_path_loss_of_lte(
    agree: Agreement, model: str, sight: str, formula: Callable[[Floats, Floats], Floats], origin: str
) -> None:
    scenario = make_scenario(
        mobility={"model": "constant", "position_m": (4000, 0, UE_HEIGHT_M)},
        link={
            "technology": "lte",
            "enbs_m": [SITE_M],
            "fading": {"model": "none"},
            "path_loss": {"model": model, "line_of_sight": sight},
        },
    )
    heat = heat_of(scenario)
    flat = np.hypot(heat.x_m[None], heat.y_m[:, None])
    valid = (flat >= 10) & (flat <= 5000)
    straight = np.hypot(flat, SITE_M[2] - UE_HEIGHT_M)
    found = ELEMENT_DBM - heat.signal.rx_power_dbm[0]
    agree(
        f"path loss of LTE, {model}" + ("" if sight == "by-distance" else f", line of sight {sight}"),
        found[valid],
        formula(flat[valid], straight[valid]),
        within=1e-6,
        unit="dB",
        origin=origin,
    )


# --- rates of Wi-Fi ---

MODULATIONS = [
    *[(1, 1 / 2), (2, 1 / 2), (2, 3 / 4), (4, 1 / 2), (4, 3 / 4), (6, 2 / 3), (6, 3 / 4), (6, 5 / 6)],
    *[(8, 3 / 4), (8, 5 / 6), (10, 3 / 4), (10, 5 / 6)],
]
"""Bits of a subcarrier and share of them that is data, by MCS (IEEE 802.11ax-2021, tables 27-54 and on)."""
SYMBOL_US = {"80211n": 3.2 + 0.8, "80211ac": 3.2 + 0.8, "80211ax": 12.8 + 3.2}
"""With the guard intervals that ns-3 takes."""
SUBCARRIERS = {
    "80211n": {20: 52, 40: 108},
    "80211ac": {20: 52, 40: 108, 80: 234, 160: 468},
    "80211ax": {20: 234, 40: 468, 80: 980, 160: 1960},
}
HIGHEST_MCS = {"80211n": 7, "80211ac": 9, "80211ax": 11}
QUIET: dict[str, Any] = {"fading": {"model": "none"}}


def rate_mbps(standard: str, width_mhz: int, mcs: int) -> float:
    """One spatial stream."""
    bits, share = MODULATIONS[mcs]
    return SUBCARRIERS[standard][width_mhz] * bits * share / SYMBOL_US[standard]


def mcs_table(standard: str, width_mhz: int) -> list[int]:
    """Those of one stream; 802.11ac has no MCS 9 at 20 MHz: its data would be no whole number of bits."""
    highest = 8 if (standard, width_mhz) == ("80211ac", 20) else HIGHEST_MCS[standard]
    return list(range(highest + 1))


@pytest.mark.parametrize(
    ("standard", "width_mhz"),
    [
        (standard, width) if standard == "80211n" else slow(standard, width)
        for standard, widths in SUBCARRIERS.items()
        for width in widths
    ],
)
def test_the_rates_of_wifi_are_the_standards(agree: Agreement, standard: str, width_mhz: int) -> None:
    """What a map of the cell shows from the access point to its edge."""
    link = {**QUIET, "standard": standard, "channel_width_mhz": width_mhz}
    found = np.unique(heat_of(make_scenario(at_m=60, link=link)).signal.rate_mbps)
    found = found[found > 0]
    table = np.array([rate_mbps(standard, width_mhz, mcs) for mcs in mcs_table(standard, width_mhz)])
    # The lowest ones of a wide channel would need less power than a radio detects a preamble at.
    assert len(table) - 3 <= len(found) <= len(table)
    agree(
        "PHY rates of 802.11n, ac and ax, all widths",
        found,
        table[-len(found) :],
        share=1e-6,
        origin="IEEE 802.11-2020 and 802.11ax-2021: subcarriers x bits x code rate / symbol",
    )


def test_what_is_sent_has_the_rate_of_its_mcs(agree: Agreement) -> None:
    """Away from the access point at 3 m/s, the rate chosen by SNR."""
    scenario = make_scenario(
        mobility={"model": "linear", "position_m": (2, 0, 1.5), "velocity_mps": (3, 0, 0)},
        link=QUIET,
        requests={
            "count": 16,
            "prompt_tokens": (2, 2),
            "output_tokens": (2, 2),
            "deadline_s": 1,
            "min_gap_s": 1,
            "mean_extra_gap_s": 0,
        },
    )
    sent = [state.raw for state, record in play(scenario, 1, MIN_SPLIT) if state.raw["phy_rate_mbps"] > 0][1:]
    assert len({state["mcs"] for state in sent}) >= 5
    agree(
        "PHY rate of what was sent, by its MCS",
        [state["phy_rate_mbps"] for state in sent],
        [rate_mbps("80211ax", 20, int(state["mcs"])) for state in sent],
        share=1e-6,
        origin="IEEE 802.11ax-2021",
    )


# --- fading ---

BEACONS = 10
"""Of the second before the newest one, at intervals of 0.1024 s."""
LOG_UNIT_DB = 10 / math.log(10)


@pytest.mark.slow
@pytest.mark.parametrize("m", [0.5, 1.0, 3.0])
def test_moments_of_fading(agree: Agreement, m: float) -> None:
    """A gain is Gamma(m, 1/m), so its decibels have the mean psi(m) - ln m and the variance psi'(m), in
    units of 10 / ln 10; m = 1 is Rayleigh fading. Each sample is a mean of ten beacons, each in a block of
    its own.

    So little path loss that no beacon is lost in a fade: what is lost is not in the mean.
    """
    scenario = make_scenario(
        at_m=3,
        link={"fading": {"model": "nakagami-block", "m": m}, "path_loss": {"reference_loss_db": 10}},
        requests={"count": 150, "deadline_s": 4, "min_gap_s": 4, "mean_extra_gap_s": 0},
    )
    clear_dbm = 16 - 10 - 30 * math.log10(math.hypot(3, 1.5))
    fade_db = np.concatenate(
        [preview(scenario, seed, duration_s=600).link.rsrp_dbm[5:] - clear_dbm for seed in (1, 2)]
    )
    n = len(fade_db)
    assert n > 900
    mean_db = LOG_UNIT_DB * (special.digamma(m) - math.log(m))
    std_db = LOG_UNIT_DB * math.sqrt(special.polygamma(1, m) / BEACONS)
    kind = "Rayleigh" if m == 1 else f"Nakagami, m = {m:g}"
    origin = "moments of ln of a Gamma variable (Abramowitz and Stegun 6.3, 6.4); scipy"
    # Four standard errors; a mean of ten skewed values has a kurtosis near that of a normal one.
    agree(
        f"mean fade, {kind}",
        fade_db.mean(),
        mean_db,
        within=4 * std_db / math.sqrt(n),
        unit="dB",
        origin=origin,
    )
    spread = fade_db.std(ddof=1) / std_db
    agree(f"spread of fades, {kind}", spread, 1, share=4 * math.sqrt(0.75 / n), origin=origin)
