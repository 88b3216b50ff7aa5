"""The agent's ZeroMQ socket: one simulator on the other side, and no wait that it cannot end."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import time
from collections.abc import Callable
from typing import Any

from zmq.constants import Event, Flag, PollEvent, SocketOption, SocketType
from zmq.error import Again, ZMQError
from zmq.sugar.context import Context
from zmq.sugar.poll import Poller
from zmq.utils.monitor import parse_monitor_message

from pyagent.bridge.errors import BridgeError, ProtocolError
from pyagent.bridge.process import TICK_S, SimulatorProcess

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""A longer message is not read; ZeroMQ closes the connection that it came on."""
_LAST_WORDS_S = 1.0
_UNBIND_S = 1.0
_FIRST_WAIT_MS = 20
"""How long a wait looks at the socket alone, which is cheapest, before it watches the process as well."""
_DONTWAIT = int(Flag.DONTWAIT)  # plain numbers: arithmetic with enums costs microseconds
_MORE = int(Flag.DONTWAIT | Flag.SNDMORE)
_EVENTS = Event.ACCEPTED | Event.DISCONNECTED | Event.CLOSED

_log = logging.getLogger(__name__)


class LinkLost(BridgeError):  # noqa: N818 (an event, caught inside the bridge)
    """The simulator has ended or closed its connection, and all that it had sent is read."""


