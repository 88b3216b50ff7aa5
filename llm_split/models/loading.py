"""Load a decoder by name: from the cache, a folder, a GGUF file or a hub."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from llm_split.config_shapes import check_config_file
from llm_split.models.catalogue import PACKAGED, ModelNotFoundError, UnusableModelError
from llm_split.models.fetching import is_fetched
from llm_split.models.pretrained import (
    check_gguf,
    check_pretrained,
    check_remote,
    load_gguf,
    load_pretrained,
)
from llm_split.packages import cache_folder
from llm_split.partition import find_blocks
from llm_split.plain import reason

_LONGEST_REASON = 500
"""Characters."""
_HUB_TIMEOUT_S = 10.0
_VALID = (
    "valid: an existing folder, a .gguf file, a hub id (owner/model), or one of: "
    f"{', '.join(sorted(PACKAGED))}"
)


@dataclass(frozen=True)
class QualityModel:
    """A loaded decoder, in eval mode. `hidden_size` is the width d of its residual stream."""

    model: Any
    tokenizer: Any
    name: str
    num_layers: int
    hidden_size: int
    licence: str


@dataclass(frozen=True)
class CheckedModel:
    """A decoder that can be loaded, as far as its headers tell.

    Attributes:
        hidden_size: width d of its residual stream.
        positions: longest sequence of tokens that it was made for; None: no limit is known.
        vocab_rows: rows V of its embedding.
    """

    tokenizer: Any
    name: str
    num_layers: int
    hidden_size: int
    positions: int | None
    vocab_rows: int


_kept: dict[tuple[str, str, torch.dtype], QualityModel] | None = None


def keep_loaded_models() -> None:
    """From now on a model that was loaded last is given again instead of being loaded again.

    For a process that makes one run after another: one model is not safe to use from two threads at once.
    """
    global _kept
    _kept = {} if _kept is None else _kept


def load_quality_model(
    name_or_path: str = "smollm2-135m",
    cache_dir: Path | str | None = None,
    device: str | None = None,
    dtype: torch.dtype = torch.float32,
) -> QualityModel:
    """Load a packaged model from the cache, a local folder or GGUF file, or a hub id.

    Packaged and local models never touch the network; run `fetch` first for the former. A hub id obeys
    `HF_HUB_OFFLINE`. `device` defaults to CUDA where there is one. `dtype` is that of loaded weights and of
    computing, whatever they are stored in. A GGUF file is de-quantised at every load, so slowly.

    Raises:
        ModelNotFoundError: nothing there under that name.
        UnusableModelError: a ModelNotFoundError for what is there and can't be loaded, or would not be the
            model that its files describe: a weight, or a key of a GGUF file, that would not be used, a
            tokenizer that is missing or has ids outside the embedding.
    """
    location, licence, local = _locate(name_or_path, cache_dir)
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    place = (location, device, dtype)
    if _kept is not None and place in _kept:
        return _kept[place]
    loaded = _load(name_or_path, location, licence, local, device, dtype)
    if _kept is not None:
        _kept.clear()
        _kept[place] = loaded
    return loaded


def _load(
    name_or_path: str, location: str, licence: str, local: bool, device: str, dtype: torch.dtype
) -> QualityModel:
    with _refusing(name_or_path, location):
        if local and Path(location).is_file():
            model, tokenizer = load_gguf(Path(location), dtype)
        else:
            _look_first(location, local)
            model, tokenizer = load_pretrained(location, dtype, local)
    model = model.to(device).eval()
    config = model.config.get_text_config()
    return QualityModel(
        model=model,
        tokenizer=tokenizer,
        name=name_or_path,
        num_layers=int(config.num_hidden_layers),
        hidden_size=int(config.hidden_size),
        licence=licence,
    )


def check_quality_model(name_or_path: str, cache_dir: Path | str | None = None) -> CheckedModel:
    """Check all of `load_quality_model`'s conditions that need no weights in memory, in a few seconds.

    Of a folder, and of a GGUF file, that is everything but the values of the weights: the configuration, the
    names and shapes in the headers, the tokenizer. Of a hub id whose files are not on disk it is the
    configuration and the tokenizer, which are fetched.

    Raises:
        ModelNotFoundError: as `load_quality_model`.
        UnusableModelError: also where there is no single list of blocks to cut.
    """
    location, _, local = _locate(name_or_path, cache_dir)
    return _check(name_or_path, location, local, _stamp(location) if local else ())


@lru_cache(maxsize=4)
def _check(name: str, location: str, local: bool, stamp: tuple[object, ...]) -> CheckedModel:
    """Work out `check_quality_model`, once for each state of the files."""
    with _refusing(name, location):
        if local and Path(location).is_file():
            model, tokenizer = check_gguf(Path(location))
        elif local or _on_disk(location):
            _look_first(location, local)
            model, tokenizer = check_pretrained(location, local=True)
        else:
            _look_first(location, local)
            model, tokenizer = check_remote(location)
        config = model.config.get_text_config()
        find_blocks(model, int(config.num_hidden_layers))
    positions = getattr(config, "max_position_embeddings", None)
    return CheckedModel(
        tokenizer=tokenizer,
        name=name,
        num_layers=int(config.num_hidden_layers),
        hidden_size=int(config.hidden_size),
        positions=None if positions is None else int(positions),
        vocab_rows=int(model.get_input_embeddings().num_embeddings),
    )


def _stamp(location: str) -> tuple[object, ...]:
    """Names, sizes and times of a model's files."""
    path = Path(location)
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return tuple((file.name, stat.st_size, stat.st_mtime_ns) for file in files for stat in [file.stat()])


