"""The lines of a lock file, as they are written: markers, and the outcome that a job's process leaves. Reading is for `traces`.

A line is one JSON object between two line breaks of its own, so that one which was torn harms no other. It is made of text
without a JSON library: a job's process writes two of them, and the import of any such library would cost it more than all its
work. Light: every job's process imports it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    Stamp = tuple[int, int, int]
    """(inode, size in bytes, time of the last change in nanoseconds) of a job's file."""

START, CLAIM, READY, OUTCOME = "start", "claim", "ready", "outcome"

_ESCAPED = {number: f"\\u{number:04x}" for number in range(32)} | {34: '\\"', 92: "\\\\"}


def quoted(text: str) -> str:
    """Return the text as a JSON string. A lone surrogate, which no UTF-8 file can hold, becomes its Python escape."""
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return f'"{text.encode("utf-8", "backslashreplace").decode().translate(_ESCAPED)}"'


def where(host: str, namespace: str, home: str) -> str:
    """Return what a start marker says of the place of its process (`system.place.Place`), as a part of a JSON object."""
    return f',"host":{quoted(host)},"namespace":"{namespace}","home":"{home}"'


def start(
    attempt: int,
    stamp: Stamp,
    pid: int,
    process_started: str,
    started_at: str,
    began: float,
    *,
    imports: bool,
    where: str = "",
) -> bytes:
    """Return a start marker: attempt `attempt` of the file with that stamp is about to be made by the process.

    `started_at` is RFC 3339, `began` monotonic; `imports`: the job's module is still to be imported. `where` is made by
    the function of that name.
    """
    inode, size, mtime_ns = stamp
    return (
        f'\n{{"kind":"start","attempt":{attempt},"inode":{inode},"size":{size},"mtime_ns":{mtime_ns},'
        f'"pid":{pid},"process_started":"{process_started}",'
        f'"started_at":"{started_at}","began":{began!r},"imports":{"true" if imports else "false"}{where}}}\n'
    ).encode()


def claim(attempt: int, stamp: Stamp) -> bytes:
    """Return a claim marker: the file with that stamp is claimed, though a verdict or an old marker speaks against it."""
    inode, size, mtime_ns = stamp
    return f'\n{{"kind":"claim","attempt":{attempt},"inode":{inode},"size":{size},"mtime_ns":{mtime_ns}}}\n'.encode()


def ready(attempt: int, began: float) -> bytes:
    """Return the line that says that the job's module is imported; its timeout counts from `began` (monotonic)."""
    return f'\n{{"kind":"ready","attempt":{attempt},"began":{began!r}}}\n'.encode()


def outcome(attempt: int, made: str, ended_at: str, fields: dict[str, str]) -> bytes:
    """Return an outcome line: how the attempt ended (a value of `Outcome`) and when (RFC 3339). `fields` are JSON texts."""
    rest = "".join([f',"{name}":{text}' for name, text in fields.items()]) if fields else ""
    return f'\n{{"kind":"outcome","attempt":{attempt},"outcome":"{made}","ended_at":"{ended_at}"{rest}}}\n'.encode()


def link_of(lock_path: str) -> str:
    """Return the path of the link that holds start marker and outcome line where no file can be written (a limit of sizes).

    It is that of the job's progress, which nobody reads any more then, and which is removed with the record.
    """
    return f"{lock_path.removesuffix('lock')}progress"


def is_begun(data: bytes, attempt: int, stamp: Stamp) -> bool:
    """Return whether the last marker in `data` is a start marker of this attempt, so that another process has begun it.

    What comes after the last line break was torn, and says nothing, as for `traces`.
    """
    own = start(attempt, stamp, 0, "", "", 0.0, imports=False).partition(b'"pid"')[0].strip()
    for line in reversed(data.split(b"\n")[:-1]):
        if line.endswith(b"}") and line.startswith((b'{"kind":"start"', b'{"kind":"claim"')):
            return line.startswith(own)
    return False
