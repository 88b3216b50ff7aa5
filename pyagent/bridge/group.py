"""Several simulators in one process: one wait for all of them, no thread and no process for any."""

from __future__ import annotations

import contextlib
import select
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from pyagent.bridge.env import Ns3Env
from pyagent.bridge.patience import LOOK_S, Patience, sleep
from pyagent.bridge.process import TICK_S
from pyagent.bridge.zmtp import FIRST_WAIT_MS


class Outcome(NamedTuple):
    """What ``Ns3Env.step`` returns."""

    observation: Any
    reward: float
    terminated: bool
    truncated: bool
    info: dict[str, Any]

    @property
    def over(self) -> bool:
        """Whether the episode has ended."""
        return self.terminated or self.truncated


class EnvGroup:
    """``n`` equal ``Ns3Env``, stepped together.

    An error of one simulator is raised as ``Ns3Env`` would, after all the others are ended too; ``reset``
    then starts all afresh.

    Args:
        n: how many, at least 1.
        executable: the simulator; see ``Ns3Env``.
        args: its arguments.
        seed: simSeed of the first one's first episode, ``seed + 1`` of the second's, and so on. Each goes on
            in strides of ``n``, so that no two episodes share a seed.
        options: further arguments of ``Ns3Env``, for all.

    Raises:
        ValueError: an argument is not valid.
        FileNotFoundError, SimulatorDied, SimulatorTimeout, ProtocolError: see ``Ns3Env``.
    """

    def __init__(self, n: int, executable: Any, args: Sequence[str], seed: int, **options: Any) -> None:
        if n < 1:
            raise ValueError(f"n={n}: needs at least 1")
        if executable is None or options.get("port") is not None:
            raise ValueError("executable, port: several simulators need an executable and free ports")
        self.envs: list[Ns3Env] = []
        try:
            for i in range(n):
                env = Ns3Env(executable, args, (seed + i) % 2**32, **options)
                env.seed_stride = n
                self.envs.append(env)
        except BaseException:
            self.close()
            raise

    def reset(self, seeds: dict[int, int | None]) -> dict[int, tuple[Any, dict[str, Any]]]:
        """Reset the environments with these indices; returns observation and info of each."""
        with self._all_or_none():
            for i, seed in seeds.items():
                self.envs[i].begin_reset(seed)
            return self._gather({i: self.envs[i].poll_reset for i in seeds})

    def step(self, actions: dict[int, Any], resets: Sequence[int] = ()) -> dict[int, Outcome]:
        """Step some environments, reset others at the same time.

        Args:
            actions: index -> action.
            resets: indices to reset; their outcome has reward 0.

        Raises:
            ValueError: an action is not in the space; nothing has been sent.
            ResetNeeded: an environment has no running episode; nothing has been sent.
        """
        messages = {i: self.envs[i].encode(action) for i, action in actions.items()}
        with self._all_or_none():
            for i, message in messages.items():
                self.envs[i].send(message)
            for i in resets:
                self.envs[i].begin_reset()
            polls: dict[int, Callable[[], Any]] = {i: self.envs[i].poll_step for i in messages}
            found = self._gather(polls | {i: self.envs[i].poll_reset for i in resets})
        return {
            i: Outcome(result[0], 0.0, False, False, result[1]) if i in resets else Outcome(*result)
            for i, result in found.items()
        }

    def close(self) -> None:
        """Ask all simulators to stop, then wait for each; see ``Ns3Env.close``. Once more does nothing."""
        for env in self.envs:
            with contextlib.suppress(Exception):
                env.release()
        for env in self.envs:
            env.close()

    @contextlib.contextmanager
    def _all_or_none(self) -> Any:
        finished = False
        try:
            yield
            finished = True
        finally:
            if not finished:
                for env in self.envs:
                    env.abort()

    def _gather(self, polls: dict[int, Callable[[], Any]]) -> dict[int, Any]:
        """Call each until it returns something; sleep while nothing has come for any."""
        results: dict[int, Any] = {}
        waiting = dict(polls)
        while waiting:
            for i in self._ready(waiting):
                result = waiting[i]()
                if result is not None:
                    results[i] = result
                    del waiting[i]
        return results

    def _ready(self, waiting: dict[int, Any]) -> list[int]:
        """Indices to look at next: those with a message, or all when something else may have happened."""
        poller = select.poll()
        owners: dict[int, int] = {}
        for i in waiting:
            session = self.envs[i].session
            for descriptor in session.descriptors() if session is not None else ():
                poller.register(descriptor, select.POLLIN)
                owners[descriptor] = i
        # The sockets alone at first, which is cheapest; see AgentSocket.receive.
        begun_s = time.monotonic()
        found = poller.poll(FIRST_WAIT_MS)
        if found:
            return list(dict.fromkeys(owners[descriptor] for descriptor, _ in found))
        for i in waiting:
            if (session := self.envs[i].session) is not None:
                session.patience.leave_out(begun_s, FIRST_WAIT_MS / 1000)
        self._sleep(list(waiting))
        return list(waiting)

    def _sleep(self, indices: list[int]) -> None:
        """Until a message, a change of a connection, the end of a process, or the first one's bound."""
        poller = select.poll()
        waits: list[Patience] = []
        ticks = False
        for i in indices:
            session = self.envs[i].session
            if session is not None:
                ticks |= not session.watch(poller)
                waits.append(session.patience)
        sleep(poller, waits, TICK_S if ticks else LOOK_S)
