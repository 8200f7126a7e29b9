"""Background jobs out of plain files.

`enqueue` writes a job file into the spool; `spoolrunner run` (another process) runs it. Importing this package loads
neither the dispatcher nor what it needs: a program that enqueues pays only for that.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from spoolrunner.attempt.current_job import CurrentJob, current_job
    from spoolrunner.client.enqueue import enqueue, enqueue_many
    from spoolrunner.client.job import Job
    from spoolrunner.client.search import get, jobs
    from spoolrunner.errors import (
        ConfigError,
        DuplicateJobError,
        JobFailedError,
        JobFormatError,
        JobNotFoundError,
        NotAllowedError,
        ResultDroppedError,
        SpoolBusyError,
        SpoolLayoutError,
        SpoolRunnerError,
        StartError,
        StepError,
        WaitTimeoutError,
    )
    from spoolrunner.protocol.asked import Discard, Retry

__version__ = "0.1.0"

__all__ = [
    "ConfigError",
    "CurrentJob",
    "Discard",
    "DuplicateJobError",
    "Job",
    "JobFailedError",
    "JobFormatError",
    "JobNotFoundError",
    "NotAllowedError",
    "ResultDroppedError",
    "Retry",
    "SpoolBusyError",
    "SpoolLayoutError",
    "SpoolRunnerError",
    "StartError",
    "StepError",
    "WaitTimeoutError",
    "current_job",
    "enqueue",
    "enqueue_many",
    "get",
    "jobs",
]

_HOMES = {
    "Job": "client.job",
    "enqueue": "client.enqueue",
    "enqueue_many": "client.enqueue",
    "get": "client.search",
    "jobs": "client.search",
    "CurrentJob": "attempt.current_job",
    "current_job": "attempt.current_job",
    "Discard": "protocol.asked",
    "Retry": "protocol.asked",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"spoolrunner.{_HOMES.get(name, 'errors')}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
