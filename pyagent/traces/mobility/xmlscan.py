"""Streaming XML: no document type, hence no entities; nothing kept but the open elements."""

from __future__ import annotations

import xml.parsers.expat
from typing import NoReturn

from pyagent.traces.errors import TraceError
from pyagent.traces.mobility.source import Source

MAX_DEPTH = 64


class Handler:
    """What a format does with elements: nothing, until it says so; names come without their namespace."""

    def start(self, line: int, path: tuple[str, ...], attributes: dict[str, str]) -> None:
        """An element opens; `path` ends with its name."""

    def end(self, line: int, path: tuple[str, ...], text: str) -> None:
        """An element closes; `text` is its own, before its first child if any."""

    def comment(self, text: str) -> None:
        """A comment."""


class _Scan:
    def __init__(self, source: Source, root: str, handler: Handler) -> None:
        self._source = source
        self._root = root
        self._namespace = ""
        self._handler = handler
        self._path: list[str] = []
        self._text: list[str] = []
        self._parser = xml.parsers.expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text.append
        self._parser.CommentHandler = handler.comment
        self._parser.StartDoctypeDeclHandler = self._doctype

    def run(self) -> None:
        try:
            for chunk in self._source.chunks():
                self._parser.Parse(chunk, False)
            self._parser.Parse(b"", True)
        except xml.parsers.expat.ExpatError as error:
            what = xml.parsers.expat.errors.messages.get(error.code, "unknown error")
            raise self._source.error(error.lineno, f"not well-formed XML: {what}") from error
        except (ValueError, LookupError) as error:
            raise self._error(f"not readable XML: {error}; valid: UTF-8") from error

    def _error(self, problem: str) -> TraceError:
        return self._source.error(self._parser.CurrentLineNumber, problem)

    def _doctype(self, *_: object) -> NoReturn:
        raise self._error("DOCTYPE is not allowed in a trace; valid: XML without one")

    def _start(self, qualified: str, attributes: dict[str, str]) -> None:
        namespace, _, name = qualified.rpartition(" ")
        if not self._path:
            if name != self._root:
                raise self._error(f"root element = {name!r}: another format; valid: {self._root}")
            self._namespace = namespace
        if len(self._path) == MAX_DEPTH:
            raise self._error(f"elements nested deeper than {MAX_DEPTH}")
        # An extension may reuse a name of the format in a namespace of its own.
        self._path.append(name if namespace == self._namespace else qualified)
        self._text.clear()
        self._handler.start(self._parser.CurrentLineNumber, tuple(self._path), attributes)

    def _end(self, _: str) -> None:
        self._handler.end(self._parser.CurrentLineNumber, tuple(self._path), "".join(self._text).strip())
        self._path.pop()
        self._text.clear()


def scan(source: Source, root: str, handler: Handler) -> None:
    """Walk through an XML file.

    Args:
        root: the name of its outermost element.

    Raises:
        TraceError: not well-formed, with a DOCTYPE, of another root, or what the handler raises.
    """
    _Scan(source, root, handler).run()
