"""Pages of the docs that hold what a benchmark printed."""

from __future__ import annotations

from pathlib import Path

END = "<!-- end of table -->"


def put_table(page: Path, benchmark: str, text: str) -> None:
    """Replace what stands between the page's markers of `python -m benchmarks.BENCHMARK`."""
    begin = f"<!-- table: python -m benchmarks.{benchmark} -->"
    before, rest = page.read_text(encoding="utf-8").split(begin)
    after = rest.split(END, 1)[1]
    page.write_text(f"{before}{begin}\n\n{text}\n{END}{after}", encoding="utf-8")
