"""Model and tokenizer from a folder, a hub id or a GGUF file, by transformers: quietly, no foreign code."""

from __future__ import annotations

import contextlib
import copy
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from llm_split.config_shapes import count_blocks
from llm_split.models.gguf_file import gguf_config, require_used_tensors, without_memory
from llm_split.plain import reason

_NO_TOKENIZER = (
    "it has no tokenizer that can be loaded; valid: files as tokenizer.save_pretrained writes them"
)
_REPORTING = {"output_loading_info": True, "ignore_mismatched_sizes": True}
"""Transformers' own refusal of shapes refers to a table."""
_HARMLESS = re.compile(r"(^|\.)(rotary_emb\.inv_freq|(attn|attention|self_attn)\.(masked_)?bias)$")
"""Stored tensors that need no place: rotary frequencies and causal masks, which a model works out itself."""


def load_pretrained(location: str, dtype: torch.dtype, local: bool) -> tuple[Any, Any]:
    """(model, tokenizer) with weights in `dtype`, from safetensors. `local` keeps off the network.

    Raises:
        ValueError: it has no blocks; a weight is not there, has another shape or would not be used; the
            tokenizer is not there or does not fit.
        Exception: whatever transformers raises for what it can't load.
    """
    with quiet_transformers(), _panics_as_errors():
        model = _from_folder(location, local, dtype=dtype)
        return model, load_tokenizer(location, model, local_files_only=local)


def check_pretrained(location: str, local: bool) -> tuple[Any, Any]:
    """(model without weights in memory, tokenizer): all of `load_pretrained`'s checks, from headers alone.

    Raises:
        As `load_pretrained`.
    """
    with quiet_transformers(), _panics_as_errors():
        model = _from_folder(location, local, device_map="meta")
        return model, load_tokenizer(location, model, local_files_only=local)


def check_remote(hub_id: str) -> tuple[Any, Any]:
    """(model without weights in memory, tokenizer) of a hub id, from its small files alone.

    Raises:
        As `load_pretrained`, but nothing about weights.
    """
    from transformers import AutoConfig

    with quiet_transformers(), _panics_as_errors():
        config = AutoConfig.from_pretrained(hub_id, trust_remote_code=False)
        count_blocks(config)
        model = without_memory(config)
        return model, load_tokenizer(hub_id, model)


def unused_weights(folder: Path) -> set[str]:
    """Names of the tensors in a folder's safetensors files that its model does not use."""
    _, report = _from_safetensors(str(folder), local=True, device_map="meta")
    return set(report["unexpected_keys"])


def _from_folder(location: str, local: bool, **options: Any) -> Any:
    model, report = _from_safetensors(location, local, **options)
    count_blocks(model.config)
    _require_matching_weights(report)
    return model


def _from_safetensors(location: str, local: bool, **options: Any) -> tuple[Any, dict[str, Any]]:
    """(model, transformers' loading report)."""
    from transformers import AutoModelForCausalLM

    # The older form of weights is a pickle.
    model, report = AutoModelForCausalLM.from_pretrained(
        location,
        use_safetensors=True,
        local_files_only=local,
        trust_remote_code=False,
        **_REPORTING,
        **options,
    )
    return model, report


def load_gguf(path: Path, dtype: torch.dtype) -> tuple[Any, Any]:
    """(model, tokenizer) with de-quantised weights in `dtype`, as if it had never been quantised.

    Raises:
        ValueError: it has no blocks or more of them than tensors; a key or tensor would not be used; a
            weight is not there or has another shape; the tokenizer is not there or does not fit.
        Exception: whatever gguf and transformers raise for what they can't load.
    """
    from transformers import AutoModelForCausalLM

    options: dict[str, Any] = {"gguf_file": path.name, "local_files_only": True}
    folder = str(path.parent)
    # Its progress bar has no switch.
    with quiet_transformers(), _panics_as_errors(), contextlib.redirect_stderr(io.StringIO()):
        found, header = gguf_config(path)
        require_used_tensors(header, found)
        loaded, report = AutoModelForCausalLM.from_pretrained(
            folder,
            config=found,
            dtype=torch.float32,
            trust_remote_code=False,
            **_REPORTING,
            **options,
            **_dequantised(),
        )
        _require_matching_weights(report)
        tokenizer = load_tokenizer(folder, loaded, **options)
    # A model read from GGUF calls itself quantised and refuses to be saved; its weights in a plain one don't.
    config = copy.deepcopy(loaded.config)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    model = AutoModelForCausalLM.from_config(config, dtype=dtype)
    model.load_state_dict(loaded.state_dict())
    return model, tokenizer


