"""`python -m tests.faults`: for a time, or given cases; one JSON line; status 1: some went wrong."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.case import all_cases
from tests.faults.soak import Soak, Tally, soak


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--seconds", type=float, help="of faults at random, fuzzing and many episodes")
    what.add_argument("--case", action="append", help="COMMAND:FAULT, or the start of it; may be repeated")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="[default: the time]")
    parser.add_argument("--times", type=int, default=1, help="of each case, with seeds that count up")
    parser.add_argument(
        "--out", type=Path, help="folder, new [default: a temporary one, removed if all is right]"
    )
    given = parser.parse_args()
    folder = given.out or Path(tempfile.mkdtemp(prefix="faults-"))
    print(f"seed {given.seed}, in {folder}", file=sys.stderr)
    if given.seconds is not None:
        tally = soak(given.seconds, given.seed, folder)
    else:
        tally = _cases(given.case, given.seed, given.times, folder)
    for fault, (cases, strikes) in sorted(tally.by_fault().items()):
        print(f"{fault}: {strikes} strikes in {cases} cases", file=sys.stderr)
    if given.out is None and tally.is_right:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(tally.summary()))
    sys.exit(0 if tally.is_right else 1)


def _cases(wanted: list[str], seed: int, times: int, folder: Path) -> Tally:
    names = [name for name in all_cases() if any(_is_meant(name, start) for start in wanted)]
    if not names:
        raise SystemExit(f"--case {wanted}: none is so called; valid: {', '.join(all_cases())}")
    found = Soak(folder, time.monotonic())
    for number in range(times):
        for name in names:
            found.play(name, seed + number)
    return found.tally


def _is_meant(name: str, wanted: str) -> bool:
    return name == wanted or (wanted.endswith(":") and name.startswith(wanted))


if __name__ == "__main__":
    main()
