"""Threads that wait share one watch: each hears of its own file, whoever of them reads the events."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from spoolrunner.client import waking
from spoolrunner.client.waking import listening

SOON = 20.0
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="events of files are Linux's")


@pytest.fixture
def files(tmp_path) -> list[str]:
    made = [str(tmp_path / f"{number:03}") for number in range(50)]
    for path in made:
        with open(path, "wb"):
            pass
    return made


@on_linux
def test_each_hears_of_its_own_file(files) -> None:
    """Of fifty threads each is woken by the move of its own file, in whatever order the files move."""
    heard: list[str] = []
    watching = threading.Barrier(len(files) + 1)
    one_by_one = threading.Semaphore(0)

    def listen(path: str) -> None:
        with listening() as listener:
            number = listener.watch(path)
            watching.wait(SOON)
            assert listener.wait(SOON) == {number}
            heard.append(path)
            one_by_one.release()

    threads = [threading.Thread(target=listen, args=[path]) for path in files]
    for thread in threads:
        thread.start()
    watching.wait(SOON)
    order = [*files[::2], *files[1::2][::-1]]
    for path in order:
        os.rename(path, path + "-moved")
        assert one_by_one.acquire(timeout=SOON)
    for thread in threads:
        thread.join(SOON)
    assert heard == order
    assert waking._ear is None


@on_linux
def test_when_the_reader_goes_another_one_reads(files) -> None:
    """A thread that goes on waiting is woken when the one that read the events for it has gone."""
    first_reads, woken = threading.Event(), threading.Event()
    with listening() as first, listening() as second:
        real = first._ear._watch.wait

        def reading(seconds: float):
            first_reads.set()
            return real(seconds)

        first._ear._watch.wait = reading
        first.watch(files[0])
        number = second.watch(files[1])
        reader = threading.Thread(target=first.wait, args=[SOON])
        reader.start()
        assert first_reads.wait(SOON)
        follower = threading.Thread(target=lambda: second.wait(SOON) == {number} and woken.set())
        follower.start()
        os.rename(files[0], files[0] + "-moved")
        reader.join(SOON)
        os.rename(files[1], files[1] + "-moved")
        assert woken.wait(SOON)
        follower.join(SOON)


@on_linux
def test_dropped_events_wake_all(files, monkeypatch) -> None:
    """When events were dropped, all that is watched counts as moved."""
    with listening() as listener:
        numbers = {listener.watch(path) for path in files}
        monkeypatch.setattr(listener._ear._watch, "wait", lambda _seconds: None)
        assert listener.wait(SOON) == numbers


@on_linux
def test_a_file_that_two_watch(files) -> None:
    """A file that one watches no more is still reported to the other."""
    with listening() as first, listening() as second:
        number = first.watch(files[0])
        assert second.watch(files[0]) == number
        first.unwatch(number)
        first.unwatch(number)
        os.rename(files[0], files[0] + "-moved")
        assert second.wait(SOON) == {number}
        assert first.wait(0) == set()


def test_without_events_a_wait_is_a_pause(files, clock, monkeypatch) -> None:
    """Where there are no events nothing has a number, and a wait takes its time."""
    monkeypatch.setattr(waking, "open_watch", lambda: None)
    monkeypatch.setattr(waking.clock, "SYSTEM", clock)
    before = clock.monotonic()
    with listening() as listener:
        assert listener.watch(files[0]) is None
        listener.unwatch(1)
        assert listener.wait(5.0) == set()
    assert clock.monotonic() == before + 5.0


@on_linux
def test_a_forked_child_has_a_watch_of_its_own(files) -> None:
    """A child that is forked while its parent waits hears of its own file, and takes no event from the parent."""
    with listening() as listener:
        number = listener.watch(files[0])
        with waking._lock:  # as if another thread held it at that moment
            child = os.fork()
            if child == 0:
                with listening() as own:
                    theirs = own.watch(files[1])
                    os.rename(files[0], files[0] + "-moved")
                    os.rename(files[1], files[1] + "-moved")
                    os._exit(0 if own.wait(SOON) == {theirs} and own._ear is not listener._ear else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert listener.wait(SOON) == {number}
