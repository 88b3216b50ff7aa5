"""The (decision x action) table of a recorded dataset: policies play it a thousand times faster."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyagent.envs.network import is_lossy
from pyagent.envs.observation import NAMES, normalise
from pyagent.policies.base import Policy
from pyagent.reward import COMPONENTS, FloatArray, RewardComposer
from pyagent.scenario.compile import deploy
from pyagent.scenario.schema import Scenario
from pyagent.surrogate.types import Contexts, Indices

Part = Literal["train", "test"]
PARTS: tuple[Part, ...] = ("train", "test")
KEYS = ["seed", "decision", "action", "replicate"]


@dataclass(frozen=True)
class RecordedTable:
    """Every static split's runs of the same seeds.

    K decisions over all seeds, S actions, R replicates, D features, C components.

    Attributes:
        seeds, decisions: int64 [K], which decision a row is; rows of one seed are in order of time.
        contexts: float32 [K, S, R, D], what the policy would see had it taken action s before.
        rewards: float64 [K, S, R], without switching costs, since a static policy never switches.
        components: float64 [K, S, R, C], `COMPONENTS` in physical units, dNLL clipped.
        network: float64 [K, S, R, 3], `pyagent.envs.network.NETWORK`.
        lossy: bool [K, S, R], where the dNLL takes an evaluation: something that tokens were generated from
            went missing. Elsewhere it follows from the split.
    """

    seeds: Indices
    decisions: Indices
    contexts: NDArray[np.float32]
    rewards: FloatArray
    components: FloatArray
    network: FloatArray
    lossy: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.rewards)

    @property
    def actions(self) -> int:
        """S."""
        return int(self.rewards.shape[1])

    @property
    def replicates(self) -> int:
        """R."""
        return int(self.rewards.shape[2])

    @property
    def first_of_seed(self) -> NDArray[np.bool_]:
        """Bool [K], where an episode begins."""
        return np.concatenate([[True], self.seeds[1:] != self.seeds[:-1]])

    def with_weights(self, composer: RewardComposer) -> RecordedTable:
        """The same outcomes at another composer's prices (switching is never in the table)."""
        return replace(self, rewards=table_rewards(composer, self.contexts, self.components))

    def of_seeds(self, seeds: Indices) -> RecordedTable:
        """Only the decisions of these seeds."""
        keep = np.isin(self.seeds, seeds)
        return RecordedTable(
            self.seeds[keep],
            self.decisions[keep],
            self.contexts[keep],
            self.rewards[keep],
            self.components[keep],
            self.network[keep],
            self.lossy[keep],
        )

    def replay(self, policy: Policy, replicate: int, switching_cost: float) -> FloatArray:
        """Rewards [K] of a policy on one replicate.

        The context of a decision comes from the run of the action taken before, so that its history part
        (recent loss, delay, previous split) is that of the policy's last choice; older history is that of
        the static run, which is the approximation of this dataset.

        Args:
            policy: asked decision by decision; reset at the start of each seed.
            replicate: in [0, R).
            switching_cost: taken off the reward where the action changes.
        """
        actions = self.play(policy, replicate)
        return self.rewards_of(actions, replicate, switching_cost)

    def play(self, policy: Policy, replicate: int) -> Indices:
        """Actions [K] of a policy on one replicate; see :meth:`replay`."""
        actions = np.empty(len(self), np.int64)
        first, previous = self.first_of_seed, 0
        for k in range(len(self)):
            if first[k]:
                policy.reset(int(self.seeds[k]))
                previous = 0
            actions[k] = previous = policy.act(self.contexts[k, previous, replicate])
        return actions

    def play_all(self, policy: Policy) -> Indices:
        """Actions [K, R] of a policy that no longer learns on every replicate.

        A policy with `act_batch` (contexts [B, D] -> actions [B]) plays all episodes side by side.
        """
        batch = getattr(policy, "act_batch", None)
        if batch is None:
            return np.stack([self.play(policy, r) for r in range(self.replicates)], axis=1)
        starts = np.flatnonzero(self.first_of_seed)
        lengths = np.diff(np.append(starts, len(self)))
        actions = np.zeros((len(self), self.replicates), np.int64)
        previous = np.zeros((len(starts), self.replicates), np.int64)
        replicates = np.arange(self.replicates)
        for step in range(int(lengths.max())):
            going = np.flatnonzero(lengths > step)
            rows = starts[going] + step
            contexts = self.contexts[rows[:, None], previous[going], replicates]
            chosen = batch(contexts.reshape(-1, contexts.shape[-1])).reshape(len(going), -1)
            actions[rows] = previous[going] = chosen
        return actions

    def rewards_of(self, actions: Indices, replicate: int, switching_cost: float) -> FloatArray:
        """Rewards [K] of actions [K] on one replicate, switching charged within episodes."""
        taken: FloatArray = self.rewards[np.arange(len(self)), actions, replicate]
        return taken - switching_cost * self.switched(actions)

    def rewards_of_all(self, actions: Indices, switching_cost: float) -> FloatArray:
        """Rewards [K, R] of actions [K, R], a column for each of the first R replicates; see `rewards_of`."""
        columns = [self.rewards_of(actions[:, r], r, switching_cost) for r in range(actions.shape[1])]
        return np.stack(columns, axis=1)

    def switched(self, actions: Indices) -> NDArray[np.bool_]:
        """True [K] where actions [K] differ from the decision before in the same episode."""
        return np.concatenate([[False], actions[1:] != actions[:-1]]) & ~self.first_of_seed


