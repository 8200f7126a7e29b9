"""A command in a job's process: how its end becomes an outcome, and its standard output a result."""

from __future__ import annotations

import json
import os
import sys

import pytest

from spoolrunner.attempt import command
from spoolrunner.attempt.assignment import Assignment
from spoolrunner.attempt.command import missing, run
from spoolrunner.attempt.current_job import CurrentJob, set_current_job
from spoolrunner.attempt.outcome import CallOutcome
from spoolrunner.attempt.settings import Settings
from spoolrunner.protocol import verdict
from spoolrunner.protocol.policy import Policy
from spoolrunner.protocol.states import Outcome
from spoolrunner.protocol.verdict import Said

posix = pytest.mark.skipif(sys.platform == "win32", reason="scripts and signals of POSIX")


def python(code: str, *words: str, result: str = "none") -> CallOutcome:
    """What a Python program comes to."""
    return run([sys.executable, "-S", "-c", code, *words], result, None)


def error_of(made: CallOutcome) -> tuple[str, str]:
    """The type and the message of the error."""
    error = json.loads(made.fields["error"])
    return error["type"], error["message"]


def value_of(made: CallOutcome):
    """The result, which is JSON in a JSON string."""
    assert made.outcome == "succeeded"
    return json.loads(json.loads(made.fields["result"]))


def why_dropped(made: CallOutcome) -> str:
    assert made.outcome == "succeeded"
    return json.loads(made.fields["result_dropped"])


@pytest.fixture
def job(spool):
    """The job that this process runs; it has time until the moment that is given."""

    def make(end: float = 1e12) -> None:
        told = Assignment("x", 1, (1, 2, 3), command.JOB, command.METHOD, [], 60.0)
        settings = Settings(spool.layout.root, "", False, 1 << 20, [], 60.0)
        set_current_job(CurrentJob(settings, spool.layout, told, (end, end)))

    yield make
    set_current_job(None)


def test_done() -> None:
    """Exit status 0 is success, without a result."""
    made = python("pass")
    assert (made.outcome, made.fields) == ("succeeded", {})


@pytest.mark.parametrize("status", [1, 2, 74, 127, 255])
def test_failed(status, job) -> None:
    """Another status is a failure, which says the program and the status."""
    job()
    made = python("import sys; sys.exit(int(sys.argv[1]))", str(status))
    assert made.outcome == "failed"
    assert error_of(made) == ("ProgramError", f"{sys.executable} ended with status {status}")
    assert made.fields["exit_status"] == str(status)
    assert made.note


@pytest.mark.parametrize(
    ("status", "policy", "is_tried_again"),
    [
        (1, Policy(retry_on=("OSError",)), False),
        (1, Policy(retry_on=("ProgramError",)), True),
        (1, Policy(retry_on=("Exception",)), True),
        (1, Policy(discard_on=("ProgramError",)), False),
        (1, Policy(), True),
        (75, Policy(retry_on=("OSError",), discard_on=("Exception",)), True),
    ],
)
def test_the_operators_lists(status, policy, is_tried_again) -> None:
    """A failing program is sorted by retry_on and discard_on as an exception is; what asks to be tried again is."""
    made = python("import sys; sys.exit(int(sys.argv[1]))", str(status))
    said = Said((error_of(made)[0], *json.loads(made.fields["bases"])))
    decision = verdict.decide(Outcome.FAILED, policy, [], 0.0, 0.5, said)
    assert (decision.verdict is verdict.Verdict.RETRY) is is_tried_again


def test_tried_again() -> None:
    """Status 75 asks for another try."""
    made = python("raise SystemExit(75)")
    assert made.outcome == "failed"
    message = f"{sys.executable} ended with status 75, which asks to be tried again later"
    assert error_of(made) == ("spoolrunner.Retry", message)


@posix
def test_ended_by_a_signal() -> None:
    """A signal is a failure, named as such."""
    made = python("import os; os.kill(os.getpid(), 11)")
    assert made.outcome == "failed"
    assert error_of(made) == ("ProgramError", f"{sys.executable} was ended by SIGSEGV")
    assert "exit_status" not in made.fields


def test_what_a_failure_is_due_to(job, spool) -> None:
    """A failure after the deadline, or after somebody asked to cancel, is due to that."""
    job(end=0.0)
    assert python("raise SystemExit(1)").outcome == "timed_out"
    job()
    with open(spool.layout.cancel("x"), "w"):
        assert python("raise SystemExit(1)").outcome == "cancelled"
    assert python("raise SystemExit(0)").outcome == "succeeded"


