"""`link.technology: replay`: a link that does what a recorded one did."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from pyagent.scenario.schema.base import (
    DataFile,
    NotNegative,
    Position,
    Positive,
    Range,
    Section,
    Share,
    require_order,
)
from pyagent.scenario.schema.links.base import Backhaul, RadioLink
from pyagent.traces.clock import ClockBack
from pyagent.traces.errors import TraceError
from pyagent.traces.radio import DirectionError, RadioTrace, read_radio_trace
from pyagent.traces.radio.times import TimeUnit

Direction = Literal["uplink", "downlink"]
Floats = NDArray[np.float64]

_BIT_PER_S_PER_MBPS = 1e6
# What ns-3 is told of, by its name in the trace, where the trace has it.
_SIGNALS = ("snr_db", "rsrp_dbm", "cqi")


class ReplayEnergy(Section):
    """What the UE's radio takes above idle: a power while it sends or receives, and so much for each byte.

    The defaults are the LTE phone of Huang et al., A Close Examination of Performance and Power
    Characteristics of 4G LTE Networks, MobiSys 2012, table 4: 1288.04 mW, 438.39 mW per Mbit/s uplink and
    51.97 mW per Mbit/s downlink (times 8 bits, over 1e9). Its tail, about 1 W for 11 s after the last byte,
    is not in them.
    """

    power_w: NotNegative = 1.288
    """while it sends or receives"""
    uplink_j_per_byte: NotNegative = 3.507e-6
    """on top, for each byte sent"""
    downlink_j_per_byte: NotNegative = 4.158e-7
    """on top, for each byte received"""


class ReplayLink(RadioLink):
    """A link whose rate, delay and loss follow a recorded trace, looped; every UE has one of its own.

    A packet leaves when the trace has carried as many bits as the IP packet has since it came to the head of
    its queue. There are no sites: a recorded link knows when, not where.
    """

    technology: Literal["replay"]
    uplink: DataFile
    """trace of what UEs send; every format that `splitsim trace` reads"""
    uplink_from: Direction | None = None
    """which of the file's rates, where it holds both; default: its uplink's, else its downlink's"""
    downlink: DataFile | None = None
    """trace of what UEs receive; default: the uplink's file, its downlink rates where it tells them apart"""
    downlink_rate_mbps: Positive | None = None
    """instead of a trace: a constant rate downlink, with delay_ms and loss"""
    format: str | None = None
    """of the files; default: what their first lines look like"""
    rate_unit: str | None = None
    """of the rates where a file doesn't say"""
    step_s: Positive | None = None
    """between the lines where a file has no times; default: 1 s"""
    max_hold_s: Positive | None = None
    """how long a rate may stand in for missing ones"""
    time_column: str | None = None
    """column of times of any CSV: its name, or its number from 1"""
    rate_column: str | None = None
    """column of rates of any CSV: its name, or its number from 1; of the uplink where that has its own"""
    downlink_rate_column: str | None = None
    """column of the downlink's rates; default: rate_column"""
    time_unit: TimeUnit | None = None
    """of times that are numbers, in any CSV; default: by the column's name or the size of the numbers"""
    clock_back: ClockBack = "refuse"
    """where a time is before the one above it: refuse the file, drop such rows, or shift all later ones"""
    start_s: NotNegative = 0.0
    """what of the traces is replayed"""
    end_s: Positive | None = None
    """where what is replayed ends; null: with the trace"""
    rate_scale: Annotated[float, Field(ge=1e-6, le=1e6)] = 1.0
    """all rates of the traces times this"""
    offset_s: Range | None = None
    """where in what is replayed a UE's time 0 is; the seed draws it from this range, default: anywhere"""
    delay_ms: NotNegative = 20.0
    """one-way delay where the trace has none"""
    loss: Share = 0.0
    """share of lost packets where the trace has none"""
    queue_packets: Annotated[int, Field(ge=1, le=1_000_000)] = 500
    """room of the queue at either end"""
    backhaul: Backhaul = Backhaul()
    radio_energy: ReplayEnergy = ReplayEnergy()

    @model_validator(mode="after")
    def _traces_can_be_replayed(self) -> ReplayLink:
        if self.downlink is not None and self.downlink_rate_mbps is not None:
            raise ValueError("downlink and downlink_rate_mbps say the same; give one of them")
        if self.downlink_rate_column is not None and self.downlink_rate_mbps is not None:
            raise ValueError("downlink_rate_column and downlink_rate_mbps say the same; give one of them")
        if self.offset_s is not None:
            require_order(self, "offset_s")
            if self.offset_s[0] < 0:
                raise ValueError(f"offset_s starts at {self.offset_s[0]:g}; valid: from 0 on")
        try:
            traces = {"uplink": self.uplink_trace(), "downlink": self.downlink_trace()}
        except TraceError as error:
            raise ValueError(str(error)) from error
        for direction, trace in traces.items():
            if trace is not None and not _rates_bps(trace).any():
                raise ValueError(f"{trace.source}: what is replayed {direction} never carries anything")
        return self

    @property
    def sites_m(self) -> list[Position]:
        """None."""
        return []

    @property
    def device_queue_packets(self) -> int:
        """The UE's end."""
        return self.queue_packets

    def uplink_trace(self) -> RadioTrace:
        """What UEs send over, cut and scaled.

        Raises:
            TraceError: the file can't be used, or is shorter than what is to be replayed.
        """
        return self._read(self.uplink, self.uplink_from, self.rate_column)

    def downlink_trace(self) -> RadioTrace | None:
        """What UEs receive over, cut and scaled; None: a constant rate.

        Raises:
            TraceError: as `uplink_trace`.
        """
        if self.downlink_rate_mbps is not None:
            return None
        column = self.downlink_rate_column or self.rate_column
        try:
            return self._read(self.downlink or self.uplink, "downlink", column)
        except DirectionError:
            if self.downlink is not None:
                raise
            return self.uplink_trace()

    def _read(self, path: Path, direction: Direction | None, rate_column: str | None) -> RadioTrace:
        status = path.stat()
        version = (status.st_mtime_ns, status.st_size)
        trace = _read_once(
            path,
            version,
            self.format,
            direction=direction,
            rate_unit=self.rate_unit,
            step_s=self.step_s,
            max_hold_s=self.max_hold_s,
            time_column=self.time_column,
            rate_column=rate_column,
            time_unit=self.time_unit,
            clock_back=self.clock_back,
        )
        end_s = trace.duration_s if self.end_s is None else self.end_s
        return trace.cut(self.start_s, end_s).scaled(self.rate_scale)

    def simulator(self) -> dict[str, Any]:
        """What ns-3 is given; times in seconds, `downlink` None where it is as the uplink."""
        uplink, downlink = self.uplink_trace(), self.downlink_trace()
        up = self._direction(uplink)
        down = self._constant() if downlink is None else self._direction(downlink)
        return {
            "technology": self.technology,
            "uplink": up,
            "downlink": None if down == up else down,
            "signals": _signals(uplink),
            "offset_s": self.offset_s or (0.0, uplink.duration_s),
            "queue_packets": self.queue_packets,
            "backhaul": self.backhaul.simulator(),
            "radio_energy": self.radio_energy.model_dump(),
        }

    def _direction(self, trace: RadioTrace) -> dict[str, Any]:
        delays_s = np.array([self.delay_ms]) / 1e3 if trace.delay_ms is None else trace.delay_ms / 1e3
        losses = np.array([self.loss]) if trace.loss is None else trace.loss
        return {
            "duration_s": trace.duration_s,
            "t_s": trace.times_s.tolist(),
            "rate_mbps": trace.rate_mbps.tolist(),
            "delay_s": delays_s.tolist(),
            "loss": losses.tolist(),
        }

    def _constant(self) -> dict[str, Any]:
        return {
            "duration_s": 1.0,
            "t_s": [0.0],
            "rate_mbps": [self.downlink_rate_mbps],
            "delay_s": [self.delay_ms / 1e3],
            "loss": [self.loss],
        }


