"""A job's own log: the line that begins an attempt, the limit on its size, and no file for silence."""

from __future__ import annotations

import io
import os
import sys
import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoolrunner.spool import output

posix = pytest.mark.skipif(os.name == "nt", reason="symbolic links need a privilege on Windows")
LIMIT = 1000
STARTED = "2026-11-23T17:45:01.000000Z"
HEADER = f"--- attempt 1 · {STARTED} · pid 7\n".encode()


@pytest.fixture
def path(tmp_path) -> str:
    return str(tmp_path / "x.log")


def begin(path: str, printed: bytes = b"", number: int = 1) -> None:
    """An attempt that prints `printed`."""
    descriptor = output.begin(path, number, STARTED, 7, LIMIT)
    os.write(descriptor, printed)
    os.close(descriptor)


def read(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read()


def test_begin(path) -> None:
    """An attempt begins with a line that names its number, its start and its process; output goes below."""
    begin(path, b"hello\n")
    begin(path, b"again\n", 2)
    assert read(path) == HEADER + b"hello\n" + HEADER.replace(b"attempt 1", b"attempt 2") + b"again\n"


@posix
def test_begin_is_private_and_follows_no_link(path, tmp_path) -> None:
    """A log is its owner's alone, and a link in its place is refused."""
    begin(path)
    assert os.stat(path).st_mode & 0o777 == 0o600
    os.symlink(tmp_path / "elsewhere", path + "2")
    with pytest.raises(OSError, match=r"."):
        output.begin(path + "2", 1, STARTED, 7, LIMIT)
    assert not os.path.exists(tmp_path / "elsewhere")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with a name here")
def test_a_pipe_in_place_of_a_log(path) -> None:
    """A pipe in place of the log is refused at once, for an attempt that begins; who cuts and tidies leaves it alone."""
    os.mkfifo(path)
    with pytest.raises(OSError, match="not a plain file"):
        begin(path)
    assert output.cut(path, LIMIT) is False
    output.tidy(path, LIMIT)
    assert os.path.exists(path)


def test_begin_makes_room(path) -> None:
    """Earlier output that fills more than half of the limit is cut to half, so that the next attempt has room."""
    begin(path, b"x" * (LIMIT - 100))
    begin(path, b"new\n", 2)
    text = read(path)
    assert text.startswith(HEADER + b"xxx")
    assert text.endswith(b"pid 7\nnew\n")
    assert text.index(b"--- cut here") == LIMIT // 2 + 1
    assert len(text) < LIMIT


@pytest.mark.parametrize("size", [0, 10, LIMIT])
def test_cut_leaves_what_is_within_the_limit(path, size) -> None:
    """A log within the limit is left as it is."""
    with open(path, "wb") as stream:
        stream.write(b"x" * size)
    assert output.cut(path, LIMIT) is False
    assert read(path) == b"x" * size


def test_cut(path) -> None:
    """A log beyond the limit is cut there, with a note that says so."""
    with open(path, "wb") as stream:
        stream.write(b"x" * (5 * LIMIT))
    assert output.cut(path, LIMIT) is True
    assert read(path) == b"x" * LIMIT + b"\n--- cut here: the limit of 1000 bytes was reached (max_log_bytes)\n"


def test_cut_while_the_job_writes_on(path) -> None:
    """A job that writes on does so behind the note, and its log is cut again and again to the same size."""
    descriptor = output.begin(path, 1, STARTED, 7, LIMIT)
    sizes = set()
    for _ in range(3):
        os.write(descriptor, b"y" * 2 * LIMIT)
        assert output.cut(path, LIMIT) is True
        sizes.add(len(read(path)))
    os.write(descriptor, b"last words")
    os.close(descriptor)
    assert len(sizes) == 1
    assert read(path).endswith(b"(max_log_bytes)\nlast words")


def test_nothing_there(path) -> None:
    """A log that is not there is neither cut nor made."""
    assert output.cut(path, LIMIT) is False
    output.tidy(path, LIMIT)
    assert not os.path.exists(path)


@posix
def test_a_log_that_the_job_replaced(path, tmp_path) -> None:
    """What a job put in the place of its log is not followed, cut or removed."""
    (tmp_path / "precious").write_bytes(HEADER + b"x" * 5 * LIMIT)
    os.symlink(tmp_path / "precious", path)
    assert output.cut(path, LIMIT) is False
    output.tidy(path, LIMIT)
    assert os.path.islink(path)
    assert len(read(path)) > 5 * LIMIT


def test_tidy_of_a_silent_job(path) -> None:
    """A job that printed nothing leaves no log."""
    begin(path)
    output.tidy(path, LIMIT)
    assert not os.path.exists(path)


def test_tidy_of_a_silent_attempt(path) -> None:
    """An attempt that printed nothing leaves no line after the output of an earlier one."""
    begin(path, b"hello\n")
    begin(path, number=2)
    output.tidy(path, LIMIT)
    assert read(path) == HEADER + b"hello\n"


@given(st.binary(min_size=1, max_size=600).filter(lambda printed: b"--- attempt" not in printed))
def test_tidy_keeps_what_was_printed(printed) -> None:
    """Whatever an attempt printed stays as it is."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "x.log")
        begin(path, printed)
        output.tidy(path, LIMIT)
        assert read(path) == HEADER + printed


def test_tidy_keeps_a_line_that_looks_like_a_header() -> None:
    """A job's own last line that begins like the header is output as any other."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "x.log")
        begin(path, b"--- attempt to connect failed\n")
        output.tidy(path, LIMIT)
        assert read(path) == HEADER + b"--- attempt to connect failed\n"


def test_begin_names_the_limit(path) -> None:
    """The note of a cut names max_log_bytes as it is, also where only half of it was kept."""
    begin(path, b"x" * LIMIT)
    begin(path, number=2)
    assert b"the limit of 1000 bytes" in read(path)


def test_output_is_utf8(monkeypatch) -> None:
    """What a job prints is written as UTF-8, whatever the system takes for its encoding; what is no text, escaped."""
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="cp1252"))
    output.write_utf8()
    print("ü 漢 \ud800", flush=True)
    assert written.getvalue().split() == ["ü".encode(), "漢".encode(), b"\\ud800"]


