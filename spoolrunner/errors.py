"""The errors callers tell apart. The environment raises these; a job's own failure is an outcome, never an exception."""

from __future__ import annotations

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
    """The id is taken by a job that waits in pending/."""

    def __init__(self, job_id: str) -> None:
        super().__init__(job_id)
        self.job_id = job_id

    def __str__(self) -> str:
        return f"id {self.job_id!r} is taken: pending/{self.job_id}.json exists; choose another id or leave it out"


class SpoolBusyError(SpoolRunnerError):
    """Another dispatcher holds the spool."""

    exit_code = 75


class SpoolLayoutError(SpoolRunnerError):
    """The spool's folders are missing, or are not what the protocol needs."""

    exit_code = 2


class StartError(SpoolRunnerError):
    """A process could not be started: the fault of the machine or the configuration, not of the job."""


def nearest(word: object, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)` for the known public word most like `word`, or nothing; the end of many a message."""
    import difflib  # paid only on the way to an error

    close = difflib.get_close_matches(str(word), [name for name in known if not name.startswith("_")], n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
