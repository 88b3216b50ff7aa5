"""What can go wrong between the agent and its simulator."""

from __future__ import annotations

from llm_split.plain import one_line

_LONGEST = 500
"""Characters of a message: what it quotes, others wrote."""


class BridgeError(RuntimeError):
    """Base of every error of the bridge; whoever sees one, no simulator process is left behind."""


class ProtocolError(BridgeError):
    """The simulator sent what the ns3-gym protocol does not allow. The message is one short line."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message, _LONGEST))


class SimulatorTimeout(BridgeError, TimeoutError):  # noqa: N818 (says what happened)
    """The simulator is alive but did not answer in time.

    Attributes:
        command: shell line that starts the same simulator by hand; empty in attach mode.
    """

    def __init__(self, message: str, command: str = "") -> None:
        super().__init__(message)
        self.command = command


class SimulatorDied(BridgeError):  # noqa: N818 (says what happened)
    """The simulator ended although the agent was still waiting for it.

    Attributes:
        exit_code: exit status; minus the signal number if a signal ended it; None if unknown (attach mode).
        stderr_tail: last lines of its stderr (of its stdout where stderr is empty).
        command: shell line that starts the same simulator by hand; empty in attach mode.
    """

    def __init__(
        self, message: str, exit_code: int | None = None, stderr_tail: str = "", command: str = ""
    ) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.stderr_tail = stderr_tail
        self.command = command


class LinkLost(BridgeError):  # noqa: N818 (an event, caught inside the bridge)
    """The simulator has ended or closed its connection, and all that it had sent is read."""