def test_streams_that_are_replaced_are_looked_at(monkeypatch) -> None:
    """Streams that were looked at are not again, and those in the place of them are."""
    for _ in range(2):
        made = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
        monkeypatch.setattr(sys, "stdout", made)
        output.write_utf8()
        output.write_utf8()
        assert made.encoding == "utf-8"


def test_header() -> None:
    """The first line of an attempt is the same, however it comes to be known."""
    assert output.header(1, STARTED, 7) == HEADER


def test_tidy_of_a_silent_job_whose_header_is_known(path, monkeypatch) -> None:
    """A log that is just as long as the line of its only attempt is removed without being opened."""
    begin(path)
    monkeypatch.setattr(output, "open_plain", None)
    output.tidy(path, LIMIT, HEADER)
    assert not os.path.exists(path)


@pytest.mark.parametrize("first", [b"", HEADER, HEADER.replace(b"pid 7", b"pid 12345")])
def test_tidy_whatever_is_known_of_the_header(path, first) -> None:
    """What was printed is kept, and silence leaves no log, also where the header that is known is another one's or none."""
    begin(path, b"hello\n")
    begin(path, number=2)
    output.tidy(path, LIMIT, first)
    assert read(path) == HEADER + b"hello\n"
    begin(path + "2")
    output.tidy(path + "2", LIMIT, first)
    assert not os.path.exists(path + "2")


@posix
def test_tidy_of_a_link_as_long_as_a_header(path, tmp_path) -> None:
    """A link that a job put in the place of its log is left alone, however long it is."""
    os.symlink("x" * len(HEADER), path)
    output.tidy(path, LIMIT, HEADER)
    assert os.path.islink(path)


@pytest.mark.parametrize(
    "line",
    [
        HEADER[:-1],
        HEADER.replace(b"pid 7", b"pid "),
        HEADER.replace(b"pid 7", b"pid x"),
        HEADER.replace(b"attempt 1", b"attempt one"),
        HEADER.replace(" · ".encode(), b" - "),
        HEADER.replace(b"---", b"--"),
    ],
)
def test_tidy_keeps_what_is_almost_a_header(path, line) -> None:
    """Only the very line that begins an attempt is taken away."""
    with open(path, "wb") as stream:
        stream.write(line)
    output.tidy(path, LIMIT)
    assert read(path) == line


def test_the_output_of_a_second_job_of_an_id_becomes_its_own(tmp_path) -> None:
    """What was printed from the first header on that is found goes to the other log; what came before stays."""
    path, target = str(tmp_path / "x.log"), str(tmp_path / "x~2.log")
    one, two, three = (output.header(number, "then", pid) for number, pid in ((1, 5), (1, 6), (2, 7)))
    with open(path, "wb") as stream:
        stream.write(one + b"monday\nsays " + two + two + b"tuesday\n" + three + b"again")
    assert output.split(path, target, [output.header(9, "lost", 1), b"", two, three])
    assert read(path) == one + b"monday\nsays " + two
    assert read(target) == two + b"tuesday\n" + three + b"again"
    assert not output.split(path, target, [three])


def test_a_log_that_holds_nothing_else_moves_as_a_whole(tmp_path) -> None:
    """No empty file stays behind; where there is no log there is nothing to do."""
    path, target = str(tmp_path / "x.log"), str(tmp_path / "x~2.log")
    assert not output.split(path, target, [b"--- attempt"])
    with open(path, "wb") as stream:
        stream.write(output.header(1, "then", 5) + b"tuesday\n")
    assert output.split(path, target, [output.header(1, "then", 5)])
    assert (os.path.exists(path), read(target)) == (False, output.header(1, "then", 5) + b"tuesday\n")
