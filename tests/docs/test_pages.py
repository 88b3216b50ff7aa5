"""README and docs, word for word: every command and block of Python runs, page by page, in its order."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.main
import yaml
from pages import PAGES, Step, steps

import pyagent
from pyagent.cli import app
from pyagent.paths import REPOSITORY, simulator_executable

pytestmark = [pytest.mark.slow, pytest.mark.ns3, pytest.mark.model, pytest.mark.timeout(1800)]

# What costs minutes runs with a smaller budget. These options are put behind those that are shown, and the
# last one counts; a scenario that is not written on the page itself is played with few, short requests.
SMALLER = {
    ("run",): ["--budget", "4"],
    ("evaluate",): ["--budget", "4"],
    ("record",): ["--train-seeds", "1", "--test-seeds", "1"],
    ("compare",): ["--seeds", "2", "--decisions", "40"],
    ("train",): ["--decisions", "40"],
    ("scenario", "preview"): ["--duration", "5"],
}
PLAYED = ("run", "evaluate", "record")
FEW: dict[str, Any] = {
    "requests": {"count": 2, "prompt_tokens": [8, 16], "output_tokens": [2, 4], "mean_extra_gap_s": 0.2},
    "evaluation": {"tune_seeds": 1, "test_seeds": 1, "replicates": 4, "imagined_steps": 256},
}
ONCE = ("demo",)
"""Commands that several pages show, and one runs."""

MAHIMAHI = "".join(f"{ms}\n" for ms in range(10, 130_000, 10))
DRIVE = "".join(
    f'<timestep time="{t}"><vehicle id="car3" x="{t}" y="0" speed="1"/></timestep>' for t in range(131)
)
HIKE = """<gpx version="1.1" creator="test"><trk><name>hike</name>
<trkseg><trkpt lat="47.0" lon="8.0"><time>2024-05-01T10:00:00Z</time></trkpt>
<trkpt lat="47.0005" lon="8.0"><time>2024-05-01T10:01:00Z</time></trkpt></trkseg>
<trkseg><trkpt lat="47.001" lon="8.0"><time>2024-05-01T10:02:00Z</time></trkpt></trkseg>
</trk></gpx>
"""
CONFIG = """{"model_type": "llama", "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30,
"num_attention_heads": 9, "num_key_value_heads": 3, "vocab_size": 49152, "tie_word_embeddings": true}
"""
PREPARED = {
    "docs/cards.md": {"my-model/config.json": CONFIG},
    "docs/evaluate-a-policy.md": {"my.up": MAHIMAHI},
    "docs/radio-traces.md": {"my.up": MAHIMAHI, "drive.csv": "time,throughput\n0,14.0\n1,19.7\n"},
    "docs/learning.md": {"my.yaml": "name: my\nmobility: {model: constant, position_m: [5, 0, 1.5]}\n"},
    "docs/mobility-traces.md": {"drive.fcd.xml": f"<fcd-export>{DRIVE}</fcd-export>", "hike.gpx": HIKE},
}
"""Files of the reader's own that a page speaks of."""

_done: set[tuple[str, ...]] = set()


@pytest.mark.parametrize("page", [page for page in PAGES if any(steps(page))], ids=lambda page: page.stem)
def test_a_page_works_as_it_is_written(page: Path, tmp_path: Path) -> None:
    for entry in ("ns3_scenarios", "llm_split", "build"):
        (tmp_path / entry).symlink_to(REPOSITORY / entry)
    name = str(page.relative_to(REPOSITORY))
    for path, content in PREPARED.get(name, {}).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content, encoding="utf-8")
    own: set[str] = set()
    for step in steps(page):
        if step.reason:
            continue
        if step.kind == "file":
            own.add(step.path)
            (tmp_path / step.path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / step.path).write_text(step.text, encoding="utf-8")
        elif step.kind == "python":
            run(step, [sys.executable, "-c", step.text], tmp_path)
        else:
            type_in(step, tmp_path, own)


def type_in(step: Step, folder: Path, own: set[str]) -> None:
    """Run a command line as a shell in `folder` would, with the parts that are under test."""
    words, target = step.words, None
    if ">" in words:
        target, words = folder / words[-1], words[: words.index(">")]
    program, *arguments = words
    if program == "make":  # the targets are run by .ci/run; here they must be there and need nothing unknown
        run(step, ["make", "-C", str(REPOSITORY), "--dry-run", *arguments], folder)
    elif program == ".venv/bin/splitsim":
        if tuple(arguments[:1]) in {(name,) for name in ONCE} & _done:
            return
        _done.add(tuple(arguments[:1]))
        command = [sys.executable, "-m", "pyagent.cli", *smaller(arguments, folder, own)]
        output = run(step, command, folder)
        if target:
            target.write_text(output, encoding="utf-8")
    elif program == ".venv/bin/python":
        run(step, [sys.executable, *arguments], folder)
    elif program == "cp":
        run(step, words, folder)
    elif program != "$EDITOR":
        pytest.fail(f"{step}: can't run {step.text!r}; write it with .venv/bin/, or mark it `not run`")


def smaller(arguments: list[str], folder: Path, own: set[str]) -> list[str]:
    """The same command on a smaller budget; commands on the page's own files as they are shown."""
    shown = next((verb for verb in SMALLER if tuple(arguments[: len(verb)]) == verb), None)
    if shown is None or ("--template" in arguments and shown == ("evaluate",)):
        return arguments
    if own & set(arguments):
        return arguments
    if shown[0] in PLAYED:
        arguments = with_few_requests(arguments, folder)
    return [*arguments, *SMALLER[shown]]


def with_few_requests(arguments: list[str], folder: Path) -> list[str]:
    """The scenario in the place of the one that is named, or that the command takes by itself."""
    command: Any = typer.main.get_command(app).commands[arguments[0]]  # type: ignore[attr-defined]
    with typer.Context(command) as context:
        command.parse_args(context, arguments[1:])
        named = str(context.params["scenario"])
    path = folder / named
    scenario = pyagent.load_scenario(path if path.is_file() else named, **FEW)
    splits = [scenario.model.splits[0], scenario.model.splits[-1]]
    few = pyagent.load_scenario(scenario, model={"splits": splits, "prompts": 2})
    text = yaml.safe_dump(few.model_dump(mode="json"), sort_keys=False)
    (folder / f"few-{few.name}.yaml").write_text(text, encoding="utf-8")
    return [arguments[0], f"few-{few.name}.yaml", *(word for word in arguments[1:] if word != named)]


def run(step: Step, command: list[str], folder: Path) -> str:
    """Standard output of a command that must succeed."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY),
        "SPLITSIM_NS3": str(simulator_executable()),
        "MPLBACKEND": "Agg",
        "COLUMNS": "132",
    }
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1500,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"{step}: {step.text}\n{done.stdout[-1000:]}\n{done.stderr[-3000:]}"
    return done.stdout
