"""Model and tokenizer from a folder, a hub id or a GGUF file, by transformers: quietly, no foreign code."""

from __future__ import annotations

import contextlib
import copy
import io
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from llm_split.config_shapes import count_blocks, require_moderate

_REPORTING = {"output_loading_info": True, "ignore_mismatched_sizes": True}
"""Transformers' own refusal of shapes refers to a table."""
_GGUF_HEAD = struct.Struct("<4sIQ")
"""Magic, version and number of tensors, by GGUF's specification since version 2."""
_GGUF_VERSIONS = 0xFFFF
"""No version is as large, but each is in the other byte order."""


def load_pretrained(location: str, dtype: torch.dtype, local: bool) -> tuple[Any, Any]:
    """(model, tokenizer) with weights in `dtype`, from safetensors. `local` keeps off the network.

    Raises:
        ValueError: it has no blocks, or a weight is not there or has another shape.
        Exception: whatever transformers raises for what it can't load.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    options = {"local_files_only": local, "trust_remote_code": False}
    with quiet_transformers(), _panics_as_errors():
        # The older form of weights is a pickle.
        model, report = AutoModelForCausalLM.from_pretrained(
            location, dtype=dtype, use_safetensors=True, **_REPORTING, **options
        )
        count_blocks(model.config)
        _require_every_weight(report)
        tokenizer = AutoTokenizer.from_pretrained(location, **options)
    return model, tokenizer


def load_gguf(path: Path, dtype: torch.dtype) -> tuple[Any, Any]:
    """(model, tokenizer) with de-quantised weights in `dtype`, as if it had never been quantised.

    Raises:
        ValueError: it has no blocks or more of them than tensors, or a weight is not there or has another
            shape.
        Exception: whatever gguf and transformers raise for what they can't load.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    options: dict[str, Any] = {"gguf_file": path.name, "local_files_only": True, "trust_remote_code": False}
    folder = str(path.parent)
    with quiet_transformers():
        found = AutoConfig.from_pretrained(folder, **options)
    require_moderate(found.to_dict(), path)
    _require_a_tensor_for_each_block(path, count_blocks(found))
    # Its progress bar has no switch.
    with quiet_transformers(), _panics_as_errors(), contextlib.redirect_stderr(io.StringIO()):
        loaded, report = AutoModelForCausalLM.from_pretrained(
            folder, config=found, dtype=torch.float32, **_REPORTING, **options, **_dequantised()
        )
        _require_every_weight(report)
        tokenizer = AutoTokenizer.from_pretrained(folder, **options)
    # A model read from GGUF calls itself quantised and refuses to be saved; its weights in a plain one don't.
    config = copy.deepcopy(loaded.config)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    model = AutoModelForCausalLM.from_config(config, dtype=dtype)
    model.load_state_dict(loaded.state_dict())
    return model, tokenizer


def _require_every_weight(report: Mapping[str, Any]) -> None:
    """Transformers draws weights at random that it doesn't find."""
    drawn = sorted([*report["missing_keys"], *(name for name, *_ in report["mismatched_keys"])])
    if drawn:
        raise ValueError(f"weights are missing or have another shape: {len(drawn)}, such as {drawn[0]}")


def _require_a_tensor_for_each_block(path: Path, blocks: int) -> None:
    """What looks for the tensors takes time by the square of the blocks, before it misses any."""
    with path.open("rb") as file:
        _, version, tensors = _GGUF_HEAD.unpack(file.read(_GGUF_HEAD.size))
    if version > _GGUF_VERSIONS:  # written in the other byte order
        tensors = int.from_bytes(tensors.to_bytes(8, "little"), "big")
    if tensors < blocks:
        raise ValueError(f"the file has {tensors} tensors for {blocks} blocks")


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
    """No progress bars."""
    from transformers.utils import logging as hf_logging

    was_enabled = hf_logging.is_progress_bar_enabled()
    hf_logging.disable_progress_bar()
    try:
        yield
    finally:
        if was_enabled:
            hf_logging.enable_progress_bar()
