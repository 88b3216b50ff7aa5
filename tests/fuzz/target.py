"""What is fuzzed: a reader, sound inputs for it, how to damage them, and what may come of that."""

from __future__ import annotations

import random
import re
import shutil
import tempfile
import traceback
import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from pyagent.errors import UserError
from tests.fuzz.mutate import damaged
from tests.fuzz.structured import damaged_folder, members_of, zip_of

CORPUS = Path(__file__).with_name("corpus")
"""A folder for each target with inputs that once found something, or that no damage would come upon."""
LONGEST_LINE = 2000
"""Characters of a refusal."""
MOST_KEPT = 256
"""Inputs that are damaged further because the reader said something new about them."""

Kind = Literal["accepted", "refused", "crash"]


class Target(ABC):
    """One reader. An object reads many inputs, one after another, in one process.

    Args:
        folder: a new one, for the files that it reads.

    Attributes:
        name: on the command line, and of the corpus's folder.
        refusals: what the reader may raise, by its documentation.
        cpu_limit_s: of one input; more is a hang.
        growth_bytes: of memory, beyond what the process has before its first input.
    """

    name: ClassVar[str]
    refusals: ClassVar[tuple[type[Exception], ...]] = (UserError,)
    cpu_limit_s: ClassVar[float] = 10.0
    growth_bytes: ClassVar[int] = 2**30

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def seeds(self) -> Sequence[bytes]:
        """Sound inputs, small ones."""

    @abstractmethod
    def read(self, data: bytes) -> None:
        """Give an input to the reader, and check what the reader promises of what it accepts."""

    def mutate(self, data: bytes, rng: random.Random) -> bytes:
        """Another input from one."""
        return damaged(data, rng)


class FileTarget(Target):
    """A reader of one file.

    Attributes:
        file_name: under which it is read.
    """

    file_name: ClassVar[str] = "input"

    def read(self, data: bytes) -> None:
        path = self.folder / self.file_name
        path.write_bytes(data)
        self.load(path)

    @abstractmethod
    def load(self, path: Path) -> None:
        """Read the file, and check what the reader promises of what it accepts."""


class FolderTarget(Target):
    """A reader of a folder; an input is a zip of its files."""

    def seeds(self) -> Sequence[bytes]:
        made = []
        for number in range(self.variants):
            with tempfile.TemporaryDirectory() as name:
                self.make(Path(name), number)
                made.append(_zipped(Path(name)))
        return made

    variants: ClassVar[int] = 1
    """How many sound folders there are."""

    @abstractmethod
    def make(self, folder: Path, number: int) -> None:
        """Write a sound folder, one of the `variants`."""

    def mutate(self, data: bytes, rng: random.Random) -> bytes:
        return damaged_folder(data, rng)

    def read(self, data: bytes) -> None:
        place = self.folder / "input"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        for name, content in members_of(data).items():
            path = place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        self.load(place)

    @abstractmethod
    def load(self, folder: Path) -> None:
        """Read the folder, and check what the reader promises of what it accepts."""


def _zipped(folder: Path) -> bytes:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return zip_of({str(path.relative_to(folder)): path.read_bytes() for path in files})


@dataclass(frozen=True)
class Verdict:
    """What came of an input.

    Attributes:
        kind: accepted, refused by one line, or anything else.
        words: of the refusal without names and numbers; of a crash its type and place.
        why: the refusal, or the crash's traceback.
    """

    kind: Kind
    words: str = ""
    why: str = ""


def judge(target: Target, data: bytes) -> Verdict:
    """Let a target read an input."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            target.read(data)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a panic of Rust's is no Exception
        if not isinstance(error, target.refusals):
            return _crash(error)
        text = str(error)
        if len(text.splitlines()) != 1 or len(text) > LONGEST_LINE:
            return Verdict("crash", f"{type(error).__name__} of {_size(text)}", text)
        return Verdict("refused", _words(text), text)
    return Verdict("accepted")


def _crash(error: BaseException) -> Verdict:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "site-packages" not in frame.filename] or list(frames)
    place = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}"
    why = "".join(traceback.format_exception(error, limit=-30))
    return Verdict("crash", f"{type(error).__name__} at {place}", why)


def _size(text: str) -> str:
    return f"{len(text.splitlines())} lines" if len(text) <= LONGEST_LINE else "too many characters"


def _words(text: str) -> str:
    return re.sub(r"'[^']*'|\"[^\"]*\"|/\S*|[-+\w.]*\d[-+\w.]*", "#", text)[:160]


class Generator:
    """The inputs of a target, one after another; the same ones for the same seed and verdicts.

    The target's sound inputs come first, as they are. What the reader says steers the rest: an input about
    which it says what it has not said before is damaged further.
    """

    def __init__(self, target: Target, seed: int, first: int = 0) -> None:
        self._target, self._seed, self._number = target, seed, first
        self._sound = [*target.seeds(), *(path.read_bytes() for path in corpus(target.name))]
        self._kept: list[bytes] = []
        self._said: set[str] = set()

    def next(self) -> bytes:
        """The next input."""
        number, self._number = self._number, self._number + 1
        if number < len(self._sound):
            return self._sound[number]
        rng = random.Random(f"{self._seed} {self._target.name} {number}")
        base = rng.choice(self._kept if self._kept and rng.randrange(2) else self._sound)
        return self._target.mutate(base, rng)

    def learn(self, data: bytes, verdict: Verdict) -> None:
        """Take note of what came of an input."""
        if verdict.kind != "crash" and verdict.words not in self._said and len(self._kept) < MOST_KEPT:
            self._said.add(verdict.words)
            self._kept.append(data)


def corpus(name: str) -> list[Path]:
    """The files of a target's corpus, in order."""
    return sorted(path for path in (CORPUS / name).glob("*") if path.is_file())
