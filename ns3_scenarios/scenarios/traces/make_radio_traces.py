# SPDX-License-Identifier: GPL-2.0-only
"""Make the radio traces that ship: synthetic ones, in the way of a real link, and not measured.

    python make_radio_traces.py [FOLDER]

writes tram-lte.csv, tram-lte.down.csv and cell-uplink.up into FOLDER (here by default). The same numbers
come out every time: the generator is numpy's RandomState, whose stream is frozen.

The tram: it goes past three LTE sites at 1.8 GHz and stops every 60 s. Path loss is 3GPP TR 38.901's urban
macro without line of sight, shadowing a Gauss-Markov process over the way (Gudmundson), the signal figures
follow from both, the part of the cell that is left to the phone is a Markov chain of three loads, and rates
are an attenuated Shannon bound (3GPP TR 36.942, annex A). Two outages stand for an underpass and a failed
handover. The single cell: the same kind of load chain and a slow fade, given out in bursts of grants as an
LTE scheduler does.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TRAM_S, STEP_S = 300.0, 0.5
STOP_EVERY_S, STANDS_S, TOP_SPEED_MPS, ACCELERATION_MPS2 = 60.0, 20.0, 12.0, 1.0
# Along and beside the tracks.
SITES_M = np.array([[-150.0, 160.0], [750.0, 220.0], [1700.0, 140.0]])
SITE_HEIGHT_M, PHONE_HEIGHT_M, CARRIER_GHZ = 25.0, 1.5, 1.8
# 46 dBm over the 600 subcarriers of 10 MHz, and an antenna that looks the phone's way.
SUBCARRIER_DBM, ANTENNA_DB, PHONE_DBM = 46.0 - 27.8, 15.0, 23.0
SHADOWING_DB, SHADOWING_M = 6.0, 50.0
# People and cars that move keep the signal moving where the tram stands.
BUSTLE_DB, BUSTLE_S = 1.5, 2.0
# Of coated windows.
TRAM_BODY_DB = 8.0
BANDWIDTH_HZ = 9e6
THERMAL_DBM_PER_HZ, PHONE_NOISE_DB, SITE_NOISE_DB, SITE_INTERFERENCE_DB = -174.0, 9.0, 5.0, 6.0
OTHER_CELLS_LOAD = 0.6
# Begin and length in s.
OUTAGES_S = ((96.5, 2.5), (214.0, 1.5))

# Part of the cell that is left, and mean stay in s, of each state of the load.
SHARES = np.array([0.9, 0.5, 0.2])
STAYS_S = np.array([9.0, 8.0, 6.0])
# TR 36.942's figures: how far a link stays below Shannon's bound.
DOWNLINK_ATTENUATION, UPLINK_ATTENUATION = 0.6, 0.4

CELL_MS, CELL_MEAN_MBPS, CELL_STALL_MS, PACKET_BITS = 30_000, 3.0, (17_400, 18_050), 12_000
CELL_FADE_DB, CELL_FADE_S = 3.0, 1.5


def main() -> None:
    """Write the three files."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent
    uplink, downlink = tram(np.random.RandomState(20))
    _write_csv(folder / "tram-lte.csv", uplink)
    _write_csv(folder / "tram-lte.down.csv", downlink)
    lines = "".join(f"{at_ms}\n" for at_ms in cell_uplink(np.random.RandomState(7)))
    (folder / "cell-uplink.up").write_text(lines, encoding="ascii")


