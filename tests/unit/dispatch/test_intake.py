"""What lies in pending/: read, judged, orderd, refused or waited for."""

from __future__ import annotations

import json
import os

import orjson
import pytest

from spoolrunner.dispatch.candidate import policy_for
from spoolrunner.dispatch.intake import SETTLE_SECONDS, Intake
from spoolrunner.dispatch.one_file import FileFaults
from spoolrunner.dispatch.order import Order
from spoolrunner.dispatch.postponed import KEEPS_FROM_START, Register, Why
from spoolrunner.dispatch.reporter import Reporter
from spoolrunner.errors import JobFormatError, NotAllowedError
from spoolrunner.protocol.document import check
from spoolrunner.protocol.states import Outcome, State

PAST, FUTURE = "2027-01-15T07:59:59Z", "2027-01-15T08:05:00Z"
FAILED_ONCE = {"number": 1, "outcome": "failed", "verdict": "retry"}
GIVEN_UP = {"number": 1, "outcome": "failed", "verdict": "failed"}


@pytest.fixture
def order() -> Order:
    return Order(60.0)


@pytest.fixture
def refused() -> list:
    """The events that the intake reported: it reports refusals alone."""
    return []


@pytest.fixture
def register() -> Register:
    return Register()


@pytest.fixture
def intake(config, spool, order, register, clock, refused) -> Intake:
    settings = config(
        allowed_jobs={"app.Report": {"build": {"priority": 2, "max_retries": 7}, "send": {}}},
        timeout_limit="1h",
        max_retries_limit=10,
    )
    reporter = Reporter(clock, [lambda event, _: refused.append(event)])
    return Intake(settings, spool, order, register, FileFaults(spool, register, reporter, clock), reporter, clock)


COMMAND = {"argv": ["ls", "{folder}"]}


@pytest.fixture
def of_commands(config, spool, order, register, clock, refused) -> Intake:
    """An intake of jobs that are a command."""
    reporter = Reporter(clock, [lambda event, _: refused.append(event)])
    faults = FileFaults(spool, register, reporter, clock)
    settings = config(allowed_jobs={"app.Report": {"build": COMMAND}})
    return Intake(settings, spool, order, register, faults, reporter, clock)


@pytest.mark.parametrize(
    ("params", "what"),
    [
        ({}, "params: folder: missing; it is required"),
        (["/"], "params: must be an object: a command takes its parameters by name"),
        ({"folder": "-l", "x": 1}, "params: folder: '-l' begins with -, so the program could take it for an option"),
    ],
)
def test_parameters_that_a_command_does_not_take(of_commands, drop, spool, refused, params, what) -> None:
    """They are refused before the job starts, at once, under the key and with all that is wrong."""
    drop(State.PENDING, "x", {"params": params})
    of_commands.look("x")
    assert reason(spool)["what"].startswith(what)
    assert names(spool, State.FAILED) == {"x.json", "x.reason"}
    assert [event.outcome for event in refused] == [Outcome.REJECTED]


def test_parameters_that_a_command_takes(of_commands, drop) -> None:
    """The job may run, as any."""
    drop(State.PENDING, "x", {"params": {"folder": "/"}})
    of_commands.look("x")
    assert of_commands.take("x").policy.command is not None


def names(spool, state: State) -> set[str]:
    return set(os.listdir(spool.layout.folder(state)))


def reason(spool, name: str = "x") -> dict:
    with open(spool.layout.reason(name), "rb") as stream:
        return orjson.loads(stream.read())


def test_hint(intake, drop, order, clock) -> None:
    """A hint puts the file into the order, due since it was written."""
    drop(State.PENDING, "x", age=5)
    intake.hint("x.json")
    assert "x" in order
    assert order.pop(clock.wall()) == "x"


@pytest.mark.parametrize("name", [".x.json", "x.txt", "x", "x.json.swp", ".json"])
def test_hint_of_no_job(intake, spool, order, refused, name) -> None:
    """A name that is not meant as a job is left alone, whatever lies there."""
    path = os.path.join(spool.layout.pending, name)
    with open(path, "wb"):
        pass
    intake.hint(name)
    assert (len(order), refused) == (0, [])
    assert os.path.exists(path)


def test_hint_of_a_file_that_is_gone(intake, drop, order, refused) -> None:
    """A file that a person took away leaves the order, and nothing is said."""
    path = drop(State.PENDING, "x")
    intake.look("x")
    os.unlink(path)
    intake.hint("x.json")
    assert (len(order), refused) == (0, [])


