"""Fading traces of an LTE carrier: tapped delay lines of 3GPP with Rayleigh taps and Jakes' spectrum.

As a program it writes a file in the form of ns-3's TraceFadingLossModel: one row of dB values for each
resource block, one column for each sample in time.

    python -m pyagent.scenario.lte_fading --profile eva --speed-mps 16.7 --out eva60.fad
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from llm_split.packages import default_cache_dir

Profile = Literal["epa", "eva", "etu"]

# 3GPP TS 36.104, annex B.2: delays of the taps in ns, their powers in dB.
TAPS: dict[Profile, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "epa": ((0, 30, 70, 90, 110, 190, 410), (0.0, -1.0, -2.0, -3.0, -8.0, -17.2, -20.8)),
    "eva": (
        (0, 30, 150, 310, 370, 710, 1090, 1730, 2510),
        (0.0, -1.5, -1.4, -3.6, -0.6, -9.1, -7.0, -12.0, -16.9),
    ),
    "etu": (
        (0, 50, 120, 200, 230, 500, 1600, 2300, 5000),
        (-1.0, -1.0, -1.0, 0.0, 0.0, 0.0, -3.0, -5.0, -7.0),
    ),
}
RESOURCE_BLOCK_HZ = 180e3
SPEED_OF_LIGHT_MPS = 299_792_458.0
STEP_S = 1e-3
"""Between samples: a subframe."""
SAMPLES = 5000
WAVES = 32
"""Sinusoids that make up a tap."""
FLOOR_DB = -60.0
"""The deepest fade that is written."""


@dataclass(frozen=True)
class Trace:
    """What makes a fading trace: the same fields give the same file.

    Attributes:
        profile: tapped delay line of TS 36.104, annex B.2.
        speed_mps: of the UE.
        frequency_hz: the carrier.
        resource_blocks: how many, of 180 kHz.
        seed: which realisation.
    """

    profile: Profile
    speed_mps: float
    frequency_hz: float
    resource_blocks: int
    seed: int = 1

    @property
    def doppler_hz(self) -> float:
        """The largest Doppler shift, v f / c."""
        return self.speed_mps * self.frequency_hz / SPEED_OF_LIGHT_MPS

    @property
    def file_name(self) -> str:
        """Names all the fields."""
        return (
            f"{self.profile}-{self.speed_mps:g}mps-{self.frequency_hz / 1e6:g}mhz-{self.resource_blocks}rb-"
            f"{self.seed}.fad"
        )

    def gain_db(self, samples: int = SAMPLES) -> NDArray[np.float64]:
        """Power gain of each resource block over time.

        A tap is a sum of waves that come from all directions around the UE with random phases: Rayleigh
        with Jakes' spectrum, mean power gain 1 over the seeds (Clarke's model: Rappaport, Wireless
        Communications, 2nd ed., section 5.7.1).

        Args:
            samples: how many, STEP_S apart.

        Returns:
            [resource_blocks, samples] dB.
        """
        rng = np.random.default_rng(self.seed)
        delays_ns, powers_db = TAPS[self.profile]
        power = 10 ** (np.array(powers_db) / 10)
        amplitude = np.sqrt(power / power.sum() / WAVES)
        # One direction in each of as many equal sectors as there are waves.
        direction = 2 * np.pi * (np.arange(WAVES) + rng.uniform(size=(len(power), WAVES))) / WAVES
        phase = rng.uniform(0, 2 * np.pi, size=(len(power), WAVES))
        time_s = np.arange(samples) * STEP_S
        taps = np.empty((len(power), samples), dtype=np.complex128)
        for tap in range(len(power)):
            turns = 2 * np.pi * self.doppler_hz * np.cos(direction[tap])[:, None] * time_s
            taps[tap] = amplitude[tap] * np.exp(1j * (turns + phase[tap][:, None])).sum(axis=0)
        offset_hz = (np.arange(self.resource_blocks) - (self.resource_blocks - 1) / 2) * RESOURCE_BLOCK_HZ
        response = np.exp(-2j * np.pi * offset_hz[:, None] * np.array(delays_ns) * 1e-9) @ taps
        gain_db: NDArray[np.float64] = np.maximum(20 * np.log10(np.abs(response)), FLOOR_DB)
        return gain_db

    def write(self, path: Path, samples: int = SAMPLES) -> Path:
        """Write the file, whole or not at all. Returns `path`; its folder is made."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        np.savetxt(part, self.gain_db(samples), fmt="%.1f")
        part.replace(path)
        return path

    def cached(self) -> Path:
        """The file in the user's cache, made when it isn't there yet."""
        path = default_cache_dir() / "lte-fading" / self.file_name
        return path if path.is_file() else self.write(path)


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(prog="python -m pyagent.scenario.lte_fading", description=__doc__)
    parser.add_argument("--profile", choices=sorted(TAPS), default="eva")
    parser.add_argument("--speed-mps", type=float, default=16.7)
    parser.add_argument("--frequency-hz", type=float, default=1842.5e6)
    parser.add_argument("--resource-blocks", type=int, default=100)
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    trace = Trace(args.profile, args.speed_mps, args.frequency_hz, args.resource_blocks, args.seed)
    print(trace.write(args.out, args.samples))


if __name__ == "__main__":
    main()
