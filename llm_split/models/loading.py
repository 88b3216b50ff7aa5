"""Load a decoder by name: from the cache, a folder, a GGUF file or a hub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from llm_split.config_shapes import check_config_file
from llm_split.models.catalogue import PACKAGED, ModelNotFoundError
from llm_split.models.fetching import is_fetched
from llm_split.models.pretrained import load_gguf, load_pretrained
from llm_split.packages import cache_folder
from llm_split.plain import reason

_LONGEST_REASON = 500
"""Characters."""


@dataclass(frozen=True)
class QualityModel:
    """A loaded decoder, in eval mode. `hidden_size` is the width d of its residual stream."""

    model: Any
    tokenizer: Any
    name: str
    num_layers: int
    hidden_size: int
    licence: str


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
        ModelNotFoundError: nothing loadable under that name.
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
    try:
        if local and Path(location).is_file():
            model, tokenizer = load_gguf(Path(location), dtype)
        else:
            if local:
                check_config_file(Path(location))
            model, tokenizer = load_pretrained(location, dtype, local)
    except Exception as error:  # transformers raises many kinds for foreign and damaged files
        why = reason(error, _LONGEST_REASON)
        how = f"loading it failed: {why} (packaged models: {', '.join(sorted(PACKAGED))})"
        raise ModelNotFoundError(name_or_path, location, how) from error
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
            how = f"fetch it with: python -m llm_split.models fetch {name_or_path}"
            raise ModelNotFoundError(name_or_path, str(folder), how)
        return str(folder), PACKAGED[name_or_path].licence, True
    path = Path(name_or_path).expanduser()
    if path.is_dir() or (path.is_file() and path.suffix == ".gguf"):
        return str(path), "see the model's own files", True
    if name_or_path.startswith(("/", "./", "../", "~")) or path.is_file():
        how = f"give an existing folder, a .gguf file, a hub id, or one of: {', '.join(sorted(PACKAGED))}"
        raise ModelNotFoundError(name_or_path, name_or_path, how)
    return name_or_path, "see the model's page on the hub", False
