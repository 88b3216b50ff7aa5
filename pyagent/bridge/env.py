"""A Gymnasium environment around any simulator that speaks ns3-gym's protocol."""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import os
import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import gymnasium
from gymnasium.error import ClosedEnvironmentError, ResetNeeded
from zmq.sugar.context import Context

from pyagent.bridge import spaces
from pyagent.bridge.errors import ProtocolError
from pyagent.bridge.session import Session, SimulatorConfig
from pyagent.bridge.wire import Reason

_log = logging.getLogger(__name__)
_SEEDS = 2**32
_SOCKET_PATH_BYTES = 90  # the kernel allows 107, the socket's own name included


class Ns3Env(gymnasium.Env[Any, Any]):
    """Drives ns-3, one simulator process per episode.

    ### Spaces
    They are the simulator's own, sent when it connects; so the constructor already starts it, with
    ``seed``, up to that point. The first ``reset`` goes on with the same process unless it asks for
    another seed. Which wire type becomes what: see ``pyagent.bridge.spaces``.

    ### Episode
    ``reset(seed=s)`` ends the running simulator and starts one with ``--simSeed=s``. ``reset()`` takes the
    previous seed plus 1 (modulo 2**32); the very first one takes the constructor's. ``terminated`` is
    the simulator's GameOver, ``truncated`` its SimulationEnd; after either the simulator is told to stop.

    ### Info
    The simulator's text: a JSON object is merged into ``info``, other text is ``info["extra"]``. After
    ``reset``, ``info["sim_seed"]`` is the seed of the started process, unless the text has that key.

    ### Attach mode
    With ``executable=None`` it waits on ``port`` for a simulator started by hand (say, in a debugger).
    Seeds are that simulator's business then; every further episode waits for it to be started anew.

    Safe to close twice, to leave to the garbage collector, and to use as a context manager. After any
    error the simulator is gone and ``reset`` starts afresh. Not for use from several threads at once; a
    copy in a forked process can only be thrown away.

    Args:
        executable: the simulator: path, or name to be found on PATH; None to attach.
        args: its arguments. Added are ``--simSeed=SEED`` and ``--openGymEndpoint=ipc://...`` (this
            project's scenarios) or ``--openGymPort=PORT`` (any ns3-gym scenario).
        seed: simSeed of the first episode, in [0, 2**32).
        log_dir: folder that keeps stdout and stderr of every process; None keeps only the last
            process's, in a temporary folder, until ``close``.
        env: variables added to the agent's own environment.
        connect_timeout_s: longest wait for the simulator to connect, in seconds.
        step_timeout_s: longest wait for a state, in seconds.
        stop_timeout_s: longest wait for the simulator to end when asked to, in seconds; it is killed then.
        transport: ``"ipc"``, a socket in a private folder, or ``"tcp"``, on the loopback interface.
        port: TCP port; None takes a free one.

    Raises:
        ValueError: an argument is not valid.
        FileNotFoundError: there is no such executable file.
        SimulatorDied: the simulator ended while the agent waited for it.
        SimulatorTimeout: it did not answer in time.
        ProtocolError: it sent something that the protocol does not allow.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 (as Gymnasium declares it)

    def __init__(
        self,
        executable: str | os.PathLike[str] | None = None,
        args: Sequence[str] = (),
        seed: int = 1,
        log_dir: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        connect_timeout_s: float = 60.0,
        step_timeout_s: float = 300.0,
        stop_timeout_s: float = 10.0,
        transport: Literal["ipc", "tcp"] = "ipc",
        port: int | None = None,
    ) -> None:
        self._closed = True  # until there is something to close
        self._config = SimulatorConfig(
            executable=executable,
            args=tuple(map(str, args)),
            env=dict(env or {}),
            connect_timeout_s=connect_timeout_s,
            step_timeout_s=step_timeout_s,
            stop_timeout_s=stop_timeout_s,
            transport=transport,
            port=port,
        )
        self._next_seed = _checked_seed(seed)
        self._owner_pid = os.getpid()
        self._session: Session | None = None
        self._playing = False  # a state waits for the action
        self._fresh = True  # the simulator is connected and has sent no state yet
        self._last_observation: Any = None
        self._dir = _private_dir()
        self._log_dir = Path(log_dir) if log_dir is not None else None
        self._context: Context[Any] = Context()
        self._closed = False
        _open_envs.add(self)
        try:
            self.observation_space, self.action_space = self._connect(self._next_seed)
        except BaseException:
            self.close()
            raise

    @property
    def simulator_pid(self) -> int | None:
        """Process id of the simulator; None in attach mode and while there is none."""
        process = self._session.process if self._session is not None else None
        return process.pid if process is not None else None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode; see the class for which seed it gets.

        Args:
            seed: simSeed, in [0, 2**32).
            options: not used.

        Returns:
            First observation; info.

        Raises:
            ClosedEnvironmentError: after ``close``.
            SimulatorDied, SimulatorTimeout, ProtocolError: see the class.
        """
        self._check_open()
        if seed is not None:
            self._next_seed = _checked_seed(seed)
        super().reset(seed=seed)
        session = self._connected_session(self._next_seed)
        self._next_seed = (session.seed + 1) % _SEEDS
        self._fresh = False
        state = session.first_state()
        observation, info = self._decode(session, state)
        if state.isGameOver:
            raise self._failed(session, "the simulation ended before its first state")
        self._playing = True
        if session.process is not None:
            info.setdefault("sim_seed", session.seed)
        return observation, info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Send the action that the simulator waits for; go on to its next state.

        Args:
            action: a value of ``action_space``.

        Returns:
            Observation, reward, terminated (GameOver), truncated (SimulationEnd), info. A last state
            without observation repeats the previous one and sets ``info["observation_repeated"]``.

        Raises:
            ClosedEnvironmentError: after ``close``.
            ResetNeeded: before ``reset``, after the end of an episode or an error.
            ValueError: the action is not in ``action_space``; the episode is unharmed.
            SimulatorDied, SimulatorTimeout, ProtocolError: see the class.
        """
        self._check_open()
        session = self._session
        if not self._playing or session is None:
            raise ResetNeeded("step() needs a running episode: call reset() first")
        container = spaces.encode_data(self.action_space, action)
        self._playing = False  # until the next state is there, whatever happens
        state = session.exchange(container)
        observation, info = self._decode(session, state)
        terminated = state.isGameOver and state.reason == Reason.GameOver
        truncated = state.isGameOver and not terminated
        if state.isGameOver:
            session.release()
        else:
            self._playing = True
        return observation, float(state.reward), terminated, truncated, info

    def close(self) -> None:
        """Ask the simulator to stop, wait for it, end it if need be, and remove what is temporary."""
        if self._closed:
            return
        self._closed = True
        self._playing = False
        if os.getpid() != self._owner_pid:
            return  # a forked copy: simulator, sockets and folder are the original's
        try:
            self._end_session()
        finally:
            self._context.destroy(linger=0)
            shutil.rmtree(self._dir, ignore_errors=True)

    def __del__(self) -> None:
        if not getattr(self, "_closed", True):
            with contextlib.suppress(Exception):
                self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedEnvironmentError("this Ns3Env is closed")
        if os.getpid() != self._owner_pid:
            raise ClosedEnvironmentError("this Ns3Env belongs to the process that forked this one")

    def _connected_session(self, seed: int) -> Session:
        """The simulator that waits to begin, if it has the right seed, else a new one."""
        session = self._session
        attached = self._config.executable is None
        if self._fresh and session is not None and (attached or session.seed == seed):
            return session
        found = self._connect(seed)
        assert self._session is not None
        if found != (self.observation_space, self.action_space):
            raise self._failed(self._session, f"the spaces changed between episodes, to {found}")
        return self._session

    def _connect(self, seed: int) -> tuple[gymnasium.Space[Any], gymnasium.Space[Any]]:
        """Replace the simulator; returns its observation space and action space."""
        self._end_session()
        log_dir = self._log_dir
        if log_dir is None:
            log_dir = self._dir / "log"
            shutil.rmtree(log_dir, ignore_errors=True)
        session = self._session = Session(self._config, self._context, self._dir, log_dir, seed)
        message = session.connect()
        try:
            observation_space = spaces.decode_space(message.obsSpace, "observation space")
            action_space = spaces.decode_space(message.actSpace, "action space")
        except ProtocolError as error:
            raise self._failed(session, str(error)) from error
        self._fresh = True
        return observation_space, action_space

    def _end_session(self) -> None:
        self._playing = self._fresh = False
        session, self._session = self._session, None
        if session is not None:
            session.stop()

    def _failed(self, session: Session, message: str) -> ProtocolError:
        self._playing = self._fresh = False
        error = session.protocol_error(message)
        session.abort()
        return error

    def _decode(self, session: Session, state: Any) -> tuple[Any, dict[str, Any]]:
        info = _parse_info(state.info)
        if state.isGameOver and not state.HasField("obsData") and self._last_observation is not None:
            return self._last_observation, {**info, "observation_repeated": True}
        try:
            if state.reason not in tuple(Reason):
                raise ProtocolError(f"reason {state.reason} is none of SimulationEnd 0, GameOver 1")
            self._last_observation = spaces.decode_data(state.obsData, self.observation_space)
        except ProtocolError as error:
            raise self._failed(session, str(error)) from error
        except BaseException:  # Ctrl-C while decoding
            session.abort()
            raise
        return self._last_observation, info


def _checked_seed(seed: int) -> int:
    if not 0 <= seed < _SEEDS:
        raise ValueError(f"seed={seed}: valid are 0 to {_SEEDS - 1}")
    return int(seed)


def _parse_info(text: str) -> dict[str, Any]:
    if not text:
        return {}
    with contextlib.suppress(ValueError, RecursionError):
        value = json.loads(text)
        if isinstance(value, dict):
            return value
    return {"extra": text}


def _private_dir() -> Path:
    """A new folder that only this user can enter, with a path short enough for a socket in it."""
    path = Path(tempfile.mkdtemp(prefix="pyagent-"))
    if len(os.fsencode(path)) <= _SOCKET_PATH_BYTES:
        return path
    path.rmdir()
    return Path(tempfile.mkdtemp(prefix="pyagent-", dir="/tmp"))


_open_envs: weakref.WeakSet[Ns3Env] = weakref.WeakSet()


def _close_all() -> None:
    for env in list(_open_envs):
        with contextlib.suppress(Exception):
            env.close()


atexit.register(_close_all)
