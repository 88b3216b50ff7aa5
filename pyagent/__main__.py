"""`splitsim`, and `python -m pyagent`."""

import sys


def main() -> None:
    """Entry point. Ctrl-C while the command line loads is as short as later."""
    try:
        from pyagent.cli import main as command
    except KeyboardInterrupt:
        print("splitsim: interrupted", file=sys.stderr)
        sys.exit(130)
    command()


if __name__ == "__main__":
    main()
