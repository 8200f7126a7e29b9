"""The dispatcher's inbox: it wakes for messages from anywhere and for descriptors, and loses none."""

from __future__ import annotations

import gc
import os
import queue
import select
import signal
import sys
import threading

import pytest

from spoolrunner.dispatch import inbox as inbox_module
from spoolrunner.dispatch.inbox import QueueInbox, make_inbox
from spoolrunner.dispatch.wishes import Notice, Wish

LONG = 600.0
"""Seconds, more than a test may take: what is not woken fails by that."""
posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no poll")


@pytest.fixture
def inbox():
    return make_inbox()


@pytest.fixture
def polls(monkeypatch):
    """Lets a test act when the inbox of the test is about to wait: `polls.before` is called with the milliseconds."""

    class Poll:
        def __init__(self) -> None:
            self._poll = real()
            self.register, self.unregister = self._poll.register, self._poll.unregister

        def poll(self, milliseconds: float):
            hooks.waited.append(milliseconds)
            hooks.before()
            return self._poll.poll(milliseconds)

    class Hooks:
        def __init__(self) -> None:
            self.waited: list[float] = []
            self.before = lambda: None

    real, hooks = select.poll, Hooks()
    monkeypatch.setattr(select, "poll", Poll)
    return hooks


@pytest.fixture
def pipe():
    """The two ends of a pipe, read and write."""
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue  # the test has closed it


def taken(inbox) -> list:
    """All that lies in the inbox."""
    found = []
    try:
        while True:
            found.append(inbox.get_nowait())
    except queue.Empty:
        return found


def test_the_inbox_of_this_platform(inbox) -> None:
    """It can listen wherever there is poll."""
    assert isinstance(inbox, QueueInbox) is (sys.platform == "win32")


def test_an_inbox_that_only_has_messages() -> None:
    """The inbox of Windows takes messages, listens to nothing, and has nothing to ignore."""
    made = QueueInbox()
    made.put(Wish.LOOK)
    assert made.get(timeout=LONG) is Wish.LOOK
    with pytest.raises(NotImplementedError):
        made.listen(0, lambda: None)
    made.ignore(0)
    assert made.empty()


def test_messages_come_in_their_order(inbox) -> None:
    """What was put first comes first, however it is taken."""
    assert inbox.empty()
    for wish in (Wish.LOOK, Wish.STOP, Wish.LEAVE):
        inbox.put(wish)
    assert not inbox.empty()
    assert [inbox.get(timeout=LONG), inbox.get_nowait(), inbox.get(timeout=LONG)] == [Wish.LOOK, Wish.STOP, Wish.LEAVE]
    assert inbox.empty()


def test_nothing_comes(inbox) -> None:
    """Where nothing comes that is said, at once or after the time that was asked for."""
    with pytest.raises(queue.Empty):
        inbox.get_nowait()
    with pytest.raises(queue.Empty):
        inbox.get(timeout=0.01)


@posix
def test_how_long_it_waits(polls) -> None:
    """It waits for as long as was asked for, and not at all when there is a message or none was to be waited for."""
    inbox = make_inbox()
    with pytest.raises(queue.Empty):
        inbox.get(timeout=0.002)
    with pytest.raises(queue.Empty):
        inbox.get_nowait()
    inbox.put(Wish.LOOK)
    inbox.get(timeout=LONG)
    inbox.put(Wish.LOOK)
    inbox.get_nowait()
    assert polls.waited == [2.0, 0.0]


@posix
def test_a_message_from_another_thread_wakes_it(polls) -> None:
    """A message that another thread puts while it waits comes at once."""
    inbox = make_inbox()
    thread = threading.Thread(target=inbox.put, args=[Wish.STOP])
    polls.before = thread.start
    assert inbox.get(timeout=LONG) is Wish.STOP
    thread.join()


@posix
def test_a_message_just_before_it_waits_wakes_it(polls) -> None:
    """A message that another thread puts between the last look and the wait does not wait with it."""
    inbox = make_inbox()

    def put_from_elsewhere() -> None:
        polls.before = lambda: None
        thread = threading.Thread(target=inbox.put, args=[Wish.STOP])
        thread.start()
        thread.join()

    polls.before = put_from_elsewhere
    assert inbox.get(timeout=LONG) is Wish.STOP
    assert polls.waited == [LONG * 1000]


