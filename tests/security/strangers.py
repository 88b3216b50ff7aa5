"""What a process that is no simulator of the agent's may do to its socket."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from pyagent.bridge import wire
from pyagent.bridge.zmtp import _command, _head, _metadata

GREETING = b"\xff" + bytes(8) + b"\x7f\3\1" + b"NULL".ljust(20, b"\0") + bytes(32)
HELLO = GREETING + _command(b"READY", _metadata(b"Socket-Type", b"REQ"))
PING = _command(b"PING", b"\0\0" + b"x" * 16)

Attack = Callable[["Intruder"], None]


class Intruder:
    """Connections to an endpoint, kept open until `close`.

    Attributes:
        pid: process id to claim.
    """

    def __init__(self, endpoint: str, pid: int) -> None:
        self.pid = pid
        self._endpoint = endpoint
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def connect(self) -> socket.socket:
        kind, _, where = self._endpoint.partition("://")
        host, _, port = where.rpartition(":")
        family, address = (socket.AF_UNIX, where) if kind == "ipc" else (socket.AF_INET, (host, int(port)))
        made = socket.socket(family)
        made.settimeout(20)
        made.connect(address)
        self._sockets.append(made)
        return made

    def say(self, data: bytes) -> socket.socket:
        """On a new connection; the agent may hang up in the middle of it, or take no more."""
        made = self.connect()
        made.setblocking(False)
        try:
            while data:
                data = data[made.send(data) :]
        except OSError:
            pass
        return made

    def trickle(self, data: bytes) -> None:
        """Byte by byte, each as soon as the one before is out, over and over, until the agent hangs up."""
        made = self.connect()

        def run() -> None:
            try:
                while True:
                    for byte in data:
                        made.sendall(bytes([byte]))
            except OSError:
                return

        self._threads.append(threading.Thread(target=run, daemon=True))
        self._threads[-1].start()

    def heard(self) -> bytes:
        """All that the agent has said to any connection."""
        said = b""
        for made in self._sockets:
            try:
                made.setblocking(False)
                while data := made.recv(65536):
                    said += data
            except OSError:
                continue
        return said

    def close(self) -> None:
        for made in self._sockets:
            with contextlib.suppress(OSError):
                made.shutdown(socket.SHUT_RDWR)  # ends a thread that writes
            made.close()
        for thread in self._threads:
            thread.join(20)


def claim(pid: int) -> bytes:
    """A simulator's first message, well formed, of a process that is not its sender's."""
    message = wire.SimInitMsg(simProcessId=pid)
    for space in (message.obsSpace, message.actSpace):
        space.type = wire.SpaceType.Discrete
        wire.pack(space.space, wire.DiscreteSpace(n=3))
    payload = message.SerializeToString()
    return HELLO + _head(len(payload)) + payload


def silent(intruder: Intruder) -> None:
    intruder.connect()


def half_a_greeting(intruder: Intruder) -> None:
    intruder.say(GREETING[:20])


def half_open(intruder: Intruder) -> None:
    """A handshake that is over, and no message."""
    intruder.say(HELLO)


def second_simulator(intruder: Intruder) -> None:
    intruder.say(claim(intruder.pid))


def garbage(intruder: Intruder) -> None:
    intruder.say(random.Random(1).randbytes(100_000))


def http(intruder: Intruder) -> None:
    intruder.say(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")


def endless_message(intruder: Intruder) -> None:
    intruder.say(HELLO + b"\1\0\2" + (2**62).to_bytes(8, "big") + bytes(100_000))


def half_a_large_message(intruder: Intruder) -> None:
    intruder.say(HELLO + b"\1\0\2" + (2**21).to_bytes(8, "big") + bytes(100_000))


def pings(intruder: Intruder) -> None:
    """Each must be answered, and the answers are not read."""
    intruder.say(HELLO + PING * 300_000)


def slow_loris(intruder: Intruder) -> None:
    intruder.trickle(GREETING)


def gone_at_once(intruder: Intruder) -> None:
    intruder.say(claim(intruder.pid)).close()


def many(intruder: Intruder) -> None:
    for _ in range(60):
        intruder.say(HELLO)


ATTACKS: dict[str, Attack] = {
    attack.__name__: attack
    for attack in (
        *(silent, half_a_greeting, half_open, second_simulator, garbage, http, endless_message),
        *(half_a_large_message, pings, slow_loris, gone_at_once, many),
    )
}


def all_at_once(intruder: Intruder) -> None:
    for attack in ATTACKS.values():
        attack(intruder)


class Gate:
    """A program in a simulator's place that says with which arguments it was started, and waits.

    Args:
        folder: for its files.
        command: what it becomes after that, with its arguments behind.
    """

    def __init__(self, folder: Path, command: str) -> None:
        self._told, self._go = folder / "told", folder / "go"
        os.mkfifo(self._told)
        os.mkfifo(self._go)
        self.program = folder / "gate.sh"
        # The process id stays that of the shell.
        self.program.write_text(
            f'#!/bin/sh\necho "$$ $*" > "{self._told}"\nread line < "{self._go}"\nexec {command} "$@"\n'
        )
        self.program.chmod(0o755)

    def started(self) -> tuple[int, str]:
        """Wait for it: its process id, and the endpoint that it was given."""
        pid, *arguments = self._told.read_text().split()
        for argument in arguments:
            name, _, value = argument.partition("=")
            if name in ("--openGymEndpoint", "--openGymPort"):
                return int(pid), value if "://" in value else f"tcp://127.0.0.1:{value}"
        raise AssertionError(f"no endpoint in {arguments}")

    def open(self) -> None:
        """Let it go on."""
        self._go.write_text("\n")
