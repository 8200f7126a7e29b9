"""Documents of strangers, looked at in this process: each is taken, or refused with its bytes kept, and costs little."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time

import psutil
import pytest
from hypothesis import example, given, settings

from spoolrunner.dispatch.intake import Intake
from spoolrunner.protocol import jsontext
from spoolrunner.protocol.states import State
from spoolrunner.spool import record
from spoolrunner.spool.folders import Spool
from tests.fuzz.grammar import DOCUMENTS, SEEDS, valid_objects
from tests.fuzz.mutation import Mutator, corpus_of
from tests.fuzz.reception import Counts, Reception

LONG = int(os.environ.get("SPOOLRUNNER_FUZZ_DOCUMENTS", "1000000"))
SEED = int(os.environ.get("SPOOLRUNNER_FUZZ_SEED", "20261124"))
BATCH = 250
SLOWEST = 2.0
"""Seconds of processor time for which one document that a producer may write may hold up the dispatcher.

It is under one second on a core of its own; others that use the machine cost it caches.
"""
MAX_GROWTH = 32 << 20
"""Bytes that the process may grow by while it looks at any number of documents."""
SLOWEST_OF_ALL = 3.0
"""Seconds for the most wasteful document that is read at all, which is eight times as large as a producer's may be."""
MAX_PEAK = 512 << 20
"""Bytes for the same."""


@pytest.fixture(scope="module")
def quick_folder():
    """A folder in memory, where there is such a thing."""
    memory = "/dev/shm"
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield folder


@pytest.fixture(scope="module")
def reception(quick_folder):
    return Reception(quick_folder)


@given(DOCUMENTS)
@settings(max_examples=150)
@example(b"")
@example(b'{"job":"jobs","method":"echo","params":[1e400]}')
@example(b'{"job":"jobs","method":"echo","meta":{"x":"\\ud800"}}')
@example(b'{"job":"jobs","method":"echo","attempts":[{"number":1,"outcome":"failed","verdict":"retry","cpu_s":1e308}]}')
def test_a_document_is_taken_or_refused(reception, data):
    """Whatever the bytes are, the job is taken and can be written again, or lies in failed/ as it was, with a reason."""
    assert reception.receive([data]) == []


@given(valid_objects())
@settings(max_examples=60)
def test_a_document_without_fault_is_taken(reception, made):
    """No document that keeps the rules is refused, whatever stands in its free parts."""
    taken = reception.counts.taken
    assert reception.receive([json.dumps(made).encode()]) == []
    assert reception.counts.taken == taken + 1