@pytest.mark.parametrize(
    ("keys", "due_in"), [({"next_run_at": FUTURE}, 300.0), ({"delay": "5m"}, 300.0), ({"next_run_at": PAST}, None)]
)
def test_due(intake, drop, order, keys, due_in, clock) -> None:
    """A job waits in the order until it is due."""
    drop(State.PENDING, "x", keys)
    intake.look("x")
    assert order.next_due_at() == (None if due_in is None else clock.wall() + due_in)


def test_a_changed_file(intake, drop, order, clock) -> None:
    """A file that a person changed is judged anew."""
    drop(State.PENDING, "x", {"next_run_at": FUTURE})
    intake.look("x")
    drop(State.PENDING, "x", {"priority": 5})
    intake.hint("x.json")
    assert order.pop(clock.wall()) == "x"
    candidate = intake.take("x")
    assert candidate is not None
    assert candidate.policy.priority == 5


def test_the_policy_of_a_candidate(intake, drop, spool) -> None:
    """A candidate has its method's policy with what the document overrides, and the signature of its file."""
    drop(State.PENDING, "x", {"timeout": "90s", "max_retries": 1})
    candidate = intake.examine("x")
    assert candidate is not None
    assert (candidate.policy.timeout, candidate.policy.max_retries, candidate.policy.priority) == (90.0, 1, 2)
    assert candidate.stamp == spool.stamp(State.PENDING, "x")
    assert candidate.raw["timeout"] == "90s"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ({"job": "os", "method": "system"}, "job 'os' is not in allowed_jobs"),
        ({"method": "bild"}, "did you mean 'build'?"),
        ({"prioritty": 1}, "prioritty: unknown key (did you mean 'priority'?)"),
        ({"params": 5}, "params: "),
        ({"timeout": "2h"}, "timeout: '2h' is more than the operator allows"),
        ({"max_retries": 11}, "max_retries: 11 is more than the operator allows"),
        (b'{"job": "app.Report"}', "method: missing"),
    ],
)
def test_a_faulty_value_is_refused_at_once(intake, drop, spool, order, refused, content, what) -> None:
    """A whole document that breaks a rule has no writer to wait for: it is refused at once, its bytes kept."""
    path = drop(State.PENDING, "x", content)
    with open(path, "rb") as stream:
        before = stream.read()
    intake.look("x")
    assert len(order) == 0
    assert names(spool, State.FAILED) == {"x.json", "x.reason"}
    assert spool.read(State.FAILED, "x").data == before
    (refusal,) = refused
    assert (refusal.id, refusal.outcome) == ("x", Outcome.REJECTED)
    assert what in refusal.what
    assert reason(spool)["what"] == refusal.what
    assert reason(spool)["where"] == "pending/x.json"


UNFIT = ["bad name", "-x", "a~b", "x" * 101] + ([] if os.name == "nt" else ["con", "x."])  # no such files there


@pytest.mark.parametrize("name", UNFIT)
def test_an_unfit_name_is_refused(intake, drop, spool, refused, name) -> None:
    """A file whose name is no id is refused under its own name."""
    drop(State.PENDING, name)
    intake.hint(f"{name}.json")
    assert names(spool, State.FAILED) == {f"{name}.json", f"{name}.reason"}
    assert refused[0].id == name


def test_an_unfit_name_that_is_gone(intake, spool, refused) -> None:
    """A hint of an unfit name that is gone leaves nothing behind."""
    intake.hint("bad name.json")
    assert (names(spool, State.FAILED), refused) == (set(), [])


def make_pipe(path) -> None:
    os.mkfifo(path)  # a name that Windows has not got, so it is looked up when it is called


@pytest.mark.skipif(os.name == "nt", reason="POSIX file types")
@pytest.mark.parametrize("make", [os.mkdir, make_pipe, lambda path: os.symlink("/etc/passwd", path)])
def test_what_is_no_file_is_refused_at_once(intake, spool, refused, make) -> None:
    """A folder, a pipe or a link in pending/ will not become a file: it is moved aside as it is."""
    make(spool.layout.job(State.PENDING, "x"))
    intake.look("x")
    assert names(spool, State.FAILED) == {"x.json", "x.reason"}
    assert refused[0].outcome is Outcome.REJECTED


@pytest.mark.parametrize("data", [b"", b'{"job":', b"\0" * 64, b"12", b"[]", b"\xff"])
def test_a_file_that_is_being_written(intake, drop, spool, order, refused, clock, data) -> None:
    """A file that does not parse is refused when its size and times have stayed the same for two seconds, not before."""
    drop(State.PENDING, "x", data)
    intake.look("x")
    assert intake.has_unread
    assert intake.next_in(clock.monotonic()) == SETTLE_SECONDS
    clock.advance(SETTLE_SECONDS - 0.1)
    intake.hint("x.json")
    intake.work(clock.monotonic())
    assert refused == []
    clock.advance(0.1)
    intake.work(clock.monotonic())
    assert [refusal.outcome for refusal in refused] == [Outcome.REJECTED]
    assert names(spool, State.FAILED) == {"x.json", "x.reason"}
    assert spool.read(State.FAILED, "x").data == data
    assert not intake.has_unread
    assert len(order) == 0


