"""A Gymnasium environment around any simulator that speaks ns3-gym's protocol."""

from __future__ import annotations

import atexit
import contextlib
import enum
import json
import logging
import os
import re
import shutil
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import gymnasium
from gymnasium.error import ClosedEnvironmentError, ResetNeeded

from pyagent.bridge import spaces, wire
from pyagent.bridge.codec import Decoder, Encoder, act_encoder, decoder, is_empty_box, neutral_value
from pyagent.bridge.errors import ProtocolError
from pyagent.bridge.layout import Layouts
from pyagent.bridge.process import SimulatorProcess
from pyagent.bridge.session import SEED_ARGUMENT, Session, SimulatorConfig
from pyagent.bridge.wire import Reason
from pyagent.checks import check_options, check_render_mode, check_whole
from pyagent.temporary import TemporaryFolder

_log = logging.getLogger(__name__)
_SEEDS = 2**32
_REASONS = frozenset(int(reason) for reason in Reason)
_SOCKET_PATH_BYTES = 90  # the kernel allows 107, the socket's own name included


class _Phase(enum.Enum):
    """What the simulator waits for, or the agent."""

    IDLE = enum.auto()  # nothing: there is none, or it has ended
    CONNECTING = enum.auto()  # it has been started
    FRESH = enum.auto()  # it waits to begin
    BEGINNING = enum.auto()  # its first state is due
    PLAYING = enum.auto()  # it waits for an action
    OVER = enum.auto()  # it waits for the answer to a GameOver
    CONTINUING = enum.auto()  # the first state after a GameOver is due


