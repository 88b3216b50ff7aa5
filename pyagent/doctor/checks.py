"""What is looked at. Each function looks at one thing and says what to do where it isn't right."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from llm_split.packages import default_cache_dir
from pyagent.doctor.examination import Check, Finding, fail, ok, warn
from pyagent.doctor.live_loop import live_loop
from pyagent.ns3.fetch import is_fetched as is_ns3_fetched
from pyagent.ns3.toolchain import compiler, how_to_install, missing_packages, pkg_config_version
from pyagent.paths import (
    NS3_REQUIREMENT,
    REPOSITORY,
    SimulatorNotFoundError,
    is_checkout,
    ns3_folder,
    simulator_executable,
)

LITTLE_BYTES = 2_000_000_000
"""Free space below which a long sweep or another model may not fit."""
TOO_LITTLE_BYTES = 300_000_000
"""Free space below which a run's tables, figures and ns-3's own files may not fit."""
_ASK_S = 20.0


def check_python() -> Finding:
    """Which Python and which copy of this package."""
    version = importlib.metadata.version("ns3-llm-split")
    where = f"checkout {REPOSITORY}" if is_checkout() else f"installed in {REPOSITORY}"
    return ok(f"splitsim {version} on Python {platform.python_version()}, {where}")


def check_compiler() -> Finding:
    """What `splitsim build` needs; no failure where there is a simulator already."""
    missing = missing_packages("build")
    if missing:
        say = fail if _simulator() is None else warn
        return say(f"missing (Debian's names): {', '.join(missing)}", how_to_install(missing))
    found = compiler()
    assert found is not None  # else it would be missing
    versions = [f"{Path(found).name} {_ask(found, '-dumpfullversion', '-dumpversion')}"]
    versions += [f"{name} {_version(_ask(name, '--version'))}" for name in ("cmake", "ninja", "protoc")]
    return ok(", ".join(versions))


def check_ns3() -> Finding:
    """Which ns-3 the simulator is linked with, as the loader finds it."""
    program = _simulator()
    if program is None:
        if is_ns3_fetched(ns3_folder()):
            return ok(f"{NS3_REQUIREMENT} in {ns3_folder()}, for a build")
        return warn("no simulator yet, and no ns-3 fetched for one", _how_to_build())
    libraries = _ask("ldd", str(program))
    lost = re.findall(r"^\s*(\S+) => not found", libraries, re.MULTILINE)
    if lost:
        return fail(f"{program} lacks {', '.join(lost[:3])}{' ...' if lost[3:] else ''}", _how_to_build())
    core = re.search(r"(libns3\S*core\S*) => (.+) \(0x", libraries)
    if core is None:
        return warn(f"{program} is not linked with ns-3's core", _how_to_build())
    path = Path(core[2]).resolve()
    return ok(f"ns-3 {_ns3_version(path)} in {path.parent}")


def check_simulator() -> Finding:
    """The program that plays the network."""
    try:
        return ok(str(simulator_executable()))
    except SimulatorNotFoundError as error:
        return fail(str(error).partition(";")[0], _how_to_build())


def check_zeromq() -> Finding:
    """A socket as the bridge opens it; libzmq is for the tests in C++ alone."""
    from pyagent.bridge.link import AgentSocket
    from pyagent.temporary import TemporaryFolder

    with TemporaryFolder() as folder:
        AgentSocket(f"ipc://{folder}/doctor").close()
    libzmq = pkg_config_version("libzmq")
    others = f"libzmq {libzmq}" if libzmq else "no libzmq"
    return ok(f"ZMTP 3.0 by the bridge itself, over ipc; {others} for the tests in C++")


def check_protobuf() -> Finding:
    """The bridge's messages with this protobuf runtime."""
    import google.protobuf
    from google.protobuf.internal import api_implementation

    from pyagent.bridge import wire

    sent = wire.SimInitAck(done=True)
    if wire.parse(wire.SimInitAck, sent.SerializeToString()) != sent:
        return fail(
            f"protobuf {google.protobuf.__version__} garbles messages", "pip install --upgrade protobuf"
        )
    kind = api_implementation.Type()
    found = f"protobuf {google.protobuf.__version__} ({kind})"
    return (
        ok(found) if kind != "python" else warn(f"{found}, which is slow", "pip install --upgrade protobuf")
    )


