"""Control runs: with one guard of the product taken away, the sweeps must find what it guards against."""

from __future__ import annotations

import os
import sys
from dataclasses import replace

import pytest

from spoolrunner.dispatch.service import Service
from spoolrunner.spool import locks, traces
from spoolrunner.spool.traces import Marker
from spoolrunner.system import durable
from tests.crash.conftest import MakeWorld
from tests.crash.faults import FakeExecutor
from tests.crash.findings import DoubleError, Findings, LostError
from tests.crash.scenarios import ALL, aftermath, measure, plans, strike, try_all, work_in_progress
from tests.crash.stories import EITHER, RUNNING
from tests.crash.test_failing_calls import try_faults

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the guards that are taken away are those of POSIX")
ONE_ATTEMPT = RUNNING[0]


def content(path: str) -> bytes:
    """The bytes at `path`; FileNotFoundError if there are none."""
    with open(path, "rb") as stream:
        return stream.read()


def count_at_death(make_world: MakeWorld, kind: type[AssertionError]) -> int:
    """In how many of all deaths of everybody the job is not in one place."""
    findings = Findings()
    for plan in plans(measure(make_world, ONE_ATTEMPT), ALL):
        with findings.trial(str(plan)), make_world() as world:
            strike(world, ONE_ATTEMPT, plan)
            world.find("a")
    return findings.count(kind)


def test_jobs_that_are_copied_and_then_removed_are_found_double(make_world: MakeWorld, monkeypatch) -> None:
    """Moved out of running/ by a copy and an unlink instead of a rename, a job is found in two places."""
    real = durable.rename

    def copy(source: str, target: str) -> None:
        if f"{os.sep}running{os.sep}" not in source:
            real(source, target)
            return
        durable.write_new(target, content(source), fsync=False)
        durable.unlink(source)

    assert count_at_death(make_world, DoubleError) == 0
    monkeypatch.setattr(durable, "rename", copy)
    assert count_at_death(make_world, DoubleError)


def test_jobs_that_are_removed_and_then_written_are_found_lost(make_world: MakeWorld, monkeypatch) -> None:
    """Moved out of running/ by an unlink and a new file instead of a rename, a job is found nowhere."""
    real = durable.rename

    def rewrite(source: str, target: str) -> None:
        if f"{os.sep}running{os.sep}" not in source:
            real(source, target)
            return
        data = content(source)
        durable.unlink(source)
        durable.write_new(target, data, fsync=False)

    assert count_at_death(make_world, LostError) == 0
    monkeypatch.setattr(durable, "rename", rewrite)
    assert count_at_death(make_world, LostError)


def test_starts_whose_marker_is_not_heeded_are_found(make_world: MakeWorld, monkeypatch) -> None:
    """When no marker fits to a recovery, a start whose process died is found to be made twice under one number."""
    assert not try_all(make_world, ONE_ATTEMPT, ALL).broken
    either = replace(ONE_ATTEMPT, ends_in=EITHER)
    findings = Findings()
    for plan in plans(measure(make_world, either), ALL):
        with findings.trial(str(plan)), make_world() as world, monkeypatch.context() as patch:
            strike(world, either, plan)
            patch.setattr(Marker, "fits", lambda marker, attempts, stamp, wholly: False)
            aftermath(world, either, ALL)
    assert findings.count(DoubleError)


def test_outcomes_that_are_not_heeded_are_found(make_world: MakeWorld, monkeypatch) -> None:
    """When a recovery overlooks the outcome lines, an attempt that left one is found to be recorded as something else."""
    scenario = replace(ONE_ATTEMPT, ends_in=EITHER)
    findings = Findings()
    for plan in plans(measure(make_world, scenario), ALL):
        with findings.trial(str(plan)), make_world() as world, monkeypatch.context() as patch:
            strike(world, scenario, plan)
            patch.setattr(traces, "_outcome", lambda found: None)
            aftermath(world, scenario, ALL)
    assert findings.count(LostError)


def run_beside_another(make_world: MakeWorld) -> None:
    """A dispatcher dies while its job is at work, and the next one goes on; whatever process it starts is let run."""
    with make_world(retry_interval=0) as world:
        work_in_progress(world)
        assert world.dispatcher is not None
        world.dispatcher.kill()
        world.start_dispatcher().run()
        for runner in world.runners[1:]:
            runner.run()
        if world.together:
            raise DoubleError(world.together[0])


def test_jobs_that_are_taken_for_dead_are_found_to_run_twice_at_once(make_world: MakeWorld, monkeypatch) -> None:
    """With locks that hold nothing and processes that never live, two processes are found to run one job at once."""
    run_beside_another(make_world)
    monkeypatch.setattr(locks, "_try_lock", lambda descriptor: True)
    monkeypatch.setattr(FakeExecutor, "lives", lambda executor, marker: False)
    with pytest.raises(DoubleError):
        run_beside_another(make_world)


def test_a_dispatcher_that_says_nothing_of_a_failing_call_is_found(make_world: MakeWorld, monkeypatch) -> None:
    """A dispatcher that goes on after a failing call without a word is found."""
    block = Service._block

    def keep_quiet(service: Service, error: OSError) -> None:
        service.problem = str(error)
        block(service, error)

    monkeypatch.setattr(Service, "_block", keep_quiet)
    findings = try_faults(make_world, ONE_ATTEMPT, all_faults=False)
    assert any("nobody said it" in str(error) for _, error in findings.broken)


def test_a_dispatcher_that_dies_of_a_failing_call_is_found(make_world: MakeWorld, monkeypatch) -> None:
    """A dispatcher that ends instead of waiting until the disk is well again is found."""

    def give_up(service: Service, error: OSError) -> None:
        raise error

    monkeypatch.setattr(Service, "_block", give_up)
    findings = try_faults(make_world, ONE_ATTEMPT, all_faults=False)
    assert any("the dispatcher died of it" in str(error) for _, error in findings.broken)