@contextmanager
def _refusing(name_or_path: str, location: str) -> Iterator[None]:
    """One line for whatever the libraries raise for foreign and damaged files."""
    try:
        yield
    except ModelNotFoundError:
        raise
    except Exception as error:
        why = reason(error, _LONGEST_REASON)
        raise UnusableModelError(name_or_path, location, f"loading it failed: {why}") from error


def _look_first(location: str, local: bool) -> None:
    """Refuse early what transformers would take long to refuse.

    Raises:
        ModelNotFoundError: the hub has no such model, or can't be reached (transformers tries for 20 s).
        UnsupportedConfigError: a folder's configuration can't be read, or asks for too many blocks.
    """
    if local:
        check_config_file(Path(location))
    elif not _on_disk(location):
        from huggingface_hub import HfApi

        try:
            HfApi().model_info(location, timeout=_HUB_TIMEOUT_S)
        except Exception as error:  # no network, offline mode, no such model, no access
            how = f"{reason(error, _LONGEST_REASON)}; {_VALID}"
            raise ModelNotFoundError(location, "the hub", how) from error


def _on_disk(hub_id: str) -> bool:
    """True if the hub's cache has the model's configuration and weights."""
    from huggingface_hub import try_to_load_from_cache

    names = ("model.safetensors", "model.safetensors.index.json")
    weights = any(isinstance(try_to_load_from_cache(hub_id, name), str) for name in names)
    return weights and isinstance(try_to_load_from_cache(hub_id, "config.json"), str)


def locate_model(name_or_path: str, cache_dir: Path | str | None = None) -> str:
    """Where a model's files are: a folder with safetensors, a local path as given, or a hub id.

    Raises:
        ModelNotFoundError: a packaged model that has not been fetched, or a path where there is nothing.
    """
    return _locate(name_or_path, cache_dir)[0]


def _locate(name_or_path: str, cache_dir: Path | str | None) -> tuple[str, str, bool]:
    """Return (location, licence, whether it must be local)."""
    if name_or_path in PACKAGED:
        folder = cache_folder(cache_dir) / name_or_path
        if not is_fetched(name_or_path, cache_dir):
            how = f"fetch it with: splitsim models fetch {name_or_path}"
            raise ModelNotFoundError(name_or_path, str(folder), how)
        return str(folder), PACKAGED[name_or_path].licence, True
    path = Path(name_or_path).expanduser()
    if path.is_dir() or (path.is_file() and path.suffix == ".gguf"):
        return str(path), "see the model's own files", True
    is_hub_id = name_or_path.count("/") == 1 and not name_or_path.startswith(("/", "./", "../", "~"))
    if path.is_file() or not is_hub_id:
        raise ModelNotFoundError(name_or_path, name_or_path, _VALID)
    return name_or_path, "see the model's page on the hub", False