def table_rewards(
    composer: RewardComposer, contexts: NDArray[np.float32], components: FloatArray
) -> FloatArray:
    """Rewards [K, S, R] of components [K, S, R, C] as a static policy would get them."""
    K, S, R, D = contexts.shape
    static = composer.with_weights(replace(composer.weights, switching=0.0))
    actions = np.broadcast_to(np.arange(S)[None, :, None], (K, S, R)).reshape(-1)
    flat = static.rewards(contexts.reshape(-1, D), actions, components.reshape(-1, len(COMPONENTS)))
    return flat.reshape(K, S, R)


def recorded_table(rows: pd.DataFrame, scenario: Scenario) -> RecordedTable:
    """Arrange the rows of every static split's runs as a table.

    Args:
        rows: of decisions.parquet: seed, decision, action, replicate, reward, components, loss and obs_*.
        scenario: what was played.

    Raises:
        ValueError: a cell is missing or there twice.
    """
    deployment = deploy(scenario)
    keys = rows[["seed", "decision"]].drop_duplicates().sort_values(["seed", "decision"])
    ordered = rows.sort_values(KEYS)
    shape = (len(keys), len(deployment.splits), int(rows["replicate"].nunique()))
    if len(ordered) != np.prod(shape) or ordered.duplicated(KEYS).any():
        raise ValueError(
            f"the table has {len(ordered)} cells; expected {shape} (decisions, actions, replicates)"
        )
    components, network = row_components(ordered, scenario.reward.delta_nll_clip), row_network(ordered)
    lossy = is_lossy(network, ordered["uplink_bytes"].to_numpy() > 0)
    return RecordedTable(
        seeds=keys["seed"].to_numpy(dtype=np.int64),
        decisions=keys["decision"].to_numpy(dtype=np.int64),
        contexts=row_contexts(ordered, deployment.num_layers).reshape(*shape, -1),
        rewards=ordered["reward"].to_numpy(dtype=np.float64).reshape(shape),
        components=components.reshape(*shape, -1),
        network=network.reshape(*shape, -1),
        lossy=lossy.reshape(shape),
    )


def row_contexts(rows: pd.DataFrame, num_layers: int) -> Contexts:
    """Contexts float32 [N, D] of rows of decisions.parquet."""
    raw = rows[[f"obs_{name}" for name in NAMES]].to_numpy(dtype=np.float64)
    return np.stack([normalise(values, num_layers) for values in raw])


def row_components(rows: pd.DataFrame, delta_nll_clip: float) -> FloatArray:
    """`COMPONENTS` [N, C] of rows of decisions.parquet."""
    return np.stack(
        [
            rows["latency_s"].to_numpy(dtype=np.float64),
            rows["delta_nll"].clip(0.0, delta_nll_clip).to_numpy(dtype=np.float64),
            # The radio can end a window a hair under its idle draw.
            rows["ue_energy_j"].clip(0.0).to_numpy(dtype=np.float64),
            rows["failed"].to_numpy(dtype=np.float64),
        ],
        axis=1,
    )


def row_network(rows: pd.DataFrame) -> FloatArray:
    """`pyagent.envs.network.NETWORK` [N, 3] of rows of decisions.parquet."""
    generated = rows["generated_tokens"].to_numpy(dtype=np.float64) / rows["output_tokens"].to_numpy()
    return np.stack([rows["prompt_loss"].to_numpy(), rows["output_loss"].to_numpy(), generated], axis=1)
