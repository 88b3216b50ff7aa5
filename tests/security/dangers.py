"""What Python code must not do with what others may have written, found in its syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

UNPICKLING = frozenset(
    {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "jsonpickle", "marshal", "shelve"}
)
"""Modules whose files run code when they are read."""
OTHER_MODULES = {
    "imp": "runs files",
    "runpy": "runs files",
    "code": "runs text",
    "lxml": "resolves entities",
    "xml.dom": "resolves entities",
    "xml.etree": "resolves entities",
    "xml.sax": "resolves entities",
    "ray": "pickles",
    "http.server": "listens",
    "socketserver": "listens",
    "xmlrpc": "listens",
    "zmq": "may listen",
}
BUILTINS = frozenset({"eval", "exec", "compile", "__import__"})
CALLS = {
    "os.system": "a shell",
    "os.popen": "a shell",
    "subprocess.getoutput": "a shell",
    "subprocess.getstatusoutput": "a shell",
    "asyncio.create_subprocess_shell": "a shell",
    "tempfile.mktemp": "a name that a stranger can take",
    "shutil.unpack_archive": "writes where an archive says",
}
METHODS = {
    "exec_module": "runs a file",
    "load_module": "runs a file",
    "extract": "writes where an archive says",
    "extractall": "writes where an archive says",
    "read_pickle": "unpickles",
    "to_pickle": "pickles",
    "load_replay_buffer": "unpickles",
    "set_parameters": "unpickles",
    "unsafe_load": "makes any object",
    "unsafe_load_all": "makes any object",
    "full_load": "makes many objects",
    "full_load_all": "makes many objects",
    "bind": "listens",
    "listen": "listens",
    "create_server": "listens",
    "start_server": "listens",
    "from_string": "compiles a template",
}
# Of a Connection of multiprocessing these two pickle; its send_bytes and recv_bytes don't.
CONNECTION = frozenset({"send", "recv"})
MULTIPROCESSING = frozenset({"Pool", "Queue", "SimpleQueue", "Manager", "Process", "ProcessPoolExecutor"})
_SAFE_YAML = frozenset({"SafeLoader", "CSafeLoader"})


class Danger(NamedTuple):
    """A line, and what is dangerous in it: the name of a call, an import or an argument."""

    line: int
    what: str


def dangers(source: str) -> list[Danger]:
    """All that this file knows of in a module's source, in the order of its lines."""
    tree = ast.parse(source)
    imported = {name for _, name in _imports(tree)}
    found = [Danger(line, name) for line, name in _imports(tree) if _bad_module(name)]
    pickles = {name for name in imported if name.split(".")[0] == "multiprocessing"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            found += [Danger(node.lineno, what) for what in _bad_call(node, bool(pickles))]
    return sorted(found)


def _imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def _bad_module(name: str) -> bool:
    outer = name.split(".")[0]
    calls = name in CALLS or (outer == "multiprocessing" and name.split(".")[-1] in MULTIPROCESSING)
    known = any(name == module or name.startswith(f"{module}.") for module in OTHER_MODULES)
    return outer in UNPICKLING or known or calls


def _bad_call(call: ast.Call, has_connections: bool) -> Iterator[str]:
    name = _dotted(call.func)
    last = name.rpartition(".")[2]
    if isinstance(call.func, ast.Name) and name in BUILTINS:
        yield name
    if name in CALLS:
        yield name
    if last == "import_module":
        yield last
    if isinstance(call.func, ast.Attribute) and (last in METHODS or (has_connections and last in CONNECTION)):
        yield last
    for keyword in call.keywords:
        if keyword.arg in ("shell", "allow_pickle", "trust_remote_code") and not _is(keyword.value, False):
            yield keyword.arg
    if name == "torch.load" and not any(
        keyword.arg == "weights_only" and _is(keyword.value, True) for keyword in call.keywords
    ):
        yield name
    if name in ("yaml.load", "yaml.load_all") and not any(
        _dotted(value).rpartition(".")[2] in _SAFE_YAML for value in _loaders(call)
    ):
        yield name
    if last == "load" and name.split(".")[-2:-1] in (["PPO"], ["DQN"], ["A2C"], ["MaskablePPO"]):
        yield name
    # A loader of models follows a folder's own code only when it is told to: it must be told not to.
    if last == "from_pretrained" and not any(
        keyword.arg in (None, "trust_remote_code") for keyword in call.keywords
    ):
        yield last


def _loaders(call: ast.Call) -> Iterator[ast.expr]:
    yield from call.args[1:]
    yield from (keyword.value for keyword in call.keywords if keyword.arg == "Loader")


def _is(node: ast.expr, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _dotted(node: ast.AST) -> str:
    """`a.b.c` of a name or an attribute; what stands in front of a call's result is left out."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return ""
