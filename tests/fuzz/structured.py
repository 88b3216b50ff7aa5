"""Damage inside containers that stay whole, so that it reaches what lies behind checksums and lengths."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import random
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pyagent.bridge.codec import varint
from tests.fuzz.mutate import WORDS, damaged, damaged_text

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 255, 256, 2**31, 2**32, 2**63, 2**64, -(2**63), 10**30, 10**400),
    *(0.0, -0.0, 0.5, 1e-320, 1e-9, 1e9, 1e308, -1e308, float("inf"), float("-inf"), float("nan")),
    *("", " ", "a", "x" * 300, "a\nb", "\x00", "\ud7ff", "../x", "/dev/zero", "."),
    *([], {}, [[]], [0], [1, 2], [3, 1], ["a"], {"a": 1}, [None], {"": None}),
    *WORDS,
)
"""What a field may hold that nobody expects."""
DEEP = 5000


def deep(depth: int) -> Any:
    """Lists in lists."""
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


Place = tuple[Any, Any]
"""A container and the key or index of something in it."""


def places(tree: Any) -> list[Place]:
    """Everything below the root of plain data."""
    found: list[Place] = []
    rest = [tree]
    while rest:
        node = rest.pop()
        keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
        for key in keys:
            found.append((node, key))
            rest.append(node[key])
    return found


def damaged_tree(tree: Any, rng: random.Random) -> Any:
    """A copy of plain data (dicts, lists, scalars) with one to three things changed in it."""
    root = [copy.deepcopy(tree)]
    for _ in range(rng.randint(1, 3)):
        found = [*places(root[0]), (root, 0)]
        node, key = rng.choice(found)
        _change(node, key, found, rng)
    return root[0]


def _change(node: Any, key: Any, found: list[Place], rng: random.Random) -> None:
    how = rng.randrange(10)
    if how < 4:
        node[key] = copy.deepcopy(rng.choice(VALUES))
    elif how == 4:
        other, place = rng.choice(found)
        node[key] = copy.deepcopy(other[place])
    elif how == 5 and isinstance(node, dict):
        node[rng.choice(["", "a", f"{key}x", f" {key}"])] = node.pop(key)
    elif how == 6 and len(node) > 1:
        del node[key]
    elif how == 7 and isinstance(node, list):
        node[key:key] = [copy.deepcopy(node[key])] * rng.choice([1, 2, 100])
    elif how == 8 and isinstance(node[key], int | float) and not isinstance(node[key], bool):
        with contextlib.suppress(OverflowError):  # whole numbers may be longer than any float
            node[key] = node[key] * rng.choice([-1, 0, 0.5, 2, 10, 1000, 1e9]) + rng.choice([0, 0, 1, -1])
    elif isinstance(node[key], str):
        node[key] = damaged_text(node[key].encode(), rng).decode(errors="replace")
    else:
        node[key] = rng.choice([[node[key]], {"a": node[key]}, str(node[key])])


def damaged_json(data: bytes, rng: random.Random) -> bytes:
    """A JSON document (so mostly a YAML one too) with its data damaged; now and then as text."""
    if rng.randrange(5) == 0:
        return damaged_text(data, rng)
    try:
        text = json.dumps(damaged_tree(json.loads(data), rng))
    except (ValueError, RecursionError):  # no JSON, or too deep to be copied
        return damaged_text(data, rng)
    if rng.randrange(200) == 0:
        text = text.replace("[]", json.dumps(deep(900))) + "[" * rng.choice([0, DEEP])
    return text.encode()


# Protobuf ---------------------------------------------------------------------------------------------------

Field = list[Any]
"""Number, wire type, and an int, bytes, or a list of fields where the bytes were those of a message."""


def _take_varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
        shift += 7


def fields_of(data: bytes) -> list[Field]:
    """Take a message apart.

    Raises:
        ValueError, IndexError: it is none.
    """
    found: list[Field] = []
    at = 0
    while at < len(data):
        tag, at = _take_varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, at = _take_varint(data, at)
            found.append([number, kind, value])
            continue
        size = {1: 8, 5: 4}.get(kind)
        if kind == 2:
            size, at = _take_varint(data, at)
        if number == 0 or size is None or at + size > len(data):
            raise ValueError("no message")
        found.append([number, kind, _message_or_bytes(data[at : at + size], kind)])
        at += size
    return found


def _message_or_bytes(data: bytes, kind: int) -> Any:
    if kind != 2 or len(data) < 2 or data.startswith(b"type.googleapis.com/"):
        return data
    try:
        return fields_of(data)
    except (ValueError, IndexError):
        return data


def message_of(fields: list[Field]) -> bytes:
    """Put a message together."""
    out = bytearray()
    for number, kind, value in fields:
        out += varint(number << 3 | kind)
        if kind == 0:
            out += varint(value)
            continue
        data = message_of(value) if isinstance(value, list) else value
        out += varint(len(data)) + data if kind == 2 else data
    return bytes(out)


def damaged_message(data: bytes, rng: random.Random) -> bytes:
    """A protobuf message with fields changed, lengths right; now and then damaged bytes."""
    if rng.randrange(4) == 0:
        return damaged(data, rng)
    try:
        tree = fields_of(data)
    except (ValueError, IndexError):
        return damaged(data, rng)
    for _ in range(rng.randint(1, 3)):
        lists = [fields for fields in _messages(tree) if fields]
        if not lists:
            break
        _change_field(rng.choice(lists), lists, rng)
    return message_of(tree)


def _messages(fields: list[Field]) -> list[list[Field]]:
    """This message and all inside it."""
    return [
        fields,
        *(deeper for _, _, value in fields if isinstance(value, list) for deeper in _messages(value)),
    ]


def _change_field(fields: list[Field], others: list[list[Field]], rng: random.Random) -> None:
    at = rng.randrange(len(fields))
    number, kind, value = fields[at]
    how = rng.randrange(6)
    if how == 0:
        del fields[at]
    elif how == 1:
        fields[at:at] = [copy.deepcopy(fields[at]) for _ in range(rng.choice([1, 1, 3, 40]))]
    elif how == 2:
        fields[at] = [rng.choice([number, number + 1, 1, 15, 2**28]), kind, value]
    elif how == 3:
        fields.insert(at, copy.deepcopy(rng.choice(rng.choice(others))))
    elif kind == 0:
        fields[at][2] = rng.choice([0, 1, 2, 3, 4, 5, 127, 2**24, 2**24 + 1, 2**31, 2**32 - 1, 2**63, -1])
    elif isinstance(value, bytes) and kind == 2:
        fields[at][2] = damaged(value, rng)
    elif isinstance(value, bytes):
        fields[at][2] = rng.choice([bytes(len(value)), b"\xff" * len(value), rng.randbytes(len(value))])
    elif len(value) > 1:
        value.reverse()


# Files, and folders of them ---------------------------------------------------------------------------------


def members_of(data: bytes) -> dict[str, bytes]:
    """The files of a zip.

    Raises:
        Exception: it is none that can be read; zipfile raises many kinds.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def zip_of(members: dict[str, bytes]) -> bytes:
    """A zip of files, not packed; the same bytes for the same files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return out.getvalue()


def damaged_folder(data: bytes, rng: random.Random) -> bytes:
    """A folder, as a zip of its files, with one file damaged in the way of its kind, missing or misnamed."""
    members = members_of(data)
    if not members:
        return data
    name = rng.choice(sorted(members))
    how = rng.randrange(16)
    if how == 0 and len(members) > 1:
        content = members.pop(name)
        members[rng.choice(sorted(members))] = content
    elif how == 1:
        del members[name]
    else:
        members[name] = damaged_file(name, members[name], rng)
    return zip_of(members)


def damaged_file(name: str, data: bytes, rng: random.Random) -> bytes:
    """A file damaged in the way of its kind, which its content or its suffix tells."""
    if data.startswith(b"PK\x03\x04"):
        return damaged_zip(data, rng)
    return _WAYS.get(name.rpartition(".")[2], damaged)(data, rng)


def damaged_zip(data: bytes, rng: random.Random) -> bytes:
    """A zip whose files are damaged and whose checksums fit; now and then its own bytes."""
    if rng.randrange(6) == 0:
        return damaged(data, rng)
    try:
        return damaged_folder(data, rng)
    except Exception:  # damaged before
        return damaged(data, rng)


def damaged_safetensors(data: bytes, rng: random.Random) -> bytes:
    """Weights with their header or their numbers damaged, the header's length right; or damaged bytes."""
    how = rng.randrange(5)
    if how == 0 or len(data) < 8:
        return damaged(data, rng)
    (size,) = struct.unpack_from("<Q", data)
    header, body = data[8 : 8 + size], data[8 + size :]
    if how == 1:
        body = damaged(body, rng)
    else:
        header = damaged_json(header, rng)
    return struct.pack("<Q", len(header)) + header + body


