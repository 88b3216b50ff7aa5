"""A user's own policy, from a Python file: every mistake in it is one line that names file and class.

Two kinds of classes will do, both made without arguments:

- `split(features, splits) -> int`: features by name in physical units (`pyagent.envs.observation`), the
  splits that may be chosen, and one of them as the answer.
- `act(context, mask) -> int`: as `pyagent.policies.base.Policy`; float32 [D] in [0, 1], bool [S], an index.

Both may have `name`, `reset(seed)`, `describe()`, which tells the rule in one line, and `tune`, which sees
the rewards of every split on the training seeds:
`tune(features, splits, rewards)` with a list of K features, or `tune(contexts, rewards)` with float32 [K, D];
rewards are float64 [K, S]. Before a run a copy is tuned on made-up rewards and tried out.
"""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from llm_split.plain import one_line
from pyagent.envs.observation import NAMES, physical
from pyagent.errors import UserError
from pyagent.evaluation.rules import StepRule
from pyagent.policies.base import Context, Mask, OfflinePolicy, allowed_actions
from pyagent.policies.trial import DECISIONS, class_attributes_kept, made_up_rewards
from pyagent.reward import FloatArray
from pyagent.surrogate.types import Contexts
from pyagent.user_file import cause, described, run_file

if TYPE_CHECKING:
    from pyagent.scenario.compile import Deployment

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


class PolicyError(UserError):
    """A user's policy can't be used, or did something that it may not."""


class UserPolicy:
    """A user's object as a `Policy`; `prepare` comes before everything else.

    Args:
        source: FILE.py:Class, for messages.
        path: the file.
        policy: the object.
        name: in tables; None: the object's own, or its class's.
    """

    def __init__(self, source: str, path: Path, policy: Any, name: str | None = None) -> None:
        self.source, self._path, self._policy = source, path, policy
        self._names_features = hasattr(policy, "split")
        if not self._names_features and not hasattr(policy, "act"):
            raise PolicyError(f"{source}: has neither split(features, splits) nor act(context, mask)")
        self.name = ""
        self.rename(name or str(getattr(policy, "name", _hyphens(type(policy).__name__))))
        self._splits: tuple[int, ...] = ()
        self._num_layers = 0
        self._remark = ""

    def rename(self, name: str) -> None:
        """Give it another name in tables.

        Raises:
            PolicyError: the name is not valid.
        """
        if not _NAME.fullmatch(name):
            raise PolicyError(
                f"{self.source}: name = {name!r} is not valid; "
                "valid: up to 32 lower-case letters, digits, hyphens"
            )
        self.name = name

    def prepare(self, splits: tuple[int, ...], num_layers: int) -> None:
        """Set what the actions stand for, and try a copy on a context in the middle of all ranges.

        A copy that tunes is tuned on made-up rewards first. Nothing of the trial stays in the policy.

        Raises:
            PolicyError: the copy did something wrong.
        """
        self._splits, self._num_layers = splits, num_layers
        trial = self.copy()
        with class_attributes_kept(type(trial._policy)):
            if trial.tunes:
                trial._tune_on_made_up_rewards()
            trial.reset(0)
            trial.act(np.full(len(NAMES), 0.5, dtype=np.float32))
            trial.own_words()

    def _tune_on_made_up_rewards(self) -> None:
        self._remark = f" (trial before the run: {DECISIONS} decisions with made-up rewards)"
        self.tune(*made_up_rewards(len(self._splits)))
        self._remark = " (trial before the run: tuned on made-up rewards)"

    def copy(self) -> UserPolicy:
        """One that learns and remembers on its own.

        Raises:
            PolicyError: the user's object can't be copied.
        """
        try:
            return copy.deepcopy(self)
        except Exception as error:
            raise self._mistake("can't be copied", error) from cause(error)

    @property
    def tunes(self) -> bool:
        """Whether it wants to see the training seeds; a class method `tune` makes policies and tunes none."""
        hook = inspect.getattr_static(self._policy, "tune", None)
        return hook is not None and not isinstance(hook, classmethod)

    def tune(self, contexts: Contexts, rewards: FloatArray) -> None:
        """Contexts [K, D] and rewards [K, S] of the training seeds."""
        if self._names_features:
            features = [physical(context, self._num_layers) for context in contexts]
            self._call("tune", features, self._splits, rewards.copy())
        else:
            self._call("tune", contexts.copy(), rewards.copy())
        self.own_words()

    def rule(self, deployment: Deployment) -> StepRule | None:
        """As `OfflinePolicy.rule`, of a policy that comes with the tool; None for others."""
        known = isinstance(self._policy, OfflinePolicy)
        return self._policy.rule(deployment) if known else None

    def describe(self, deployment: Deployment) -> str:
        """The policy's rule in one line; empty where it tells none.

        Raises:
            PolicyError: see `own_words`.
        """
        known = isinstance(self._policy, OfflinePolicy)
        return self._policy.describe(deployment) if known else self.own_words()

    def own_words(self) -> str:
        """What the user's `describe()` or `__str__` gives, in one line; empty where there is neither.

        Raises:
            PolicyError: it raised something, or gave no text.
        """
        if isinstance(self._policy, OfflinePolicy):  # its `describe` asks for a deployment
            return ""
        if hasattr(self._policy, "describe"):
            text = self._call("describe")
            if not isinstance(text, str):
                raise PolicyError(
                    f"{self.source}: describe returned {one_line(repr(text))}; valid: a text{self._remark}"
                )
            return one_line(text)
        prints = getattr(type(self._policy), "__str__", None) is not object.__str__
        return one_line(self._call("__str__")) if prints else ""

    def reset(self, seed: int) -> None:
        """Begins a run, if the policy wants to know."""
        if hasattr(self._policy, "reset"):
            self._call("reset", seed)

    def observe(self, context: Context, action: int, outcome: FloatArray) -> None:
        """Ignored: outcomes are worked out after the episodes."""

    def act(self, context: Context, mask: Mask | None = None) -> int:
        """The policy's choice as an action index.

        Raises:
            PolicyError: it raised something, or chose what isn't there.
        """
        allowed = allowed_actions(len(self._splits), mask)
        if self._names_features:
            splits = tuple(self._splits[i] for i in allowed)
            chosen = self._call("split", physical(context, self._num_layers), splits)
            self._check("split", chosen, splits)
            return self._splits.index(int(chosen))
        known = np.isin(np.arange(len(self._splits)), allowed)
        chosen = self._call("act", context.copy(), known)
        self._check("act", chosen, tuple(map(int, allowed)))
        return int(chosen)

    def _check(self, method: str, chosen: Any, valid: tuple[int, ...]) -> None:
        whole = isinstance(chosen, int | np.integer) and not isinstance(chosen, bool)
        if not whole or int(chosen) not in valid:
            one_of = ", ".join(map(str, valid))
            raise PolicyError(
                f"{self.source}: {method} returned {one_line(repr(chosen))}; "
                f"valid: one of {one_of}{self._remark}"
            )

    def _call(self, method: str, *arguments: Any) -> Any:
        try:
            return getattr(self._policy, method)(*arguments)
        except Exception as error:
            raise self._mistake(f"{method} raised", error) from cause(error)

    def _mistake(self, what: str, error: BaseException) -> PolicyError:
        return PolicyError(f"{self.source}: {what} {described(error, self._path)}{self._remark}")


