"""Enqueueing from Python: what becomes of the arguments, and what is refused before anything is published."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
from collections import OrderedDict
from datetime import UTC, date, datetime, timedelta, timezone
from unittest.mock import ANY

import orjson
import pytest

import spoolrunner
from spoolrunner.client import enqueue as module
from spoolrunner.client.enqueue import enqueue, enqueue_many
from spoolrunner.client.naming import names_of
from spoolrunner.config.load import VARIABLE
from spoolrunner.errors import ConfigError, DuplicateJobError, JobFormatError, NotAllowedError, SpoolLayoutError
from spoolrunner.protocol import document as document_module
from spoolrunner.protocol.states import State
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.ids import id_problem
from spoolrunner.spool.paths import FOLDERS, Layout
from spoolrunner.system import clock as clock_module
from spoolrunner.system import durable

HERE = __name__
NOW = "2027-01-15T08:00:00.000000Z"
JOBS = {
    "app.Report": ["build"],
    f"{HERE}.Monthly": ["of_class"],
    f"{HERE}.Report": ["build", "static", "of_class"],
    HERE: ["work"],
}


def work() -> None: ...


class Report:
    def build(self) -> None: ...

    @staticmethod
    def static() -> None: ...

    @classmethod
    def of_class(cls) -> None: ...


class Monthly(Report): ...


hidden = Report


class Renamed:
    def build(self) -> None: ...


RealRenamed, Renamed = Renamed, Report


@pytest.fixture(autouse=True)
def settings(tmp_path, monkeypatch, clock) -> str:
    """The path of the configuration that is found; time stands still."""
    path = tmp_path / "config.json"
    path.write_bytes(orjson.dumps({"allowed_jobs": JOBS, "max_retries_limit": 10, "timeout_limit": "1h"}))
    monkeypatch.setenv(VARIABLE, str(path))
    monkeypatch.setattr(clock_module, "SYSTEM", clock)
    Spool(Layout(str(tmp_path / "spool"))).make()
    return str(path)


@pytest.fixture
def layout(tmp_path) -> Layout:
    return Layout(str(tmp_path / "spool"))


def document(**arguments) -> dict:
    """The document that these arguments of `enqueue` become."""
    raw = enqueue("app.Report", "build", **arguments).refresh().document
    assert raw is not None
    return raw


def pending(layout: Layout) -> list[str]:
    return sorted(os.listdir(layout.pending)) if os.path.isdir(layout.pending) else []


def test_the_least(layout) -> None:
    """A job without options is its names, empty params and the time, in pending/."""
    job = enqueue("app.Report", "build")
    assert job.root == layout.root
    assert job.state == "pending"
    assert job.document == {"job": "app.Report", "method": "build", "params": [], "created_at": NOW, "key": ANY}
    assert pending(layout) == [f"{job.id}.json"]
    assert os.listdir(layout.tmp) == []


def test_each_publication_has_a_key(layout) -> None:
    """Two jobs of one id, made at the same moment, can be told apart by their keys, which the document takes."""
    first = enqueue("app.Report", "build", id="x").document
    os.unlink(layout.job(State.PENDING, "x"))
    second = enqueue("app.Report", "build", id="x").document
    assert first["created_at"] == second["created_at"]
    assert first["key"] != second["key"]
    assert document_module.check(first).key == first["key"]


@pytest.mark.parametrize("name", [name for name in FOLDERS if os.sep not in name])
def test_no_spool_is_made(layout, name) -> None:
    """Where a folder is missing, as on a disk that is not mounted, that is said, and nothing is made in its place."""
    path = os.path.join(layout.root, name)
    shutil.rmtree(path)
    for call in (
        lambda: enqueue("app.Report", "build"),
        lambda: enqueue_many([{"job": "app.Report", "method": "build"}] * 2),
    ):
        with pytest.raises(SpoolLayoutError, match=re.escape(f"{path}: the folder is missing; is its disk mounted?")):
            call()
    assert not os.path.exists(path)
    os.symlink(layout.root, path)
    with pytest.raises(SpoolLayoutError, match="not a link"):
        enqueue("app.Report", "build")


@pytest.mark.parametrize("is_there", [True, False])
def test_an_empty_mount_point_becomes_no_spool(layout, is_there) -> None:
    """Nor is one made in a folder that is empty, or where there is none: that is for `spoolrunner init`."""
    shutil.rmtree(layout.root)
    if is_there:
        os.mkdir(layout.root)
    with pytest.raises(SpoolLayoutError, match="spoolrunner init"):
        enqueue("app.Report", "build")
    assert os.path.isdir(layout.root) is is_there
    assert not is_there or os.listdir(layout.root) == []


def test_everything() -> None:
    """Every option lands in its field of the document."""
    assert document(
        params={"a": [1, None]},
        delay="5m",
        priority=-3,
        max_retries=0,
        timeout="90s",
        expires_at="2027-02-01T00:00:00Z",
        meta={"ticket": 7},
    ) == {
        "job": "app.Report",
        "method": "build",
        "params": {"a": [1, None]},
        "next_run_at": "2027-01-15T08:05:00.000000Z",
        "priority": -3,
        "max_retries": 0,
        "timeout": "90s",
        "expires_at": "2027-02-01T00:00:00Z",
        "meta": {"ticket": 7},
        "created_at": NOW,
        "key": ANY,
    }


@pytest.mark.parametrize(
    ("delay", "due"),
    [
        (0, None),
        ("0s", None),
        (90, "2027-01-15T08:01:30.000000Z"),
        (0.5, "2027-01-15T08:00:00.500000Z"),
        ("1h", "2027-01-15T09:00:00.000000Z"),
        (timedelta(minutes=2), "2027-01-15T08:02:00.000000Z"),
        (timedelta(0), None),
    ],
)
def test_delay(delay, due) -> None:
    """A delay becomes the time before which the job does not run."""
    made = document(delay=delay)
    assert made.get("next_run_at") == due
    assert "delay" not in made


@pytest.mark.parametrize("delay", [-1, "5", "soon", None, True, [], timedelta])
def test_a_delay_that_is_none(layout, delay) -> None:
    """A delay that is no duration is refused."""
    with pytest.raises(JobFormatError) as caught:
        enqueue("app.Report", "build", delay=delay)
    assert caught.value.key == "delay"
    assert pending(layout) == []


@pytest.mark.parametrize(
    "delay", [timedelta(seconds=-1), timedelta(days=3651), timedelta(days=3_000_000), 10**400], ids="abcd"
)
def test_a_delay_out_of_range(delay) -> None:
    """A delay that is negative or longer than ten years is refused in every notation."""
    try:
        enqueue("app.Report", "build", delay=delay)
    except JobFormatError as error:
        key = error.key
    except (ValueError, OverflowError):
        key = "a surprise"
    else:
        key = "none"
    assert key == "delay"


@pytest.mark.parametrize("key", ["next_run_at", "expires_at"])
@pytest.mark.parametrize(
    ("moment", "text"),
    [
        ("2027-02-01T00:00:00+01:00", "2027-02-01T00:00:00+01:00"),
        (datetime(2027, 2, 1, tzinfo=UTC), "2027-02-01T00:00:00.000000Z"),
        (datetime(2027, 2, 1, 2, tzinfo=timezone(timedelta(hours=2))), "2027-02-01T00:00:00.000000Z"),
    ],
)
def test_moments(key, moment, text) -> None:
    """A time is a text with an offset, or a datetime with a time zone."""
    assert document(**{key: moment})[key] == text


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ({"next_run_at": datetime(2027, 2, 1)}, "next_run_at"),  # noqa: DTZ001 -- that it has no zone is the point
        ({"next_run_at": "2027-02-01T00:00:00"}, "next_run_at"),
        ({"next_run_at": date(2027, 2, 1)}, "next_run_at"),
        ({"expires_at": "tomorrow"}, "expires_at"),
        ({"delay": 5, "next_run_at": NOW}, "delay"),
        ({"priority": 1001}, "priority"),
        ({"priority": "high"}, "priority"),
        ({"max_retries": -1}, "max_retries"),
        ({"max_retries": 11}, "max_retries"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": "2h"}, "timeout"),
        ({"params": "text"}, "params"),
        ({"params": b"bytes"}, "params"),
        ({"params": 5}, "params"),
        ({"params": None}, "params"),
        ({"params": [datetime(2027, 2, 1, tzinfo=UTC)]}, "params[0]"),
        ({"params": {"a": {1: 2}}}, "params.a"),
        ({"params": [2**64]}, "params[0]"),
        ({"params": [float("nan")]}, "params[0]"),
        ({"params": ["\ud800"]}, "params[0]"),
        ({"params": ["x" * (1 << 20)]}, ""),
        ({"meta": {"a": {1}}}, "meta.a"),
        ({"id": ""}, "id"),
        ({"id": "bad name"}, "id"),
        ({"id": "../x"}, "id"),
        ({"id": "con"}, "id"),
        ({"id": "x."}, "id"),
    ],
)
def test_a_value_that_no_job_file_may_hold(layout, arguments, key) -> None:
    """A value that the dispatcher would refuse is refused here, under its key, and nothing is published."""
    with pytest.raises(JobFormatError) as caught:
        enqueue("app.Report", "build", **arguments)
    assert caught.value.key == key
    assert pending(layout) == []


@pytest.mark.parametrize(
    ("params", "kept"),
    [
        ([1, 2], [1, 2]),
        ((1, (2, 3)), [1, [2, 3]]),
        (range(2), [0, 1]),
        ({"a": 1}, {"a": 1}),
        (OrderedDict(a=1), {"a": 1}),
    ],
)
def test_params(params, kept) -> None:
    """A sequence is params by position, and a mapping is params by name."""
    assert document(params=params)["params"] == kept


@pytest.mark.parametrize(("job", "method"), [("app.Report", "send"), ("app.Mail", "build"), ("os", "system")])
def test_what_is_not_allowed(layout, job, method) -> None:
    """A job that is not in allowed_jobs is refused here already."""
    with pytest.raises(NotAllowedError):
        enqueue(job, method)
    assert pending(layout) == []


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (("app.Report", "build"), ("app.Report", "build")),
        ((Report, "build"), (f"{HERE}.Report", "build")),
        ((Report.build,), (f"{HERE}.Report", "build")),
        ((Report().build,), (f"{HERE}.Report", "build")),
        ((Report.static,), (f"{HERE}.Report", "static")),
        ((Report.of_class,), (f"{HERE}.Report", "of_class")),
        ((Monthly.of_class,), (f"{HERE}.Monthly", "of_class")),
        ((work,), (HERE, "work")),
    ],
)
def test_names(given, names) -> None:
    """A class, a function and a method are named as the whitelist spells them."""
    assert names_of(*given, *([None] if len(given) == 1 else [])) == names
    raw = enqueue(*given).document
    assert raw is not None
    assert (raw["job"], raw["method"]) == names


def local() -> object:
    def inner() -> None: ...

    return inner


class Main:
    __module__ = "__main__"


@pytest.mark.parametrize(
    ("job", "method", "key", "problem"),
    [
        ("app.Report", None, "method", "missing"),
        (Report, None, "method", "missing; name a method of Report"),
        (work, "work", "method", "must be left out"),
        (lambda: None, None, "job", "a lambda has no name"),
        (local(), None, "job", "is defined inside a function"),
        (Main, "build", "job", "is defined in the main program"),
        (RealRenamed, "build", "job", "does not lead to the object given"),
        (RealRenamed.build, None, "job", "does not lead to the object given"),
        (5, None, "job", "int is no dotted path, class, function or method"),
        (functools.partial(work), None, "job", "a partial has no name to be found by"),
        (len, None, "job", "is no dotted path"),
    ],
)
def test_objects_that_cannot_be_found_again(job, method, key, problem) -> None:
    """An object that the job's process could not find by its name is refused, and it is said why."""
    with pytest.raises(JobFormatError) as caught:
        names_of(job, method)
    assert caught.value.key == key
    assert problem in caught.value.problem


