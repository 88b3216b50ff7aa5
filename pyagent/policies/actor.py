"""A stable-baselines3 actor as a policy: the acting half of its network alone, without stable-baselines3."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from llm_split.plain import one_line
from pyagent.errors import reading
from pyagent.policies.base import Context, Mask, OfflinePolicy, masked_argmax
from pyagent.reward import FloatArray
from pyagent.surrogate.types import Contexts, Indices

FORMAT = 2
"""Of the files; 1 held the value network too."""

Kind = Literal["actor-critic", "q-network"]
_ACTOR, _CRITIC = ("mlp_extractor.policy_net.", "action_net."), ("mlp_extractor.value_net.", "value_net.")
_Q, _Q_TARGET = ("q_net.q_net.",), ("q_net_target.q_net.",)

Array = NDArray[np.float32]
Layers = tuple[tuple[Array, Array], ...]

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "Tanh": np.tanh,
    "ReLU": lambda x: np.maximum(x, 0),
    "ELU": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "LeakyReLU": lambda x: np.where(x > 0, x, np.float32(0.01) * x),
}
"""What stands between layers, by its name in torch.nn, with torch's default parameters."""
DEFAULT_ACTIVATION: dict[Kind, str] = {"actor-critic": "Tanh", "q-network": "ReLU"}
"""stable-baselines3's own."""


class Actor:
    """A multi-layer perceptron from contexts to a score per action.

    Args:
        kind: actor-critic (scores are logits) or q-network (values).
        layers: weight float32 [out, in] and bias [out] of each.
        activation: between layers, one of `ACTIVATIONS`; None: stable-baselines3's default for the kind.

    Raises:
        ValueError: the layers do not fit together, or hold a value that is not finite; or the activation is
            another.
    """

    def __init__(self, kind: Kind, layers: Layers, activation: str | None = None) -> None:
        if kind not in ("actor-critic", "q-network"):
            raise ValueError(f"kind={kind!r} must be 'actor-critic' or 'q-network'")
        self.kind, self.layers = kind, layers
        self.activation = activation or DEFAULT_ACTIVATION[kind]
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation_fn = {one_line(self.activation)}: valid: {', '.join(ACTIVATIONS)}")
        width = layers[0][0].shape[-1] if layers else 0
        for weight, bias in layers:
            if weight.ndim != 2 or weight.shape[1] != width or bias.shape != weight.shape[:1]:
                raise ValueError(
                    f"a layer {weight.shape} with bias {bias.shape} does not follow {width} inputs"
                )
            if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
                raise ValueError("a weight is not finite")
            width = len(weight)
        if not layers or 0 in layers[0][0].shape:
            raise ValueError("the network is empty")

    @property
    def context_dim(self) -> int:
        """D."""
        return int(self.layers[0][0].shape[1])

    @property
    def actions(self) -> int:
        """S."""
        return len(self.layers[-1][1])

    @classmethod
    def from_state(cls, state: Mapping[str, Array], activation: str | None = None) -> Actor:
        """The actor in the state of an `MlpPolicy` of PPO, MaskablePPO, A2C or DQN over flat boxes.

        Args:
            state: its `state_dict` as arrays; the widths of the layers are those of the arrays.
            activation: see the class.

        Raises:
            ValueError: it is of something else, or does not fit together.
        """
        kind: Kind = "q-network" if any(key.startswith(_Q) for key in state) else "actor-critic"
        acting, others = (_Q, _Q_TARGET) if kind == "q-network" else (_ACTOR, _CRITIC)
        for key in state:
            if not key.startswith((*acting, *others)):
                raise ValueError(f"{key!r} is not of an MlpPolicy with one discrete action")
        keys = [key for prefix in acting for key in sorted(state, key=_number) if key.startswith(prefix)]
        stems = list(dict.fromkeys(key.rpartition(".")[0] for key in keys))
        if set(keys) != {f"{stem}.{part}" for stem in stems for part in ("weight", "bias")}:
            raise ValueError("it lacks a layer's weight or bias, or holds something else")
        layers = tuple((state[f"{stem}.weight"], state[f"{stem}.bias"]) for stem in stems)
        return cls(kind, layers, activation)

    def scores(self, context: Context) -> FloatArray:
        """Logits or action values, float64 [S], for a context [D]."""
        x = np.asarray(context, dtype=np.float32)
        activate = ACTIVATIONS[self.activation]
        for weight, bias in self.layers[:-1]:
            x = activate(weight @ x + bias)
        weight, bias = self.layers[-1]
        return np.asarray(weight @ x + bias, dtype=np.float64)

    def save(self, folder: Path, stem: str) -> None:
        """Writes ``stem.json`` and ``stem.safetensors`` (stable-baselines3's own format pickles)."""
        folder.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, Array] = {}
        for i, (weight, bias) in enumerate(self.layers):
            arrays |= {f"{i}.weight": np.ascontiguousarray(weight), f"{i}.bias": np.ascontiguousarray(bias)}
        save_file(arrays, folder / f"{stem}.safetensors")
        about: dict[str, int | str] = {"format": FORMAT, "kind": self.kind, "layers": len(self.layers)}
        about["activation"] = self.activation
        (folder / f"{stem}.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, stem: str) -> Actor:
        """The actor that :meth:`save` wrote.

        Raises:
            DamagedFileError: a file is missing, damaged or of another format.
        """
        with reading(f"{folder / stem}.json"):
            about = json.loads((folder / f"{stem}.json").read_text(encoding="utf-8"))
            if about.get("format") != FORMAT:
                raise ValueError(f"format = {about.get('format')!r}; valid: {FORMAT}")
            arrays = load_file(folder / f"{stem}.safetensors")
            layers = tuple((arrays[f"{i}.weight"], arrays[f"{i}.bias"]) for i in range(about["layers"]))
            return cls(about["kind"], layers, about.get("activation"))


class ActorPolicy(OfflinePolicy):
    """The action that an actor scores highest.

    Args:
        actor: over contexts [D] and S actions.
    """

    name = "actor"

    def __init__(self, actor: Actor) -> None:
        self.actor = actor

    def act(self, context: Context, mask: Mask | None = None) -> int:
        """The allowed action of the highest score for a context [D]."""
        return masked_argmax(self.actor.scores(context), mask)

    def act_batch(self, contexts: Contexts) -> Indices:
        """Actions [B] for contexts [B, D], all allowed."""
        return np.array([int(self.actor.scores(context).argmax()) for context in contexts], dtype=np.int64)


def _number(key: str) -> int:
    """Position of a layer in its stack; keys without one are alone in theirs."""
    digits = [part for part in key.split(".") if part.isdecimal() and len(part) < 4]
    return int(digits[-1]) if digits else 0
