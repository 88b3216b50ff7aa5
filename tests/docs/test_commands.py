"""Every command that README and docs show exists, with these options; what is not run says why."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from pages import PAGES, Step, blocks, mentions, steps

from pyagent.cli import app
from pyagent.paths import REPOSITORY
from pyagent.scenario.load import parse_scenario
from pyagent.sweep.file import SweepFile

STEPS = [step for page in PAGES for step in steps(page)]
REASONS = {
    r"takes (several minutes|half an hour|hours)": 12,
    r"needs a network": 3,
    r"a fragment": 5,
    r"undoes the set-up": 1,
    r"covered by (tests/\S+\.py)": 6,
}
"""Why a block may stay out of the run, and how many may: a number that grows is looked at."""
SHOWN = [
    step
    for step in [*STEPS, *(mention for page in PAGES for mention in mentions(page))]
    if step.kind == "shell" and re.match(r"(\.venv/bin/)?splitsim ", step.text)
]


@pytest.mark.parametrize("step", SHOWN, ids=str)
def test_a_command_that_is_shown_can_be_parsed(step: Step) -> None:
    words = step.words[1:]
    if ">" in words:
        words = words[: words.index(">")]
    command: Any = typer.main.get_command(app)
    context: Any = None
    while hasattr(command, "commands"):
        while words and words[0].startswith("--"):
            assert words[0] in ("--debug", "--help", "--install-completion", "--plugin"), step.text
            words = words[2 if words[0] == "--plugin" else 1 :]
        if not words or words[0] in ("...", "COMMAND"):
            return
        assert words[0] in command.commands, f"{step}: {words[0]} is no command"
        command, words = command.commands[words[0]], words[1:]
    given = [word.split("=")[0] for word in words if word.startswith("-") and word != "-"]
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert set(given) <= known | {"--help"}, f"{step}: {step.text}"
    if step in STEPS:  # not a mention, which may leave out what is clear
        with typer.Context(command, info_name="splitsim") as context:
            command.parse_args(context, list(words))


def test_what_is_not_run_says_why_and_stays_little() -> None:
    marked = {(step.page, step.reason) for step in STEPS if step.reason}
    known = {reason: [pair for pair in marked if re.match(reason, pair[1])] for reason in REASONS}
    unknown = marked - {pair for pairs in known.values() for pair in pairs}
    assert not unknown, f"say why in one of these ways: {', '.join(REASONS)}"
    for reason, pairs in known.items():
        assert len(pairs) <= REASONS[reason], pairs
    for _, reason in known[r"covered by (tests/\S+\.py)"]:
        assert (REPOSITORY / reason.split()[2]).is_file(), reason


def test_python_is_fenced_so_that_it_is_run() -> None:
    for page in PAGES:
        for block in blocks(page.read_text(encoding="utf-8")):
            if block.language is None and "not run:" not in block.before:
                assert not re.search(
                    r"^(from \w|import \w|class \w)", "\n".join(block.lines), re.MULTILINE
                ), f"{page.name}:{block.line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_scenario_or_sweep_that_is_shown_is_valid(page: Path) -> None:
    for block in blocks(page.read_text(encoding="utf-8")):
        data = yaml.safe_load("\n".join(block.lines)) if block.language == "yaml" else {}
        if "base" in data:
            SweepFile.model_validate(data)
        elif "name" in data:
            data.pop("program", None)  # built by the reader
            data.get("model", {}).pop("deployed", None)
            if page.stem == "add-a-part":  # its codec is the reader's; tried in test_add_a_part.py
                data.get("model", {}).pop("codec", None)
            parse_scenario(data, f"{page.name}:{block.line}")


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    named = set()
    for page in (*PAGES, REPOSITORY / "CONTRIBUTING.md"):
        named |= set(
            re.findall(r"(?:`|^    )make ([a-z][a-z-]*)", page.read_text(encoding="utf-8"), re.MULTILINE)
        )
    assert {"sim", "test", "setup"} <= named
    for target in named:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_file_that_the_readme_links_to_exists() -> None:
    """Links of the pages are checked when the site is built."""
    for name in ("README.md", "CONTRIBUTING.md"):
        for link in re.findall(r"\]\(([^)#]+)", (REPOSITORY / name).read_text(encoding="utf-8")):
            assert link.startswith("https://") or (REPOSITORY / link).exists(), link