def test_a_chosen_id(layout) -> None:
    """A job may be given its id, once."""
    assert enqueue("app.Report", "build", id="x").id == "x"
    with pytest.raises(DuplicateJobError) as caught:
        enqueue("app.Report", "build", id="x")
    assert caught.value.job_id == "x"
    assert pending(layout) == ["x.json"]


def test_made_ids(clock) -> None:
    """A made id can be read, is fit, sorts by time and is not made twice."""
    ids = []
    for _ in range(50):
        ids.append(enqueue("app.Report", "build").id)
        clock.advance(0.001)
    assert re.fullmatch(r"20270115-080000-000000-[0-9a-f]{6}", ids[0])
    assert sorted(ids) == ids
    assert len({module._new_id(clock.wall()) for _ in range(50)}) == 50
    assert not [job_id for job_id in ids if id_problem(job_id)]


def test_enqueue_many(layout, monkeypatch) -> None:
    """A batch is published in its order, with one sync of the folder."""
    synced: list[str] = []
    monkeypatch.setattr(durable, "sync_folder", synced.append)
    batch = [{"job": "app.Report", "method": "build", "id": name, "priority": 1} for name in "cab"]
    jobs = enqueue_many(batch)
    assert [job.id for job in jobs] == ["c", "a", "b"]
    assert pending(layout) == ["a.json", "b.json", "c.json"]
    assert synced == [layout.pending]