def mutants(reception, count, tally, name):
    """So many documents damaged at random; returns what was found."""
    mutator = Mutator(corpus_of(SEEDS, min(3000, 100 + count // 100)), SEED)
    found = []
    rss = psutil.Process().memory_info
    before = 0
    done = 0
    while done < count:
        batch = [mutator.document() for _ in range(min(BATCH, count - done))]
        found += reception.receive(batch)
        done += len(batch)
        if not before and done >= count // 5:
            before = rss().rss
    tally.add(name, done, lost=len(found))
    assert found[:5] == []
    assert reception.counts.slowest < SLOWEST
    assert rss().rss < before + MAX_GROWTH


def test_damaged_documents(reception, tally):
    """Documents with bytes flipped, cut, repeated and mixed are taken or refused like any other."""
    mutants(reception, 700, tally, "documents in process, short form")


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_a_million_damaged_documents(reception, tally, capsys):
    """The same a million times; the memory of the process does not grow with their number."""
    reception.counts = Counts()
    began = time.monotonic()
    mutants(reception, LONG, tally, "documents in process")
    counts, took = reception.counts, time.monotonic() - began
    assert counts.all == LONG
    with capsys.disabled():
        print(
            f"\n{counts.taken:,} taken, {counts.refused:,} refused, {LONG / took:,.0f}/s; slowest {counts.slowest:.3f} s"
        )


def padded(begin, unit, end, size):
    """`begin`, `unit` as often as fits, `end`."""
    return begin + unit * ((size - len(begin) - len(end)) // len(unit)) + end


def unknown_keys(size):
    """An object with as many unknown keys as fit."""
    keys = b",".join(b'"k%06d":0' % number for number in range((size - 40) // 12))
    return b'{"job":"jobs","method":"echo",' + keys + b"}"


_BEGIN = b'{"job":"jobs","method":"echo","params":['
WASTEFUL = {
    "empty objects": lambda size: padded(_BEGIN, b"{},", b"{}]}", size),
    "objects, refused": lambda size: padded(b'{"job":"os","method":"system","params":[', b"{},", b"{}]}", size),
    "short objects": lambda size: padded(_BEGIN, b'{"a":1},', b"{}]}", size),
    "empty arrays": lambda size: padded(b"[", b"[],", b"[]]", size),
    "one number": lambda size: padded(_BEGIN, b"9", b"]}", size),
    "many large numbers": lambda size: padded(_BEGIN, b"9223372036854775807,", b"1]}", size),
    "unknown keys": unknown_keys,
    "a long key": lambda size: padded(b'{"job":"jobs","method":"echo","', b"k", b'":0}', size),
    "a long key, too deep": lambda size: padded(b'{"', b"k", b'":' + b"[" * 90 + b"]" * 90 + b"}", size),
    "a long job": lambda size: padded(b'{"method":"echo","job":"', b"j", b'"}', size),
    "a long method": lambda size: padded(b'{"job":"jobs","method":"', b"e", b'"}', size),
    "faulty attempts": lambda size: padded(
        b'{"job":"jobs","method":"echo","attempts":[', b'{"number":0},', b"0]}", size
    ),
    "too deep": lambda size: padded(_BEGIN, b"[", b"", size),
    "escapes": lambda size: padded(_BEGIN + b'"', b"\\u0000", b'"]}', size),
    "no end": lambda size: padded(b'{"job":"', b"\xf0\x9f\x98\x80", b"", size),
}
_MEASURE = """
import resource, sys
from tests.fuzz.reception import Reception
from tests.fuzz.test_documents import WASTEFUL
reception, size = Reception(sys.argv[1]), int(sys.argv[2])
for name, make in WASTEFUL.items():
    reception.counts.slowest = 0.0
    found = reception.receive([make(size)])
    print(name, reception.counts.slowest, len(found), *found[:1], sep="|")
try:
    with open("/proc/self/status") as stream:
        print(next(line.split()[1] for line in stream if line.startswith("VmHWM:")))
except FileNotFoundError:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
"""The peak of its own memory, where the system says it: ru_maxrss is that of who started the process, if that is larger."""


def waste(folder, size, seconds):
    """Let the most wasteful documents of so many bytes come in, in a process whose memory is watched."""
    command = [sys.executable, "-c", _MEASURE, str(folder), str(size)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, timeout=50)
    *lines, peak = ended.stdout.splitlines()
    measured = [line.split("|", 3) for line in lines]
    assert len(measured) == len(WASTEFUL)
    assert [line for line in measured if line[2] != "0" or float(line[1]) > seconds] == []
    assert int(peak) * 1024 < MAX_PEAK


@pytest.mark.parametrize("name", ["objects, refused", "unknown keys", "a long key"])
def test_the_most_wasteful_documents_hold_nothing_up(reception, name):
    """No document of the size that a producer may write takes long, or a reason of more than 64 KiB."""
    reception.counts.slowest = 0.0
    assert reception.receive([WASTEFUL[name](jsontext.MAX_PRODUCER_BYTES)]) == []
    assert reception.counts.slowest < SLOWEST


@pytest.mark.long
@pytest.mark.parametrize("size", [jsontext.MAX_PRODUCER_BYTES, jsontext.MAX_BYTES, jsontext.MAX_BYTES + 1])
@pytest.mark.skipif(sys.platform == "win32", reason="the peak of a process's memory is read from POSIX")
def test_documents_at_the_limit_of_what_is_read(tmp_path, size):
    """The same for all, in half a GiB; for the largest that is read at all in three seconds; and for one byte more."""
    waste(tmp_path, size, SLOWEST if size == jsontext.MAX_PRODUCER_BYTES else SLOWEST_OF_ALL)


GOOD = b'{"job": "jobs", "method": "echo", "meta": {"a": 1}}'


def test_the_reception_sees_an_exception(reception, monkeypatch):
    """An error of a kind that is not documented is found."""
    monkeypatch.setattr(jsontext, "decode", lambda data: 1 / 0)
    assert "ZeroDivisionError" in reception.receive([GOOD])[0]


def test_the_reception_sees_bytes_that_were_changed(reception, monkeypatch):
    """A refused file that is not what the stranger wrote is found."""
    refuse = Spool.refuse

    def mend(self, name, source, *rest):
        with open(self.layout.job(source, name), "ab") as stream:
            stream.write(b"\n")
        return refuse(self, name, source, *rest)

    monkeypatch.setattr(Spool, "refuse", mend)
    assert "the bytes in failed/ are others" in reception.receive([b"torn"])[0]


def test_the_reception_sees_a_file_that_nobody_judged(reception, monkeypatch):
    """A file that is left in pending/, neither taken nor refused, is found."""
    monkeypatch.setattr(Intake, "examine", lambda self, name: None)
    assert "neither taken nor refused" in reception.receive([GOOD])[0]


def test_the_reception_sees_what_a_record_loses(reception, monkeypatch):
    """A document that loses a key when an attempt is recorded is found."""
    add = record.add
    monkeypatch.setattr(record, "add", lambda raw, *rest: add({k: v for k, v in raw.items() if k != "meta"}, *rest))
    assert reception.receive([GOOD]) != []


def test_the_reception_tells_taken_from_refused(reception):
    """A good document counts as taken, a torn one as refused, and nothing is left of either."""
    before = reception.counts.taken, reception.counts.refused
    assert reception.receive([GOOD, b"torn", GOOD]) == []
    assert (reception.counts.taken, reception.counts.refused) == (before[0] + 2, before[1] + 1)
    assert not any(reception._spool.names(state) and list(reception._spool.names(state)) for state in State)
