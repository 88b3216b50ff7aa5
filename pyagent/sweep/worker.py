"""The process of a local worker: `python -m pyagent.sweep.worker DESCRIPTOR SCRATCH`.

Receives a key and a run, sends what it says and its table back, until the other end is gone. What it prints
goes to its log, since the channel is a descriptor of its own.
"""

from __future__ import annotations

import sys
from multiprocessing.connection import Connection
from pathlib import Path

from pyagent.sweep.execute import attempt, to_frames


def main() -> None:
    """Entry point."""
    channel, scratch = Connection(int(sys.argv[1])), Path(sys.argv[2])
    while True:
        try:
            key, spec_json = channel.recv_bytes().decode(), channel.recv_bytes().decode()
        except EOFError:
            return
        for frame in to_frames(attempt(key, spec_json, scratch)):
            channel.send_bytes(frame)


if __name__ == "__main__":
    main()
