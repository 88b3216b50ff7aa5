"""The decision problem as a Gymnasium environment: ns-3, the real split model and the reward in one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from pyagent.checks import check_action, check_options, check_render_mode, check_whole
from pyagent.envs.observation import FEATURES
from pyagent.envs.scoring import NO_SPLIT, Scorer
from pyagent.envs.simulator import MAX_REPLICATE, MAX_SEED, Episode, State
from pyagent.scenario.compile import deploy
from pyagent.scenario.load import load_scenario
from pyagent.scenario.schema import Scenario


class SplitInferenceEnv(gymnasium.Env[NDArray[np.float32], np.int64]):
    """At which layer to split each inference request between UE and edge.

    ### Observation
    `Box(0, 1, (19,), float32)`. Each element is clipped and scaled from the range given here; "log" means
    that log(1 + value) is scaled. `pyagent/envs/observation.py` holds the same table as code.

    | Num | Observation         | Min  | Max | Unit     | Scale  |
    |-----|---------------------|------|-----|----------|--------|
    | 0   | SNR (LTE: RS-SINR), mean of the second before the newest sample | -10 | 50 | dB | linear |
    | 1   | its slope           | -20  | 20  | dB/s     | linear |
    | 2   | age of the newest sample | 0 | 10 | s       | log    |
    | 3   | power of the serving cell, same mean | -140 | -30 | dBm | linear |
    | 4   | PHY rate of the last data sent | 0 | 150 | Mbit/s | log |
    | 5   | its modulation and coding scheme | 0 | 28 | index | linear |
    | 6   | repeated transmissions of the last second | 0 | 1 | share | linear |
    | 7   | age of the serving cell | 0 | 100 | s        | log    |
    | 8   | what the edge did without, last request over the link | 0 | 1 | share | linear |
    | 9   | its mean one-way delay | 0 | 4   | s        | log    |
    | 10  | its age             | 0    | 100 | s        | log    |
    | 11  | device queue        | 0    | 500 | packets  | log    |
    | 12  | speed               | 0    | 30  | m/s      | log    |
    | 13  | distance to the serving site, to the nearest without one | 0 | 2000 | m | log |
    | 14  | prompt length P     | 0    | 512 | tokens   | linear |
    | 15  | output length N     | 0    | 64  | tokens   | linear |
    | 16  | previous split (0: none) | 0 | 1  | share of L | linear |
    | 17  | work in the edge's queue | 0 | 1  | s        | log    |
    | 18  | serving site        | -1   | 7   | index, -1: none | linear |

    ### Action
    `Discrete(S)`: index into the scenario's feasible splits (`env.splits`).

    ### Reward
    The scenario's reward of the finished request, at most 0: quality (dNLL of the real model under the
    packets that ns-3 delivered), latency, UE energy, UE load, failure, switching. `info["terms"]` has them
    one by one; see `pyagent/reward.py`.

    ### Start
    `reset(seed=s)` starts an ns-3 process whose arrivals, mobility and fading come from s alone;
    `options={"replicate": r}` draws other MAC random numbers and other prompts under the same world. Without
    a seed the next one is drawn from the environment's generator.

    ### End
    Truncated after the scenario's number of requests; never terminated.

    ### Info
    `state` (`State`), and after a step `record` (`DeliveryRecord`) and `score` (`Score`) of the request just
    played.

    ### Version history
    v0: initial.

    Args:
        scenario: a path, a shipped scenario's name, or a validated `Scenario`.
        part: prompts for training or for testing.
        scorer: shares a loaded model between environments; None makes one.
        log_dir: keeps ns-3's output there.
        threads: of the language model, 1 or more; None lets `pyagent.threads` choose.
        render_mode: only None.

    Raises:
        ScenarioError: there is no such scenario, or a field is not valid.
        InvalidArgumentError: `threads` or `render_mode` is not valid.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 (as Gymnasium declares it)

    def __init__(
        self,
        scenario: str | Path | Scenario = "default",
        part: Literal["train", "test"] = "train",
        scorer: Scorer | None = None,
        log_dir: Path | None = None,
        threads: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        check_render_mode(render_mode)
        if threads is not None:
            threads = check_whole("threads", threads, 1)
        self.scenario = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
        self.splits = deploy(self.scenario).splits
        self.observation_space = spaces.Box(0.0, 1.0, (len(FEATURES),), np.float32)
        self.action_space = spaces.Discrete(len(self.splits))
        self._scorer = scorer or Scorer(self.scenario, threads=threads)
        self._part: Literal["train", "test"] = part
        self._log_dir = log_dir
        self._episode: Episode | None = None
        self._seed = 0
        self._replicate = 0
        self._previous_split = NO_SPLIT

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start an episode; see the class.

        Raises:
            InvalidArgumentError: an option is unknown or its value is not valid.
            SimulatorNotFoundError, SimulatorDied, SimulatorTimeout: ns-3 can't be started.
        """
        chosen = check_options(options, ["replicate"])
        replicate = check_whole("option replicate", chosen.get("replicate", 0), 0, MAX_REPLICATE)
        super().reset(seed=seed)
        self._close_episode()
        self._seed = seed if seed is not None else int(self.np_random.integers(0, MAX_SEED))
        self._replicate = replicate
        log_dir = self._log_dir / f"seed-{self._seed}-{self._replicate}" if self._log_dir else None
        self._episode = Episode(self.scenario, self._seed, self._replicate, log_dir)
        self._previous_split = NO_SPLIT
        state = self._episode.begin()
        return state.context, self._info(state)

    def step(self, action: np.int64 | int) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Play the request that has arrived.

        Raises:
            ResetNeeded: no episode is running.
            InvalidArgumentError: the action is not in the action space; the episode goes on.
            SimulatorDied, SimulatorTimeout: ns-3 failed; `reset` starts afresh.
        """
        if self._episode is None:
            raise ResetNeeded("call reset() before step(): no episode is running")
        record, state, over = self._episode.decide(check_action(action, len(self.splits)))
        score = self._scorer.score(
            record,
            seed=self._seed,
            replicate=self._replicate,
            previous_split=self._previous_split,
            part=self._part,
        )
        self._previous_split = record.split
        if over:
            self._close_episode()
        info = self._info(state) | {"record": record, "score": score, "terms": score.terms}
        return state.context, score.reward, False, over, info

    def close(self) -> None:
        """End ns-3."""
        self._close_episode()

    def _close_episode(self) -> None:
        if self._episode is not None:
            self._episode.close()
            self._episode = None

    def _info(self, state: State) -> dict[str, Any]:
        return {"state": state, "seed": self._seed, "replicate": self._replicate}