def test_enqueue_many_of_none(layout) -> None:
    """An empty batch publishes nothing."""
    assert enqueue_many([]) == []
    assert pending(layout) == []


@pytest.mark.parametrize(
    ("second", "error"),
    [
        ({"job": "app.Report", "method": "build", "priority": 5000}, JobFormatError),
        ({"job": "app.Report", "method": "build", "prio": 5}, JobFormatError),
        ({"job": "app.Report", "method": "shred"}, NotAllowedError),
        ({"job": "app.Report", "method": "build", "id": "x"}, JobFormatError),
    ],
)
def test_enqueue_many_checks_first(layout, second, error) -> None:
    """One fault in a batch, and nothing of it is published."""
    with pytest.raises(error):
        enqueue_many([{"job": "app.Report", "method": "build", "id": "x"}, second])
    assert pending(layout) == []


def test_after(layout) -> None:
    """A job may wait for those that `enqueue` and `enqueue_many` have returned, and for ids."""
    jobs = enqueue_many([{"job": "app.Report", "method": "build", "id": name} for name in "ab"])
    assert document(after=jobs)["after"] == ["a", "b"]
    assert document(after=jobs[0])["after"] == ["a"]
    assert document(after={"jobs": ["b"], "when": "ended"})["after"] == {"jobs": ["b"], "when": "ended"}
    assert document(group="customer.1")["group"] == "customer.1"