def test_a_writer_that_goes_on(intake, drop, order, refused, clock) -> None:
    """As long as a file changes it is waited for, and when it is whole it runs, without another hint."""
    whole = json.dumps({"job": "app.Report", "method": "build"}).encode()
    for length in range(1, len(whole)):
        drop(State.PENDING, "x", whole[:length])
        intake.look("x")
        intake.work(clock.monotonic())
        clock.advance(SETTLE_SECONDS - 0.1)
    drop(State.PENDING, "x", whole)
    clock.advance(SETTLE_SECONDS)
    intake.work(clock.monotonic())
    assert refused == []
    assert "x" in order
    assert not intake.has_unread


def test_a_writer_that_gives_up(intake, drop, spool, refused, clock) -> None:
    """A file that does not parse and is taken away is forgotten."""
    path = drop(State.PENDING, "x", b"{")
    intake.look("x")
    os.unlink(path)
    clock.advance(SETTLE_SECONDS)
    intake.work(clock.monotonic())
    assert not intake.has_unread
    assert (refused, names(spool, State.FAILED)) == ([], set())


@pytest.mark.parametrize(
    ("expires_at", "attempts", "expired"),
    [
        (PAST, [], True),
        ("2027-01-15T08:00:00Z", [], False),
        (FUTURE, [], False),
        (PAST, [FAILED_ONCE], False),
        (PAST, [GIVEN_UP], False),
    ],
)
def test_expiry(intake, drop, spool, order, refused, expires_at, attempts, expired) -> None:
    """After expires_at there is no first start; a job that was started before, be it retried by hand, is not held up."""
    drop(State.PENDING, "x", {"expires_at": expires_at, "attempts": attempts})
    intake.look("x")
    assert ("x" in order) is not expired
    assert [refusal.outcome for refusal in refused] == [Outcome.EXPIRED] * expired
    if expired:
        assert reason(spool)["outcome"] == "expired"


def test_expiry_while_it_waits(intake, drop, order, refused, clock) -> None:
    """A job that expires after it was orderd is refused when it is looked at again."""
    drop(State.PENDING, "x", {"expires_at": FUTURE})
    intake.look("x")
    clock.advance(301)
    intake.look("x")
    assert [refusal.outcome for refusal in refused] == [Outcome.EXPIRED]
    assert "x" not in order


def test_expiry_at_the_claim(intake, drop, order, clock) -> None:
    """A job that expired while it waited for a free slot is no candidate any more."""
    drop(State.PENDING, "x", {"expires_at": FUTURE})
    intake.look("x")
    clock.advance(301)
    assert order.pop(clock.wall()) == "x"
    assert intake.take("x") is None


def test_put_off(intake, drop, order, register, clock) -> None:
    """A job that is put off does not start before the time, whatever its file says, until the reason is gone."""
    drop(State.PENDING, "x")
    intake.put_off("x", Why.NOT_STARTED, 30.0)
    assert order.next_due_at() == clock.wall() + 30
    intake.look("x")
    assert order.pop(clock.wall() + 29) is None
    register.clear("x", *KEEPS_FROM_START)
    intake.look("x")
    assert order.pop(clock.wall()) == "x"


@pytest.mark.parametrize("jump", [86_400.0, -86_400.0])
def test_put_off_while_the_clock_is_set(intake, drop, order, clock, jump) -> None:
    """A job that is put off for a while is put off that long, however the wall clock is set meanwhile."""
    drop(State.PENDING, "x")
    intake.put_off("x", Why.NOT_STARTED, 30.0)
    clock.wall_now += jump
    intake.look("x")
    assert order.next_due_at() == clock.wall() + 30
    clock.advance(30)
    intake.look("x")
    assert order.is_due(clock.wall())


def test_putting_off_never_hastens(intake, drop, order, clock) -> None:
    """A job that is put off is not due sooner than its file says."""
    drop(State.PENDING, "x", {"next_run_at": FUTURE})
    intake.put_off("x", Why.NOT_STARTED, 30.0)
    assert order.next_due_at() == clock.wall() + 300


