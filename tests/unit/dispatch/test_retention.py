"""What is removed by itself: what is too old or too much, with what belongs to it, in slices, and only when that is wanted."""

from __future__ import annotations

import math
import os
from types import SimpleNamespace

import pytest

from spoolrunner.dispatch.retention import LEFTOVERS_PERIOD, PERIOD, SHARE, Ends, Retention, Survey
from spoolrunner.protocol.states import Outcome, State
from spoolrunner.spool import retention
from spoolrunner.system.clock import format_time
from spoolrunner.telling.upkeep import Pruned

pytestmark = pytest.mark.usefixtures("arrived_as_written")
SCANNED = SimpleNamespace(done=1)
"""A scan that has looked at all that waits."""
NOW = 5_000.0
DAY = 86400.0


@pytest.fixture
def kept(furnished, clock):
    """Furnish a dispatcher that prunes by these keys, do one run, and return its retention."""

    def make(**keys) -> Retention:
        made = Retention(furnished(auto_prune=True, **keys), SCANNED)
        made.work(clock.monotonic())
        return made

    return make


def log(spool, clock, job_id: str, age: float = 0.0) -> str:
    path = spool.layout.log(job_id)
    with open(path, "wb"):
        os.utime(path, (clock.wall() - age, clock.wall() - age))
    return path


def test_what_is_too_old_goes_with_all_its_own(kept, drop, spool, places, clock, events) -> None:
    """By folder; its log and reason go too; what waits or runs is as old as it likes."""
    for state in State:
        drop(state, "old", age=5400)
        drop(state, "older", age=9000)
        drop(state, "new", age=60)
    spool.explain("older", Outcome.REJECTED, "", "", 0.0)
    for state in (State.PENDING, State.RUNNING):
        os.unlink(spool.layout.job(state, "older"))
    for name in ("older", "old"):
        log(spool, clock, name)
    kept(keep_done="1h", keep_failed="2h")
    assert (places().done, places().failed) == (["new"], ["new", "old"])
    assert (places().pending, places().running) == (["new", "old"], ["new", "old"])
    assert os.listdir(spool.layout.job_logs) == ["old.log"]
    assert not os.path.exists(spool.layout.reason("older"))
    assert events == [Pruned(2, 1, 0)]


def test_nothing_unasked(furnished, drop, places, clock, events) -> None:
    """Without the key nothing is removed; when a reload gives it, the next look begins; when it takes it, the rest stays."""
    drop(State.DONE, "old", age=9 * DAY)
    rooms = furnished()
    made = Retention(rooms, SCANNED)
    made.work(clock.monotonic())
    assert (places().done, events, made.next_in(clock.monotonic())) == (["old"], [], math.inf)
    rooms.config.auto_prune = True
    made.work(clock.monotonic())
    assert places().done == []


def test_what_is_too_much(kept, drop, places) -> None:
    """The oldest go, whatever the order of the folder, also of those that ended within the same minute."""
    for age in range(50):
        drop(State.DONE, f"x{age}", age=age)
    for age in range(0, 50 * 3600, 3600):
        drop(State.FAILED, f"x{age // 3600}", age=age)
    kept(keep_done={"count": 7}, keep_failed={"count": 49, "age": "46h"})
    assert sorted(places().done) == sorted(f"x{age}" for age in range(7))
    assert sorted(places().failed) == sorted(f"x{hours}" for hours in range(47))


@pytest.mark.parametrize(("count", "left"), [(0, 0), (1, 1), (3, 3), (4, 3)])
def test_counts(kept, drop, places, count, left) -> None:
    """A count of 0 keeps nothing, and one that is not reached removes nothing."""
    for number in range(3):
        drop(State.DONE, f"x{number}")
    kept(keep_done={"count": count})
    assert len(places().done) == left


def test_our_record_counts(kept, drop, places, clock) -> None:
    """What was restored just now ended when its record says, and is the first that goes."""
    ended = format_time(clock.wall() - 2 * DAY)
    drop(State.DONE, "restored", {"attempts": [{"ended_at": ended}]}, age=0)
    drop(State.DONE, "x", age=DAY)
    drop(State.FAILED, "restored", {"attempts": [{"ended_at": ended}]}, age=0)
    drop(State.FAILED, "x", age=DAY)
    kept(keep_done="36h", keep_failed={"count": 1})
    assert (places().done, places().failed) == (["x"], ["x"])


def test_a_job_that_is_needed_stays(furnished, drop, places, clock) -> None:
    """What another job waits for is not removed, however old."""
    for name in ("x", "y"):
        drop(State.DONE, name, age=9 * DAY)
    rooms = furnished(auto_prune=True)
    drop(State.PENDING, "waits", {"after": ["y"]})
    rooms.intake.look("waits")
    made = Retention(rooms, SCANNED)
    made.work(clock.monotonic())
    assert places().done == ["y"]


