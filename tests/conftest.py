"""Fixtures that several test folders use."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import pytest

from pyagent.envs.scoring import Scorer
from pyagent.scenario.load import parse_scenario
from pyagent.scenario.schema import Scenario
from tests.agreement import Agreement

# Small in every direction that costs time; the parts are the real ones.
SMALL: dict[str, Any] = {
    "name": "small",
    "mobility": {"model": "constant", "position_m": [5, 0, 1.5]},
    "others": [{"traffic": {"rate_kbps": 100}}],
    "requests": {"count": 4, "prompt_tokens": [8, 16], "output_tokens": [3, 6], "mean_extra_gap_s": 0.2},
    "model": {"splits": [1, 16, 32], "prompts": 2},
    "evaluation": {"tune_seeds": 1, "test_seeds": 1, "replicates": 4, "imagined_steps": 256},
}


def small_scenario(**sections: dict[str, Any]) -> Scenario:
    """SMALL with some sections' fields changed."""
    data = {
        name: {**SMALL.get(name, {}), **sections[name]} if name in sections else SMALL[name] for name in SMALL
    }
    return parse_scenario(data | {n: s for n, s in sections.items() if n not in SMALL})


def pytest_configure() -> None:
    """Started in the background, a shell has it ignore Ctrl-C, and all that it starts with it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def small_scorer() -> Scorer:
    """A scorer with the real model, loaded once."""
    scorer = Scorer(small_scenario())
    scorer.evaluator("train")
    return scorer


@pytest.fixture
def agree(record_property: Callable[[str, object], None]) -> Agreement:
    """Compares with a reference; what it finds becomes a row of docs/validity.md."""
    return Agreement(record_property)
