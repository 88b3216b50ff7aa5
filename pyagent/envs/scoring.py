"""From a delivery record to what the decision was worth: the real language model, then the reward."""

from __future__ import annotations

import hashlib
import sys
import time
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from llm_split.clean import CleanSource
from llm_split.models import QualityModel, load_quality_model
from llm_split.partition import CannotSplitError, SplitModel
from llm_split.quality import Clean, QualityEvaluator, QualityResult, chance_note, proxy_split
from llm_split.texts import text_sha256
from pyagent.envs.comparison import ComparedByValue
from pyagent.envs.network import is_exact, is_lossy, record_network, weight_bits
from pyagent.envs.observation import FEATURES, NAMES, Feature
from pyagent.envs.record import DeliveryRecord
from pyagent.reward import TERMS, RewardComposer, RewardContext, compose
from pyagent.scenario.compile import Deployment, deploy
from pyagent.scenario.load import ScenarioError
from pyagent.scenario.quality_model import Part as Part  # those who score name it
from pyagent.scenario.quality_model import check_channels, check_quality, quality_prompts
from pyagent.scenario.schema import Scenario
from pyagent.surrogate.scales import ComponentScales
from pyagent.threads import model_threads

NO_SPLIT = -1
"""What stands for the split before the first decision."""
_SLOW_S = 2.0
"""A measurement that takes longer than this says so."""


@dataclass(frozen=True, eq=False)
class Score(ComparedByValue):
    """What one decision was worth.

    Attributes:
        quality: the language model's verdict.
        asked: true if that took an evaluation; otherwise quality follows from the split, as nothing was lost.
        outcome: float64 [C] latency_s, delta_nll, ue_energy_j, failed: what the surrogate learns.
        reward: the composed reward.
        terms: its parts by name; they sum to it.
    """

    quality: QualityResult
    asked: bool
    outcome: NDArray[np.float64]
    reward: float
    terms: dict[str, float]