def test_nothing_goes_before_it_is_known_who_waits(furnished, drop, places, clock) -> None:
    """A dispatcher that has not looked at all that waits does not know what is waited for: it removes nothing so far."""
    drop(State.DONE, "x", age=9 * DAY)
    scan = SimpleNamespace(done=0)
    made = Retention(furnished(auto_prune=True), scan)
    made.work(clock.monotonic())
    assert places().done == ["x"]
    scan.done = 1
    made.work(clock.monotonic())
    assert places().done == []


def test_nothing_goes_while_a_waiting_file_is_not_read(furnished, drop, places, clock) -> None:
    """A file that cannot be judged yet may name any job."""
    rooms = furnished(auto_prune=True)
    drop(State.DONE, "x", age=9 * DAY)
    drop(State.PENDING, "torn", b"{")
    rooms.intake.look("torn")
    Retention(rooms, SCANNED).work(clock.monotonic())
    assert places().done == ["x"]


def test_what_is_left_of_jobs_that_are_nowhere(kept, drop, spool, clock, events) -> None:
    """Logs and reasons go a day after they were written, and are looked for once an hour; those of jobs in any folder stay."""
    drop(State.FAILED, "there", age=2 * DAY)
    for name, age in (("there", 2 * DAY), ("gone", 2 * DAY), ("fresh", 60.0)):
        log(spool, clock, name, age)
        spool.explain(name, Outcome.REJECTED, "", "", 0.0)
        os.utime(spool.layout.reason(name), (clock.wall() - age, clock.wall() - age))
    made = kept()
    assert sorted(os.listdir(spool.layout.job_logs)) == ["fresh.log", "there.log"]
    assert sorted(os.listdir(spool.layout.folder(State.FAILED))) == ["fresh.reason", "there.json", "there.reason"]
    assert events == [Pruned(0, 0, 2)]
    log(spool, clock, "gone", 2 * DAY)
    for seconds, left in ((PERIOD, 3), (LEFTOVERS_PERIOD, 2)):
        clock.advance(seconds)
        made.work(clock.monotonic())
        assert len(os.listdir(spool.layout.job_logs)) == left


def test_slices(furnished, drop, places, clock, monkeypatch) -> None:
    """A run is divided, takes less than its share of the time, and another one begins a minute after it began."""
    for number in range(40):
        drop(State.DONE, f"x{number}", age=9 * DAY)
    made = Retention(furnished(auto_prune=True), SCANNED)
    remove, worked = retention.remove, []

    def slowly(*arguments) -> bool:
        clock.advance(0.0015)
        worked.append(0.0015)
        return remove(*arguments)

    monkeypatch.setattr(retention, "remove", slowly)
    began = clock.monotonic()
    while len(worked) < 40:
        before = len(worked)
        made.work(clock.monotonic())
        assert len(worked) - before <= 2
        clock.advance(min(made.next_in(clock.monotonic()), 1.0))
    assert sum(worked) / (clock.monotonic() - began) < SHARE * 1.01 < 0.01
    made.end()
    assert places().done == []


def test_it_is_not_woken_for_the_next_run(kept, drop, places, clock) -> None:
    """A run begins when the dispatcher is awake anyway, a minute after the last one."""
    made = kept()
    drop(State.DONE, "old", age=9 * DAY)
    clock.advance(PERIOD - 1)
    made.work(clock.monotonic())
    assert (places().done, made.next_in(clock.monotonic())) == (["old"], math.inf)
    clock.advance(1)
    made.work(clock.monotonic())
    assert places().done == []


def test_the_end_of_auto_prune_ends_a_run(furnished, drop, places, clock, monkeypatch) -> None:
    """When a reload takes the key away, nothing more is removed."""
    for number in range(9):
        drop(State.DONE, f"x{number}", age=9 * DAY)
    rooms = furnished(auto_prune=True)
    made, remove = Retention(rooms, SCANNED), retention.remove
    monkeypatch.setattr(retention, "remove", lambda *given: clock.advance(0.01) or remove(*given))
    made.work(clock.monotonic())
    assert len(places().done) == 8
    rooms.config.auto_prune = False
    clock.advance(100)
    made.work(clock.monotonic())
    assert (len(places().done), made.next_in(clock.monotonic())) == (8, math.inf)


