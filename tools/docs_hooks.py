"""What the site has beside docs/*.md: the command line's reference, and formulas without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape, unescape
from typing import Any

import typer.main
from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from pyagent.cli import app

PAGE = "command-line.md"
INTRODUCTION = """\
# Command line

Made from the program when the site is built. `.venv/bin/splitsim --help`, and `--help` behind any command,
say the same. An error is one line on stderr and status 2 where the input is to blame, 1 where something
failed on the way, 130 after an interrupt; `splitsim --debug COMMAND` shows where it came from.
"""
FORMULA = re.compile(r'<(span|div) class="arithmatex">(?:\\\(|\\\[)(.*?)(?:\\\)|\\\])</\1>', re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the reference of the command line."""
    files.append(File.generated(config, PAGE, content=command_line()))
    return files


def on_page_content(html: str, **_: Any) -> str:
    """Formulas as MathML, which browsers draw by themselves."""
    return FORMULA.sub(_mathml, html)


def _mathml(found: re.Match[str]) -> str:
    display = "block" if found[1] == "div" else "inline"
    return f'<{found[1]} class="formula">{convert(unescape(found[2]), display=display)}</{found[1]}>'


def command_line() -> str:
    """Every command with its arguments and options, as Markdown."""
    return "\n".join([INTRODUCTION, *_commands(typer.main.get_command(app), "splitsim")])


def _commands(command: Any, path: str) -> Iterator[str]:
    children = getattr(command, "commands", None)
    if children is None:
        yield from _command(command, path)
        return
    for name in sorted(children):
        yield from _commands(children[name], f"{path} {name}")


def _command(command: Any, path: str) -> Iterator[str]:
    yield f"## {path}\n"
    text = (command.help or "").replace("\b\n", "")
    for paragraph in text.split("\n\n"):
        example = re.match(r"Example: (.*)", " ".join(paragraph.split()))
        yield f"```\n{example[1]}\n```\n" if example else f"{paragraph}\n"
    context = typer.Context(command, info_name=path)
    records = [parameter.get_help_record(context) for parameter in command.params]
    rows = [_row(*record) for record in records if record]
    if rows:
        yield "| argument or option | |\n|---|---|"
        yield from rows
        yield ""


def _row(names: str, told: str) -> str:
    """An argument or option, and what it is; the last brackets hold its default and range."""
    found = re.search(r"\s+\[([^][]*)\]$", told)
    text, note = (told[: found.start()], found[1]) if found else (told, "")
    shown = f"{_cell(text)}<br>*{_cell(note)}*" if note else _cell(text)
    return f"| `{names}` | {shown} |"


def _cell(text: str) -> str:
    return escape(text.strip(), quote=False).replace("|", "\\|")