def damaged_parquet(data: bytes, rng: random.Random) -> bytes:
    """A table with columns, values, rows or its own description changed; or damaged bytes."""
    if rng.randrange(5) == 0:
        return damaged(data, rng)
    try:
        table = pq.read_table(io.BytesIO(data), use_threads=False)
        frame = table.to_pandas()
        for _ in range(rng.randint(1, 2)):
            frame = _damaged_frame(frame, rng)
        changed = pa.Table.from_pandas(frame, preserve_index=False)
    except Exception:  # damaged before, or columns that no file can hold
        return damaged(data, rng)
    about = {key: value for key, value in (table.schema.metadata or {}).items() if key != b"pandas"}
    for key in about:
        if rng.randrange(3) == 0:
            about[key] = damaged_json(about[key], rng)
    out = io.BytesIO()
    pq.write_table(changed.replace_schema_metadata({**(changed.schema.metadata or {}), **about}), out)
    return out.getvalue()


_CELLS: tuple[Any, ...] = (*(float("nan"), float("inf"), -1, 0, 1e300, 2**62, 0.5, "", "x", None, True),)


def _damaged_frame(frame: Any, rng: random.Random) -> Any:
    if not len(frame.columns):
        return frame
    name = rng.choice(list(frame.columns))
    how = rng.randrange(7)
    if how == 0:
        return frame.drop(columns=name)
    if how == 1:
        return frame.rename(columns={name: rng.choice(["", "x", f"{name} "])})
    if how == 2:
        return frame.iloc[[rng.randrange(len(frame)) for _ in range(len(frame))]] if len(frame) else frame
    if how == 3:
        return frame.iloc[: rng.randrange(len(frame) + 1)]
    if how == 4:
        return frame.assign(**{name: rng.choice(_CELLS)})
    if how == 5:
        return frame.assign(**{name: frame[name].astype(rng.choice(["float32", "str", "float64", "int16"]))})
    values = frame[name].astype(object).to_list()
    if values:
        values[rng.randrange(len(values))] = rng.choice(_CELLS)
    return frame.assign(**{name: values})


_WAYS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "json": damaged_json,
    "yaml": damaged_json,
    "csv": damaged_text,
    "txt": damaged_text,
    "safetensors": damaged_safetensors,
    "parquet": damaged_parquet,
}