def check_weights() -> Finding:
    """The language model that quality is measured on unless a scenario names another."""
    from llm_split.models import is_fetched, locate_model
    from pyagent.scenario.schema import Model

    name = Model().quality
    if not is_fetched(name):
        return fail(f"{name}: not in {default_cache_dir()}", f"splitsim models fetch {name}")
    folder = Path(locate_model(name))
    size = sum(file.stat().st_size for file in folder.iterdir())
    return ok(f"{name}: {_gigabytes(size)} in {folder}")


def check_text() -> Finding:
    """The text that quality is measured on unless a scenario names another."""
    from llm_split.texts import is_text_fetched, text_sha256
    from pyagent.scenario.schema import Model

    name = Model().text
    if not is_text_fetched(name):
        return fail(f"{name}: not in {default_cache_dir()}", f"splitsim texts fetch {name}")
    return ok(f"{name}: SHA-256 of its test part {text_sha256(name)}")


def check_torch() -> Finding:
    """What the language model computes on."""
    import torch

    found = f"torch {torch.__version__}"
    if torch.cuda.is_available():
        return ok(f"{found} on {torch.cuda.get_device_name(0)}")
    return ok(f"{found}, no GPU")


def check_threads() -> Finding:
    """The threads of the language model, why so many, and the simulators of a run."""
    from pyagent.threads import choose_threads, cores

    threads = choose_threads()
    return ok(f"{threads.count} for the language model ({threads.reason}); {cores()} simulators at a time")


def check_cache() -> Finding:
    """Where models, texts and builds go."""
    folder = default_cache_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return fail(
            f"{folder}: can't be written ({error.strerror})", "set SPLITSIM_CACHE to a folder that can"
        )
    return ok(str(folder))


def check_disk() -> Finding:
    """Room for runs here and for the cache."""
    here, cache = Path.cwd(), default_cache_dir()
    if not os.access(here, os.W_OK):
        return warn(
            f"{here}: runs can't be written here", "give --out to splitsim run, or go to another folder"
        )
    free_bytes = {place: shutil.disk_usage(_existing(place)).free for place in (here, cache)}
    place, least_bytes = min(free_bytes.items(), key=lambda item: item[1])
    found = f"{_gigabytes(least_bytes)} free in {place}"
    if least_bytes < TOO_LITTLE_BYTES:
        return fail(
            found, f"free {_gigabytes(TOO_LITTLE_BYTES)} there, or work elsewhere (SPLITSIM_CACHE, --out)"
        )
    if least_bytes < LITTLE_BYTES:
        return warn(found, "enough for a run; sweeps and more models need more")
    return ok(found)


CHECKS = (
    Check("Python", check_python),
    Check("compiler", check_compiler),
    Check("ns-3", check_ns3),
    Check("simulator", check_simulator),
    Check("ZeroMQ", check_zeromq),
    Check("protobuf", check_protobuf),
    # The first import of torch takes long on a cold disk.
    Check("torch, GPU", check_torch, limit_s=180.0),
    Check("threads", check_threads, limit_s=180.0),
    Check("model weights", check_weights, limit_s=180.0),
    Check("text", check_text, limit_s=60.0),
    Check("cache", check_cache),
    Check("free disk", check_disk),
    Check("live loop", live_loop, limit_s=120.0),
)


def _simulator() -> Path | None:
    try:
        return simulator_executable()
    except SimulatorNotFoundError:
        return None


def _how_to_build() -> str:
    return "make build" if is_checkout() else "splitsim build"


def _ask(*command: str) -> str:
    """What a program says; empty where it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_ASK_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def _version(text: str) -> str:
    found = re.search(r"\d+(\.\d+)+", text)
    return found[0] if found else "of an unknown version"


def _ns3_version(library: Path) -> str:
    """From the library's name, as the wheel has it, else from pkg-config, as Debian does."""
    named = re.search(r"libns3\.(\d+)", library.name)
    return f"3.{named[1]}" if named else pkg_config_version("ns3-core") or "of an unknown version"


def _existing(folder: Path) -> Path:
    return next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())


def _gigabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB"