class _Rule:
    """A function as a policy."""

    def __init__(self, rule: Callable[[dict[str, float], tuple[int, ...]], int]) -> None:
        self.split = rule


def user_policy(name: str, policy: Any) -> UserPolicy:
    """A policy that is already in memory.

    Args:
        name: in tables and figures.
        policy: an object of one of the two kinds, or a function split(features, splits).

    Raises:
        PolicyError: it is neither, or the name is not valid.
    """
    source = f"policies[{name!r}]"
    if isinstance(policy, type):
        raise PolicyError(f"{source}: is a class; give an object of it, {policy.__name__}()")
    if not hasattr(policy, "split") and not hasattr(policy, "act") and callable(policy):
        policy = _Rule(policy)
    method = getattr(policy, "split", None) or getattr(policy, "act", None)
    code = getattr(method, "__code__", None)
    return UserPolicy(source, Path(code.co_filename if code else source), policy, name)


def load_policy(source: str) -> UserPolicy:
    """Run a file and make a policy of a class in it, or read one from a stable-baselines3 zip.

    Args:
        source: FILE.py:Class, whose folder is added to where Python looks for modules; or FILE.zip, of which
            nothing is run.

    Raises:
        PolicyError: no such file or class, the file can't be run or read, or the class is no policy.
    """
    if source.endswith(".zip"):
        from pyagent.policies.sb3_zip import ZipPolicy  # a UserPolicy itself; torch only where needed

        if not Path(source).is_file():
            raise PolicyError(f"--policy = {source!r}: no such file: {source}")
        return ZipPolicy(Path(source))
    file, colon, name = source.rpartition(":")
    if not colon or not name.isidentifier():
        raise PolicyError(f"--policy = {source!r}: valid: FILE.py:Class or FILE.zip")
    path = Path(file)
    if not path.is_file():
        raise PolicyError(f"--policy = {source!r}: no such file: {file}")
    made = getattr(run_file(path, f"splitsim_user_{path.stem}", PolicyError), name, None)
    if not isinstance(made, type):
        raise PolicyError(f"{source}: no such class in {file}")
    try:
        policy = made()
    except Exception as error:
        reason = f"can't be made without arguments: {described(error, path)}"
        raise PolicyError(f"{source}: {reason}") from cause(error)
    return UserPolicy(source, path, policy)


def _hyphens(class_name: str) -> str:
    """MyPolicy2 to my-policy2."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", class_name).replace("_", "-").strip("-").lower()