def test_a_job_that_ran_again_since_it_was_found(kept, furnished, drop, places, clock, spool, monkeypatch) -> None:
    """Between the look at an old file and its removal another may have come of that id: it stays."""
    drop(State.DONE, "x", age=50)
    drop(State.DONE, "y", age=40)

    def replaced(layout, state):
        found = list(through(layout, state))
        yield from found
        if state is State.DONE and passes.append(1) is None and len(passes) == 2:
            os.unlink(spool.layout.job(State.DONE, "x"))
            os.rename(drop(State.PENDING, "x"), spool.layout.job(State.DONE, "x"))

    through, passes = retention.look_through, []
    monkeypatch.setattr(retention, "look_through", replaced)
    kept(keep_done={"count": 1})
    assert sorted(places().done) == ["x", "y"]


def test_one_that_cannot_be_removed(kept, drop, places, events, monkeypatch) -> None:
    """It is named, and the others go; an error of the disk is raised, and the next run begins anew."""
    for name in ("a", "b"):
        drop(State.DONE, name, age=9 * DAY)
    remove = retention.remove

    def refuse(layout, state, job_id) -> bool:
        if job_id == "a":
            raise PermissionError(1, "Operation not permitted")
        return remove(layout, state, job_id)

    with monkeypatch.context() as patch:
        patch.setattr(retention, "remove", refuse)
        made = kept()
    assert places().done == ["a"]
    assert [type(event).__name__ for event in events] == ["NotSwept", "Pruned"]

    def break_down(*_) -> bool:
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(retention, "remove", break_down)
        with pytest.raises(OSError, match="Read-only"):
            made.work(NOW + PERIOD)
    made.work(NOW + 2 * PERIOD)
    assert places().done == []


@pytest.mark.parametrize("count", [1, 5, 1000, 2501, 3000])
def test_the_oldest_of_a_survey(count) -> None:
    """The minute and the count are those of the sorted times."""
    ends = sorted(1_800_000_000.0 - (number * 7919 % 3000) * 13.7 for number in range(3000))
    survey = Survey()
    for ended in ends:
        survey.add(ended)
    minute, of_minute = survey.oldest(count)
    assert survey.total == 3000
    assert ends[count - 1] // 60 == minute
    assert sum(ended // 60 < minute for ended in ends) + of_minute == count
    with pytest.raises(ValueError, match="fewer"):
        survey.oldest(3001)


class TestEnds:
    """The record of a file is read once, and what it says is remembered only where its arrival says something else."""

    @pytest.fixture
    def ends(self, spool) -> Ends:
        return Ends(spool.layout, State.DONE)

    @pytest.fixture
    def run(self, ends, spool, clock, monkeypatch):
        """One run: the ends by id, and how many records were read."""

        def go() -> tuple[dict[str, float], int]:
            reads, ended_at = [], retention.ended_at

            def counted(*given) -> float:
                reads.append(given)
                return ended_at(*given)

            with monkeypatch.context() as patch:
                patch.setattr(retention, "ended_at", counted)
                found = [one for one in retention.look_through(spool.layout, State.DONE) if one is not None]
                told = {job_id: ends.of(job_id, status) for job_id, status in found}
            ends.were_read(clock.wall())
            clock.advance(100)
            return told, len(reads)

        return go

    def test_once(self, run, drop, clock) -> None:
        """Later runs read only what came since."""
        now = clock.wall()
        restored = {"attempts": [{"ended_at": format_time(now - DAY)}]}
        drop(State.DONE, "restored", restored, age=10)
        drop(State.DONE, "x", age=20)
        expected = {"restored": now - DAY, "x": now - 20}
        assert run() == (expected, 2)
        assert run() == (expected, 0)
        drop(State.DONE, "y", age=5)
        assert run() == ({**expected, "y": clock.wall() - 105}, 1)

    def test_another_job_of_a_remembered_id(self, run, drop, spool, clock) -> None:
        """What is remembered of a file is not believed of the next one of that id."""
        drop(State.DONE, "x", {"attempts": [{"ended_at": format_time(clock.wall() - DAY)}]}, age=10)
        run()
        run()
        os.unlink(spool.layout.job(State.DONE, "x"))
        drop(State.DONE, "x", age=1)
        now = clock.wall()
        for _ in range(3):
            assert run()[0] == {"x": now - 1}

    def test_too_many(self, run, drop, clock, monkeypatch) -> None:
        """Where too many would have to be remembered, none is, and each run reads them."""
        monkeypatch.setattr(Ends, "MOST_REMEMBERED", 2)
        for number in range(3):
            drop(State.DONE, f"x{number}", {"attempts": [{"ended_at": format_time(clock.wall() - DAY)}]}, age=10)
        now = clock.wall()
        for _ in range(3):
            assert run() == (dict.fromkeys(("x0", "x1", "x2"), now - DAY), 3)