@posix
def test_a_message_between_the_two_looks(monkeypatch) -> None:
    """A message that comes when it has just been found empty is seen by the second look."""
    inbox = make_inbox()

    class Late:
        """Messages among which one comes right after the first look."""

        def __init__(self) -> None:
            self.looks = 0
            self.real = inbox._messages

        def __bool__(self) -> bool:
            self.looks += 1
            was_there = bool(self.real)
            if self.looks == 1:
                inbox.put(Wish.STOP)
            return was_there

        def __getattr__(self, name: str):
            return getattr(self.real, name)

    inbox._messages = Late()
    assert inbox.get(timeout=LONG) is Wish.STOP


@posix
def test_a_message_of_a_signal_handler_wakes_it(polls) -> None:
    """A signal handler may put a message while it waits, whichever moment the signal comes at."""
    inbox = make_inbox()
    kept = signal.signal(signal.SIGUSR1, lambda *_: inbox.put(Wish.STOP))
    try:
        polls.before = lambda: os.kill(os.getpid(), signal.SIGUSR1)
        assert inbox.get(timeout=LONG) is Wish.STOP
        thread = threading.Thread(target=os.kill, args=[os.getpid(), signal.SIGUSR1])
        polls.before = thread.start
        assert inbox.get(timeout=LONG) is Wish.STOP
        thread.join()
    finally:
        signal.signal(signal.SIGUSR1, kept)


def test_none_is_lost(inbox) -> None:
    """Of messages that many threads put, each comes once, and those of one thread in their order."""
    count, threads = 2000, []
    for number in range(4):
        messages = [Notice((number, index)) for index in range(count)]
        threads.append(threading.Thread(target=lambda messages=messages: [inbox.put(each) for each in messages]))
    for thread in threads:
        thread.start()
    seen: dict[int, list[int]] = {number: [] for number in range(4)}
    for _ in range(4 * count):
        number, index = inbox.get(timeout=LONG).event
        seen[number].append(index)
    for thread in threads:
        thread.join()
    assert all(indices == list(range(count)) for indices in seen.values())
    assert inbox.empty()


@posix
def test_more_wake_ups_than_fit(polls) -> None:
    """Messages come through when so many wake it at once that no more wake-ups can be written."""
    inbox = make_inbox()
    count = 100_000

    def put_many() -> None:
        polls.before = lambda: None
        for _ in range(count):
            inbox.put(Wish.LOOK)

    polls.before = put_many
    assert inbox.get(timeout=LONG) is Wish.LOOK
    assert len(taken(inbox)) == count - 1
    for _ in range(100):  # what is left of the wake-ups is used up
        assert taken(inbox) == []
    assert inbox._poll.poll(0) == []


@posix
def test_a_descriptor_is_listened_to(inbox, pipe) -> None:
    """What can be read is reported each time that it can be, and by nobody else's thread."""
    seen = []

    def read() -> None:
        seen.append((os.read(pipe[0], 1), threading.get_ident()))
        inbox.put(Wish.LOOK)

    inbox.listen(pipe[0], read)
    assert taken(inbox) == []
    os.write(pipe[1], b"ab")
    assert [inbox.get(timeout=LONG), inbox.get(timeout=LONG)] == [Wish.LOOK, Wish.LOOK]
    assert seen == [(b"a", threading.get_ident()), (b"b", threading.get_ident())]
    assert taken(inbox) == []


@posix
def test_a_descriptor_wakes_it(polls, pipe) -> None:
    """What comes to a descriptor while it waits ends the wait."""
    inbox = make_inbox()

    def read() -> None:
        os.read(pipe[0], 1)
        inbox.put(Wish.LOOK)

    inbox.listen(pipe[0], read)
    thread = threading.Thread(target=os.write, args=[pipe[1], b"x"])
    polls.before = thread.start
    assert inbox.get(timeout=LONG) is Wish.LOOK
    thread.join()


@posix
def test_the_end_of_what_is_listened_to(inbox, pipe) -> None:
    """The other end's going is reported as well: there is nothing more to be read."""
    inbox.listen(pipe[0], lambda: (inbox.ignore(pipe[0]), inbox.put(Wish.LEAVE)))
    os.close(pipe[1])
    assert inbox.get(timeout=LONG) is Wish.LEAVE
    assert taken(inbox) == []


@posix
def test_an_ignored_descriptor(inbox, pipe) -> None:
    """What is ignored is not reported; ignoring it twice, or what was never listened to, is nothing."""
    inbox.listen(pipe[0], lambda: inbox.put(Wish.STOP))
    os.write(pipe[1], b"x")
    inbox.ignore(pipe[0])
    inbox.ignore(pipe[0])
    inbox.ignore(pipe[1])
    assert taken(inbox) == []