def check_gguf(path: Path) -> tuple[Any, Any]:
    """(model without weights in memory, tokenizer): `load_gguf`'s checks, from the header alone.

    Raises:
        As `load_gguf`.
    """
    with quiet_transformers(), _panics_as_errors(), contextlib.redirect_stderr(io.StringIO()):
        config, header = gguf_config(path)
        model = require_used_tensors(header, config)
        return model, load_tokenizer(str(path.parent), model, gguf_file=path.name, local_files_only=True)


def load_tokenizer(location: str, model: Any, **options: Any) -> Any:
    """The tokenizer at `location`, whose ids all have a row in the model's embedding.

    A special token may lie beyond: some models of text alone keep one that marks an image.

    Raises:
        ValueError: there is none, or an id of it has no row.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(location, trust_remote_code=False, **options)
    except Exception as error:
        raise ValueError(f"{_NO_TOKENIZER} ({reason(error)})") from error
    special = {i for i, token in tokenizer.added_tokens_decoder.items() if token.special}
    ids = {i: token for token, i in tokenizer.get_vocab().items() if i not in special}
    if not ids:  # transformers makes an empty one of a folder without files
        raise ValueError(_NO_TOKENIZER)
    rows = int(model.get_input_embeddings().num_embeddings)
    if max(ids) >= rows:
        raise ValueError(
            f"the tokenizer's id {max(ids)} ({ids[max(ids)]!r}) has no row in the embedding; valid: up to "
            f"{rows - 1}"
        )
    return tokenizer


def _require_matching_weights(report: Mapping[str, Any]) -> None:
    """Compare the stored weights with the model's: transformers draws what is missing, and skips the rest.

    Stored rotary frequencies and causal masks are let pass, for the model works them out itself, and so are
    the names that transformers lists for a family.

    Args:
        report: transformers' loading report.

    Raises:
        ValueError: a weight is missing, has another shape, or would not be used.
    """
    drawn = sorted([*report["missing_keys"], *(name for name, *_ in report["mismatched_keys"])])
    if drawn:
        raise ValueError(f"weights are missing or have another shape: {len(drawn)}, such as {drawn[0]}")
    require_no_extra(report["unexpected_keys"])


def require_no_extra(names: Iterable[str]) -> None:
    """Raise ValueError if one of these stored tensors, which the model does not use, could matter."""
    if extra := sorted(name for name in names if not _HARMLESS.search(name)):
        raise ValueError(
            f"weights that the configuration does not use: {len(extra)}, such as {extra[0]}; valid: only "
            "those of the model that config.json describes"
        )


@contextlib.contextmanager
def _panics_as_errors() -> Iterator[None]:
    """A panic of tokenizers, which is Rust, is no Exception, though it only means a damaged file."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise ValueError(str(error)) from error


def _dequantised() -> dict[str, Any]:
    """Some releases keep weights packed where they find kernels for that, unless they are told not to."""
    import transformers

    config = getattr(transformers, "GgufConfig", None)
    return {} if config is None else {"quantization_config": config(dequantize=True)}


def save_pretrained(model: Any, tokenizer: Any, destination: Path) -> None:
    """Write safetensors, configuration and tokenizer.

    Raises:
        ValueError: a weight is not finite, so the type it is in can't hold it.
    """
    broken = [name for name, tensor in model.state_dict().items() if not torch.isfinite(tensor).all()]
    if broken:
        raise ValueError(f"{broken[0]} has values that are not finite in {model.dtype}")
    with quiet_transformers():
        model.save_pretrained(destination)
        tokenizer.save_pretrained(destination)


@contextlib.contextmanager
def quiet_transformers() -> Iterator[None]:
    """No progress bars and no warnings; what matters of them is raised."""
    from transformers.utils import logging as hf_logging

    was_enabled, verbosity = hf_logging.is_progress_bar_enabled(), hf_logging.get_verbosity()
    hf_logging.disable_progress_bar()
    hf_logging.set_verbosity(max(verbosity, hf_logging.ERROR))
    try:
        yield
    finally:
        hf_logging.set_verbosity(verbosity)
        if was_enabled:
            hf_logging.enable_progress_bar()