class Scorer:
    """Scores delivery records of one scenario on the real model; loads it at first use.

    Prompts for training and for testing come from disjoint parts of the corpus. Which prompt a request gets
    depends on (seed, replicate, request) alone, so all splits of a request are compared on one prompt.

    Args:
        scenario: the experiment.
        model: a loaded quality model; None loads the scenario's, whose files are checked at once.
        threads: of the language model; None: see `pyagent.threads.choose_threads`.
    """

    def __init__(
        self, scenario: Scenario, model: QualityModel | None = None, threads: int | None = None
    ) -> None:
        self.scenario = scenario
        self._threads = threads
        self.deployment: Deployment = deploy(scenario)
        self.reward_context = reward_context(scenario)
        if model is None:
            check_quality(scenario)
        self._given = model
        self._exact = is_exact(scenario)
        self._evaluators: dict[Part, QualityEvaluator] = {}
        self._clean: dict[Part, tuple[Clean, ...]] = {}

    @cached_property
    def model(self) -> QualityModel:
        """The quality model.

        Raises:
            ModelNotFoundError: its weights are not here; the message says how to fetch them.
        """
        with model_threads(self._threads):
            return self._given or load_quality_model(self.scenario.model.quality)

    @cached_property
    def _split_model(self) -> SplitModel:
        try:
            return SplitModel(self.model.model)
        except CannotSplitError as error:
            raise ScenarioError(f"model.quality = {self.scenario.model.quality!r}: {error}") from error

    @property
    def evaluations(self) -> int:
        """Forward passes of an edge half for requests so far; those of :meth:`clean` don't count."""
        return sum(evaluator.evaluations for evaluator in self._evaluators.values())

    @property
    def text(self) -> dict[str, str]:
        """The text that quality is measured on: its `name`, and the `sha256` of the test part's UTF-8."""
        name = self.scenario.model.text
        return {"name": name, "sha256": text_sha256(name, "test")}

    def proxy(self, split: int) -> int:
        """The quality model's split that stands for a split of the deployed model."""
        return proxy_split(split, self.deployment.num_layers, self.model.num_layers)

    def evaluator(self, part: Part) -> QualityEvaluator:
        """The evaluator of one part's prompts."""
        if part not in self._evaluators:
            check_channels(self.scenario, self.model.hidden_size)
            windows = quality_prompts(self.scenario, self.model.tokenizer, part)
            ue_bits, edge_bits = weight_bits(self.scenario)
            self._evaluators[part] = QualityEvaluator(
                self._split_model,
                windows,
                [self.proxy(split) for split in self.deployment.splits],
                impairment=self.scenario.model.impairment(),
                delta_nll_clip=self.scenario.reward.delta_nll_clip,
                ue_bits=ue_bits,
                edge_bits=edge_bits,
            )
        return self._evaluators[part]

    def prepare(self, part: Part) -> None:
        """Load and measure everything that scoring a part's requests takes, beside evaluations."""
        self.evaluator(part)
        self.clean(part)

    def clean(self, part: Part) -> tuple[Clean, ...]:
        """Quality of each of the deployment's splits when nothing is lost, from the cache or measured.

        With an exact codec and unquantised weights these are zeros, and nothing is run.

        Raises:
            ScenarioError: the model's blocks have no weights that can be quantised.
        """
        if part not in self._clean:
            splits = self.deployment.splits
            self._clean[part] = tuple(Clean() for _ in splits) if self._exact else self._measured(part)
        return self._clean[part]

    def clean_delta_nll(self, part: Part) -> NDArray[np.float64]:
        """dNLL [S] of each of the deployment's splits when nothing is lost, nats/token."""
        return np.array([clean.delta_nll for clean in self.clean(part)])

    def _measured(self, part: Part) -> tuple[Clean, ...]:
        source = CleanSource(
            self.evaluator(part),
            self.scenario.model.codec,
            len(self.deployment.fragment_bytes),
            self.scenario.requests.prompt_tokens[0],
        )
        proxies = [self.proxy(split) for split in self.deployment.splits]
        passes = source.evaluator.evaluations
        notice = _Notice(f"{self.scenario.model.quality}, {len(set(proxies))} splits, part {part}")
        try:
            with model_threads(self._threads):
                found = source.get(proxies, notice.step)
        except CannotSplitError as error:
            raise ScenarioError(f"model.quantise = true: {error}; valid: false") from error
        notice.end()
        # What was measured depends on the cache, what a run has asked for does not.
        source.evaluator.evaluations = passes
        return tuple(found[split] for split in proxies)

    def chance_note(self) -> str:
        """As `llm_split.quality.chance_note`, on the first prompt for training; it stays in the cache."""
        with model_threads(self._threads):
            nll = float(self.evaluator("train").reference_nll(0).mean())
        return chance_note(self.scenario.model.quality, nll, int(self.model.model.config.vocab_size))

    def prompt_index(self, seed: int, replicate: int, request: int) -> int:
        """Which prompt a request gets, in [0, prompts)."""
        digest = hashlib.sha256(f"{seed}/{replicate}/{request}".encode()).digest()
        return int.from_bytes(digest[:8], "little") % self.scenario.model.prompts

    def must_ask(self, record: DeliveryRecord) -> bool:
        """True if generated tokens depend on what is missing, so that quality takes an evaluation."""
        return bool(is_lossy(record_network(record), record.uplink_bytes > 0))

    def evaluate(self, record: DeliveryRecord, *, seed: int, replicate: int, part: Part) -> QualityResult:
        """Run the language model on what arrived.

        A request that lost nothing is charged its split's mean (:meth:`clean`) instead, without a pass of the
        edge half, unless neither codec nor weights cost quality.

        Args:
            record: of a finished request.
            seed, replicate: of its episode.
            part: which prompts.
        """
        prompt = self.prompt_index(seed, replicate, record.request)
        evaluator, clean = self.evaluator(part), self.clean(part)
        with model_threads(self._threads):
            if self._exact or self.must_ask(record):
                split, codec = self.proxy(record.split), self.scenario.model.codec
                return evaluator.evaluate(prompt, split, codec, record.mask())
            action = self.deployment.splits.index(record.split)
            return evaluator.loss_free(prompt, record.mask(), clean[action])

    def compose(self, record: DeliveryRecord, quality: QualityResult, previous_split: int) -> Score:
        """Compose the reward of a decision whose quality is known.

        Args:
            record: of the finished request.
            quality: what :meth:`evaluate` said of it.
            previous_split: of the decision before; negative for none.
        """
        outcome = self._outcome(record, quality.delta_nll)
        reward, terms = compose(
            self.scenario.reward.as_weights(),
            self.reward_context,
            latency_s=outcome[0],
            delta_nll=outcome[1],
            ue_energy_j=outcome[2],
            failed=outcome[3],
            split=record.split,
            previous_split=previous_split,
            ue_energy_all_local_j=self.deployment.all_local_energy_j(
                record.prompt_tokens, record.output_tokens
            ),
        )
        named = {name: float(value) for name, value in terms.items()}
        return Score(quality, self.must_ask(record), outcome, float(reward), named)

    def score(
        self, record: DeliveryRecord, *, seed: int, replicate: int, previous_split: int, part: Part
    ) -> Score:
        """:meth:`evaluate` and :meth:`compose` in one."""
        quality = self.evaluate(record, seed=seed, replicate=replicate, part=part)
        return self.compose(record, quality, previous_split)

    def unasked(self, record: DeliveryRecord) -> Score:
        """What is known of a decision whose evaluation was not bought; quality and reward are NaN."""
        nan = float("nan")
        quality = QualityResult(nan, nan, nan, nan, nan, nan, 0, True)
        return Score(quality, False, self._outcome(record, nan), nan, dict.fromkeys(TERMS, nan))

    def _outcome(self, record: DeliveryRecord, delta_nll: float) -> NDArray[np.float64]:
        return np.array(
            [
                record.latency_s,
                np.clip(delta_nll, 0.0, self.scenario.reward.delta_nll_clip),
                # The radio can end a window a hair under its idle draw.
                max(record.ue_energy_j, 0.0),
                float(record.failed),
            ]
        )


