"""What a scenario asks of its quality model and text, checked before anything slow: no weights in memory."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

from torch import Tensor

from llm_split.models import CheckedModel, ModelNotFoundError, check_quality_model
from llm_split.texts import TextNotFoundError, prompt_windows
from pyagent.scenario.compile import deploy
from pyagent.scenario.load import ScenarioError
from pyagent.scenario.schema import Scenario

Part = Literal["train", "test"]
PARTS: tuple[Part, Part] = ("train", "test")
PROMPT_SEED = 0


def check_quality(scenario: Scenario) -> CheckedModel:
    """Check the quality model's files, its tokenizer, its sizes and its prompts, in a few seconds.

    Args:
        scenario: names the model and the text, and the longest request.

    Raises:
        ScenarioError: the model or the text is missing or can't be loaded, the model is made for shorter
            requests or has fewer channels than a token has parts, or the text has too few prompts.
    """
    name, requests = scenario.model.quality, scenario.requests
    try:
        model = check_quality_model(name)
    except ModelNotFoundError as error:
        raise ScenarioError(f"model.quality: {error}") from error
    if model.positions is not None and requests.max_tokens > model.positions:
        raise ScenarioError(
            f"requests.prompt_tokens = {list(requests.prompt_tokens)}, requests.output_tokens = "
            f"{list(requests.output_tokens)}: the longest request has {requests.max_tokens} tokens; valid: "
            f"up to {model.positions}, the positions of model.quality = {name!r}"
        )
    check_channels(scenario, model.hidden_size)
    _check_prompts(model, scenario.model.text, scenario.model.prompts, requests.max_tokens)
    return model


def check_channels(scenario: Scenario, hidden_size: int) -> None:
    """Raise ScenarioError if the quality model has fewer channels than a deployed token has parts."""
    config = scenario.model
    parts = config.impairment().coded_parts(len(deploy(scenario).fragment_bytes))
    if parts > hidden_size:
        raise ScenarioError(
            f"model.interleaving = {config.interleaving}: a token of {config.deployed} has {parts} parts; "
            f"valid: up to {hidden_size}, the channels of model.quality = {config.quality!r}"
        )


def quality_prompts(scenario: Scenario, tokenizer: Any, part: Part) -> Tensor:
    """The prompts that quality is measured on, int64 [prompts, tokens of the longest request].

    Raises:
        ScenarioError: the text is missing, or too short for so many prompts.
    """
    config = scenario.model
    return _prompts(tokenizer, config.text, config.prompts, scenario.requests.max_tokens, part)


def _prompts(tokenizer: Any, text: str, count: int, tokens: int, part: Part) -> Tensor:
    try:
        return prompt_windows(tokenizer, count, tokens, PROMPT_SEED, part, text)
    except TextNotFoundError as error:
        raise ScenarioError(f"model.text: {error}") from error
    except ValueError as error:
        raise ScenarioError(f"model.prompts = {count} of model.text = {text!r}: {error}") from error


@lru_cache(maxsize=8)
def _check_prompts(model: CheckedModel, text: str, count: int, tokens: int) -> None:
    """Cut the prompts of both parts; raise ScenarioError if that fails or the model can't read them."""
    for part in PARTS:
        largest = int(_prompts(model.tokenizer, text, count, tokens, part).max())
        if largest >= model.vocab_rows:
            raise ScenarioError(
                f"model.text = {text!r}: has token {largest} "
                f"({model.tokenizer.convert_ids_to_tokens(largest)!r}); valid: ids up to "
                f"{model.vocab_rows - 1}, the rows of the embedding of model.quality = {model.name!r}"
            )
