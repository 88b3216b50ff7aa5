"""Who is tested in a run: baselines by name, and policies of the user's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pyagent.errors import UserError
from pyagent.policies.user import PolicyError, UserPolicy

BASELINES = (
    "random",
    "all-local",
    "min-split",
    "best-static",
    "threshold",
    "surrogate-argmax",
    "ppo-imagination",
)
IMAGINED = "ppo-imagination"
LEARNED = ("surrogate-argmax", IMAGINED)
TUNED = ("threshold", "best-static")
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

    baselines: tuple[str, ...] = BASELINES
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
    def imagines(self) -> bool:
        """Whether somebody is trained in the surrogate's world."""
        return IMAGINED in self.baselines

    @property
    def command(self) -> tuple[str, list[str]]:
        """The subcommand of `splitsim` that tests these, and its options."""
        if not self.guests and self.baselines == BASELINES:
            return "run", []
        against = ",".join(self.baselines) or "none"
        options = [part for guest in self.guests for part in ("--policy", guest.source)]
        return "evaluate", [*options, "--against", "all" if self.baselines == BASELINES else against]


def parse_baselines(text: str) -> tuple[str, ...]:
    """Baselines from `all`, `none`, or names with commas between.

    Raises:
        UserError: an unknown name.
    """
    if text in ("all", "none"):
        return BASELINES if text == "all" else ()
    names = _names(text)
    for name in names:
        if name not in BASELINES:
            raise UserError(
                f"--against = {name!r}: no such baseline; valid: all, none, {', '.join(BASELINES)}"
            )
    return tuple(name for name in BASELINES if name in names)


def _names(text: str) -> Sequence[str]:
    return [name.strip() for name in text.split(",")]
