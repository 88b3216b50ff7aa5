"""What ships names no file of the machine that it was made on."""

from __future__ import annotations

import base64
import io
import re
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pyagent.paths import REPOSITORY

INSIDE = rb"(?:ns3_scenarios|pyagent|llm_split|benchmarks|site-packages|\.venv|\.cache|build/ns3)"
ABSOLUTE = re.compile(rb"(?:(?<![\w.~}>)$/-])|(?<=file://))/(?:[\w.+@-]+/)+" + INSIDE + rb"/")
"""An absolute path that leads into a checkout or an environment, wherever that stands."""
BASE64 = re.compile(rb"[A-Za-z0-9+/]{64,}")
"""Arrow keeps a parquet file's description a second time, like this."""


def texts(content: bytes) -> Iterator[bytes]:
    """The bytes of a file and what is packed in them: base64, members of a zip, columns of parquet."""
    yield content
    for run in BASE64.findall(content):
        for start in range(4):
            part = run[start:]
            yield base64.b64decode(part[: len(part) // 4 * 4])
    if zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                yield from texts(archive.read(name))
    if content[:4] == b"PAR1":
        yield from columns(content)


def columns(content: bytes) -> Iterator[bytes]:
    try:
        table = pq.read_table(io.BytesIO(content))
    except (OSError, ValueError, pa.ArrowException):  # damaged on purpose, in the fuzz corpus
        return
    for column in table.columns:
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            yield "\n".join(map(str, column.unique().to_pylist())).encode()


def paths(content: bytes, checkout: Path = REPOSITORY) -> list[str]:
    """Absolute paths of a checkout in the bytes of a file."""
    own = re.compile(re.escape(str(checkout).encode()) + rb"(?![\w-])")
    return sorted(
        {
            match.group().decode(errors="replace")
            for text in texts(content)
            for pattern in (ABSOLUTE, own)
            for match in pattern.finditer(text)
        }
    )


def test_no_tracked_file_holds_an_absolute_path() -> None:
    listed = subprocess.run(
        ["git", "-C", str(REPOSITORY), "ls-files", "-z"], capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("no git clone, so no list of the files that ship")
    files = [REPOSITORY / name for name in listed.stdout.split("\0") if name]
    found = {str(file.relative_to(REPOSITORY)): paths(file.read_bytes()) for file in files if file.is_file()}
    assert {name: names for name, names in found.items() if names} == {}


CHECKOUT = "/srv/ada/splitsim"
PATH = f"{CHECKOUT}/ns3_scenarios/scenarios/traces/tram-lte.csv"


def parquet(metadata: dict[str, str], text: str) -> bytes:
    out = io.BytesIO()
    table = pa.table({"text": [text]}).replace_schema_metadata(metadata)
    pq.write_table(table, out, compression="zstd")
    return out.getvalue()


def zipped(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.yaml", content)
    return out.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        f"uplink: {PATH}\n".encode(),
        parquet({"splitsim": f'{{"uplink": "{PATH}"}}'}, "nothing"),
        parquet({}, PATH),
        zipped(f"uplink: {PATH}\n".encode()),
        b"x" + base64.b64encode(f"{'a' * 50} {PATH}".encode()),
    ],
)
def test_a_path_is_found_however_it_is_packed(content: bytes) -> None:
    assert paths(content) == [f"{CHECKOUT}/ns3_scenarios/"]


def test_the_checkout_itself_is_found_and_its_neighbours_are_not() -> None:
    content = b"made in /srv/clone, beside /srv/clone-2; see docs/a.md and https://example.org/pyagent/"
    assert paths(content, Path("/srv/clone")) == ["/srv/clone"]
