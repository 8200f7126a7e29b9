"""The errors that callers can catch apart. A job's own failure is an outcome, never one of these, but for JobFailedError."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class SpoolRunnerError(Exception):
    """Base of all errors of this package. `exit_code` is what the command line ends with."""

    exit_code = 1


class ConfigError(SpoolRunnerError):
    """The configuration is missing or wrong. `problems` lists every fault, each with its key."""

    exit_code = 2

    def __init__(self, where: str, problems: list[str]) -> None:
        super().__init__(where, problems)
        self.where = where
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(f"{self.where}: {problem}" for problem in self.problems)


class JobFormatError(SpoolRunnerError):
    """A job document breaks a rule. `key` is the path to the fault in the document, or empty for the whole of it."""

    exit_code = 2

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(key, problem)
        self.key = key
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.key}: {self.problem}" if self.key else self.problem


class NotAllowedError(SpoolRunnerError):
    """The job or method is not in `allowed_jobs`, or what stands there is nothing that may be called."""

    exit_code = 2


class DuplicateJobError(SpoolRunnerError):
    """The id is taken by a job that waits in pending/ or, where that was asked for, lies in another folder: in `state`."""

    def __init__(self, job_id: str, state: str = "pending") -> None:
        super().__init__(job_id, state)
        self.job_id = job_id
        self.state = state

    def __str__(self) -> str:
        where = f"{self.state}/{self.job_id}.json"
        return f"id {self.job_id!r} is taken: {where} exists; choose another id or leave it out"


class JobNotFoundError(SpoolRunnerError):
    """No job of that id lies in the spool: it never did, or it was removed."""

    def __init__(self, job_id: str) -> None:
        super().__init__(job_id)
        self.job_id = job_id

    def __str__(self) -> str:
        return f"no job {self.job_id!r} in pending/, running/, done/ or failed/{hint_at_ending(self.job_id)}"


class WaitTimeoutError(SpoolRunnerError):
    """The time is up, and the job is neither done nor failed for good; `state` is where it lies, `timeout` in seconds."""

    exit_code = 124

    def __init__(self, job_id: str, state: str, timeout: float) -> None:
        super().__init__(job_id, state, timeout)
        self.job_id = job_id
        self.state = state
        self.timeout = timeout

    def __str__(self) -> str:
        return f"job {self.job_id!r} is still {self.state} after {self.timeout:g} s; it goes on by itself"


class JobFailedError(SpoolRunnerError):
    """A job whose result was asked for has failed for good.

    `outcome` is how: `failed`, `timed_out`, `crashed`, `cancelled`, `rejected`, `expired` …, or empty when the file does
    not say. `type`, `message` and `traceback` are those of the exception, as far as there was one.
    """

    def __init__(self, job_id: str, outcome: str, type_: str = "", message: str = "", traceback: str = "") -> None:
        super().__init__(job_id, outcome, type_, message, traceback)
        self.job_id = job_id
        self.outcome = outcome
        self.type = type_
        self.message = message
        self.traceback = traceback

    def __str__(self) -> str:
        what = ": ".join(part for part in (self.type, self.message) if part)
        return f"job {self.job_id!r} {self.outcome or 'lies in failed/'}" + (f": {what}" if what else "")


class ResultDroppedError(SpoolRunnerError):
    """A job is done, and the value that it returned was not kept: it was no JSON, or too large; `why` says which."""

    def __init__(self, job_id: str, why: str) -> None:
        super().__init__(job_id, why)
        self.job_id = job_id
        self.why = why

    def __str__(self) -> str:
        return f"job {self.job_id!r} is done, and its result was not kept: {self.why}"


class StepError(SpoolRunnerError):
    """A step of a job cannot be made, or what it returned cannot be kept."""


class SpoolBusyError(SpoolRunnerError):
    """The spool is in use: another dispatcher holds it, or the demo finds it paused."""

    exit_code = 75


class SpoolLayoutError(SpoolRunnerError):
    """The spool's folders are missing, or are not what the protocol needs."""

    exit_code = 2


class StartError(SpoolRunnerError):
    """A process could not be started: the fault of the machine or the configuration, not of the job."""


def hint_at_ending(job_id: str) -> str:
    """What to add where there is no job of an id that is the name of a file, `hello.json` for `hello`; nothing for others."""
    return "; an id is the name of the file without .json" if job_id.endswith(".json") else ""


def nearest(word: object, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)` for the known public word most like `word`, or nothing; the end of many a message."""
    import difflib  # paid only on the way to an error

    close = difflib.get_close_matches(str(word), [name for name in known if not name.startswith("_")], n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
