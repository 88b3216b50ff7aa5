"""Nothing in the sources unpickles, evaluates or hands to a shell what a stranger could have written.

What is an exception is in one list, with its reason; one that is needed no more is a failure too.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pyagent.paths import REPOSITORY
from tests.security.dangers import Danger, dangers

PYTHON = ("benchmarks", "llm_split", "ns3_scenarios", "pyagent", "tools")
EXCEPTIONS = {
    ("pyagent/user_file.py", "exec_module"): "`--policy` and `--plugin` run the user's own file",
    ("pyagent/sweep/on_ray.py", "ray"): "Ray's transport inside the user's own cluster",
    ("pyagent/envs/on_ray.py", "ray"): "the same",
    ("benchmarks/sweep.py", "ray"): "the same",
    ("pyagent/ns3/fetch.py", "extractall"): "a zip's: names are cleaned, and links are none",
    ("pyagent/bridge/link.py", "bind"): "the agent's socket: a private folder or 127.0.0.1",
    ("pyagent/bridge/link.py", "listen"): "the same",
    ("pyagent/traces/mobility/read.py", "import_module"): "a list of names in that file",
    ("llm_split/codecs/__init__.py", "import_module"): "the modules of that folder",
    ("benchmarks/bridge.py", "zmq"): "the yardstick, on an ipc path in a private folder",
    ("benchmarks/bridge.py", "bind"): "the same",
    ("ns3_scenarios/scenarios/traces/make_sumo_traces.py", "xml.etree.ElementTree"): (
        "reads what SUMO has just written, to make the traces that ship"
    ),
    ("ns3_scenarios/scenarios/traces/make_sumo_traces.py", "xml.sax.saxutils.quoteattr"): (
        "writes an attribute"
    ),
}


def found() -> dict[tuple[str, str], list[int]]:
    """Lines by file and danger."""
    result: dict[tuple[str, str], list[int]] = {}
    for folder in PYTHON:
        for path in sorted((REPOSITORY / folder).rglob("*.py")):
            for danger in dangers(path.read_text(encoding="utf-8")):
                place = str(path.relative_to(REPOSITORY)), danger.what
                result.setdefault(place, []).append(danger.line)
    return result


def test_no_python_source_runs_what_it_reads() -> None:
    places = found()
    assert {place: lines for place, lines in places.items() if place not in EXCEPTIONS} == {}
    assert {place for place in EXCEPTIONS if place not in places} == set(), "no exception any more"


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("import pickle", "pickle"),
        ("from pickle import loads", "pickle.loads"),
        ("def f():\n    import joblib.memory", "joblib.memory"),
        ("import cloudpickle as json", "cloudpickle"),
        ("import xml.etree.ElementTree as ET", "xml.etree.ElementTree"),
        ("from os import system", "os.system"),
        ("eval(text)", "eval"),
        ("exec(compile(text, '', 'exec'))", "exec"),
        ("os.system('ls')", "os.system"),
        ("subprocess.run('ls', shell=True)", "shell"),
        ("subprocess.run('ls', shell=is_shell)", "shell"),
        ("torch.load(path)", "torch.load"),
        ("torch.load(path, weights_only=False)", "torch.load"),
        ("torch.load(path, weights_only=flag)", "torch.load"),
        ("yaml.load(text)", "yaml.load"),
        ("yaml.load(text, Loader=yaml.Loader)", "yaml.load"),
        ("yaml.unsafe_load(text)", "unsafe_load"),
        ("np.load(path, allow_pickle=True)", "allow_pickle"),
        ("pd.read_pickle(path)", "read_pickle"),
        ("PPO.load(path)", "PPO.load"),
        ("AutoModel.from_pretrained(name, trust_remote_code=True)", "trust_remote_code"),
        ("AutoModel.from_pretrained(name)", "from_pretrained"),
        ("archive.extractall(folder)", "extractall"),
        ("from multiprocessing import Pipe\na, b = Pipe()\na.recv()", "recv"),
        ("from multiprocessing import Pool", "multiprocessing.Pool"),
        ("sock.bind(('', 1))", "bind"),
        ("environment.from_string(text)", "from_string"),
    ],
)
def test_each_danger_is_seen(source: str, what: str) -> None:
    assert what in {danger.what for danger in dangers(source)}


@pytest.mark.parametrize(
    "source",
    [
        "re.compile(text)",
        "model.eval()",
        "torch.load(path, weights_only=True)",
        "yaml.safe_load(text)",
        "yaml.load(text, Loader=yaml.SafeLoader)",
        "np.load(path, allow_pickle=False)",
        "subprocess.run(['ls'], shell=False)",
        "connection.recv(4)",
        "from multiprocessing import Pipe\na, b = Pipe()\na.recv_bytes()",
    ],
)
def test_what_is_safe_is_not_called_a_danger(source: str) -> None:
    assert dangers(source) == []


def test_dangers_are_told_with_their_lines() -> None:
    assert dangers("x = 1\neval(x)\nimport dill\n") == [Danger(2, "eval"), Danger(3, "dill")]


def cpp_sources() -> list[Path]:
    return [
        path
        for path in sorted((REPOSITORY / "ns3_scenarios").rglob("*"))
        if path.suffix in (".cc", ".h") and "test" not in path.relative_to(REPOSITORY / "ns3_scenarios").parts
    ]


_CALLS = re.compile(r"(?<![\w.>])(?:::|std::)?(system|popen|exec[lv]p?e?|dlopen|bind|listen|accept)\s*\(")


def test_the_simulator_starts_nothing_and_listens_nowhere() -> None:
    sources = cpp_sources()
    assert len(sources) > 50
    calls = {
        (path.name, match[1])
        for path in sources
        for match in _CALLS.finditer(re.sub(r"//[^\n]*|(?s:/\*.*?\*/)", "", path.read_text()))
    }
    assert calls == set()
    assert _CALLS.search("  if (system(command)) ::bind(fd)")


def test_the_reports_script_makes_no_markup_of_text() -> None:
    script = (REPOSITORY / "pyagent" / "report" / "report.js").read_text(encoding="utf-8")
    assert "textContent" in script
    markup = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|setTimeout\(\s*['\"]"
    )
    assert re.search(markup, script) is None
    templates = [path.read_text(encoding="utf-8") for path in (REPOSITORY / "pyagent/report").glob("*.html")]
    assert templates
    for template in templates:
        assert re.search(r"\|\s*safe\b|autoescape false|\son\w+=|javascript:", template) is None
