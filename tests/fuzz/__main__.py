"""Give every reader of bytes from outside many damaged inputs.

Progress goes to stderr, one JSON line to stdout. The exit status is 1 when an input crashed a reader or made
it hang, and the inputs that did are kept.

Example: python -m tests.fuzz --seconds 120 --target scenario --target dataset
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType

DEFAULT_INPUTS = 1000
OUT = Path("build/fuzz")


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0, 1 when something was found, 2 for wrong arguments."""
    from tests.fuzz import cpp
    from tests.fuzz.campaign import Limits, Outcome, fuzz
    from tests.fuzz.targets import TARGETS

    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.split("\n")[0])
    parser.add_argument(
        "--inputs", type=_positive, help=f"for each target; {DEFAULT_INPUTS} without --seconds"
    )
    parser.add_argument("--seconds", type=_positive, help="for all targets together")
    parser.add_argument("--target", action="append", metavar="NAME", help="only this one; may be repeated")
    parser.add_argument("--seed", type=int, default=1, help="of the inputs")
    parser.add_argument("--out", type=Path, default=OUT, help="folder for inputs that crash or hang")
    parser.add_argument("--programs", type=Path, default=cpp.FOLDER, help="folder of the targets in C++")
    parser.add_argument("--only-programs", action="store_true", help="no target in Python")
    chosen = parser.parse_args(arguments)

    known: dict[str, Callable[[Limits, int, Path], Outcome]] = {
        kind.name: partial(fuzz, kind) for kind in (() if chosen.only_programs else TARGETS)
    }
    known |= {
        name: partial(cpp.fuzz_program, name, program)
        for name, program in cpp.programs(chosen.programs).items()
    }
    unknown = sorted(set(chosen.target or []) - known.keys())
    if unknown:
        parser.error(f"--target {unknown[0]}: valid: {', '.join(known)}")
    names = [name for name in known if name in (chosen.target or known)]
    inputs = chosen.inputs or (sys.maxsize if chosen.seconds else DEFAULT_INPUTS)

    begun_s = time.monotonic()
    end_s = begun_s + chosen.seconds if chosen.seconds else float("inf")
    outcomes: dict[str, Outcome] = {}
    for place, name in enumerate(names):
        now_s = time.monotonic()
        share_s = (end_s - now_s) / (len(names) - place)
        outcomes[name] = found = known[name](Limits(inputs, now_s + share_s), chosen.seed, chosen.out)
        print(
            f"{name}: {found.inputs} inputs in {time.monotonic() - now_s:.1f} s: {found.accepted} accepted, "
            f"{found.refused} refused, {found.crashes} crashes, {found.hangs} hangs",
            file=sys.stderr,
            flush=True,
        )
    totals = {
        "fuzz_inputs": sum(outcome.inputs for outcome in outcomes.values()),
        "crashes": sum(outcome.crashes for outcome in outcomes.values()),
        "hangs": sum(outcome.hangs for outcome in outcomes.values()),
        "targets": {name: outcome.inputs for name, outcome in outcomes.items()},
    }
    print(json.dumps(totals))
    return 1 if totals["crashes"] or totals["hangs"] else 0


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: valid: 1 or more")
    return number


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt  # so that the child is killed and its folder removed


if __name__ == "__main__":
    # Before any library is imported: children are forked off this process, so it must have one thread.
    for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[_name] = "1"
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"  # the others reserve gigabytes of addresses
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(main())