def tram(random: np.random.RandomState) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Columns of the uplink and of the downlink, NaN where the phone reports nothing."""
    time_s = np.arange(0.0, TRAM_S, STEP_S)
    speed_mps = _tram_speed_mps(time_s)
    place_m = np.concatenate([[0.0], np.cumsum(speed_mps * STEP_S)[:-1]])
    loss_db = _path_loss_db(place_m) + _shadowing_db(random, place_m) + TRAM_BODY_DB
    loss_db += BUSTLE_DB * _gauss_markov(random.standard_normal(loss_db.shape), np.exp(-STEP_S / BUSTLE_S))
    rsrp_dbm, sinr_db, rsrq_db = _downlink_signal(loss_db)
    share = _load_share(random, len(time_s), STEP_S)
    outage = np.zeros(len(time_s), dtype=bool)
    for begin_s, length_s in OUTAGES_S:
        outage |= (time_s >= begin_s) & (time_s < begin_s + length_s)

    noise_db = THERMAL_DBM_PER_HZ + 10 * np.log10(BANDWIDTH_HZ) + SITE_NOISE_DB + SITE_INTERFERENCE_DB
    uplink_db = PHONE_DBM + ANTENNA_DB - loss_db.min(axis=0) - noise_db
    grain = np.exp(0.15 * random.standard_normal((2, len(time_s))))
    uplink_mbps = UPLINK_ATTENUATION * _shannon_mbps(uplink_db) * share * grain[0]
    # Two layers only where the signal is good.
    layers = np.where(sinr_db > 12.0, 1.6, 1.0)
    downlink_mbps = DOWNLINK_ATTENUATION * _shannon_mbps(sinr_db) * layers * share * grain[1]

    # A grant takes longer in a busy cell, and retransmissions add 8 ms each where the signal is poor.
    repeats = 1.5 / (1.0 + np.exp((sinr_db - 2.0) / 2.0))
    jitter_ms = random.gamma(2.0, 1.5, (2, len(time_s)))
    uplink_ms = 14.0 + 9.0 * (1.0 - share) + 8.0 * repeats + jitter_ms[0]
    downlink_ms = 9.0 + 6.0 * (1.0 - share) + 8.0 * repeats + jitter_ms[1]

    signals = {
        "rsrp_dbm": rsrp_dbm,
        "rsrq_db": rsrq_db,
        "snr_db": sinr_db,
        "cqi": np.clip(np.floor((sinr_db + 6.7) / 2.1) + 1, 0, 15),
    }
    signals = {name: np.where(outage, np.nan, column) for name, column in signals.items()}
    uplink = {
        "t_s": time_s,
        "rate_mbps": np.where(outage, 0.0, np.clip(uplink_mbps, 0.2, 25.0)),
        "delay_ms": uplink_ms,
        **signals,
        "speed_mps": speed_mps,
    }
    downlink = {
        "t_s": time_s,
        "rate_mbps": np.where(outage, 0.0, np.clip(downlink_mbps, 0.5, 75.0)),
        "delay_ms": downlink_ms,
    }
    return uplink, downlink


def _tram_speed_mps(time_s: Floats) -> Floats:
    """Stands, speeds up, drives, slows down, and again."""
    since_stop_s = time_s % STOP_EVERY_S - STANDS_S
    to_stop_s = STOP_EVERY_S - STANDS_S - since_stop_s
    return np.clip(ACCELERATION_MPS2 * np.minimum(since_stop_s, to_stop_s), 0.0, TOP_SPEED_MPS)


def _path_loss_db(place_m: Floats) -> Floats:
    """[sites, times]: TR 38.901 table 7.4.1-1, UMa NLOS."""
    flat_m = np.hypot(place_m - SITES_M[:, :1], SITES_M[:, 1:])
    distance_m = np.hypot(flat_m, SITE_HEIGHT_M - PHONE_HEIGHT_M)
    return 13.54 + 39.08 * np.log10(distance_m) + 20 * np.log10(CARRIER_GHZ)


def _shadowing_db(random: np.random.RandomState, place_m: Floats) -> Floats:
    """[sites, times]: AR(1) whose memory fades with the way, so that a tram that stands keeps its shadow."""
    memory = np.exp(-np.diff(place_m) / SHADOWING_M)
    return SHADOWING_DB * _gauss_markov(random.standard_normal((len(SITES_M), len(place_m))), memory)


def _gauss_markov(noise: Floats, memory: Floats | float) -> Floats:
    """AR(1) of variance 1, of the same shape, time last; memory: correlation of each two neighbours."""
    values = np.empty_like(noise)
    values[..., 0] = noise[..., 0]
    for step, kept in enumerate(np.broadcast_to(memory, noise.shape[-1] - 1), start=1):
        values[..., step] = kept * values[..., step - 1] + np.sqrt(1 - kept**2) * noise[..., step]
    return values


def _downlink_signal(loss_db: Floats) -> tuple[Floats, Floats, Floats]:
    """RSRP, SINR and RSRQ of the strongest site."""
    received_dbm = SUBCARRIER_DBM + ANTENNA_DB - loss_db
    received_mw = 10 ** (received_dbm / 10)
    serving_mw = received_mw.max(axis=0)
    noise_mw = 10 ** ((THERMAL_DBM_PER_HZ + 10 * np.log10(15e3) + PHONE_NOISE_DB) / 10)
    disturbing_mw = OTHER_CELLS_LOAD * (received_mw.sum(axis=0) - serving_mw) + noise_mw
    # Wideband power over the 12 subcarriers of a resource block, the serving cell's half in use.
    rsrq_db = 10 * np.log10(serving_mw / (12 * (0.5 * serving_mw + disturbing_mw)))
    return received_dbm.max(axis=0), 10 * np.log10(serving_mw / disturbing_mw), rsrq_db


def _load_share(random: np.random.RandomState, count: int, step_s: float) -> Floats:
    """Share of the cell that is left: a Markov chain, smoothed over a second as a scheduler's average is."""
    state, shares = 1, np.empty(count)
    for i in range(count):
        if random.random_sample() < step_s / STAYS_S[state]:
            state = (state + random.randint(1, len(SHARES))) % len(SHARES)
        shares[i] = SHARES[state]
    kept = np.exp(-step_s / 1.0)
    for i in range(1, count):
        shares[i] = kept * shares[i - 1] + (1 - kept) * shares[i]
    return shares


