"""ZMTP 3.0, ZeroMQ's wire format: the end of a connection that answers a REQ socket.

The agent speaks it over sockets of its own instead of through libzmq. There, each message changes hands
between the caller's thread and ZeroMQ's, and these two wake-ups cost more than all else that the agent does
in a round trip (`benchmarks.bridge` measures bare libzmq beside the bridge). A connection of our own is also
what pins a peer, and one `poll` waits for it and for the end of the process.

Only what an agent needs is here: mechanism NULL, a peer that is a REQ, one request at a time. The layout is
that of ZeroMQ's RFC 23/ZMTP, the command PING that of RFC 37 (ZMTP 3.1).
"""

from __future__ import annotations

import math
import select
import socket
import struct
import time

from pyagent.bridge.errors import LinkLost, ProtocolError

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""A longer message is refused as soon as its length is known."""
MAX_STRANGER_BYTES = 4 * 1024 * 1024
"""The same of a peer that is not trusted yet, for which its bytes are kept while more are announced."""
FIRST_WAIT_MS = 20
"""How long ``receive`` looks at the connection alone, which is cheapest, before its caller looks around."""

_MORE, _LONG, _COMMAND = 1, 2, 4  # flags of a frame
_NO_SIGNAL = int(socket.MSG_NOSIGNAL)  # a plain number: arithmetic with enums costs microseconds
_READ_BYTES = 16 * 1024  # little, because Python allocates as much as it could be
_LONG_READ_BYTES = 256 * 1024  # for the rest of a message that is longer
_GREETING_BYTES = 64
_MECHANISM = b"NULL".ljust(20, b"\0")
_GREETING = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + _MECHANISM + bytes(32)
_DELIMITER = bytes([_MORE, 0])  # the empty frame in front of each request and reply
_SHORT_HEADS = [_DELIMITER + bytes([0, size]) for size in range(256)]
_TIMEVAL = struct.pack("@ll", FIRST_WAIT_MS // 1000, FIRST_WAIT_MS % 1000 * 1000)


def _command(name: bytes, body: bytes) -> bytes:
    body = bytes([len(name)]) + name + body
    return bytes([_COMMAND, len(body)]) + body


def _metadata(name: bytes, value: bytes) -> bytes:
    return bytes([len(name)]) + name + struct.pack(">I", len(value)) + value


def _head(size: int) -> bytes:
    """What stands in front of a request or a reply of ``size`` bytes."""
    return _SHORT_HEADS[size] if size < 256 else _DELIMITER + struct.pack(">BQ", _LONG, size)


def _in_one_piece(data: bytes) -> bytes | None:
    """The request that ``data`` is, if it is exactly one."""
    start = 4 if len(data) < 260 else 11
    return data[start:] if len(data) >= 4 and data[:start] == _head(len(data) - start) else None


_HELLO = _GREETING + _command(b"READY", _metadata(b"Socket-Type", b"REP"))


class ReqPeer:
    """One connection from a REQ socket.

    Args:
        connection: as accepted; it belongs to this object from now on.

    Attributes:
        drained: whether the last look at the connection found nothing to read.
        limit_bytes: size of the longest message that is not refused; set it to ``MAX_MESSAGE_BYTES`` once the
            peer is trusted.

    Every method that reads or writes raises ``LinkLost`` when the connection is closed, and
    ``ProtocolError`` when what came is not what a REQ socket of ZeroMQ 4 sends.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        # Limits of the kernel, not Python's: those would cost a poll before each read.
        connection.setblocking(True)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _TIMEVAL)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TIMEVAL)
        if connection.family == socket.AF_INET:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._recv, self._send = connection.recv, connection.send
        self._buffer = bytearray()
        self._greeted = self._introduced = self._in_request = False
        self.drained = False
        self.limit_bytes = MAX_STRANGER_BYTES

    def fileno(self) -> int:
        """Descriptor that is readable when ``receive`` has something to do."""
        return self._socket.fileno()

    @property
    def introduced(self) -> bool:
        """Whether the peer has done its half of the handshake."""
        return self._introduced

    def greet(self) -> None:
        """Send our half of the handshake, all at once; ``receive`` reads the other half."""
        self._write(_HELLO, FIRST_WAIT_MS / 1000)

    def close(self) -> None:
        """Close the connection; the kernel still delivers what was sent."""
        self._socket.close()

    def receive(self, flags: int = 0) -> bytes | None:
        """The next request; None while it is not complete.

        Args:
            flags: ``socket.MSG_DONTWAIT``, or 0 to wait up to ``FIRST_WAIT_MS`` for what is missing.
        """
        buffer = self._buffer
        if buffer and (request := self._next_request()) is not None:
            return request
        try:
            data = self._recv(_LONG_READ_BYTES if buffer else _READ_BYTES, flags)
        except BlockingIOError:
            self.drained = True
            return None
        except OSError as error:
            raise LinkLost(f"the connection broke: {error}") from error
        if not data:
            raise LinkLost("the simulator closed its connection")
        self.drained = False
        if self._introduced and not self._in_request and not buffer:
            request = _in_one_piece(data)  # as nearly all come
            if request is not None:
                return request
        buffer += data
        return self._next_request()

    def reply(self, payload: bytes, timeout_s: float) -> None:
        """Answer a request.

        Raises:
            TimeoutError: the peer has not taken it in ``timeout_s`` seconds.
        """
        self._write(_head(len(payload)) + payload, timeout_s)

    def _write(self, data: bytes, timeout_s: float) -> None:
        sent = self._write_some(data, 0)
        if sent < len(data):
            self._write_rest(memoryview(data)[sent:], time.monotonic() + timeout_s)

    def _write_some(self, data: bytes | memoryview, flags: int) -> int:
        """As much as fits into the kernel's buffer; the number of bytes."""
        try:
            return self._send(data, flags | _NO_SIGNAL)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise LinkLost(f"the simulator takes no answer: {error}") from error

    def _write_rest(self, data: memoryview, deadline: float) -> None:
        """As the peer makes room."""
        poller = select.poll()
        poller.register(self._socket, select.POLLOUT)
        while data:
            remaining_s = deadline - time.monotonic()
            if remaining_s <= 0:
                raise TimeoutError
            if poller.poll(math.ceil(min(remaining_s, 3600.0) * 1000)):
                data = data[self._write_some(data, socket.MSG_DONTWAIT) :]

    def _next_request(self) -> bytes | None:
        """Take the buffer apart until a request is complete."""
        if not self._greeted and not self._take_greeting():
            return None
        while (frame := self._take_frame()) is not None:
            flags, body = frame
            if flags & _COMMAND:
                self._obey(body)
            elif not self._introduced:
                raise ProtocolError("a message before ZeroMQ's handshake was over")
            elif not self._in_request:
                if body or not flags & _MORE:
                    self._unexpected()
                self._in_request = True
            else:
                if flags & _MORE:
                    self._unexpected()
                self._in_request = False
                return body
        return None

    def _unexpected(self) -> bytes:
        raise ProtocolError("a message that is no REQ socket's: expected an empty frame and one more")

    def _take_greeting(self) -> bool:
        greeting = bytes(self._buffer[:_GREETING_BYTES])
        if len(greeting) < _GREETING_BYTES:
            return False
        if greeting[0] != 0xFF or greeting[9] != 0x7F or greeting[10] < 3 or greeting[12:32] != _MECHANISM:
            raise ProtocolError(f"no ZeroMQ 4 socket without security greets so: {greeting!r}")
        del self._buffer[:_GREETING_BYTES]
        self._greeted = True
        return True

    def _take_frame(self) -> tuple[int, bytes] | None:
        """Flags and body of the first frame in the buffer; None while it is not complete."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        flags, start, size = buffer[0], 2, buffer[1]
        if flags & ~(_MORE | _LONG | _COMMAND):
            raise ProtocolError(f"a frame with the unknown flags {flags:#x}")
        if flags & _LONG:
            start = 9
            if len(buffer) < start:
                return None
            (size,) = struct.unpack_from(">Q", buffer, 1)
            if size > self.limit_bytes:
                limit_mib = self.limit_bytes >> 20
                raise ProtocolError(f"a message of {size} bytes; those above {limit_mib} MiB are refused")
        if len(buffer) < start + size:
            return None
        with memoryview(buffer) as view:
            body = bytes(view[start : start + size])
        del buffer[: start + size]
        return flags, body

    def _obey(self, command: bytes) -> None:
        """Carry out a command of the other socket."""
        name, body = command[1 : 1 + command[0]] if command else b"", command[1 + len(command[:1]) :]
        if name == b"READY" and not self._introduced:
            if _metadata(b"Socket-Type", b"REQ") not in command:
                raise ProtocolError("a socket that is no REQ")
            self._introduced = True
        elif name == b"PING" and self._introduced:
            context = command[7:23]  # behind the name and a time to live
            self._write(_command(b"PONG", context), FIRST_WAIT_MS / 1000)
        elif name == b"ERROR":
            raise ProtocolError(f"ZeroMQ's handshake failed: {body[:100]!r}")
        else:
            raise ProtocolError(f"an unexpected command of ZeroMQ: {command[:100]!r}")