def test_a_chain_in_a_batch(layout) -> None:
    """Of a batch each may wait for those before it, by their ids, and not for one behind it."""
    chain = [{"job": "app.Report", "method": "build", "id": name} for name in "abc"]
    enqueue_many([chain[0], {**chain[1], "after": "a"}, {**chain[2], "after": ["a", "b"]}])
    assert pending(layout) == ["a.json", "b.json", "c.json"]
    with pytest.raises(JobFormatError, match="after: 'y' lies in no folder of the spool: enqueue it first"):
        enqueue_many([{**chain[0], "id": "x", "after": ["y"]}, {**chain[0], "id": "y"}])
    assert pending(layout) == ["a.json", "b.json", "c.json"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"after": ["nowhere"]}, "after: 'nowhere' lies in no folder"),
        ({"after": {"jobs": ["x"], "when": "failed"}}, 'after.when: write "done" or "ended"'),
        ({"after": {"jbs": ["x"]}}, "after.jbs: unknown key (did you mean 'jobs'?)"),
        ({"after": ["x"], "id": "x"}, "is this job itself"),
        ({"group": "a b"}, "group: 'a b' is no group"),
        ({"group": 5}, "group: expected `str"),
    ],
)
def test_wrong_dependencies_and_groups(layout, arguments, told) -> None:
    """What no job file may hold, or would wait for ever, is refused before anything is published."""
    with open(os.path.join(layout.root, "done", "x.json"), "w", encoding="ascii") as stream:
        stream.write("{}")
    with pytest.raises(JobFormatError, match=re.escape(told)):
        enqueue("app.Report", "build", **arguments)
    assert pending(layout) == []