class Ns3Env(gymnasium.Env[Any, Any]):
    """Drives ns-3, one simulator process per episode (or several episodes, with ``restart="end"``).

    ### Spaces
    They are the simulator's own, sent when it connects; so the constructor already starts it, with
    ``seed``, up to that point. The first ``reset`` goes on with the same process unless it asks for
    another seed. Which wire type becomes what: see ``pyagent.bridge.spaces``.

    ### Episode
    ``reset(seed=s)`` ends the running simulator and starts one with ``--simSeed=s`` (or another option, see
    ``seed_argument``). ``reset()`` takes the previous seed plus 1 (modulo 2**32); the very first one takes
    the constructor's. ``terminated`` is the simulator's GameOver, ``truncated`` its SimulationEnd; after
    either the simulator is told to stop.
    With ``restart="end"`` it waits after a GameOver instead; ``reset()`` then answers that state with a
    neutral action (zeros, or the bound nearest to it), which the protocol wants and such scenarios ignore,
    and the next state begins the episode. Its seed is still the process's.

    ### Info
    The simulator's text: a JSON object is merged into ``info``, other text is ``info["extra"]``. After
    ``reset``, ``info["sim_seed"]`` is the seed of the started process. ``info["sim_time_s"]`` is simulated
    time, if the simulator is built with this project's C++ side. A key of the text wins over both.

    ### Attach mode
    With ``executable=None`` it waits on ``port`` for a simulator started by hand (say, in a debugger).
    Seeds are that simulator's business then; every further episode waits for it to be started anew.

    Safe to close twice, to leave to the garbage collector, and to use as a context manager. After any
    error the simulator is gone and ``reset`` starts afresh. Not for use from several threads at once; a
    copy in a forked process can only be thrown away.

    Args:
        executable: the simulator: path, or name to be found on PATH; None to attach.
        args: its arguments. Added are the seed (``--simSeed=SEED``) and ``--openGymEndpoint=ipc://...`` (this
            project's scenarios) or ``--openGymPort=PORT`` (any ns3-gym scenario).
        seed: of the first episode, in [0, 2**32).
        log_dir: folder that keeps stdout and stderr of every process; None keeps only the last
            process's, in a temporary folder, until ``close``.
        env: variables added to the agent's own environment.
        connect_timeout_s: longest wait for the simulator to connect, in seconds.
        step_timeout_s: longest wait for a state, in seconds.
        stop_timeout_s: longest wait for the simulator to end when asked to, in seconds; it is killed then.
        transport: ``"ipc"``, a socket in a private folder, or ``"tcp"``, on the loopback interface.
        port: TCP port; None takes a free one.
        restart: when a new process is due. ``"episode"``: for every episode. ``"end"``: only when the
            simulation has ended (SimulationEnd), for another seed, in mid-episode and after an error; after a
            GameOver the same process goes on with its next episode, which only some scenarios can.
        on_start: called with every process that is started, before it is waited for; another thread may then
            ``kill`` it.
        seed_argument: name of the simulator's option for the seed, such as ``--RngRun``; the dashes may be
            left out.
        render_mode: only None.

    Attributes:
        seed_stride: from the seed of one process to that of the next.

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
        restart: Literal["episode", "end"] = "episode",
        on_start: Callable[[SimulatorProcess], object] | None = None,
        seed_argument: str = SEED_ARGUMENT,
        render_mode: str | None = None,
    ) -> None:
        self._closed = True  # until there is something to close
        check_render_mode(render_mode)
        if restart not in ("episode", "end"):
            raise ValueError(f"restart={restart!r}: valid are 'episode' and 'end'")
        self._config = SimulatorConfig(
            executable=executable,
            args=tuple(map(str, args)),
            env=dict(env or {}),
            connect_timeout_s=connect_timeout_s,
            step_timeout_s=step_timeout_s,
            stop_timeout_s=stop_timeout_s,
            transport=transport,
            port=port,
            on_start=on_start,
            seed_argument=seed_argument,
        )
        self._next_seed = _checked_seed(seed)
        self.seed_stride = 1
        self._owner_pid = os.getpid()
        self._session: Session | None = None
        self._phase = _Phase.IDLE
        self._goes_on = restart == "end"
        self._last_observation: Any = None
        self._folder = _private_folder()
        self._log_dir = Path(log_dir) if log_dir is not None else None
        self._closed = False
        _open_envs.add(self)
        try:
            self._start()
            assert self._session is not None
            message = self._session.collect()
            self.observation_space, self.action_space = self._read_spaces(self._session, message)
            self._phase = _Phase.FRESH
            self._encode: Encoder = act_encoder(self.action_space)
            self._decode_observation: Decoder = decoder(self.observation_space)
            self._layouts: Layouts = Layouts(self.observation_space)
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
            seed: of the simulator's random numbers, in [0, 2**32).
            options: None or empty; the protocol has none.

        Returns:
            First observation; info.

        Raises:
            ClosedEnvironmentError: after ``close``.
            ValueError: the seed or an option is not valid; a running episode is unharmed.
            SimulatorDied, SimulatorTimeout, ProtocolError: see the class.
        """
        check_options(options)
        self.begin_reset(seed)
        assert self._session is not None
        while (result := self._finish_reset(self._session.collect())) is None:
            pass
        return result

    def begin_reset(self, seed: int | None = None) -> None:
        """First half of ``reset``: never waits for the new episode; ``poll_reset`` is the other half."""
        self._check_open()
        if seed is not None:
            self._next_seed = _checked_seed(seed)
        super().reset(seed=seed)
        session, phase = self._session, self._phase
        attached = self._config.executable is None
        if phase == _Phase.OVER and seed is None and session is not None:
            self._phase = _Phase.CONTINUING
            session.act(self._encode(neutral_value(self.action_space)))
        elif phase == _Phase.FRESH and session is not None and (attached or session.seed == self._next_seed):
            self._begin(session)
        else:
            self._start()

    def poll_reset(self) -> tuple[Any, dict[str, Any]] | None:
        """What ``reset`` returns, once it is there. Never waits; raises what ``reset`` does."""
        if self._session is None:
            raise ResetNeeded("no reset is under way")
        message = self._session.poll()
        return None if message is None else self._finish_reset(message)

    def _finish_reset(self, message: bytes) -> tuple[Any, dict[str, Any]] | None:
        session = self._session
        assert session is not None
        if self._phase == _Phase.CONNECTING:
            found = self._read_spaces(session, message)
            if found != (self.observation_space, self.action_space):
                raise self._failed(session, f"the spaces changed between episodes, to {found}")
            self._begin(session)
            return None
        state = self._parse(session, wire.EnvStateMsg, message)
        if self._phase == _Phase.CONTINUING and state.isGameOver and state.reason == Reason.SimulationEnd:
            session.release()  # there was no further episode in that process
            self._start()
            return None
        observation, info = self._decode(session, state)
        if state.isGameOver:
            raise self._failed(session, "the simulation ended before its first state")
        self._phase = _Phase.PLAYING
        if session.process is not None:
            info.setdefault("sim_seed", session.seed)
        return observation, info

    def _begin(self, session: Session) -> None:
        self._next_seed = (session.seed + self.seed_stride) % _SEEDS
        self._phase = _Phase.BEGINNING
        session.begin()

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
        self._check_playing()
        message = self._encode(action)
        session = self.send(message)
        return self._finish_step(session, session.collect())

    def encode(self, action: Any) -> bytes:
        """What ``send`` sends for ``action``. Raises ``ValueError`` as ``step`` does."""
        self._check_playing()
        return self._encode(action)

    def send(self, message: bytes) -> Session:
        """First half of ``step``, never waits; ``poll_step`` is the other half."""
        session = self._session
        assert session is not None
        self._phase = _Phase.IDLE  # until the next state is there, whatever happens
        session.act(message)
        return session

    def _check_playing(self) -> None:
        if self._phase is not _Phase.PLAYING or os.getpid() != self._owner_pid:
            self._check_open()
            raise ResetNeeded("step() needs a running episode: call reset() first")

    @property
    def session(self) -> Session | None:
        """The simulator that runs, for those who wait for several at once."""
        return self._session

    def release(self) -> None:
        """Ask the simulator to stop, without a wait for its end; ``reset`` and ``close`` do wait."""
        self._phase = _Phase.IDLE
        if self._session is not None:
            self._session.release()

    def abort(self) -> None:
        """End the simulator at once; ``reset`` starts afresh."""
        self._phase = _Phase.IDLE
        if self._session is not None:
            self._session.abort()

    def poll_step(self) -> tuple[Any, float, bool, bool, dict[str, Any]] | None:
        """What ``step`` returns, once it is there. Never waits; raises what ``step`` does."""
        session = self._session
        if session is None:
            raise ResetNeeded("no step is under way")
        message = session.poll()
        return None if message is None else self._finish_step(session, message)

    def _finish_step(self, session: Session, message: bytes) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        try:
            found = self._layouts.read(message)
        except BaseException:  # Ctrl-C
            session.abort()
            raise
        if found is not None:
            self._phase = _Phase.PLAYING
            self._last_observation = found[0]
            return *found[:2], False, False, found[2]
        return self._finish_new_step(session, message)

    def _finish_new_step(
        self, session: Session, message: bytes
    ) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """A state that is laid out like none before."""
        state = self._parse(session, wire.EnvStateMsg, message)
        observation, info = self._decode(session, state)
        if not state.isGameOver:
            if not state.info or info.get("extra") == state.info:  # no JSON, whose values may be mutable
                self._layouts.learn(message, {"extra": state.info} if state.info else {})
            self._phase = _Phase.PLAYING
            return observation, state.reward, False, False, info
        terminated = state.reason == Reason.GameOver
        if terminated and self._goes_on:
            self._phase = _Phase.OVER
        else:
            session.release()
        return observation, state.reward, terminated, not terminated, info

    def close(self) -> None:
        """Ask the simulator to stop, wait for it, end it if need be, and remove what is temporary."""
        if self._closed:
            return
        self._closed = True
        self._phase = _Phase.IDLE
        if os.getpid() != self._owner_pid:
            return  # a forked copy: simulator, sockets and folder are the original's
        try:
            self._end_session()
        finally:
            self._folder.remove()

    def __del__(self) -> None:
        if not getattr(self, "_closed", True):
            with contextlib.suppress(Exception):
                self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedEnvironmentError("this Ns3Env is closed")
        if os.getpid() != self._owner_pid:
            raise ClosedEnvironmentError("this Ns3Env belongs to the process that forked this one")

    def _start(self) -> None:
        """Replace the simulator, and wait for the new one to connect."""
        self._end_session()
        log_dir = self._log_dir
        if log_dir is None:
            log_dir = self._folder.path / "log"
            shutil.rmtree(log_dir, ignore_errors=True)
        self._session = Session(self._config, self._folder.path, log_dir, self._next_seed)
        self._session.await_connection()
        self._phase = _Phase.CONNECTING

    def _parse(self, session: Session, message_class: Any, message: bytes) -> Any:
        try:
            return wire.parse(message_class, message)
        except ProtocolError as error:
            raise self._failed(session, str(error)) from error

    def _read_spaces(
        self, session: Session, payload: bytes
    ) -> tuple[gymnasium.Space[Any], gymnasium.Space[Any]]:
        """The observation space and the action space of a ``SimInitMsg``."""
        message = self._parse(session, wire.SimInitMsg, payload)
        try:
            observation_space = spaces.decode_space(message.obsSpace, "observation space")
            return observation_space, spaces.decode_space(message.actSpace, "action space")
        except ProtocolError as error:
            raise self._failed(session, str(error)) from error

    def _end_session(self) -> None:
        self._phase = _Phase.IDLE
        session, self._session = self._session, None
        if session is not None:
            session.stop()

    def _failed(self, session: Session, message: str) -> ProtocolError:
        self._phase = _Phase.IDLE
        error = session.protocol_error(message)
        session.abort()
        return error

    def _decode(self, session: Session, state: Any) -> tuple[Any, dict[str, Any]]:
        info = parse_info(state.info) if state.info else {}
        times_s = state.simTimeS
        if times_s:
            info.setdefault("sim_time_s", times_s[0])
        if state.isGameOver and not state.HasField("obsData") and self._last_observation is not None:
            return self._last_observation, {**info, "observation_repeated": True}
        try:
            if state.reason not in _REASONS:
                raise ProtocolError(f"reason {state.reason} is none of SimulationEnd 0, GameOver 1")
            self._last_observation = self._decode_observation(state.obsData)
        except ProtocolError as error:
            if state.isGameOver and self._last_observation is not None and is_empty_box(state.obsData):
                return self._last_observation, {**info, "observation_repeated": True}
            raise self._failed(session, str(error)) from error
        except BaseException:  # Ctrl-C while decoding
            session.abort()
            raise
        return self._last_observation, info


def _checked_seed(seed: int) -> int:
    return check_whole("seed", seed, 0, _SEEDS - 1)


def parse_info(text: str) -> dict[str, Any]:
    """What a state's `info` holds, which stock scenarios write as plain text: then as `extra`."""
    if not text:
        return {}
    with contextlib.suppress(ValueError, RecursionError):
        value = json.loads(text)
        if isinstance(value, dict):
            return value
    return {"extra": text}


def _private_folder() -> TemporaryFolder:
    """A new folder for a socket.

    Its path is short enough for the kernel, and has no blank: ns-3's CommandLine, which other people's
    scenarios read the endpoint with, would cut it there.
    """
    folder = TemporaryFolder()
    if len(os.fsencode(folder.path)) <= _SOCKET_PATH_BYTES and not re.search(r"\s", str(folder.path)):
        return folder
    folder.remove()
    return TemporaryFolder(Path("/tmp"))


_open_envs: weakref.WeakSet[Ns3Env] = weakref.WeakSet()


def _close_all() -> None:
    for env in list(_open_envs):
        with contextlib.suppress(Exception):
            env.close()


atexit.register(_close_all)