@posix
def test_a_descriptor_that_is_ignored_while_it_is_ready(inbox) -> None:
    """Of two that are ready the first may ignore the other, which is then not called any more."""
    pipes = [os.pipe(), os.pipe()]
    called = []

    def first_come(own: int, other: int):
        def ready() -> None:
            called.append(own)
            inbox.ignore(own)
            inbox.ignore(other)

        return ready

    (one, write_one), (two, write_two) = pipes
    inbox.listen(one, first_come(one, two))
    inbox.listen(two, first_come(two, one))
    os.write(write_one, b"x")
    os.write(write_two, b"x")
    assert taken(inbox) == []
    assert len(called) == 1
    for end in (*pipes[0], *pipes[1]):
        os.close(end)


@posix
def test_a_descriptor_that_is_listened_to_anew(inbox, pipe) -> None:
    """Who listens to a descriptor again, as for another purpose, is the one that is called."""
    inbox.listen(pipe[0], lambda: inbox.put(Wish.STOP))
    inbox.listen(pipe[0], lambda: (os.read(pipe[0], 1), inbox.put(Wish.LOOK)))
    os.write(pipe[1], b"x")
    assert taken(inbox) == [Wish.LOOK]


@posix
def test_a_descriptor_that_can_be_written(inbox, pipe) -> None:
    """Room to write is reported only to who listens for it."""
    inbox.listen(pipe[1], lambda: inbox.put(Wish.STOP))
    assert taken(inbox) == []
    inbox.listen(pipe[1], lambda: (inbox.ignore(pipe[1]), inbox.put(Wish.LOOK)), writes=True)
    assert inbox.get(timeout=LONG) is Wish.LOOK


@posix
def test_no_room_to_write_yet(inbox, pipe) -> None:
    """A descriptor that takes nothing is reported when it does."""
    os.set_blocking(pipe[1], False)
    room = os.write(pipe[1], b"x" * (16 << 20))
    assert room < 16 << 20
    inbox.listen(pipe[1], lambda: (inbox.ignore(pipe[1]), inbox.put(Wish.LOOK)), writes=True)
    assert taken(inbox) == []
    os.read(pipe[0], room)
    assert inbox.get(timeout=LONG) is Wish.LOOK


@posix
def test_a_message_put_within_a_callback(inbox, pipe) -> None:
    """What a callback puts comes in the same wait, all of it, and wakes nobody later for nothing."""

    def read() -> None:
        os.read(pipe[0], 1)
        for wish in (Wish.LOOK, Wish.STOP):
            inbox.put(wish)

    inbox.listen(pipe[0], read)
    os.write(pipe[1], b"x")
    assert inbox.get(timeout=LONG) is Wish.LOOK
    assert inbox.get_nowait() is Wish.STOP
    assert taken(inbox) == []


@posix
def test_a_callback_that_puts_nothing(inbox, pipe) -> None:
    """A descriptor may be ready and bring no message: then the wait ends without one, and the loop asks again."""
    inbox.listen(pipe[0], lambda: os.read(pipe[0], 1))
    os.write(pipe[1], b"x")
    with pytest.raises(queue.Empty):
        inbox.get(timeout=LONG)


@posix
def test_a_callback_that_fails(inbox, pipe) -> None:
    """An error of a callback comes to who waits; what was ready besides is still reported, and no message is lost."""
    other = os.pipe()
    os.write(other[1], b"x")
    os.write(pipe[1], b"x")

    def fail() -> None:
        inbox.ignore(pipe[0])
        raise OSError(5, "Input/output error")

    inbox.listen(pipe[0], fail)
    inbox.listen(other[0], lambda: (os.read(other[0], 1), inbox.put(Wish.LOOK)))
    with pytest.raises(OSError, match="Input/output"):
        inbox.get(timeout=LONG)
    inbox.put(Wish.STOP)
    assert sorted(taken(inbox), key=str) == [Wish.LOOK, Wish.STOP]
    for end in other:
        os.close(end)


@posix
def test_who_puts_while_nobody_waits_writes_nothing(inbox, monkeypatch) -> None:
    """A message that is put by the dispatcher's own thread, or while it works, costs no call of the system."""
    with monkeypatch.context() as patch:
        patch.setattr(inbox_module.os, "write", None)
        inbox.put(Wish.LOOK)
    assert taken(inbox) == [Wish.LOOK]


@posix
def test_it_leaves_no_descriptors() -> None:
    """When it goes, what it waited with is closed."""
    inbox = make_inbox()
    ends = inbox._woken, inbox._wake
    del inbox
    gc.collect()
    for end in ends:
        with pytest.raises(OSError, match="descriptor"):
            os.fstat(end)
