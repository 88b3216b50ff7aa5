"""Ask the kernel to end this process with its parent, then become the simulator.

Runs in the place of the simulator: ``python -I -S _exec_wrapper.py PARENT_PID EXECUTABLE ARGS...``.
A ``preexec_fn`` could do the same without a second exec, but would run Python between fork and exec in an
agent that has threads (torch, ZeroMQ), which may deadlock.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent_pid, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:  # the parent ended before the line above
        sys.exit(1)
    # Python ignores these two, and an ignored signal stays ignored across exec.
    for name in ("SIGPIPE", "SIGXFSZ"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    try:
        os.execv(command[0], command)
    except OSError as error:
        sys.exit(f"cannot run {command[0]}: {error}")


if __name__ == "__main__":
    main()