def _shannon_mbps(signal_to_noise_db: Floats) -> Floats:
    """Of the whole bandwidth, no more than 64-QAM's 6 bits per symbol."""
    bits_per_hz = np.minimum(np.log2(1 + 10 ** (signal_to_noise_db / 10)), 6.0)
    return BANDWIDTH_HZ * bits_per_hz / 1e6


def cell_uplink(random: np.random.RandomState) -> list[int]:
    """Times in ms at which a packet of 1500 bytes may leave: grants come in bursts and carry what is due."""
    share = _load_share(random, CELL_MS, 1e-3)
    fade_db = CELL_FADE_DB * _gauss_markov(random.standard_normal(CELL_MS), np.exp(-1e-3 / CELL_FADE_S))
    rate = share * 10 ** (fade_db / 10)
    rate[slice(*CELL_STALL_MS)] = 0.0
    rate *= CELL_MEAN_MBPS / rate.mean()

    at_ms: list[int] = []
    due_bits, next_grant_ms = 0.0, 1
    for now_ms in range(1, CELL_MS + 1):
        due_bits += rate[now_ms - 1] * 1e3
        stalled = CELL_STALL_MS[0] < now_ms <= CELL_STALL_MS[1]
        if now_ms < next_grant_ms or stalled:
            continue
        packets = int(due_bits // PACKET_BITS)
        at_ms += [now_ms] * packets
        due_bits -= packets * PACKET_BITS
        next_grant_ms = now_ms + random.randint(1, 9)
    # The loop is as long as the last line says.
    at_ms[-1] = CELL_MS
    return at_ms


def _write_csv(path: Path, columns: dict[str, Floats]) -> None:
    decimals = {"t_s": 1, "rate_mbps": 3, "cqi": 0}
    cells = [
        ["" if np.isnan(value) else f"{value:.{decimals.get(name, 1)}f}" for value in column]
        for name, column in columns.items()
    ]
    lines = [",".join(columns), *map(",".join, zip(*cells, strict=True))]
    text = "# Synthetic: made by make_radio_traces.py, not measured.\n" + "\n".join(lines) + "\n"
    path.write_text(text, encoding="ascii")


if __name__ == "__main__":
    main()
