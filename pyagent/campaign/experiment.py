"""A run under way: its seeds, what it needs and what it has found so far."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from pyagent.campaign.collect import Row
from pyagent.campaign.contenders import Contenders
from pyagent.campaign.folder import RunFolder
from pyagent.campaign.journal import Journal
from pyagent.campaign.progress import PhaseProgress
from pyagent.campaign.seeds import Seeds
from pyagent.envs.scoring import Scorer
from pyagent.evaluation.cost import Cost
from pyagent.learning.options import Learning
from pyagent.learning.references import Chosen
from pyagent.policies.base import Policy
from pyagent.policies.threshold import ThresholdPolicy
from pyagent.scenario.schema import Scenario


@dataclass
class Experiment:
    """A run under way: what it needs and what it has so far."""

    scenario: Scenario
    learning: Learning
    seed: int
    folder: RunFolder
    progress: PhaseProgress
    scorer: Scorer
    contenders: Contenders
    journal: Journal
    rows: list[Row] = field(default_factory=list)
    tokens: list[Row] = field(default_factory=list)
    passes: dict[str, int] = field(default_factory=dict)

    @property
    def seeds(self) -> Seeds:
        """This run's seeds."""
        return Seeds(self.seed)

    @property
    def splits(self) -> tuple[int, ...]:
        """What the actions stand for."""
        return self.scorer.deployment.splits

    def save(self) -> None:
        """Write the decisions so far; what a phase has finished survives whatever comes after."""
        if self.rows:
            self.folder.write_table("decisions.parquet", pd.DataFrame(self.rows))
        if self.tokens:
            self.folder.write_table("tokens.parquet", pd.DataFrame(self.tokens))

    def frame(self, phase: str) -> pd.DataFrame:
        """The decisions of one phase."""
        frame: pd.DataFrame = pd.DataFrame([row for row in self.rows if row["phase"] == phase])
        return frame


@dataclass(frozen=True)
class Tuned:
    """Policies tuned on the training seeds' table.

    Attributes:
        chosen: best static split, best pair and causal ceiling, and what the table took.
        threshold: the rule with one threshold.
        policies: every one that was wanted, by name.
    """

    chosen: Chosen
    threshold: ThresholdPolicy
    policies: dict[str, Policy]

    @property
    def best_static(self) -> int:
        """Action of the best static split."""
        return self.chosen.static

    @property
    def cost(self) -> Cost:
        """Cost of the table, the same for every tuned policy."""
        return self.chosen.cost
