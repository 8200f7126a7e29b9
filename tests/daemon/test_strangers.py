"""Hostile and broken files in pending/: none stops the dispatcher, none is lost, a good job behind them runs."""

from __future__ import annotations

import json
import os
import stat

import pytest

from tests.daemon.harness import until

BROKEN = {
    "latin": '{"job": "jobs", "method": "échec"}'.encode("latin-1"),
    "empty": b"",
    "array": b"[1, 2]",
    "nan": b'{"job": "jobs", "method": "echo", "params": [NaN]}',
    "huge-integer": b'{"job": "jobs", "method": "echo", "params": [123456789012345678901234567890]}',
    "deep": b'{"job": "jobs", "method": "echo", "params": ' + b"[" * 900 + b"]" * 900 + b"}",
    "very-deep": b"[" * 100_000,
    "big": b'{"job": "jobs", "method": "echo", "params": ["' + b"x" * 3_000_000 + b'"]}',
    "unknown-key": b'{"job": "jobs", "metod": "echo"}',
    "wrong-type": b'{"job": "jobs", "method": "echo", "params": "text"}',
    "torn": b'{"job": "jobs", "meth',
    "bom": b'\xef\xbb\xbf{"job": "jobs", "method": "noop"}',
    "too-patient": b'{"job": "jobs", "method": "noop", "timeout": "3000d"}',
    "forged-attempts": b'{"job": "jobs", "method": "noop", "attempts": [{"number": 7}]}',
}
NAMES = [
    "con.x",
    "NUL",
    "-dash",
    "ends.",
    "spa ce",
    "ünicode",
    "a" * 101,
    "a" * 250,
    "x~2~3",
    "esc\x1b[31m",
    "new\nline",
]


@pytest.mark.skipif(os.name == "nt", reason="file types and names of POSIX")
def test_nothing_hostile_stops_the_dispatcher_or_is_lost(home):
    """Every broken file, odd name and odd file type ends in failed/ with a reason, as it was; a good job still runs."""
    pending = home.spool / "pending"
    daemon = home.start().ready()
    os.mkfifo(pending / "fifo.json")
    (pending / "folder.json").mkdir()
    (pending / "link.json").symlink_to("/etc/hostname")
    (pending / "dangling.json").symlink_to("nowhere")
    for name, data in BROKEN.items():
        home.drop(name, data)
    for name in NAMES:
        (pending / f"{name}.json").write_text("{}")
    (pending / ".hidden.json").write_text("not mine")
    (pending / "notes.txt").write_text("not mine either")
    with open(os.fsencode(pending) + b"/\xff\xfe.json", "wb") as stream:
        stream.write(b"{}")

    home.drop("good", method="echo", params=["\x1b[2J escape"])

    daemon.expect("completed", "id=good ")
    expected = {"fifo", "folder", "link", "dangling", *BROKEN, *NAMES, os.fsdecode(b"\xff\xfe")}
    failed = home.spool / "failed"
    until(lambda: len(list(failed.glob("*.reason"))) == len(expected))
    until(lambda: sorted(os.listdir(pending)) == [".hidden.json", "notes.txt"])
    for name in expected:
        assert os.path.lexists(failed / f"{name}.json"), f"{name!r} is not in failed/"
    for name, data in BROKEN.items():
        assert (failed / f"{name}.json").read_bytes() == data
        assert set(home.reason(name)) == {"outcome", "what", "where", "when"}
    assert stat.S_ISFIFO(os.lstat(failed / "fifo.json").st_mode)
    assert os.readlink(failed / "link.json") == "/etc/hostname"
    assert "did you mean 'method'?" in home.reason("unknown-key")["what"]
    assert daemon.stop() == 0
    assert "\x1b" not in "".join(daemon.lines)
    assert "\x1b" not in (home.spool / "logs" / "background_jobs.log").read_text()
    for command in (
        ["list"],
        ["list", "--json"],
        ["status", "--no-dispatcher-ok"],
        ["show", "esc\x1b[31m"],
        ["show", "good"],
        ["logs", "good"],
    ):
        assert "\x1b" not in home.cli(*command)


def test_a_file_that_is_still_being_written_is_waited_for(home):
    """A job written slowly in place, as a careless producer does, is not refused while it grows; it runs when whole."""
    daemon = home.start().ready()
    text = json.dumps({"job": "jobs", "method": "echo", "params": ["whole"]})
    with open(home.spool / "pending" / "slow.json", "w") as stream:
        stream.write(text[:20])
        stream.flush()
        home.drop("other", method="noop")
        daemon.expect("completed", "id=other ")
        stream.write(text[20:])
    daemon.expect("completed", "id=slow ")
    assert home.document("done", "slow")["result"] == "whole"