def test_take(intake, drop) -> None:
    """A candidate is taken as it was read, and read again the next time."""
    drop(State.PENDING, "x")
    intake.look("x")
    first, second = intake.take("x"), intake.take("x")
    assert first == second
    assert first is not second


def test_take_of_many(intake, drop) -> None:
    """Of more waiting jobs than are remembered each can still be taken."""
    for number in range(300):
        drop(State.PENDING, f"x{number}")
        intake.look(f"x{number}")
    assert all(intake.take(f"x{number}") for number in range(300))


def test_cancel(intake, drop, spool, order, refused) -> None:
    """A waiting job that is cancelled goes to failed/ with its reason, and the request to cancel is gone."""
    drop(State.PENDING, "x")
    intake.look("x")
    with open(spool.layout.cancel("x"), "wb"):
        pass
    assert intake.cancel("x") is True
    assert names(spool, State.FAILED) == {"x.json", "x.reason"}
    assert reason(spool)["outcome"] == "cancelled"
    assert (len(order), os.listdir(spool.layout.control)) == (0, [])
    assert refused[0].outcome is Outcome.CANCELLED


def test_cancel_of_nothing(intake, spool) -> None:
    """A job that does not wait is not cancelled here, and no reason is made up."""
    assert intake.cancel("x") is False
    assert names(spool, State.FAILED) == set()


def test_take_of_a_job_that_was_postponed(intake, drop, order, clock) -> None:
    """A job that turns out to be postponed when it is read for its claim is no candidate now, and waits."""
    drop(State.PENDING, "x")
    intake.look("x")
    intake._read_ahead.pop("x")  # as if it had been read when many others were kept
    drop(State.PENDING, "x", {"next_run_at": FUTURE})
    assert order.pop(clock.wall()) == "x"
    candidate = intake.take("x")
    assert candidate is None or candidate.due_at <= clock.wall()


def test_policy_for(config) -> None:
    """The policy of a job is its method's, within the operator's limits."""
    settings = config(timeout="5m", timeout_limit="10m")
    plain = check({"job": "app.Report", "method": "build"})
    assert policy_for(settings, plain) == settings.default_policy
    assert (
        policy_for(settings, check({"job": "app.Report", "method": "send", "priority": 0, "timeout": 1})).timeout == 1.0
    )
    with pytest.raises(NotAllowedError):
        policy_for(settings, check({"job": "app.Report", "method": "shred"}))
    with pytest.raises(JobFormatError, match="timeout: '11m' is more"):
        policy_for(settings, check({"job": "app.Report", "method": "build", "timeout": "11m"}))


@pytest.mark.parametrize("content", [{"method": "publish"}, {"timeout": "2h"}], ids=["not allowed", "beyond a limit"])
def test_a_newer_configuration_is_asked_before_a_job_is_refused(intake, drop, config, order, refused, content) -> None:
    """What the one in force does not allow is judged by the newer one, if there is one, and refused if that forbids it too."""
    newer = config(allowed_jobs={"app.Report": ["publish", "build"]}, timeout_limit="3h")

    def take() -> bool:
        intake._config.become(newer)
        return True

    drop(State.PENDING, "refused", content)
    intake.look("refused")
    assert [event.id for event in refused] == ["refused"]
    intake.take_newer_config = take
    drop(State.PENDING, "x", content)
    intake.look("x")
    assert "x" in order
    drop(State.PENDING, "never", {"method": "burn"})
    intake.look("never")
    assert [event.id for event in refused] == ["refused", "never"]


def test_a_newer_command_is_asked_before_a_job_is_refused(of_commands, drop, config, order, refused) -> None:
    """Parameters that the command in force does not take may be those of a newer configuration."""
    newer = config(allowed_jobs={"app.Report": {"build": {"argv": ["ls", "{path}"]}}})

    def take() -> bool:
        of_commands._config.become(newer)
        return True

    of_commands.take_newer_config = take
    drop(State.PENDING, "x", {"params": {"path": "/"}})
    of_commands.look("x")
    assert "x" in order
    drop(State.PENDING, "never", {"params": {"nothing": "/"}})
    of_commands.look("never")
    assert [event.id for event in refused] == ["never"]


def test_what_was_read_ahead_is_judged_anew(intake, drop, config, refused) -> None:
    """A due job that was judged by another configuration is judged once more before it is claimed."""
    for name in ("x", "y"):
        drop(State.PENDING, name, {"method": "send" if name == "y" else "build"})
        intake.look(name)
    intake._config.become(config(allowed_jobs={"app.Report": {"build": {"max_retries": 1}}}))
    intake.judge_anew()
    assert intake.take("x").policy.max_retries == 1
    assert intake.take("y") is None
    assert [event.id for event in refused] == ["y"]