class AgentSocket:
    """A bound ROUTER that talks to exactly one REQ.

    ROUTER and not REP, because a REP serves whoever connects: here the first peer that is accepted is
    pinned, and what others send is dropped.

    Args:
        context: ZeroMQ context to open the socket in.
        endpoint: ``ipc://PATH`` or ``tcp://127.0.0.1:PORT`` (``*`` for a free port).

    Attributes:
        endpoint: where it is bound, the port filled in.

    Raises:
        BridgeError: the endpoint cannot be bound.
    """

    def __init__(self, context: Context[Any], endpoint: str) -> None:
        self.router: Any = context.socket(SocketType.ROUTER)
        self._peer: bytes | None = None
        self._connections: set[int] = set()
        self._ended_at: float | None = None  # when the process was first seen to have ended
        self._was_connected = False
        self._bound = False
        self.endpoint = endpoint
        self._private = endpoint.startswith("ipc://")
        try:
            self.router.setsockopt(SocketOption.LINGER, 0)
            self.router.setsockopt(SocketOption.MAXMSGSIZE, MAX_MESSAGE_BYTES)
            self.router.setsockopt(SocketOption.ROUTER_MANDATORY, 1)
            self.router.setsockopt(SocketOption.RCVHWM, 8)
            self.router.setsockopt(SocketOption.RCVTIMEO, _FIRST_WAIT_MS)
            self._monitor: Any = self.router.get_monitor_socket(_EVENTS)
            self.router.bind(endpoint)
            self._bound = True
        except ZMQError as error:
            self.close()
            raise BridgeError(f"cannot listen on {endpoint}: {error}") from error
        self.endpoint = self.router.getsockopt_string(SocketOption.LAST_ENDPOINT)

    @property
    def port(self) -> int:
        """TCP port."""
        return int(self.endpoint.rpartition(":")[2])

    def receive(
        self,
        timeout_s: float,
        process: SimulatorProcess | None = None,
        accept: Callable[[bytes], bool] | None = None,
    ) -> bytes:
        """Wait for the simulator's next message.

        Args:
            timeout_s: longest wait in seconds.
            process: the simulator, where this agent started it; its end ends the wait.
            accept: called with the first message of each peer while none is pinned; the peer is pinned if
                it returns True, and its message dropped if not.

        Raises:
            TimeoutError: no message in time.
            LinkLost: none will come any more.
            ProtocolError: a message that no REQ sends.
        """
        if self._peer is not None and timeout_s * 1000 >= _FIRST_WAIT_MS:
            payload = self._read(accept, 0)
            if payload is not None:
                return payload
        deadline = time.monotonic() + timeout_s
        while True:
            payload = self.receive_now(process, accept)
            if payload is not None:
                return payload
            remaining_s = deadline - time.monotonic()
            if remaining_s <= 0:
                raise TimeoutError
            self._sleep(remaining_s, process)

    def receive_now(
        self,
        process: SimulatorProcess | None = None,
        accept: Callable[[bytes], bool] | None = None,
    ) -> bytes | None:
        """``receive`` without a wait: None while there is no message but one may come."""
        payload = self._read(accept, _DONTWAIT)
        if payload is not None:
            return payload
        # Connections before messages: when a connection is seen to close, all it carried is readable.
        self._note_connections()
        payload = self._read(accept, _DONTWAIT)
        if payload is not None:
            return payload
        if process is not None and process.exit_code() is not None:
            now = time.monotonic()
            self._ended_at = now if self._ended_at is None else self._ended_at
            # Its last words may still be on their way out of the kernel.
            if not self._connections or now - self._ended_at > _LAST_WORDS_S:
                raise LinkLost("the simulator ended")
        elif self._is_lost():
            raise LinkLost("the simulator closed its connection")
        return None

    def watch(self, poller: Any, process: SimulatorProcess | None) -> bool:
        """Register all that ``receive_now`` looks at; False if the process must be looked at in ticks."""
        poller.register(self.router, PollEvent.POLLIN)
        poller.register(self._monitor, PollEvent.POLLIN)
        if process is None:
            return True
        if process.pidfd is None:
            return False
        poller.register(process.pidfd, PollEvent.POLLIN)
        return True

    def send(self, payload: bytes) -> None:
        """Answer the pinned peer.

        Raises:
            LinkLost: it is gone.
        """
        try:
            self.router.send(self._peer, _MORE)
            self.router.send(b"", _MORE)
            self.router.send(payload, _DONTWAIT)
        except ZMQError as error:
            raise LinkLost(f"the simulator takes no answer: {error}") from error

    def close(self, linger_s: float = 0.0) -> None:
        """Close; unsent answers get ``linger_s`` seconds more. The endpoint is free afterwards."""
        if self.router.closed:
            return
        try:
            self._unbind()
        finally:
            self.router.disable_monitor()
            self.router.close(linger=int(linger_s * 1000))
            if self._private:  # ZeroMQ leaves the socket's file
                with contextlib.suppress(OSError):
                    os.unlink(self.endpoint.removeprefix("ipc://"))

    def _unbind(self) -> None:
        """ZeroMQ unbinds in the background; a bind to the same port before it is done would fail."""
        if not self._bound:
            return
        self.router.unbind(self.endpoint)
        deadline = time.monotonic() + _UNBIND_S
        while self._bound and (wait_s := deadline - time.monotonic()) > 0:
            self._monitor.poll(math.ceil(wait_s * 1000))
            self._note_connections()

    def _note_connections(self) -> None:
        while self._monitor.getsockopt(SocketOption.EVENTS) & PollEvent.POLLIN:
            event = parse_monitor_message(self._monitor.recv_multipart())
            if event["event"] == Event.ACCEPTED:
                self._connections.add(event["value"])
                self._was_connected = True
            elif event["event"] == Event.DISCONNECTED:
                self._connections.discard(event["value"])
            else:
                self._bound = False

    def _is_lost(self) -> bool:
        """Whether no connection is left, after the simulator's had been there."""
        ours = self._peer is not None or (self._private and self._was_connected)
        return ours and not self._connections

    def _read(self, accept: Callable[[bytes], bool] | None, flags: int) -> bytes | None:
        try:
            peer: bytes = self.router.recv(flags)
        except Again:
            return None
        # Whole messages arrive at once, so nothing waits from here on. Frames (copy=False) know by
        # themselves whether more follow, which is quicker than to ask the socket.
        delimiter = self.router.recv(0, copy=False)
        body = self.router.recv(0, copy=False) if delimiter.more else None
        count = 1 + (body is not None)
        if body is not None and body.more:
            count += len(self.router.recv_multipart())
        if peer != self._peer and self._peer is not None:
            _log.warning("dropped a message of a second peer on %s", self.endpoint)
            return None
        if count != 2 or body is None or len(delimiter):
            if self._peer is not None or self._private:
                raise ProtocolError(f"a message of {count} frames, expected one frame from a REQ socket")
            return None
        payload: bytes = body.bytes
        if self._peer is None:
            if accept is not None and not accept(payload):
                return None
            self._peer = peer
        return payload

    def _sleep(self, timeout_s: float, process: SimulatorProcess | None) -> None:
        poller = Poller()
        if not self.watch(poller, process):
            timeout_s = min(timeout_s, TICK_S)
        poller.poll(math.ceil(min(timeout_s, 3600.0) * 1000))