@pytest.mark.parametrize(
    ("output", "kind", "value"),
    [
        ("ä\n", "text", "ä"),
        ("a\r\n\n", "text", "a"),
        (" a \n b", "text", " a \n b"),
        ("", "text", ""),
        ('{"a": [1, 2.5, null]}\n', "json", {"a": [1, 2.5, None]}),
        ("5", "json", 5),
        ("false", "json", False),
        ("x" * 60_000, "text", "x" * 60_000),
    ],
)
def test_results(output, kind, value, capfd) -> None:
    """Standard output is the result, and goes to where the job prints as well."""
    made = python("import sys; sys.stdout.buffer.write(sys.argv[1].encode())", output, result=kind)
    assert value_of(made) == value
    assert capfd.readouterr().out.replace("\r", "") == output.replace("\r", "")


@pytest.mark.parametrize(
    ("code", "kind", "why"),
    [
        ("print('x' * 70_000)", "text", "more than 65536 bytes of standard output"),
        ("print('[' * 70_000)", "json", "more than 65536 bytes of standard output"),
        ("import os; os.write(1, b'a' + bytes([255]))", "text", "its standard output is no UTF-8: "),
        ("print(chr(34) * 40_000)", "text", "more than 65536 bytes of JSON"),
    ],
)
def test_results_that_are_not_kept(code, kind, why) -> None:
    """What cannot be a result is dropped with the reason; the job is done all the same."""
    made = python(code, result=kind)
    assert why_dropped(made).startswith(why)
    assert "result" not in made.fields


@pytest.mark.parametrize("text", ["{", "", "NaN", "null", "[" * 70])
def test_what_is_meant_as_json_is_left_as_it_is(text) -> None:
    """Who records the attempt reads it, and knows better than this process what a document may hold."""
    made = python("import sys; sys.stdout.write(sys.argv[1])", text, result="json")
    assert (made.outcome, json.loads(made.fields["result"])) == ("succeeded", text)


def test_a_failure_has_no_result(capfd) -> None:
    """What a program that fails has printed is in the log, and nowhere else."""
    made = python("print(5); raise SystemExit(1)", result="json")
    assert (made.outcome, "result" in made.fields) == ("failed", False)
    assert capfd.readouterr().out.strip() == "5"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_loses_the_output_and_not_the_result(capfd) -> None:
    """The value is kept though the log takes nothing; the program is not held up."""
    kept = os.dup(1)
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        os.dup2(full, 1)
        made = python("print('x' * 200_000); print(5)", result="text")
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(full)
    assert why_dropped(made).startswith("more than")
    assert "output was lost" in capfd.readouterr().err


@posix
def test_no_program(monkeypatch, tmp_path) -> None:
    """A program that is not there is rejected with the folders that were searched; one that cannot be run with why."""
    monkeypatch.setenv("PATH", f"/bin:{tmp_path}")
    made = run(["no-such-program"], "none", None)
    assert made.outcome == "rejected"
    assert error_of(made) == ("CommandError", f"there is no program 'no-such-program' in PATH (/bin:{tmp_path})")
    made = run(["./nothing"], "none", None)
    assert error_of(made)[1] == "there is no program ./nothing, or it may not be executed"
    script = tmp_path / "unrunnable"
    for text, part in {
        "echo hello\n": "the system cannot run such a file",
        "#!/no/interpreter\n": "the interpreter that its first line names is not there",
    }.items():
        script.write_text(text)
        script.chmod(0o755)
        made = run(["unrunnable"], "none", None)
        assert made.outcome == "rejected"
        assert part in error_of(made)[1]


@posix
def test_words_that_are_too_long() -> None:
    """Words that no system takes are rejected, with what to do instead."""
    made = run(["true", "x" * 3_000_000], "none", None)
    assert made.outcome == "rejected"
    assert "pass what is long in a file" in error_of(made)[1]


@posix
def test_a_machine_that_cannot_is_no_fault_of_the_job(monkeypatch) -> None:
    """Where no process can be had the error comes through, and is tried again as any."""

    def refuse(*_arguments, **_options):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "posix_spawn", refuse)
    with pytest.raises(BlockingIOError):
        run(["true"], "none", None)


def test_what_is_missing() -> None:
    """The words name the folders only where those were searched."""
    assert missing("tar", "/bin") == "there is no program 'tar' in PATH (/bin)"
    assert "PATH" not in missing("/bin/tar", "/bin")
    assert missing("tar -x", "/bin").endswith("(/bin); the words of a command are items of argv")


def test_what_its_process_is_told_to_call() -> None:
    """The names lead to the function."""
    assert getattr(sys.modules[command.JOB], command.METHOD) is run
