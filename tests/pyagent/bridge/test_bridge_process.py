import gc
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from pyagent.bridge import SimulatorProcess
from pyagent.bridge import process as process_module

FOREVER = ["-c", "import signal\nwhile True: signal.pause()"]
STUBBORN = [
    "-c",
    "import signal; signal.signal(15, signal.SIG_IGN)\nprint('up', flush=True)\nwhile True: signal.pause()",
]


def python(log_dir: Path, *args: str, **options: object) -> SimulatorProcess:
    return SimulatorProcess(sys.executable, args, log_dir=log_dir, **options)  # type: ignore[arg-type]


def wait_until(condition: object, timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


@pytest.mark.parametrize(("program", "code"), [("", 0), ("exit(3)", 3), ("import os; os.abort()", -6)])
def test_exit_code(tmp_path: Path, program: str, code: int) -> None:
    with python(tmp_path, "-c", program) as process:
        assert process.wait(10) == code
        assert process.pidfd is None
        assert process.exit_code() == code


def test_output_goes_to_files_and_names_stay_unique(tmp_path: Path) -> None:
    program = "import sys; print('out'); print('err', file=sys.stderr)"
    for name in ("run", "run-1"):
        with python(tmp_path / "new", "-c", program, label="run") as process:
            assert process.wait(10) == 0
            assert process.stdout_path == tmp_path / "new" / f"{name}.stdout.log"
            assert process.stdout_path.read_text() == "out\n"
            assert process.stderr_path.read_text() == "err\n"


def test_tail_is_30_lines_or_stdout(tmp_path: Path) -> None:
    with python(tmp_path, "-c", "import sys\nfor i in range(99): print(i, file=sys.stderr)") as process:
        process.wait(10)
        assert process.stderr_tail() == "\n".join(map(str, range(69, 99)))
    with python(tmp_path, "-c", "print('only here')") as process:
        process.wait(10)
        assert process.stderr_tail() == "(stderr is empty, from stdout:)\nonly here"


def test_command_reproduces(tmp_path: Path) -> None:
    program = "import os, sys; print(os.environ['ODD'], sys.argv[1:])"
    with python(tmp_path, "-c", program, "a b", "$HOME;'", env={"ODD": "x y"}) as process:
        process.wait(10)
        assert "PYAGENT_PARENT_FD" not in process.command
        again = subprocess.run(["sh", "-c", process.command], capture_output=True, text=True, timeout=20)
        assert again.stdout == process.stdout_path.read_text() == "x y ['a b', \"$HOME;'\"]\n"
        assert shlex.split(process.command)[0] == "env"


def test_no_such_executable(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="executable='no/such/simulator'"):
        SimulatorProcess("no/such/simulator", log_dir=tmp_path)
    assert not list(tmp_path.iterdir())


def test_file_that_is_no_program(tmp_path: Path) -> None:
    path = tmp_path / "noise"
    path.write_bytes(b"\x00\x01\x02")
    path.chmod(0o755)
    with SimulatorProcess(path, log_dir=tmp_path) as process:
        assert process.wait(10) == 1
        assert "cannot run" in process.stderr_tail()


def test_signals_are_as_in_a_fresh_program(tmp_path: Path) -> None:
    """Python's own ignored SIGPIPE must not leak into the simulator."""
    with SimulatorProcess("grep", ["SigIgn", "/proc/self/status"], log_dir=tmp_path) as process:
        assert process.wait(10) == 0
        ignored = int(process.stdout_path.read_text().split()[1], 16)
    # Only this one: what the caller itself ignores (make does, of libc's own signals) is inherited.
    assert not ignored & 1 << (signal.SIGPIPE - 1)


def test_terminate_is_gentle_first(tmp_path: Path) -> None:
    with python(tmp_path, *FOREVER) as process:
        assert process.terminate(10) == -signal.SIGTERM
        assert process.terminate() == -signal.SIGTERM


def test_terminate_kills_the_stubborn(tmp_path: Path) -> None:
    with python(tmp_path, *STUBBORN) as process:
        wait_until(lambda: process.stdout_path.read_text())
        assert process.wait(0) is None
        assert process.terminate(0.1) == -signal.SIGKILL


def test_children_of_a_wrapper_script_go_too(tmp_path: Path) -> None:
    program = f"import subprocess, sys; print(subprocess.Popen([sys.executable, *{FOREVER}]).pid)"
    with python(tmp_path, "-c", program) as process:
        assert process.wait(10) == 0
        child = int(process.stdout_path.read_text())
    wait_until(lambda: is_over(child))


def is_over(pid: int) -> bool:
    """True if the process has ended; it may be reaped between any two looks at it."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_works_without_pidfd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_module, "_open_pidfd", lambda pid: None)
    with python(tmp_path, "-c", "import time; time.sleep(0.2)") as process:
        assert process.wait(0.01) is None
        assert process.wait(10) == 0


def test_survives_the_thread_that_started_it(tmp_path: Path) -> None:
    """The kernel's parent-death signal is bound to the starting thread."""
    made: list[SimulatorProcess] = []
    thread = threading.Thread(target=lambda: made.append(python(tmp_path, *STUBBORN)))
    thread.start()
    thread.join()
    with made[0] as process:
        wait_until(lambda: process.stdout_path.read_text())  # its death signal is set by now
        assert process.wait(0.2) is None
        process.terminate(0)


def test_garbage_collection_ends_it(tmp_path: Path) -> None:
    process = python(tmp_path, *FOREVER)
    pid = process.pid
    del process
    gc.collect()
    assert not psutil.pid_exists(pid)


def test_no_descriptor_leaks(tmp_path: Path) -> None:
    def count() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = count()
    for _ in range(5):
        with python(tmp_path, "-c", ""):
            pass
    with pytest.raises(FileNotFoundError):
        SimulatorProcess("/no/such", log_dir=tmp_path)
    assert count() == before


AGENT = """
import os, sys
from pyagent.bridge import SimulatorProcess
process = SimulatorProcess(sys.executable, ["-c", {program!r}], log_dir={log_dir!r})
if {fork}:
    pid = os.fork()
    if pid == 0:
        os.read(0, 1)  # lives on after its parent, with copies of its descriptors
        os._exit(0)
print(process.pid, flush=True)
os.read(0, 1)
"""
WATCHES_PIPE = """
import ctypes, os
ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)  # no death signal
print('ready', flush=True)
os.read(int(os.environ['PYAGENT_PARENT_FD']), 1)
"""


@pytest.mark.parametrize("fork", [False, True], ids=["alone", "with-forked-worker"])
@pytest.mark.parametrize("program", [STUBBORN[1], WATCHES_PIPE], ids=["death-signal", "pipe"])
def test_dies_with_an_agent_that_is_killed(tmp_path: Path, program: str, fork: bool) -> None:
    """Each of the two ways alone is enough."""
    source = AGENT.format(program=program, log_dir=str(tmp_path), fork=fork)
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", source], stdin=pipe, stdout=pipe) as agent:
        assert agent.stdout is not None
        simulator = psutil.Process(int(agent.stdout.readline()))
        wait_until(lambda: (tmp_path / "sim.stdout.log").read_text())
        agent.kill()
        simulator.wait(5)