class _Notice:
    """Lines on stderr about a measurement that takes long; it prints nothing about a fast one."""

    def __init__(self, what: str) -> None:
        self._what, self._started, self._shown = what, time.monotonic(), False

    def step(self) -> None:
        """Note that a part of it is done."""
        if not self._shown and time.monotonic() - self._started > _SLOW_S:
            self._shown = True
            print(f"splitsim: measuring loss-free quality ({self._what}) ...", file=sys.stderr)

    def end(self) -> None:
        """Note that all of it is done."""
        if self._shown:
            seconds = time.monotonic() - self._started
            print(f"splitsim: loss-free quality is in the cache now: {seconds:.0f} s", file=sys.stderr)


def make_scales(scenario: Scenario) -> ComponentScales:
    """The scales on which a surrogate models the scenario's outcomes."""
    deployment, requests = deploy(scenario), scenario.requests
    return ComponentScales.from_reward(
        reward_context(scenario),
        deadline_s=requests.deadline_s,
        ue_energy_all_local_j=deployment.all_local_energy_j(
            requests.prompt_tokens[1], requests.output_tokens[1]
        ),
    )


def reward_context(scenario: Scenario) -> RewardContext:
    """What the scenario's reward terms are measured against."""
    layers = deploy(scenario).num_layers
    return RewardContext(scenario.reward.slo_s, scenario.reward.delta_nll_clip, layers)


def make_composer(scenario: Scenario) -> RewardComposer:
    """The reward of predicted components, for the surrogate; reads what it needs from the context."""
    deployment = deploy(scenario)
    prompt, output, previous = (NAMES.index(n) for n in ("prompt_tokens", "output_tokens", "previous_split"))

    energies_j = _all_local_energies_j(scenario)

    def all_local_j(contexts: NDArray[np.float32]) -> NDArray[np.float64]:
        p = _tokens(contexts[:, prompt], FEATURES[prompt], scenario.requests.prompt_tokens)
        n = _tokens(contexts[:, output], FEATURES[output], scenario.requests.output_tokens)
        return energies_j[p - scenario.requests.prompt_tokens[0], n - scenario.requests.output_tokens[0]]

    def previous_split(contexts: NDArray[np.float32]) -> NDArray[np.float64]:
        blocks = contexts[:, previous].astype(np.float64) * deployment.num_layers
        return np.where(blocks < 0.5, NO_SPLIT, blocks)  # 0: there was no decision before

    return RewardComposer(
        weights=scenario.reward.as_weights(),
        context=reward_context(scenario),
        splits=deployment.splits,
        previous_split=previous_split,
        ue_energy_all_local_j=all_local_j,
    )


def _all_local_energies_j(scenario: Scenario) -> NDArray[np.float64]:
    """All-local energy of every request size, [P_high - P_low + 1, N_high - N_low + 1] joules."""
    deployment = deploy(scenario)
    (p_low, p_high), (n_low, n_high) = scenario.requests.prompt_tokens, scenario.requests.output_tokens
    return np.array(
        [
            [deployment.all_local_energy_j(p, n) for n in range(n_low, n_high + 1)]
            for p in range(p_low, p_high + 1)
        ]
    )


def _tokens(values: NDArray[np.float32], feature: Feature, bounds: tuple[int, int]) -> NDArray[np.int64]:
    """Normalised token counts [B] back to whole ones within the scenario's bounds."""
    return np.clip(np.rint(feature.restore(values)), *bounds).astype(np.int64)
