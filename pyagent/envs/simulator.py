"""One episode of ns-3 for a scenario, as decisions and delivery records; no language model in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyagent.bridge import Ns3Env, ProtocolError
from pyagent.bridge.process import SimulatorProcess
from pyagent.envs.comparison import ComparedByValue
from pyagent.envs.observation import NAMES, check_features, normalise
from pyagent.envs.record import DeliveryRecord
from pyagent.errors import reason
from pyagent.paths import simulator_executable
from pyagent.scenario.compile import deploy, write_simulator_config
from pyagent.scenario.schema import Scenario
from pyagent.silence import step_timeout_s
from pyagent.temporary import TemporaryFolder

MAX_SEED = 2**32 - 1
MAX_REPLICATE = 2**31 - 1


@dataclass(frozen=True, eq=False)
class State(ComparedByValue):
    """What is known when a request arrives.

    Attributes:
        context: float32 [D] in [0, 1], what a policy sees.
        raw: physical values by feature name.
        request: index of the request in the episode.
        position_m: x, y, z of the UE.
        sim_time_s: simulated time.
    """

    context: NDArray[np.float32]
    raw: dict[str, float]
    request: int
    position_m: tuple[float, float, float]
    sim_time_s: float


class Episode:
    """A running ns-3 process of one scenario, seed and replicate. A context manager; close() ends it.

    Args:
        scenario: what to simulate.
        seed: of arrivals, mobility and fading, in [0, 2**32).
        replicate: which draw of the MAC's random numbers.
        log_dir: folder that keeps ns-3's output and the scenario's JSON; None keeps nothing.
        options: more of the program's command line.
        on_start: called with ns-3's process before it is waited for; another thread may then ``kill`` it.

    Raises:
        SimulatorNotFoundError: nothing was built.
        UserError: SPLITSIM_STEP_TIMEOUT_S is no number of seconds.
        SimulatorDied, SimulatorTimeout: from the bridge.
    """

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        replicate: int = 0,
        log_dir: Path | None = None,
        options: Sequence[str] = (),
        on_start: Callable[[SimulatorProcess], object] | None = None,
    ) -> None:
        patience_s = step_timeout_s()
        self.num_layers = deploy(scenario).num_layers
        self._temporary = None if log_dir else TemporaryFolder()
        folder = self._temporary.path if self._temporary else log_dir
        assert folder is not None
        folder.mkdir(parents=True, exist_ok=True)
        config = write_simulator_config(scenario, folder / "scenario.json")
        self._env: Ns3Env | None = None
        try:
            self._env = Ns3Env(
                simulator_executable(scenario.program),
                args=[f"--config={config.resolve()}", f"--replicate={replicate}", *options],
                seed=seed,
                log_dir=log_dir,
                step_timeout_s=patience_s,
                on_start=on_start,
            )
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int | None:
        """Process id of ns-3."""
        return self._env.simulator_pid if self._env else None

    def begin(self) -> State:
        """The first request's state."""
        assert self._env is not None
        raw, info = self._env.reset()
        check_features(info["features"])
        return read_state(raw, info, self.num_layers)

    def decide(self, action: int) -> tuple[DeliveryRecord, State, bool]:
        """Play one request.

        Args:
            action: index of the split.

        Returns:
            The record of this request; the state at the next arrival (after the last request: at the end of
            simulated time); whether the episode is over.
        """
        assert self._env is not None
        raw, _, terminated, truncated, info = self._env.step(action)
        return read_record(info), read_state(raw, info, self.num_layers), terminated or truncated

    def close(self) -> None:
        """End ns-3; safe to call twice."""
        if self._env is not None:
            self._env.close()
            self._env = None
        if self._temporary is not None:
            self._temporary.remove()
            self._temporary = None

    def __enter__(self) -> Episode:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_state(raw: NDArray[np.float64], info: dict[str, Any], num_layers: int) -> State:
    """The state that ns-3 sent.

    Args:
        raw: float64 [D], the observation.
        info: what came beside it.
        num_layers: L of the deployed model.

    Raises:
        ProtocolError: `info` lacks something, or holds something else there.
    """
    with _sent("state"):
        x_m, y_m, z_m = map(float, info["position_m"])
        return State(
            context=normalise(raw, num_layers),
            raw=dict(zip(NAMES, map(float, raw), strict=True)),
            request=int(info["request"]),
            position_m=(x_m, y_m, z_m),
            sim_time_s=float(info["sim_time_s"]),
        )


def read_record(info: dict[str, Any]) -> DeliveryRecord:
    """The delivery record that ns-3 sent.

    Raises:
        ProtocolError: there is none, or it is not sound.
    """
    with _sent("record"):
        return DeliveryRecord.from_json(info["record"])


@contextmanager
def _sent(what: str) -> Iterator[None]:
    """What a scenario program of somebody else's may have got wrong, as one line."""
    try:
        yield
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ProtocolError(f"the simulator's info holds no sound {what}: {reason(error)}") from error
