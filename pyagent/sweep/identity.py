"""What makes two runs the same: a run that is in the store under its key is never made again.

The key covers the resolved configuration with the contents of every file that it names, the code, ns-3 and
the weights. Code is the hash of our Python sources and the releases of the libraries that compute, not the
git commit: it is the same in a clone, a wheel and a tree with changes, and a commit that only touches docs
keeps every result. What only shows results (commands, plots, report) is left out. C++ is the hash of the
simulator itself, which is what runs; an old build is not mistaken for its newer sources.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import llm_split
import pyagent
from llm_split.devices import load_device, load_shape
from llm_split.models.loading import locate_model
from llm_split.packages import read_source
from llm_split.texts import text_sha256
from pyagent.paths import simulator_executable
from pyagent.plugins import loaded_plugins
from pyagent.sweep.spec import RunSpec

FORMAT = 1
LIBRARIES = ("torch", "transformers", "numpy", "stable-baselines3", "sb3-contrib")
"""Another release of these may compute other last bits."""
UNRELATED = ("cli.py", "commands", "plots", "report", "results.py", "dataset/shipped")
"""Parts of pyagent that change no number; a dataset counts by itself, where it is used."""
_NS3_LIBRARY = re.compile(rb"libns(3(?:\.\d+)*)-core")
_CHUNK_BYTES = 1 << 20


class Keys:
    """Keys of runs. What all runs share, and what the seeds of one configuration share, is hashed once."""

    def __init__(self) -> None:
        self._points: dict[tuple[Any, ...], tuple[RunSpec, str]] = {}

    def key(self, spec: RunSpec) -> str:
        """64 hexadecimal digits.

        Raises:
            NotFetchedError: weights or the text are not here.
            SimulatorNotFoundError: a live run, and nothing was built.
        """
        # Specs of one point share the scenario object, which is frozen; keeping one keeps its id taken.
        place = (id(spec.scenario), spec.dataset, spec.policies, spec.own, spec.learning)
        if place not in self._points:
            self._points[place] = (spec, _sha256(_canonical(configuration(spec))))
        return _sha256(f"{self._points[place][1]}/{spec.seed}")


def configuration(spec: RunSpec) -> dict[str, Any]:
    """All that a run's result depends on, its seed excepted, as plain data without a path."""
    found: dict[str, Any] = {
        "format": FORMAT,
        "policies": spec.policies,
        "own": _by_content([own.model_dump() for own in spec.own]),
        "learning": asdict(spec.learning),
        "code": code_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
    }
    if plugins := loaded_plugins():  # by contents, wherever the files lie
        found["plugins"] = [plugin.sha256 for plugin in plugins]
    if spec.dataset is not None:
        # Scenario, ns-3 and weights of what was recorded are in the file.
        reward = spec.scenario.reward.model_dump(mode="json")
        return found | {"dataset": file_digest(spec.dataset), "reward": reward}
    scenario = spec.scenario
    return found | {
        "scenario": _by_content(scenario.model_dump(exclude={"description"})),
        "cards": [
            card.model_dump(mode="json")
            for card in (
                load_shape(scenario.model.deployed),
                load_device(scenario.ue.device),
                load_device(scenario.edge.device),
            )
        ],
        "model": model_digest(scenario.model.quality),
        "text": [text_sha256(scenario.model.text, part) for part in ("train", "test")],
        **simulator(scenario.program),
    }


@lru_cache(maxsize=1)
def code_version() -> str:
    """Hash of the Python sources, and of the data files among them, that can change a number."""
    digest = hashlib.sha256()
    for package in (llm_split, pyagent):
        root = Path(str(package.__file__)).parent
        for path in sorted(root.rglob("*")):
            inside = path.relative_to(root)
            left_out = package is pyagent and any(inside.is_relative_to(part) for part in UNRELATED)
            if path.is_file() and "__pycache__" not in inside.parts and not left_out:
                digest.update(f"{package.__name__}/{inside}\0{file_digest(path)}\n".encode())
    return digest.hexdigest()


def simulator(program: Path | None) -> dict[str, str]:
    """Release of ns-3 that the simulator is linked with, and the hash of the simulator."""
    path = simulator_executable(program)
    return {"ns3": ns3_version(path), "simulator": file_digest(path)}


def ns3_version(path: Path) -> str:
    """The release in the names of the libraries that a program asks for; "unknown" where they have none."""
    found = _NS3_LIBRARY.search(path.read_bytes())
    return found[1].decode() if found else "unknown"


@lru_cache(maxsize=16)
def model_digest(name: str) -> str:
    """Hash of a model's weights: the pinned one of a packaged model, else of its files.

    Of a model on a hub only the name is known here.
    """
    location = Path(locate_model(name))
    if location.is_file():
        return file_digest(location)
    if not location.is_dir():
        return f"hub:{name}"
    pinned = read_source(location).get("sha256")
    if isinstance(pinned, str):
        return pinned
    files = sorted(path for path in location.iterdir() if path.is_file())
    return _sha256("\n".join(f"{path.name} {file_digest(path)}" for path in files))


def file_digest(path: Path) -> str:
    """SHA-256 of a file's contents; read again only when its size or time has changed."""
    status = path.stat()
    return _file_digest(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4096)
def _file_digest(path: Path, size_bytes: int, modified_ns: int) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _by_content(value: Any) -> Any:
    """Plain data in which the contents of a file stand for its path."""
    if isinstance(value, dict):
        return {name: _by_content(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_by_content(inner) for inner in value]
    return file_digest(value) if isinstance(value, Path) else value


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
