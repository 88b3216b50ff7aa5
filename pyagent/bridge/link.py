"""The agent's socket: one simulator on the other side, and no wait that it cannot end."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import socket
import time
from collections.abc import Callable

from pyagent.bridge.errors import BridgeError, LinkLost, ProtocolError
from pyagent.bridge.patience import LOOK_S, Patience, sleep
from pyagent.bridge.process import TICK_S, SimulatorProcess
from pyagent.bridge.zmtp import FIRST_WAIT_MS, MAX_MESSAGE_BYTES, ReqPeer

_BACKLOG = 64
_MAX_CANDIDATES = 16
"""Peers that are heard at a time while none is pinned; see `AgentSocket._add_candidate`."""

_log = logging.getLogger(__name__)


class AgentSocket:
    """A bound socket that talks to exactly one ZeroMQ REQ, as a REP would.

    A REP serves whoever connects. Here the first peer that is accepted is pinned, and nobody else is read
    from then on. Before that a stranger costs descriptors and memory, both bounded, and no time.

    Args:
        endpoint: ``ipc://PATH`` or ``tcp://127.0.0.1:PORT`` (``*`` for a free port).
        admits: called with each connection; one that it returns False for is closed unread. None: all are.

    Attributes:
        endpoint: where it is bound, the port filled in.

    Raises:
        BridgeError: the endpoint cannot be bound.
    """

    def __init__(self, endpoint: str, admits: Callable[[socket.socket], bool] | None = None) -> None:
        self.endpoint = endpoint
        self._admits = admits
        self._private = endpoint.startswith("ipc://")
        self._peer: ReqPeer | None = None
        self._candidates: list[ReqPeer] = []
        self._was_connected = self._has_warned = False
        self._listener = socket.socket(socket.AF_UNIX if self._private else socket.AF_INET)
        try:
            self._listener.setblocking(False)
            self._bind(endpoint.partition("://")[2])
            self._listener.listen(_BACKLOG)
        except OSError as error:
            self._listener.close()
            raise BridgeError(f"cannot listen on {endpoint}: {error}") from error
        if not self._private:
            self.endpoint = "tcp://{}:{}".format(*self._listener.getsockname())

    def _bind(self, address: str) -> None:
        if self._private:
            self._listener.bind(address)
            return
        # Not to wait for what the kernel still holds of earlier connections.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        host, _, port = address.rpartition(":")
        self._listener.bind((host, 0 if port == "*" else int(port)))

    @property
    def port(self) -> int:
        """TCP port."""
        return int(self.endpoint.rpartition(":")[2])

    def receive(
        self,
        patience: Patience,
        process: SimulatorProcess | None = None,
        accept: Callable[[bytes], bool] | None = None,
    ) -> bytes:
        """Wait for the simulator's next message.

        Args:
            patience: how long to wait.
            process: the simulator, where this agent started it; its end ends the wait.
            accept: called with the first message of each peer while none is pinned; the peer is pinned if
                it returns True, and dropped if not.

        Raises:
            TimeoutError: no message in time.
            LinkLost: none will come any more.
            ProtocolError: a message that no REQ sends.
        """
        if self._peer is not None and patience.left_s * 1000 >= FIRST_WAIT_MS:
            begun_s = time.monotonic()
            payload = self._peer.receive()
            if payload is not None:
                return payload
            patience.leave_out(begun_s, FIRST_WAIT_MS / 1000)
        while True:
            payload = self.receive_now(process, accept)
            if payload is not None:
                return payload
            if not patience.left_s:
                raise TimeoutError
            self._sleep(patience, process)

    def receive_now(
        self,
        process: SimulatorProcess | None = None,
        accept: Callable[[bytes], bool] | None = None,
    ) -> bytes | None:
        """``receive`` without a wait: None while there is no message but one may come."""
        payload = self._read(accept)
        if payload is None and process is not None and process.exit_code() is not None:
            # All that it had sent is readable now; a long message takes several reads.
            payload = self._read(accept)
            if payload is None and all(peer.drained for peer in self._peers()):
                raise LinkLost("the simulator ended")
        return payload

    def descriptors(self) -> list[int]:
        """What becomes readable when a message or a connection comes or a connection ends."""
        if self._peer is not None:
            return [self._peer.fileno()]
        return [self._listener.fileno(), *(peer.fileno() for peer in self._candidates)]

    def watch(self, poller: select.poll, process: SimulatorProcess | None) -> bool:
        """Register all that ``receive_now`` looks at; False if the process must be looked at in ticks."""
        for descriptor in self.descriptors():
            poller.register(descriptor, select.POLLIN)
        if process is None:
            return True
        if process.pidfd is None:
            return False
        poller.register(process.pidfd, select.POLLIN)
        return True

    def send(self, payload: bytes, timeout_s: float) -> None:
        """Answer the pinned peer.

        Raises:
            LinkLost: it is gone.
            TimeoutError: it has not taken the answer in ``timeout_s`` seconds, which needs a long one.
        """
        if self._peer is None:
            raise LinkLost("there is no simulator to answer")
        self._peer.reply(payload, timeout_s)

    def close(self) -> None:
        """Close; what was sent is still delivered. The endpoint is free afterwards."""
        for peer in self._peers():
            peer.close()
        self._listener.close()
        if self._private:
            with contextlib.suppress(OSError):
                os.unlink(self.endpoint.removeprefix("ipc://"))

    def _peers(self) -> list[ReqPeer]:
        return self._candidates if self._peer is None else [self._peer]

    def _read(self, accept: Callable[[bytes], bool] | None) -> bytes | None:
        if self._peer is not None:
            return self._peer.receive(socket.MSG_DONTWAIT)
        self._admit()
        for peer in list(self._candidates):
            payload = self._hear(peer)
            if payload is None:
                continue
            if accept is None or accept(payload):
                self._pin(peer)
                return payload
            self._drop(peer)
        if self._private and self._was_connected and not self._candidates:
            raise LinkLost("the simulator closed its connection")
        return None

    def _admit(self) -> None:
        """Take the new connections, so that one who is silent does not keep the simulator out.

        No more than a queueful: who connects without a pause is not to keep us here.
        """
        with contextlib.suppress(BlockingIOError, ConnectionAbortedError):
            for _ in range(_BACKLOG):
                connection = self._listener.accept()[0]
                if self._admits is None or self._admits(connection):
                    self._add_candidate(ReqPeer(connection))
                else:
                    connection.close()
                    self._warn()

    def _add_candidate(self, peer: ReqPeer) -> None:
        """Hear one more; where there are too many, the first that has not introduced itself makes room."""
        self._was_connected = True
        try:
            peer.greet()
        except (LinkLost, TimeoutError):  # gone already
            peer.close()
            return
        self._candidates.append(peer)
        if len(self._candidates) > _MAX_CANDIDATES:
            self._drop(min(self._candidates, key=lambda candidate: candidate.introduced))

    def _hear(self, peer: ReqPeer) -> bytes | None:
        """The first message of a peer that is not pinned yet."""
        try:
            return peer.receive(socket.MSG_DONTWAIT)
        except (LinkLost, TimeoutError):  # gone, or one who asks and asks and takes no answer
            self._drop(peer)
        except ProtocolError:
            if self._private:
                raise
            self._drop(peer)
            self._warn()
        return None

    def _warn(self) -> None:
        """Once: who connects again and again is not to fill a log."""
        if not self._has_warned:
            self._has_warned = True
            _log.warning("dropped a connection to %s that is not the simulator's", self.endpoint)

    def _pin(self, peer: ReqPeer) -> None:
        """Hear nobody else. The listener stays open unread: the port is not free for another agent."""
        self._peer = peer
        peer.limit_bytes = MAX_MESSAGE_BYTES
        for other in list(self._candidates):
            if other is not peer:
                self._drop(other)
        self._candidates = []

    def _drop(self, peer: ReqPeer) -> None:
        self._candidates.remove(peer)
        peer.close()

    def _sleep(self, patience: Patience, process: SimulatorProcess | None) -> None:
        poller = select.poll()
        sleep(poller, [patience], LOOK_S if self.watch(poller, process) else TICK_S)
