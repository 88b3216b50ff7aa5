"""One simulation from start to exit: a process (or an attached simulator), its socket, and their order."""

from __future__ import annotations

import contextlib
import itertools
import logging
import math
import os
import re
import signal
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, NoReturn

from pyagent.bridge import wire
from pyagent.bridge.errors import BridgeError, LinkLost, ProtocolError, SimulatorDied, SimulatorTimeout
from pyagent.bridge.link import AgentSocket
from pyagent.bridge.patience import Patience
from pyagent.bridge.peer import is_of_session, peer_uid
from pyagent.bridge.process import SimulatorProcess

_log = logging.getLogger(__name__)
_EXIT_GRACE_S = 1.0
SEED_ARGUMENT = "--simSeed"
"""Option of ns3-gym's scenarios for the seed."""
_socket_numbers = itertools.count()
_STOP_ACTION: bytes = wire.EnvActMsg(stopSimReq=True).SerializeToString()
_STOP_INIT: bytes = wire.SimInitAck(done=True, stopSimReq=True).SerializeToString()
_GO_ON: bytes = wire.SimInitAck(done=True).SerializeToString()


@dataclass(frozen=True)
class SimulatorConfig:
    """How to get a simulator; the fields are ``Ns3Env``'s arguments, see there.

    Raises:
        ValueError: a field has no valid value; the message names it.
    """

    executable: str | os.PathLike[str] | None = None
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    connect_timeout_s: float = 60.0
    step_timeout_s: float = 300.0
    stop_timeout_s: float = 10.0
    transport: Literal["ipc", "tcp"] = "ipc"
    port: int | None = None
    on_start: Callable[[SimulatorProcess], object] | None = None
    seed_argument: str = SEED_ARGUMENT

    def __post_init__(self) -> None:
        if self.transport not in ("ipc", "tcp"):
            raise ValueError(f"transport={self.transport!r}: valid are 'ipc' and 'tcp'")
        if self.port is not None and not 1 <= self.port <= 65535:
            raise ValueError(f"port={self.port}: valid are 1 to 65535")
        if self.executable is None and self.port is None:
            raise ValueError("port=None: without an executable a port is needed, such as 5555")
        if self.executable is not None and self.transport == "ipc" and self.port is not None:
            raise ValueError(f"port={self.port}: transport='ipc' has no port, choose transport='tcp'")
        if not re.fullmatch(r"(--?)?[^\s=-][^\s=]*", self.seed_argument):
            raise ValueError(
                f"seed_argument={self.seed_argument!r}: valid is an option's name, such as '--simSeed'"
            )
        for name in ("connect_timeout_s", "step_timeout_s", "stop_timeout_s"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(
                    f"{name}={getattr(self, name)}: needs a finite number of seconds, at least 0"
                )


class _Due(NamedTuple):
    """A message that the agent waits for: what would stop the simulator once it is here."""

    stop: bytes
    doing: str


_SPACES = _Due(_STOP_INIT, "to connect")
_FIRST_STATE = _Due(_STOP_ACTION, "to send its first state")
_NEXT_STATE = _Due(_STOP_ACTION, "to send the next state")


class Session:
    """Talks to one simulator: ``await_connection``, ``begin``, ``act`` as often as wanted, ``stop``.

    Each of the first three makes a message due, which ``collect`` waits for and ``poll`` looks for. Whatever
    a method raises (KeyboardInterrupt included), it has ended the simulator before.

    Args:
        config: how to get the simulator.
        socket_dir: private folder for an ipc socket.
        log_dir: folder for the process's stdout and stderr.
        seed: of a started process, in [0, 2**32).

    Attributes:
        patience: when ``collect`` and ``poll`` give up.
    """

    def __init__(self, config: SimulatorConfig, socket_dir: Path, log_dir: Path, seed: int) -> None:
        self._config = config
        self._process: SimulatorProcess | None = None
        self._pending: bytes | None = None  # what would stop the simulator, while it waits for an answer
        self._released = False
        self._foreign_pids: list[int] = []
        self._due = _SPACES
        self._timeout_s = config.connect_timeout_s
        self.patience = Patience(math.inf)
        self.seed = seed
        self._socket = AgentSocket(_endpoint(config, socket_dir), self._admits)
        try:
            if config.executable is not None:
                self._process = self._start(log_dir)
        except BaseException:
            self.abort()
            raise

    def _start(self, log_dir: Path) -> SimulatorProcess:
        assert self._config.executable is not None
        if self._config.transport == "ipc":
            where = f"--openGymEndpoint={self._socket.endpoint}"
        else:
            where = f"--openGymPort={self._socket.port}"
        process = SimulatorProcess(
            self._config.executable,
            [*self._config.args, where, f"--{self._config.seed_argument.lstrip('-')}={self.seed}"],
            log_dir=log_dir,
            label=f"sim-seed{self.seed}",
            env=self._config.env,
        )
        if self._config.on_start is not None:
            self._config.on_start(process)
        return process

    @property
    def process(self) -> SimulatorProcess | None:
        """The started process; None in attach mode."""
        return self._process

    @property
    def endpoint(self) -> str:
        """Where the agent listens."""
        return self._socket.endpoint

    def descriptors(self) -> list[int]:
        """What becomes readable when ``poll`` has something to do, except for the end of the process."""
        return self._socket.descriptors()

    def await_connection(self) -> None:
        """From now on wait for the simulator's ``SimInitMsg``; it then waits for ``begin``."""
        if self._process is None:
            _log.info("waiting for a simulator on %s", self._socket.endpoint)
        self._wait_for(_SPACES, self._config.connect_timeout_s)

    def begin(self) -> None:
        """Let the simulation begin and wait for its first ``EnvStateMsg``."""
        self._post(_GO_ON, _FIRST_STATE)

    def act(self, message: bytes) -> None:
        """Answer the pending state with a serialised EnvActMsg and wait for the next ``EnvStateMsg``."""
        self._post(message, _NEXT_STATE)

    def _post(self, payload: bytes, due: _Due) -> None:
        self._pending = None
        timeout_s = self._config.step_timeout_s
        self._wait_for(due, timeout_s)
        try:
            self._socket.send(payload, timeout_s)
        except BaseException as error:
            self._raise(error)

    def _wait_for(self, due: _Due, timeout_s: float) -> None:
        self._due, self._timeout_s = due, timeout_s
        self.patience = Patience(timeout_s)

    def collect(self) -> bytes:
        """Wait for the message that is due and return its bytes.

        Raises:
            SimulatorDied, SimulatorTimeout, ProtocolError: see there.
        """
        try:
            return self._take(self._socket.receive(self.patience, self._process, self._is_ours))
        except BaseException as error:
            self._raise(error)

    def poll(self) -> bytes | None:
        """The message that is due, None while it is not there. Raises what ``collect`` does."""
        try:
            payload = self._socket.receive_now(self._process, self._is_ours)
            if payload is not None:
                return self._take(payload)
            if not self.patience.left_s:
                raise TimeoutError
            return None
        except BaseException as error:
            self._raise(error)

    def watch(self, poller: Any) -> bool:
        """Register all that can end the wait; False if ``poll`` must be called in ticks of 50 ms."""
        return self._socket.watch(poller, self._process)

    def _take(self, payload: bytes) -> bytes:
        self._pending = self._due.stop
        return payload

    def _raise(self, error: BaseException) -> NoReturn:
        explained = self._explain(error)
        raise explained from (error if isinstance(error, ProtocolError) else None)

    def _admits(self, connection: socket.socket) -> bool:
        """Whether a connection comes from the process that was started; attached, from this user or root.

        Any local program can reach a TCP port. The one that was started is in a session of its own, be it
        itself or a child of a wrapper script. Where the kernel does not tell, `_is_ours` asks.
        """
        if self._process is not None:
            return is_of_session(connection, self._process.pid) is not False
        return peer_uid(connection) in (None, 0, os.getuid())

    def _is_ours(self, payload: bytes) -> bool:
        """Whether a first message says that it comes from the session of the process that was started.

        A check against mistakes, such as a simulator meant for another agent: a liar passes it.
        """
        if self._process is None or self._config.transport == "ipc":
            return True
        pid = wire.parse(wire.SimInitMsg, payload).simProcessId
        with contextlib.suppress(OSError, OverflowError):
            if os.getsid(pid) == self._process.pid:
                return True
        _log.warning("dropped a simulator with process id %d, which this agent has not started", pid)
        self._foreign_pids.append(pid)
        return False

    def release(self) -> None:
        """Answer a pending message with the request to stop; the simulator ends on its own time."""
        if self._pending is not None:
            payload, self._pending, self._released = self._pending, None, True
            with contextlib.suppress(LinkLost, TimeoutError):  # it has ended already, or takes nothing
                self._socket.send(payload, self._config.stop_timeout_s)

    def stop(self) -> None:
        """Ask the simulator to stop, wait for its end until the deadline, end it if need be. Never raises
        an error of the bridge. A second call does nothing."""
        try:
            self.release()
            if self._released:
                self._wait_for_exit(Patience(self._config.stop_timeout_s))
        finally:
            self.abort()

    def _wait_for_exit(self, patience: Patience) -> None:
        """Until the simulator is gone; it may send a last state meanwhile, and wait for its answer."""
        with contextlib.suppress(LinkLost, TimeoutError, ProtocolError):
            while True:
                self._socket.receive(patience, self._process)
                self._socket.send(_STOP_ACTION, patience.left_s)
        if self._process is None:
            return
        code = self._process.wait(patience.left_s)
        if code is None:
            _log.warning(
                "the simulator goes on after the request to stop, ending it: %s", self._process.command
            )
        elif code != 0:
            _log.warning("the stopped simulator %s: %s", describe_exit(code), self._process.command)

    def abort(self) -> None:
        """End the simulator at once and close the socket."""
        self._pending, self._released = None, False
        try:
            if self._process is not None:
                self._process.terminate()
        finally:
            self._socket.close()

    def _explain(self, error: BaseException) -> BaseException:
        """End the simulator; the error that users see in the place of ``error``."""
        try:
            if isinstance(error, LinkLost):
                return self._death(self._due.doing)
            if isinstance(error, SimulatorTimeout | SimulatorDied):
                return error
            if isinstance(error, TimeoutError):
                return self._timeout(self._due.doing, self._timeout_s)
            if isinstance(error, ProtocolError):
                return self.protocol_error(str(error))
            return error
        finally:
            self.abort()

    def _death(self, doing: str) -> BridgeError:
        if self._process is None:
            return SimulatorDied(f"the attached simulator closed its connection before it got {doing}")
        code = self._process.wait(_EXIT_GRACE_S)
        if code is None:
            return self.protocol_error(
                f"the simulator closed its connection while the agent waited for it {doing}"
            )
        tail, command = self._process.stderr_tail(), self._process.command
        message = f"the simulator {describe_exit(code)} while the agent waited for it {doing}"
        return SimulatorDied(message + self._context(), code, tail, command)

    def _timeout(self, doing: str, timeout_s: float) -> SimulatorTimeout:
        strangers = (
            f"; dropped simulators with process ids {self._foreign_pids}" if self._foreign_pids else ""
        )
        message = f"waited {timeout_s:g} s for the simulator {doing}, on {self._socket.endpoint}{strangers}"
        command = "" if self._process is None else self._process.command
        return SimulatorTimeout(message + self._context(), command)

    def protocol_error(self, message: str) -> ProtocolError:
        """A ProtocolError that names the command and shows the simulator's stderr."""
        return ProtocolError(message + self._context())

    def _context(self) -> str:
        if self._process is None:
            return ""
        tail = self._process.stderr_tail()
        last_lines = f"last lines of {self._process.stderr_path}:\n{tail}" if tail else "it printed nothing"
        return f"\nreproduce with: {self._process.command}\n{last_lines}"


def _endpoint(config: SimulatorConfig, socket_dir: Path) -> str:
    if config.executable is not None and config.transport == "ipc":
        return f"ipc://{socket_dir}/{next(_socket_numbers)}"
    return f"tcp://127.0.0.1:{config.port or '*'}"


def describe_exit(code: int) -> str:
    """In words: ``exited with code 3``, ``was ended by SIGSEGV``."""
    if code >= 0:
        return f"exited with code {code}"
    with contextlib.suppress(ValueError):
        return f"was ended by {signal.Signals(-code).name}"
    return f"was ended by signal {-code}"
