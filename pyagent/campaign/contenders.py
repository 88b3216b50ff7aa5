"""Who is tested in a run: baselines by name, and policies of the user's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pyagent.errors import UserError
from pyagent.learning.learners import BANDITS
from pyagent.learning.tuning import TUNERS
from pyagent.policies.user import PolicyError, UserPolicy

BASELINES = (
    "random",
    "all-local",
    "min-split",
    "best-static",
    "threshold",
    "two-threshold",
    "neurosurgeon",
    "linucb",
    "linear-thompson",
    "gp-ucb",
    "surrogate-argmax",
    "planner",
    "ppo-imagination",
)
"""Every policy that comes with the tool and is tested live."""
USUAL = (
    *("random", "all-local", "min-split", "best-static", "threshold"),
    *("surrogate-argmax", "ppo-imagination"),
)
"""Those of a plain run: each of the others costs more decisions."""
IMAGINED = "ppo-imagination"
PLANNER = "planner"
ARGMAX = "surrogate-argmax"
LEARNED = (ARGMAX, PLANNER, IMAGINED)
"""Uses of one learned model."""
TUNED = tuple(TUNERS)
RESERVED = (*BASELINES, "oracle")


@dataclass(frozen=True)
class Contenders:
    """Who is tested.

    Attributes:
        baselines: some of `BASELINES`, in their order.
        guests: policies of the user's own.

    Raises:
        PolicyError: two share a name.
        UserError: there is nobody.
    """

    baselines: tuple[str, ...] = USUAL
    guests: tuple[UserPolicy, ...] = ()

    def __post_init__(self) -> None:
        if not self.baselines and not self.guests:
            raise UserError("nobody to evaluate: --policy is not given and --against is none")
        for guest in self.guests:
            if guest.name in RESERVED:
                raise PolicyError(
                    f"{guest.source}: name = {guest.name!r} is a baseline's; give the class another `name`"
                )
        names = Counter(guest.name for guest in self.guests)
        for guest in self.guests:
            if names[guest.name] > 1:
                raise PolicyError(
                    f"{guest.source}: name = {guest.name!r} is there twice; give one class another `name`"
                )

    @property
    def learns(self) -> bool:
        """Whether somebody needs the surrogate, and with it real decisions to train it on."""
        return any(name in self.baselines for name in LEARNED)

    @property
    def bandits(self) -> tuple[str, ...]:
        """Those that need a training of their own."""
        return tuple(name for name in BANDITS if name in self.baselines)

    @property
    def command(self) -> tuple[str, list[str]]:
        """The subcommand of `splitsim` that tests these, and its options."""
        if not self.guests:
            return "run", [] if self.baselines == USUAL else ["--policies", self._named]
        options = [part for guest in self.guests for part in ("--policy", guest.source)]
        return "evaluate", [*options, "--against", self._named]

    @property
    def _named(self) -> str:
        groups = {BASELINES: "all", USUAL: "usual", (): "none"}
        return groups.get(self.baselines, ",".join(self.baselines))


def parse_baselines(option: str, text: str) -> tuple[str, ...]:
    """Baselines from `all`, `usual`, `none`, or names with commas between.

    Raises:
        UserError: an unknown name; `option` is what it was given to.
    """
    groups = {"all": BASELINES, "usual": USUAL, "none": ()}
    if text in groups:
        return groups[text]
    names = _names(text)
    for name in names:
        if name not in BASELINES:
            raise UserError(
                f"{option} = {name!r}: no such policy; valid: {', '.join(groups)}, {', '.join(BASELINES)}"
            )
    return tuple(name for name in BASELINES if name in names)


def _names(text: str) -> Sequence[str]:
    return [name.strip() for name in text.split(",")]
