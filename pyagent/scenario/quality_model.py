"""Whether a scenario's quality model can be used, before anything slow: no weights come into memory."""

from __future__ import annotations

from llm_split.models import CheckedModel, ModelNotFoundError, check_quality_model
from pyagent.scenario.load import ScenarioError
from pyagent.scenario.schema import Scenario


def check_quality(scenario: Scenario) -> CheckedModel:
    """Check the quality model's files, its tokenizer and its positions, in a few seconds.

    Args:
        scenario: names the model, and the longest request that it must be able to read.

    Raises:
        ScenarioError: the model is missing, or can't be loaded, or is made for shorter requests.
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
    return model
