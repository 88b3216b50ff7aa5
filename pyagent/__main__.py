"""`python -m pyagent` is `splitsim`."""

from pyagent.cli import main

if __name__ == "__main__":
    main()
