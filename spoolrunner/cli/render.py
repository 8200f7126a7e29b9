"""How things look: rich on a terminal, plain in a pipe. Nothing that comes from a job is printed raw."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from spoolrunner.cli import out
from spoolrunner.system.clock import format_time
from spoolrunner.telling import line_format
from spoolrunner.telling.line_format import Entry, Kind, printable
from spoolrunner.telling.outlet import Outlet

if TYPE_CHECKING:
    from spoolrunner.telling.events import Event  # a command that only looks need not make every class of event

_COLOURS = {
    Kind.STARTED: "cyan",
    Kind.COMPLETED: "green",
    Kind.FAILED: "red",
    Kind.RETRY: "yellow",
    Kind.REFUSED: "red",
    Kind.ENDING: "yellow",
    Kind.TROUBLE: "bold red",
}


_MAX_FIRST, _MAX_WIDTH, _MIN_LAST, _GAP = 44, 22, 8, 2
"""Widths of columns, in characters."""
_MOST_DRAWN = 1000
"""Characters of a cell that are given to be drawn: drawing megabytes takes seconds, and no terminal is as wide."""
_NARROWEST, _USUAL = 20, 80
"""Widths of a terminal, in characters: the least that is drawn for, and what is taken when it does not say."""


def is_terminal() -> bool:
    """Whether a person looks at standard output."""
    return sys.stdout.isatty()


def as_json(value: Any) -> None:
    """Print a value as indented JSON in ASCII: names of files need not be UTF-8, and text need not be printable."""
    print(json.dumps(value, indent=2))


def as_text(value: Any) -> str:
    """Return a value of a document as JSON in one line."""
    return json.dumps(value, ensure_ascii=False)


def to_the_second(moment: str) -> str:
    """Return a time of ours without the part below the second."""
    return moment.partition(".")[0].removesuffix("Z") + "Z"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under a header: drawn on a terminal, with tabs between in a pipe.

    The first column is what people copy, so it is never shortened; the others are, to fit the width.
    """
    clean = [[printable(cell) for cell in row] for row in rows]
    if is_terminal():
        clean = [[first, *(cell[:_MOST_DRAWN] for cell in others)] for first, *others in clean]
    if not is_terminal():
        for row in [[column.upper() for column in columns], *clean]:
            out.row(row)
        return
    from rich.table import Table
    from rich.text import Text

    console = _console()
    drawn = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="dim")
    left, needed = console.width, 0
    for index, column in enumerate(columns):
        widest = max(len(row[index]) for row in [columns, *clean])
        width = min(
            widest, _MAX_FIRST if index == 0 else max(_MIN_LAST, left) if index == len(columns) - 1 else _MAX_WIDTH
        )
        left -= width + _GAP
        needed += width + _GAP
        drawn.add_column(column, width=width, no_wrap=index > 0, overflow="fold" if index == 0 else "ellipsis")
    for row in clean:
        drawn.add_row(*(Text(cell, style=_style(cell)) for cell in row))
    console.width = max(
        console.width, needed
    )  # otherwise the first column is shortened too: let the terminal break the lines
    console.print(drawn)


def fields(pairs: Iterable[tuple[str, str]]) -> None:
    """Print names and values, one pair a line; empty values are left out."""
    shown = [(printable(name), printable(value)) for name, value in pairs if value]
    width = min(max((len(name) for name, _ in shown), default=0), _MAX_WIDTH)
    if not is_terminal():
        for name, value in shown:
            out.say(f"{name.ljust(width)}  {value}")
        return
    from rich.text import Text

    console = _console(soft_wrap=True)
    for name, value in shown:
        console.print(Text.assemble((name.ljust(width), "dim"), "  ", (value, _style(value))))


def block(text: str, indent: str = "    ") -> None:
    """Print text of a job, line by line, printable."""
    for row in text.splitlines():
        out.say(indent + row.expandtabs())


def progress(reported: dict[str, Any] | None) -> str:
    """What a running job reported of its progress, as text: `60% sailing`; empty when it reported nothing."""
    if not reported:
        return ""
    fraction = reported.get("fraction", 0)
    share = f"{fraction:.0%}" if isinstance(fraction, (int, float)) and 0 <= fraction <= 1 else ""
    return f"{share} {reported.get('text', '')}".strip()


def error(found: dict[str, Any]) -> str:
    """The error of an attempt in one line, as text: `ValueError: no such year`."""
    return ": ".join(str(part) for part in (found.get("type"), found.get("message")) if part)


class EventPrinter:
    """Prints events as they happen: coloured and short on a terminal, the log's own line in a pipe."""

    def __init__(self) -> None:
        self._console: Any = None
        self._outlet = Outlet(sys.stdout)
        if is_terminal():
            from rich.console import Console

            # Drawn into memory, and printed by the outlet. The terminals of old Windows are coloured by calls, not by text.
            colours: Any = None if Console().legacy_windows else "auto"
            self._console = Console(
                file=io.StringIO(),
                force_terminal=True,
                color_system=colours,
                legacy_windows=False,
                highlight=False,
                soft_wrap=True,
            )

    def __call__(self, event: Event, at: float) -> None:
        """Have one event printed; nothing waits for that."""
        entry = event.entry(at)
        self._outlet.put(line_format.line(entry) if self._console is None else self._drawn(entry))

    @property
    def trouble(self) -> str:
        """Why nothing is printed at this moment; empty when it is."""
        return self._outlet.trouble

    def close(self) -> None:
        """Give the last events a moment to be printed, which they need where the reader is slow."""
        self._outlet.close()

    def _drawn(self, entry: Entry) -> str:
        with self._console.capture() as drawn:
            self._console.print(_short(entry), end="")
        text: str = drawn.get()
        return text


def _short(entry: Entry) -> Any:
    from rich.text import Text

    what = entry.job.rpartition(".")[2] + (f".{entry.method}" if entry.method else "")
    attempt = f"attempt {entry.attempt}/{entry.starts or '?'}" if entry.attempt else ""
    took = "" if entry.duration is None else f"{entry.duration:.2f} s"
    again = "" if entry.next_run_at is None else f"at {format_time(entry.next_run_at)[11:19]}"
    outcome = "" if entry.outcome in ("", "succeeded", entry.kind.value) else entry.outcome
    words = [what, attempt, took, outcome, again, entry.note]
    rest = "  ".join(printable(word) for word in words if word)
    return Text.assemble(
        (format_time(entry.at)[11:23], "dim"),
        "  ",
        (f"{entry.kind.value:<10}", _COLOURS.get(entry.kind, "")),
        "  ",
        (printable(entry.id), "bold"),
        "  " if entry.id else "",
        rest,
    )


def _console(*, soft_wrap: bool = False) -> Any:
    """A console of rich's on standard output, of a width in which something can be drawn: COLUMNS may be 0."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=soft_wrap)
    if console.width < _NARROWEST:
        console.width = _NARROWEST if console.width else _USUAL
    return console


def _style(cell: str) -> str:
    styles = {
        "failed": "red",
        "done": "green",
        "succeeded": "green",
        "running": "cyan",
        "crashed": "red",
        "timed_out": "red",
    }
    return styles.get(cell.partition(" ")[0], "")
