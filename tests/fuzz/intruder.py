"""A stranger who may write into pending/ and changes what lies there while the dispatcher looks at it."""

from __future__ import annotations

import contextlib
import json
import os
import random
import threading
from collections.abc import Callable
from pathlib import Path

from spoolrunner.system import durable

SECRET = "the-secret-of-another"
SIZE = 400
"""Bytes of a document and of the path in a link to another one: what a look from outside tells is the same for both."""


class Outside:
    """A folder that is none of the spool's business, with a document in it that would be valid as a job."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.secret = folder / "secret.json"
        self.secret.write_bytes(_document(SECRET))
        self.before = self.look()

    def look(self) -> dict[str, tuple[object, ...]]:
        """Names, bytes and everything that stat tells but the time of access."""
        found = {}
        for path in sorted(self.folder.iterdir()):
            status = path.lstat()
            facts = (
                status.st_ino,
                status.st_mode,
                status.st_uid,
                status.st_nlink,
                status.st_mtime_ns,
                status.st_ctime_ns,
            )
            found[path.name] = (path.read_bytes(), *facts)
        return found

    def padded_path(self) -> str:
        """A path to the secret document that is SIZE characters long."""
        spare = SIZE - len(str(self.secret))
        return f"{self.folder}/{'./' * (spare // 2)}{'/' * (spare % 2)}secret.json"


class Intruder(threading.Thread):
    """Runs a trick again and again, until stopped or so many times; an error of it is kept for the test."""

    def __init__(self, trick: Callable[[int], None], times: int) -> None:
        super().__init__(daemon=True)
        self._trick = trick
        self._times = times
        self.tried = 0
        self.error: Exception | None = None

    def run(self) -> None:
        """Go on until it has been tried so many times."""
        try:
            for number in range(self._times):
                self._trick(number)
                self.tried += 1
        except Exception as error:
            self.error = error


class Swapper:
    """Puts a valid document into pending/ and at once something else under its name."""

    def __init__(self, spool: Path, outside: Outside, seed: int) -> None:
        self._spool, self._outside = spool, outside
        self._dice = random.Random(seed)
        self._ways = (self._link_over, self._link_instead, self._pipe_over, self._document_over, self._pipe_instead)

    def trick(self, number: int) -> None:
        """One name, swapped one to four times."""
        path = self._spool / "pending" / f"swap-{number:06}.json"
        staged = self._staged(number)
        staged.write_bytes(_document("harmless"))
        durable.rename(str(staged), str(path))
        for _ in range(self._dice.randint(1, 4)):
            # Race: the dispatcher takes the file whenever it likes.
            with contextlib.suppress(FileNotFoundError, FileExistsError):
                self._dice.choice(self._ways)(path, self._staged(number))

    def _staged(self, number: int) -> Path:
        return self._spool / "tmp" / f"swap-{number}-{self._dice.random()}"

    def _link_over(self, path: Path, staged: Path) -> None:
        staged.symlink_to(self._outside.padded_path())
        staged.rename(path)

    def _link_instead(self, path: Path, _staged: Path) -> None:
        """With size and time of the file it replaces, and its inode too if the file system gives that out again."""
        status = path.lstat()
        path.unlink()
        path.symlink_to(self._outside.padded_path())
        os.utime(path, ns=(status.st_mtime_ns, status.st_mtime_ns), follow_symlinks=False)

    def _pipe_over(self, path: Path, staged: Path) -> None:
        os.mkfifo(staged)
        staged.rename(path)

    def _pipe_instead(self, path: Path, _staged: Path) -> None:
        path.unlink()
        os.mkfifo(path)

    def _document_over(self, path: Path, staged: Path) -> None:
        staged.write_bytes(_document("harmless too"))
        staged.rename(path)


class Rewriter:
    """Keeps the file that it published open, and writes other things into it while it is looked at, claimed and run."""

    WRITINGS = (
        b'{"job":"jobs","method":"forbidden"}',
        b'{"job":"os","method":"system","params":["touch forbidden-ran"]}',
        b'{"job":"jobs","method":"echo","params":["another"]}',
        b'{"job":"jobs","method":"echo","timeout":"3000d","max_retries":99}',
        b'{"job":"jobs","method":"echo","params":7,"meta":[]}',
        b'{"job":"jobs","method":"echo","attempts":[{"number":1,"outcome":"succeeded","verdict":"done"}]}',
        b'{"job":"jobs","method":"echo","attempts":[{}]}',
        b'{"job":"jobs","method":"echo","attempts":"none"}',
        b"not JSON at all",
        b"",
        b"[" * 3000,
        b'{"job":"jobs","method":"echo","params":["' + b"x" * (9 << 20) + b'"]}',
    )

    def __init__(self, spool: Path, seed: int) -> None:
        self._spool = spool
        self._dice = random.Random(seed)

    def trick(self, number: int) -> None:
        """One file, rewritten in place up to six times after it was published."""
        staged = self._spool / "tmp" / f"open-{number:06}"
        with staged.open("xb", buffering=0) as stream:
            stream.write(_document("as it was looked at"))
            durable.rename(str(staged), str(self._spool / "pending" / f"open-{number:06}.json"))
            for _ in range(self._dice.randint(1, 6)):
                data = self._dice.choices(self.WRITINGS, [9] * (len(self.WRITINGS) - 1) + [1])[0]
                if self._dice.random() < 0.5:
                    stream.truncate(0)
                os.pwrite(stream.fileno(), data, 0)
                if self._dice.random() < 0.5:
                    stream.truncate(len(data))


def _document(param: str) -> bytes:
    return json.dumps({"job": "jobs", "method": "echo", "params": [param]}).encode().ljust(SIZE)
