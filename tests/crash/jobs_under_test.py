"""The job that simulated processes run."""

from __future__ import annotations

from spoolrunner import current_job
from tests.crash import faults


def told(id: str, outcome: str, error: dict[str, str]) -> None:  # noqa: A002 -- as on_failure names it
    """Count what was told of that job: one failure a file."""
    work(f"told of {id}", [f"{outcome} by {error['type']}"])


def stepped(token: str, endings: list[str]) -> str:
    """Make two steps, and then the work."""
    job, world = current_job(), faults.stage
    assert job is not None
    assert world is not None
    for name in ("one", "two"):
        assert job.step(name, world.make_step, name) == name
    world.make_step("work")
    return work(token, endings)


def work(token: str, endings: list[str]) -> str:
    """Count the start, then end as the list says for this attempt."""
    job = current_job()
    world = faults.stage
    assert job is not None
    assert world is not None
    world.begin(token, job.id, job.attempt)
    if endings == ["tell"]:
        job.progress(0.5, "half of it")
    world.middle(token)
    ending = endings[min(job.attempt, len(endings)) - 1]
    if ending == "fail":
        raise RuntimeError("as told")
    world.inside.pop(token, None)
    return "fine"