def test_a_group_that_the_policy_has_set(settings) -> None:
    """Where the operator has put a method into a group a document may name none."""
    with open(settings, "wb") as stream:
        stream.write(orjson.dumps({"allowed_jobs": {"app.Report": {"build": {"group": "mail"}}}}))
    enqueue("app.Report", "build")
    with pytest.raises(JobFormatError, match="group: the operator has put every job of this method into 'mail'"):
        enqueue("app.Report", "build", group="other")


def test_the_configuration_is_read_again_when_it_changes(settings) -> None:
    """A change of config.json counts for the next job."""
    enqueue("app.Report", "build")
    with open(settings, "wb") as stream:
        stream.write(orjson.dumps({"allowed_jobs": {"app.Mail": ["send"]}}))
    with pytest.raises(NotAllowedError):
        enqueue("app.Report", "build")
    enqueue("app.Mail", "send")


def test_the_configuration_that_is_named(tmp_path) -> None:
    """The configuration named in the call comes before the one that would be found."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "c.json").write_bytes(orjson.dumps({"allowed_jobs": {"app.Mail": ["send"]}}))
    Spool(Layout(str(other / "spool"))).make()
    job = enqueue("app.Mail", "send", config=str(other / "c.json"))
    assert job.root == str(other / "spool")
    with pytest.raises(ConfigError):
        enqueue("app.Mail", "send", config=str(other / "nowhere.json"))


def test_the_package_gives_what_it_names() -> None:
    """Everything the package names can be had from it, and nothing else."""
    assert {name for name in spoolrunner.__all__ if not hasattr(spoolrunner, name)} == set()
    assert spoolrunner.enqueue is enqueue
    assert set(spoolrunner.__all__) <= set(dir(spoolrunner))
    with pytest.raises(AttributeError, match="no attribute 'Dispatcher'"):
        _ = spoolrunner.Dispatcher


@pytest.mark.parametrize("statement", ["import spoolrunner", "from spoolrunner import enqueue, current_job"])
def test_importing_costs_little(statement) -> None:
    """A program that enqueues loads neither watchdog, filelock, psutil and rich nor the dispatcher."""
    heavy = ("watchdog", "filelock", "psutil", "rich", "spoolrunner.dispatch.loop", "spoolrunner.executors")
    program = f"{statement}\nimport sys\nprint(*[name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_at_is_next_run_at() -> None:
    """`at` and `next_run_at` are two words for one field; both at once are refused."""
    moment = datetime(2027, 2, 1, tzinfo=UTC)
    assert document(at=moment)["next_run_at"] == document(next_run_at=moment)["next_run_at"]
    assert document(at="2027-02-01T00:00:00Z")["next_run_at"] == "2027-02-01T00:00:00Z"
    for others in ({"next_run_at": moment}, {"delay": 5}):
        with pytest.raises(JobFormatError, match="give either"):
            document(at=moment, **others)


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ({"id": 5}, "id"),
        ({"id": b"x"}, "id"),
        ({"meta": "x"}, "meta"),
        ({"meta": [("a", 1)]}, "meta"),
        ({"timeout": "90"}, "timeout"),
        ({"timeout": timedelta(days=9)}, "timeout"),
        ({"timeout": timedelta.max}, "timeout"),
        ({"timeout": -timedelta(1)}, "timeout"),
        ({"delay": "90"}, "delay"),
        ({"delay": timedelta.max}, "delay"),
        ({"at": datetime.max.replace(tzinfo=UTC)}, "next_run_at"),
        ({"at": datetime.max.replace(tzinfo=timezone(-timedelta(hours=5)))}, "next_run_at"),
        ({"at": datetime.min.replace(tzinfo=timezone(timedelta(hours=5)))}, "next_run_at"),
        ({"at": 5}, "next_run_at"),
        ({"at": date(2027, 1, 1)}, "next_run_at"),
        ({"max_retries": "3"}, "max_retries"),
        ({"delay": None}, "delay"),
    ],
)
def test_values_of_the_wrong_kind(layout, arguments, key) -> None:
    """A value of another kind than is asked for, or beyond the calendar, is refused under its name, never a bare error."""
    with pytest.raises(JobFormatError) as caught:
        enqueue("app.Report", "build", **arguments)
    assert caught.value.key == key
    assert pending(layout) == []


def test_a_timeout_as_a_timedelta() -> None:
    """A timeout may be a timedelta, as a delay may."""
    assert document(timeout=timedelta(minutes=5))["timeout"] == 300


@pytest.mark.parametrize("state", ["pending", "running", "done", "failed"])
def test_a_unique_id_is_refused_wherever_it_lies(home, spool, state):
    """With `kept` an id is refused while a job of it lies in any folder, and the error names the folder."""
    home()
    (job,) = enqueue_many([{"job": "app.Report", "method": "build", "id": "nightly-2027-01-15", "unique": "kept"}])
    layout = spool.layout
    os.rename(layout.job("pending", job.id), layout.job(state, job.id))
    with pytest.raises(DuplicateJobError, match=f"{state}/{job.id}.json exists") as caught:
        enqueue("app.Report", "build", id=job.id, unique="kept")
    assert (caught.value.job_id, caught.value.state) == (job.id, state)
    assert sum(os.path.exists(layout.job(one, job.id)) for one in ("pending", "running", "done", "failed")) == 1
    assert os.listdir(layout.tmp) == []


def test_a_batch_with_a_unique_id_that_is_taken_publishes_nothing(home, spool):
    """Of a batch in which one id lies in a folder already, no job is published."""
    home()
    job = enqueue("app.Report", "build", id="x")
    os.rename(spool.layout.job("pending", "x"), spool.layout.job("done", "x"))
    batch = [{"job": "app.Report", "method": "build", "id": name, "unique": "kept"} for name in ("a", "x")]
    with pytest.raises(DuplicateJobError):
        enqueue_many(batch)
    assert os.listdir(spool.layout.pending) == []
    assert job.refresh().state == "done"


def test_unique_while_waiting_is_as_without(home, spool):
    """With `waiting` an id is refused while a job of it waits, and may come again when that is over."""
    home()
    enqueue("app.Report", "build", id="x", unique="waiting")
    with pytest.raises(DuplicateJobError, match=r"pending/x\.json exists"):
        enqueue("app.Report", "build", id="x", unique="waiting")
    os.rename(spool.layout.job("pending", "x"), spool.layout.job("done", "x"))
    enqueue("app.Report", "build", id="x", unique="waiting")


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"id": "x", "unique": "kep"}, "unique: 'kep' is none of waiting, kept (did you mean 'kept'?)"),
        ({"id": "x", "unique": True}, "unique: True is none of waiting, kept"),
        ({"unique": "kept"}, "unique: needs an id: one that is made from the time is unique anyway"),
    ],
)
def test_what_unique_is_not(home, spool, given, problem):
    """A word that means nothing, and a unique id that is not given, are refused."""
    home()
    with pytest.raises(JobFormatError) as caught:
        enqueue("app.Report", "build", **given)
    assert str(caught.value) == problem
    assert os.listdir(spool.layout.pending) == []


def test_parameters_of_a_command(settings, layout) -> None:
    """They are checked when the job is enqueued, and nothing is published that the dispatcher would refuse."""
    command = {"argv": ["ls", "{folder}", ["-w", "{width}"]], "types": {"width": "integer"}}
    with open(settings, "wb") as stream:
        stream.write(orjson.dumps({"allowed_jobs": {"shell": {"ls": command}}}))
    raw = enqueue("shell", "ls", {"folder": "/", "width": 80}).refresh().document
    assert raw is not None
    assert (raw["job"], raw["method"], raw["params"]) == ("shell", "ls", {"folder": "/", "width": 80})
    for params in ({}, {"folder": "-R"}, {"folder": "/", "width": "80"}, ["/"]):
        with pytest.raises(JobFormatError) as caught:
            enqueue("shell", "ls", params)
        assert caught.value.key == "params"
    assert len(pending(layout)) == 1


@pytest.mark.parametrize("meta", [None, {"order": 7}, {"traceparent": "mine", "order": 7}])
def test_the_trace_goes_along_in_meta(meta, monkeypatch) -> None:
    """The trace context of the program is in meta beside what that holds, and what that holds itself wins."""
    monkeypatch.setattr(module, "current_trace", lambda: {"traceparent": "of the program", "baggage": "k=v"})
    expected = {"traceparent": "of the program", "baggage": "k=v", **(meta or {})}
    assert document(meta=meta)["meta"] == expected
