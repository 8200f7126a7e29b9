"""What is kept of jobs that start soon, and the rest of large files."""

from __future__ import annotations

import pytest

from spoolrunner.dispatch.read_ahead import LONG, MOST_BYTES, MOST_KEPT, SHARE, LargeFiles, ReadAhead


def test_what_is_kept_is_taken_once() -> None:
    """What was kept is given back once, and a later one replaces it."""
    kept = ReadAhead[str]()
    kept.keep("x", "old", 5)
    kept.keep("x", "new", 5)
    assert (kept.pop("x"), kept.pop("x"), kept.pop("y")) == ("new", None, None)


def test_the_number_is_bounded() -> None:
    """No more than MOST_KEPT are kept."""
    kept = ReadAhead[int]()
    for number in range(MOST_KEPT + 1):
        kept.keep(str(number), number, 1)
    assert (kept.pop(str(MOST_KEPT - 1)), kept.pop(str(MOST_KEPT))) == (MOST_KEPT - 1, None)
    kept.keep("new", 0, 1)
    assert kept.pop("new") == 0


def test_the_bytes_are_bounded() -> None:
    """All together have MOST_BYTES, but one alone may have more."""
    kept = ReadAhead[str]()
    kept.keep("alone", "a", 2 * MOST_BYTES)
    kept.keep("other", "b", 1)
    assert (kept.pop("other"), kept.pop("alone")) == (None, "a")
    kept.keep("half", "a", MOST_BYTES // 2)
    kept.keep("more", "b", MOST_BYTES // 2 + 1)
    kept.keep("rest", "c", MOST_BYTES // 2)
    assert (kept.pop("half"), kept.pop("more"), kept.pop("rest")) == ("a", None, "c")


@pytest.mark.parametrize(("took", "pause"), [(LONG, 0.0), (0.2, 0.2 * (1 / SHARE - 1))])
def test_large_files_rest_after_a_long_look(took, pause) -> None:
    """After a look of 0.2 s they rest for 0.6 s; after one within a slice not at all."""
    files = LargeFiles()
    files.looked(100.0, 100.0 + took)
    assert max(0.0, files.pause(100.0 + took)) == pytest.approx(pause)
    assert files.pause(100.0 + took + pause + 0.001) <= 0.0
