"""Who is at the other end of a connection on this machine, by the kernel's word and not by the peer's."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid of SO_PEERCRED, unix(7)
_TCP_TABLE = Path("/proc/net/tcp")  # a line for each TCP socket of this network namespace, proc_pid_net(5)
_LOCAL, _REMOTE, _UID, _INODE = 1, 2, 7, 9  # columns of it


def is_of_session(connection: socket.socket, session: int) -> bool | None:
    """Whether a process of a session holds the other end.

    Args:
        connection: accepted, of a Unix socket or of TCP on the loopback interface.
        session: its id, which is the process id of its leader.

    Returns:
        None where the kernel doesn't tell: without `/proc`, or when the other end is gone.
    """
    if connection.family == socket.AF_UNIX:
        credentials = _credentials(connection)
        return None if credentials is None else _session_of(credentials[0]) == session
    row = _row_of_peer(connection)
    if row is None:
        return None
    target = f"socket:[{row[_INODE]}]"
    return any(target in _open_files(pid) for pid in _pids() if _session_of(pid) == session)


def peer_uid(connection: socket.socket) -> int | None:
    """The user id of whoever made the other end; None where the kernel doesn't tell, as above."""
    if connection.family == socket.AF_UNIX:
        credentials = _credentials(connection)
        return None if credentials is None else credentials[1]
    row = _row_of_peer(connection)
    return None if row is None else int(row[_UID])


def _credentials(connection: socket.socket) -> tuple[int, ...] | None:
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    return _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size))


def _row_of_peer(connection: socket.socket) -> list[str] | None:
    """The columns of the other end in the kernel's table."""
    try:
        theirs, ours = _in_table(connection.getpeername()), _in_table(connection.getsockname())
        lines = _TCP_TABLE.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        columns = line.split()
        if columns[_LOCAL : _REMOTE + 1] == [theirs, ours]:
            return columns
    return None


def _in_table(address: tuple[str, int]) -> str:
    """As the table writes an address of IPv4: its four bytes as a number of this machine, and the port."""
    (host,) = struct.unpack("=I", socket.inet_aton(address[0]))
    return f"{host:08X}:{address[1]:04X}"


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdecimal())


def _session_of(pid: int) -> int | None:
    with contextlib.suppress(OSError):
        return os.getsid(pid)
    return None


def _open_files(pid: int) -> set[str]:
    """What the descriptors of a process lead to; empty for one that is gone or another user's."""
    folder, found = f"/proc/{pid}/fd", set()
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            with contextlib.suppress(OSError):  # closed meanwhile
                found.add(os.readlink(f"{folder}/{name}"))
    return found