@lru_cache(maxsize=8)
def _read_once(path: Path, version: tuple[int, int], format: str | None, **options: Any) -> RadioTrace:
    """Scenarios are validated often, files change seldom; `version` tells when one did."""
    return read_radio_trace(path, format, **options)


def _rates_bps(trace: RadioTrace) -> Floats:
    """Rates as ns-3 has them, in whole bit/s."""
    return np.rint(trace.rate_mbps * _BIT_PER_S_PER_MBPS)


def _signals(trace: RadioTrace) -> dict[str, list[float]]:
    """What a modem would know at each sample: a value that is missing is the last one before it.

    Samples before all columns have a value are left out; a column that the trace lacks is 0.
    """
    columns = {name: trace.signals[name] for name in _SIGNALS if name in trace.signals}
    missing = np.isnan(np.array(list(columns.values())).reshape(-1, len(trace.times_s)))
    rows = np.arange(len(trace.times_s))
    # For each column and row the last row that has a value, -1 before the first one.
    last = np.maximum.accumulate(np.where(missing, -1, rows), axis=1)
    sampled = rows[~missing.all(axis=0) & (last >= 0).all(axis=0)] if columns else rows[:0]
    values = {
        name: column[held[sampled]].tolist()
        for (name, column), held in zip(columns.items(), last, strict=True)
    }
    return {
        "t_s": trace.times_s[sampled].tolist(),
        **{name: values.get(name, [0.0]) for name in _SIGNALS},
    }
