"""The command `splitsim`."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from importlib.metadata import version
from types import FrameType
from typing import Annotated

import typer

from pyagent.commands.build import build
from pyagent.commands.cards import cards_app
from pyagent.commands.compare import compare, demo
from pyagent.commands.doctor import doctor
from pyagent.commands.evaluate import evaluate
from pyagent.commands.explain import explain
from pyagent.commands.imagine import imagine
from pyagent.commands.models import models_app, texts_app
from pyagent.commands.profile import compare_profiles, profile
from pyagent.commands.record import record
from pyagent.commands.report import report
from pyagent.commands.results import results
from pyagent.commands.run import run
from pyagent.commands.scenario import scenario_app
from pyagent.commands.sweep import sweep
from pyagent.commands.trace import trace
from pyagent.commands.train import train
from pyagent.commands.weights import WeightsCommand
from pyagent.errors import UserError
from pyagent.plugins import add_plugins, load_plugins
from pyagent.threads import wait_passively

app = typer.Typer(
    add_completion=True,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Split inference of a real language model over wireless links simulated in ns-3.",
)
app.add_typer(models_app, name="models")
app.add_typer(texts_app, name="texts")
app.add_typer(cards_app, name="cards")
app.command()(run)
app.command()(evaluate)
app.command()(record)
app.command(cls=WeightsCommand)(compare)
app.command()(demo)
app.command()(explain)
app.command()(imagine)
app.command()(train)
app.add_typer(scenario_app, name="scenario")
app.command()(profile)
app.command("profiles")(compare_profiles)
app.command()(trace)
app.command(cls=WeightsCommand)(report)
app.command()(build)
app.command()(doctor)
app.command()(sweep)
app.command()(results)

USAGE_ERROR = 2
RUN_FAILED = 1
INTERRUPTED = 130


def _version(wanted: bool) -> None:
    if wanted:
        print(version("ns3-llm-split"))
        raise typer.Exit


@app.callback()
def _main(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version_wanted: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    plugin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE.py",
            help="Run this Python file first, with your rights: it registers codecs, surrogates or links of "
            "your own. May be given more than once; SPLITSIM_PLUGINS names files as well.",
        ),
    ] = None,
) -> None:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    if debug:
        os.environ["SPLITSIM_DEBUG"] = "1"
    add_plugins(plugin or [])
    load_plugins()


def _interrupt(signal_number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Entry point: errors that a user can mend are one line on stderr."""
    wait_passively()
    # A terminated run ends like an interrupted one: children are reaped, results are kept.
    signal.signal(signal.SIGTERM, _interrupt)
    threading.excepthook = _explain_thread
    try:
        # Typer gives the status of an early exit back, and makes one of an interrupt.
        status = app(prog_name="splitsim", standalone_mode=False) or 0
        _hear_no_more()
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    except Exception as error:
        if os.environ.get("SPLITSIM_DEBUG"):
            raise
        status = _explain(error)
    _hear_no_more()
    if status == INTERRUPTED:
        _complain(
            "interrupted; what was finished is kept, and the same command goes on from there "
            "(run, evaluate and train: with --resume)"
        )
    sys.exit(status)


def _hear_no_more() -> None:
    """All is done or tidied up: one more Ctrl-C would only break the last lines, or end Python otherwise."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _explain(error: Exception) -> int:
    """Print what went wrong; the exit status that fits."""
    show, exit_code = getattr(error, "show", None), getattr(error, "exit_code", None)
    if show is not None and exit_code is not None:  # an error of typer's own, on the arguments
        show()
        return int(exit_code)
    if isinstance(error, UserError):
        _complain(str(error))
        return USAGE_ERROR
    from llm_split.packages import FetchError, NotFetchedError
    from pyagent.bridge.errors import BridgeError

    if isinstance(error, NotFetchedError):
        _complain(str(error))
        return USAGE_ERROR
    if isinstance(error, BridgeError | FetchError):
        _complain(str(error))
        return RUN_FAILED
    _complain(f"{type(error).__name__}: {error} (--debug shows where)")
    return RUN_FAILED


def _explain_thread(failed: threading.ExceptHookArgs) -> None:
    """One line here too; TensorBoard's writer, for one, also hands its error to whoever writes next."""
    if os.environ.get("SPLITSIM_DEBUG"):
        threading.__excepthook__(failed)
    elif failed.exc_type is not SystemExit:
        _complain(f"{failed.exc_type.__name__}: {failed.exc_value} (--debug shows where)")


def _complain(message: str) -> None:
    print(f"splitsim: {message}", file=sys.stderr)


if __name__ == "__main__":
    main()
