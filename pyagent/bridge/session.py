"""One simulation from start to exit: a process (or an attached simulator), its socket, and their order."""

from __future__ import annotations

import contextlib
import itertools
import logging
import math
import os
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from zmq.sugar.context import Context

from pyagent.bridge import wire
from pyagent.bridge.errors import BridgeError, ProtocolError, SimulatorDied, SimulatorTimeout
from pyagent.bridge.link import MAX_MESSAGE_BYTES, AgentSocket, LinkLost
from pyagent.bridge.process import SimulatorProcess

_log = logging.getLogger(__name__)
_EXIT_GRACE_S = 1.0
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

    def __post_init__(self) -> None:
        if self.transport not in ("ipc", "tcp"):
            raise ValueError(f"transport={self.transport!r}: valid are 'ipc' and 'tcp'")
        if self.port is not None and not 1 <= self.port <= 65535:
            raise ValueError(f"port={self.port}: valid are 1 to 65535")
        if self.executable is None and self.port is None:
            raise ValueError("port=None: without an executable a port is needed, such as 5555")
        if self.executable is not None and self.transport == "ipc" and self.port is not None:
            raise ValueError(f"port={self.port}: transport='ipc' has no port, choose transport='tcp'")
        for name in ("connect_timeout_s", "step_timeout_s", "stop_timeout_s"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(
                    f"{name}={getattr(self, name)}: needs a finite number of seconds, at least 0"
                )


class Session:
    """Talks to one simulator: ``connect``, ``first_state``, ``exchange`` as often as wanted, ``stop``.

    Whatever a method raises (KeyboardInterrupt included), it has ended the simulator before.

    Args:
        config: how to get the simulator.
        context: ZeroMQ context.
        socket_dir: private folder for an ipc socket.
        log_dir: folder for the process's stdout and stderr.
        seed: simSeed of a started process, in [0, 2**32).
    """

    def __init__(
        self, config: SimulatorConfig, context: Context[Any], socket_dir: Path, log_dir: Path, seed: int
    ) -> None:
        self._config = config
        self._process: SimulatorProcess | None = None
        self._pending: bytes | None = None  # what would stop the simulator, while it waits for an answer
        self._released = False
        self._foreign_pids: list[int] = []
        self.seed = seed
        self._socket = AgentSocket(context, _endpoint(config, socket_dir))
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
        return SimulatorProcess(
            self._config.executable,
            [*self._config.args, where, f"--simSeed={self.seed}"],
            log_dir=log_dir,
            label=f"sim-seed{self.seed}",
            env=self._config.env,
        )

    @property
    def process(self) -> SimulatorProcess | None:
        """The started process; None in attach mode."""
        return self._process

    def connect(self) -> Any:
        """Wait for the simulator's ``SimInitMsg`` and return it. It then waits for ``first_state``.

        Raises:
            SimulatorDied, SimulatorTimeout, ProtocolError: see there.
        """
        if self._process is None:
            _log.info("waiting for a simulator on %s", self._socket.endpoint)
        with self._failing("to connect", self._config.connect_timeout_s):
            timeout_s = self._config.connect_timeout_s
            payload = self._socket.receive(timeout_s, self._process, self._is_ours)
            self._pending = _STOP_INIT
            return wire.parse(wire.SimInitMsg, payload)

    def _is_ours(self, payload: bytes) -> bool:
        """Whether a first message comes from the process that was started.

        Any local program can reach a TCP port, such as a simulator meant for another agent. Ours runs in
        the session of the process that was started, be it itself or a child of a wrapper script.
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

    def first_state(self) -> Any:
        """Let the simulation begin; returns the first ``EnvStateMsg``.

        Raises:
            SimulatorDied, SimulatorTimeout, ProtocolError: see there.
        """
        return self._exchange(_GO_ON, "to send its first state")

    def exchange(self, action: Any) -> Any:
        """Answer the pending state with a DataContainer; returns the next ``EnvStateMsg``.

        Raises:
            SimulatorDied, SimulatorTimeout, ProtocolError: see there.
        """
        return self._exchange(wire.EnvActMsg(actData=action).SerializeToString(), "to send the next state")

    def _exchange(self, payload: bytes, doing: str) -> Any:
        with self._failing(doing, self._config.step_timeout_s):
            self._pending = None
            self._socket.send(payload)
            reply = self._socket.receive(self._config.step_timeout_s, self._process)
            self._pending = _STOP_ACTION
            return wire.parse(wire.EnvStateMsg, reply)

    def release(self) -> None:
        """Answer a pending message with the request to stop; the simulator ends on its own time."""
        if self._pending is not None:
            payload, self._pending, self._released = self._pending, None, True
            with contextlib.suppress(LinkLost):  # then it has ended already
                self._socket.send(payload)

    def stop(self) -> None:
        """Ask the simulator to stop, wait for its end until the deadline, end it if need be. Never raises
        an error of the bridge. A second call does nothing."""
        try:
            self.release()
            if self._released:
                self._wait_for_exit(time.monotonic() + self._config.stop_timeout_s)
        finally:
            self.abort(linger_s=0.5)

    def _wait_for_exit(self, deadline: float) -> None:
        """Until the simulator is gone; it may send a last state meanwhile, and wait for its answer."""
        with contextlib.suppress(LinkLost, TimeoutError, ProtocolError):
            while True:
                self._socket.receive(max(0.0, deadline - time.monotonic()), self._process)
                self._socket.send(_STOP_ACTION)
        if self._process is None:
            return
        code = self._process.wait(max(0.0, deadline - time.monotonic()))
        if code is None:
            _log.warning(
                "the simulator goes on after the request to stop, ending it: %s", self._process.command
            )
        elif code != 0:
            _log.warning("the stopped simulator %s: %s", describe_exit(code), self._process.command)

    def abort(self, linger_s: float = 0.0) -> None:
        """End the simulator at once and close the socket."""
        self._pending, self._released = None, False
        try:
            if self._process is not None:
                self._process.terminate()
        finally:
            self._socket.close(linger_s)

    @contextlib.contextmanager
    def _failing(self, doing: str, timeout_s: float) -> Iterator[None]:
        """Turn what goes wrong into the errors that users see, and leave no process."""
        succeeded = False
        try:
            yield
            succeeded = True
        except LinkLost:
            raise self._death(doing) from None
        except TimeoutError:
            raise self._timeout(doing, timeout_s) from None
        except ProtocolError as error:
            raise self.protocol_error(str(error)) from error
        finally:
            if not succeeded:
                self.abort()

    def _death(self, doing: str) -> BridgeError:
        if self._process is None:
            return SimulatorDied(f"the attached simulator closed its connection before it got {doing}")
        code = self._process.wait(_EXIT_GRACE_S)
        if code is None:
            return self.protocol_error(
                f"the simulator closed its connection while the agent waited for it {doing}; "
                f"a message above {MAX_MESSAGE_BYTES // 2**20} MiB does that"
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
