"""steps/ID.jsonl: the steps that a job has made, for its next attempt. One line names the job, then comes a line a step.

Two jobs may have one id, one after the other, so a file is known by the `key` of its job and not by its name alone. Where the
name is taken by the file of another job, the next one is used: ID~2, ID~3. Light: a job's process imports it to make steps.
"""

from __future__ import annotations

import json
import os

from spoolrunner.spool.ids import numbered
from spoolrunner.system import durable
from spoolrunner.system.heldfiles import open_plain, read_all, read_plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from spoolrunner.spool.paths import Layout

_ENDING = ".jsonl"
_MAX_HEADER = 8192
"""Bytes of a first line; ours are shorter."""
_MAX_KEY = 200
"""Characters of a key: the text of a time may have any number of digits."""
_MOST_BEFORE = 1000
"""Names before its own under which a job's file is looked for."""


def key_of(raw: dict[str, Any], inode: int) -> str:
    """Return what tells a job from another one of its id: when it was created or, where it does not say, its first file.

    `inode` is that of its file now, which is the first one as long as no record was made.
    """
    said = raw.get("key") or raw.get("created_at")
    if said:
        return str(said)[:_MAX_KEY]
    replaced = raw.get("replaces")
    return f"inode {replaced[0][0] if replaced else inode}"


def first_line(key: str, job: str, method: str, params: str) -> bytes:
    """Return the line that names the job; `params` is a checksum of its parameters."""
    return json.dumps({"key": key, "job": job, "method": method, "params": params}).encode() + b"\n"


def find(layout: Layout, job_id: str, key: str) -> tuple[str, bool]:
    """Return the path of the file of the job with that key, and True; or the path of the next free name, and False."""
    name = job_id
    while (there := header(layout.step_file(name))) is not None:
        if there.get("key") == key:
            return layout.step_file(name), True
        name = numbered(name)
    for earlier in _names_before(job_id):
        if (header(layout.step_file(earlier)) or {}).get("key") == key:
            return layout.step_file(earlier), True
    return layout.step_file(name), False


def _names_before(job_id: str) -> Iterator[str]:
    """Yield ID, ID~2 … before ID~N: a crash may have come between the move of a job to a new name and that of its steps."""
    stem, tilde, number = job_id.rpartition("~")
    if tilde and number.isascii() and number.isdigit():
        yield stem
        for earlier in range(max(2, int(number) - _MOST_BEFORE), int(number)):
            yield f"{stem}~{earlier}"


def header(path: str) -> dict[str, Any] | None:
    """Return what the first line says, {} when it says nothing that can be read, None when there is no such file."""
    data = read_plain(path, _MAX_HEADER)
    if data is None:
        try:
            os.lstat(path)
        except FileNotFoundError:
            return None
        return {}
    return _decoded(data.partition(b"\n")[0]) or {}


def lines(path: str) -> list[dict[str, Any]]:
    """Return the steps in a file, without its first line. A line that was torn is left out."""
    descriptor = open_plain(path, os.O_RDONLY)
    try:
        data = read_all(descriptor)
    finally:
        os.close(descriptor)
    found = [_decoded(line) for line in data.split(b"\n")[1:-1]]
    return [line for line in found if line is not None and isinstance(line.get("step"), str) and "value" in line]


def _decoded(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def append(path: str, line: bytes, *, fsync: bool) -> None:
    """Append a line, behind one that was torn as well; OSError when it is not there for good afterwards."""
    descriptor = open_plain(path, os.O_RDWR | os.O_APPEND)
    try:
        size = os.lseek(descriptor, 0, os.SEEK_END)
        os.lseek(descriptor, max(0, size - 1), os.SEEK_SET)
        if os.read(descriptor, 1) not in (b"", b"\n"):
            line = b"\n" + line
        while line:
            line = line[os.write(descriptor, line) :]
    finally:
        os.close(descriptor)
    if fsync:
        durable.sync(path)


def begin(layout: Layout, path: str, data: bytes, *, fsync: bool) -> None:
    """Make a new file of steps, and the folder for it where there is none yet; FileExistsError when the name is taken."""
    try:
        os.mkdir(layout.steps, 0o700)
    except FileExistsError:
        pass
    else:
        if fsync:
            durable.sync_folder(layout.root)
    durable.publish(layout.stage(), path, data, fsync)


def write(layout: Layout, path: str, data: bytes, *, fsync: bool) -> None:
    """Make `data` the whole content of a file of steps."""
    durable.replace_content(layout.stage(), path, data, fsync)


def remove(layout: Layout, job_id: str, key: str) -> bool:
    """Remove the file of the job with that key; False when there is none."""
    path, is_there = find(layout, job_id, key)
    return is_there and durable.unlink(path)


def follow(layout: Layout, job_id: str, name: str, key: str) -> None:
    """Let the file of a job go with it from the name `job_id` to `name`, unless that is another one's."""
    path, is_there = find(layout, job_id, key)
    target = layout.step_file(name)
    if is_there and path != target and header(target) is None:
        durable.rename(path, target)


def names(layout: Layout) -> list[str]:
    """Return the sorted names, without the ending, of the files in steps/; none where there is no such folder."""
    try:
        found = os.listdir(layout.steps)
    except FileNotFoundError:
        return []
    return sorted(name.removesuffix(_ENDING) for name in found if name.endswith(_ENDING))
