"""What happens to a spool while somebody is killed: each scenario is prepared, acted out under a plan, and judged."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from spoolrunner import enqueue, enqueue_many
from spoolrunner.dispatch.loop import Wish
from spoolrunner.errors import JobFormatError
from spoolrunner.protocol import document
from spoolrunner.protocol.states import MAX_INTERRUPTIONS, State
from spoolrunner.spool import traces
from tests.crash.actors import Operation, Plan
from tests.crash.faults import JOBS, Left, World, eras
from tests.crash.findings import BeyondError, DoubleError, Findings, LostError
from tests.tally import Tally

MakeWorld = Callable[..., contextlib.AbstractContextManager[World]]

EVERY_CRASH_POINT = "every crash point"
"""The name of the suite in the table at the end of a run."""
CALLS_TO_SYNC_A_FOLDER = 3
"""Which Windows does without."""
ALL, EARLY, LATE = "all die", "one dies, the others go on", "one dies, the others come late"
MODES = (ALL, EARLY, LATE)
"""Who dies, and whether what survives goes on before or after the next dispatcher has looked around."""


@dataclass
class Scenario:
    """`least`: the operations an undisturbed run is known to have. `tokens`: the jobs that must be there at any time."""

    name: str
    prepare: Callable[[World], None]
    act: Callable[[World], None]
    judge: Callable[[World], None]
    least: int
    tokens: tuple[str, ...] = ("a",)
    settings: dict[str, Any] = field(default_factory=dict)
    ends_in: tuple[State, ...] = (State.DONE,)

    def __str__(self) -> str:
        return self.name


def measure(make_world: MakeWorld, scenario: Scenario) -> list[Operation]:
    """The operations of the undisturbed run, which must itself be judged sound."""
    with make_world(**scenario.settings) as world:
        scenario.prepare(world)
        world.kill_at(None)
        scenario.act(world)
        operations = world.log[world.plan_begins :]
        aftermath(world, scenario, EARLY)
    return operations


def plans(operations: list[Operation], mode: str) -> Iterator[Plan]:
    """A kill before each operation, and in the middle of each write."""
    for at, operation in enumerate(operations, 1):
        yield Plan(at, torn=False, everybody=mode == ALL, halts=mode == LATE)
        if operation.kind == "write":
            yield Plan(at, torn=True, everybody=mode == ALL, halts=mode == LATE)


def sweep(make_world: MakeWorld, scenario: Scenario, mode: str, tally: Tally | None = None) -> None:
    """Kill at each operation of the scenario, count what is found, and fail if anything is."""
    try_all(make_world, scenario, mode).tell(tally, EVERY_CRASH_POINT)


def try_all(make_world: MakeWorld, scenario: Scenario, mode: str) -> Findings:
    """Act the scenario out once for each operation of it, with a kill there, and judge what recovery makes of it."""
    operations = measure(make_world, scenario)
    least = scenario.least - (CALLS_TO_SYNC_A_FOLDER if sys.platform == "win32" else 0)
    assert len(operations) >= least, f"only {len(operations)} operations were seen"
    findings = Findings()
    for plan in plans(operations, mode):
        with findings.trial(f"{scenario}, {mode}, {plan}"), make_world(**scenario.settings) as world:
            strike(world, scenario, plan)
            assert world.fired is not None, f"{plan} was not reached"
            expected = operations[plan.at - 1]
            assert (world.fired.process, world.fired.kind) == (expected.process, expected.kind)
            aftermath(world, scenario, mode)
    return findings


def strike(world: World, scenario: Scenario, plan: Plan) -> None:
    """Act it out under the plan; whoever waits for a process that is dead by now waits no longer."""
    scenario.prepare(world)
    world.kill_at(plan)
    scenario.act(world)


def aftermath(world: World, scenario: Scenario, mode: str) -> None:
    """What is there must be sound at the moment of the death; what recovery makes of it must be final and sound."""
    for token in scenario.tokens:
        world.find(token)
    world.plan = None
    come_to_rest(world, mode)
    judge(world, scenario)


def come_to_rest(world: World, mode: str) -> None:
    """The next dispatcher, and whoever survived, bring everything to its end."""
    if mode == LATE and (world.dispatcher is None or world.dispatcher.is_over):
        world.start_dispatcher().run()
    for process in world.processes:
        process.is_frozen = False
    world.recover()


def judge(world: World, scenario: Scenario) -> None:
    """The promises to all jobs of the scenario, and what it asks besides."""
    if world.together:
        raise DoubleError(world.together[0])
    for token in scenario.tokens:
        judge_job(world, token, scenario.ends_in)
    assert not world.leftovers(), f"left behind: {world.leftovers()}; {world.describe()}"
    scenario.judge(world)


def judge_job(world: World, token: str, ends_in: tuple[State, ...]) -> None:
    """The promises that hold for every job, whatever happened to it."""
    state, name, raw = world.find(token)
    attempts, starts = raw.get("attempts", []), world.starts(token)
    story = f"{token}: {attempts}; {world.describe()}"
    assert state in ends_in, story
    if len(starts) != len(set(starts)):
        raise DoubleError(f"an attempt was started twice: {story}")
    if not set(starts) <= {made["number"] for made in attempts}:
        raise BeyondError(f"a start was not counted: {story}")
    refused = sum(made["outcome"] == "rejected" for made in attempts)
    history = sum("pid" not in made for made in attempts)  # what a scenario put there before it began
    deaths = sum(runner.was_killed for runner in world.runners) + world.taken.count(token)
    assert len(attempts) - len(starts) <= deaths + refused + history, (
        f"an attempt was counted that nobody made: {story}"
    )
    judge_left(world, token, attempts, world.left)
    for era in eras(attempts):
        interrupted = sum(made["outcome"] == "interrupted" for made in era)
        allowed = 1 + world.config.default_policy.max_retries + min(MAX_INTERRUPTIONS, interrupted)
        if len(era) > allowed:
            raise BeyondError(f"started more often than allowed: {story}")
    refused_later = state is State.FAILED and os.path.exists(world.layout.reason(name))  # between two attempts
    if attempts and not refused_later:
        assert attempts[-1]["verdict"] == state.value, f"the folder belies the verdict: {story}"


def judge_left(world: World, token: str, attempts: list[dict[str, Any]], all_left: list[Left]) -> None:
    """What a job's process has left is what stands in the record."""
    outcomes = {made["number"]: made["outcome"] for made in attempts}
    for left in all_left:
        if left.token == token and outcomes.get(left.attempt) != left.outcome:
            raise LostError(f"{left} is not what was recorded: {attempts}; {world.describe()}")


def nothing(world: World) -> None:
    """Nothing to do, or nothing more to ask."""


def dispatch(world: World) -> None:
    """A dispatcher runs what is due, and the jobs run; one that serves waits for what is not due yet, and is then stopped."""
    made = world.start_dispatcher(drain=not world.serves)
    if not world.serves:
        world.run()
        return
    world.run(lambda: made.is_over or (world.is_idle() and world.is_calm()))
    if world.serving is not None and not made.is_over:
        world.serving.request(Wish.STOP)
        world.run(lambda: made.is_over)


def pending(*endings: str, **fields: Any) -> Callable[[World], None]:
    """One job waits."""

    def prepare(world: World) -> None:
        world.put(State.PENDING, "a", world.document("a", *endings, **fields))

    return prepare


def was_run_again(world: World) -> None:
    """A retry by hand is really run."""
    assert world.starts("a"), f"the retry by hand was not run: {world.describe()}"


TELLING = {JOBS: {"work": {"on_failure": f"{JOBS}.told"}, "told": {"max_retries": 9}}}
"""The table of jobs in which failures are told of."""


def was_told_of(world: World) -> None:
    """Each failure for good of the job was told of by one job, which was run; and nothing else was told."""
    _, _, raw = world.find("a")
    failures = [made["number"] for made in raw["attempts"] if made["verdict"] == "failed"]
    told = {key: orjson.loads(data) for key, data in world.files().items() if b"on_failure_of" in data}
    assert len(told) <= len(failures), f"told more than once: {world.describe()}"
    assert sorted(told) == [(State.DONE, f"a.failed.{number}") for number in failures], world.describe()
    assert world.starts("told of a"), "the job of on_failure was not run"
    for key in told:
        assert told[key]["params"]["error"], "it does not say why"


STEPPING = {JOBS: ["work", "stepped"]}
"""The table of jobs in which one makes steps."""


def made_each_step_once(world: World) -> None:
    """No step was made again that was over, each was made before the work, and a job that is done has left none."""
    state, name, _ = world.find("a")
    for earlier, later in itertools.pairwise(("one", "two", "work")):
        if later in world.steps and earlier in world.steps[world.steps.index(later) :]:
            raise DoubleError(f"step {earlier} was made again: {world.steps}; {world.describe()}")
    if state is State.DONE:
        assert {"one", "two", "work"} == set(world.steps), f"{world.steps}; {world.describe()}"
    kept = os.listdir(world.layout.steps) if os.path.isdir(world.layout.steps) else []
    assert kept in ([[]] if state is State.DONE else [[], [f"{name}.jsonl"]]), f"{kept}; {world.describe()}"
    if state is not State.DONE and "two" in world.steps:
        assert kept, "the steps are gone, though the job may be tried again"


def ended(outcome: str, verdict: str, number: int = 1) -> dict[str, Any]:
    """An attempt of the past."""
    return {"number": number, "outcome": outcome, "verdict": verdict}


def by_hand(source: State, *history: dict[str, Any]) -> Callable[[World], None]:
    """A job with a history lies in done/ or failed/, and a person moves it back to pending/."""

    def prepare(world: World) -> None:
        world.put(source, "a", world.document("a", attempts=list(history)))
        world.mv("a", source, State.PENDING)

    return prepare


def kept_its_bytes(data: bytes, name: str = "a") -> Callable[[World], None]:
    """A file that never ran lies in failed/ as it was, with the reason beside it."""

    def judge(world: World) -> None:
        assert world.files() == {(State.FAILED, name): data}
        assert os.path.exists(world.layout.reason(name)), f"no reason: {world.describe()}"
        with open(world.layout.reason(name), "rb") as stream:
            assert set(orjson.loads(stream.read())) == {"outcome", "what", "where", "when"}
        assert not world.effects

    return judge


def foreign(state: State, data: bytes, name: str = "a") -> Callable[[World], None]:
    """A file of other people's making."""

    def prepare(world: World) -> None:
        world.put(state, name, data)

    return prepare


def publish_one(world: World) -> None:
    """A producer publishes a job."""
    given = {"token": "a", "endings": ["ok"]}
    world.start("producer", lambda: enqueue(JOBS, "work", given, id="a", meta={"token": "a"}, config=world.config_path))
    world.run()


def publish(*tokens: str) -> Callable[[World], None]:
    """A producer publishes a batch; from eight on it is synced at once."""

    def act(world: World) -> None:
        batch = [
            {"job": JOBS, "method": "work", "params": {"token": t, "endings": ["ok"]}, "id": t, "meta": {"token": t}}
            for t in tokens
        ]
        world.start("producer", lambda: enqueue_many(batch, config=world.config_path))
        world.run()

    return act


def what_was_renamed_is_there(world: World) -> None:
    """What was renamed into pending/ before the producer died was run, and nothing else was."""
    operations = [op for op in world.log if op.process == "producer" and op.kind == "rename"]
    renamed = [os.path.basename(op.path).removesuffix(".json") for op in operations if op not in world.struck]
    for token in renamed:
        world.find(token)
    assert sorted(name for _, name in world.files()) == sorted(renamed)
    for token in renamed:
        if len(world.struck) > 1:
            judge_job(world, token, (State.DONE, State.FAILED))
            continue
        judge_job(world, token, (State.DONE,))
        assert world.starts(token) == [1]


def cancel_waiting(world: World) -> None:
    """A job waits, and is to be cancelled."""
    pending()(world)
    world.touch_cancel("a")


def cancel_running(world: World) -> None:
    """A dispatcher has started a job, which is at work, when a person asks for it to be cancelled."""
    work_in_progress(world)
    world.touch_cancel("a")


def work_in_progress(world: World, *endings: str) -> None:
    """A dispatcher has started a job, which is at work and will stay there; its attempts end like that."""
    pending(*endings)(world)
    world.start_dispatcher().run()
    (made,) = world.runners
    while not world.effects:
        made.run(1)
    made.is_frozen = True


def work_about_to_end(world: World, *endings: str) -> None:
    """A dispatcher has started a job, which is at work and will go on; its attempts end like that."""
    work_in_progress(world, *endings)
    world.runners[0].is_frozen = False


def until_settled(world: World) -> None:
    """Go on until the job is not in running/ any more, or the dispatcher is dead."""
    running, dispatching = world.layout.folder(State.RUNNING), world.dispatcher
    assert dispatching is not None
    if world.plan is not None and world.plan.everybody:
        world.run(lambda: not os.listdir(running) or all(process.is_over for process in world.processes))
        return
    world.run(lambda: not os.listdir(running) or dispatching.is_over)
    if not dispatching.is_over:
        dispatching.run()


def command(verb: Any, *words: str) -> Callable[[World], None]:
    """A person gives a command, its module and its words, while a dispatcher starts; then the dispatcher runs what is due."""

    def act(world: World) -> None:
        parser = argparse.ArgumentParser()
        verb.add_arguments(parser)
        given = parser.parse_args(words, argparse.Namespace(config=world.config_path))
        world.start("command", lambda: verb.run(given))
        world.run()
        dispatch(world)

    return act


def asked_to_stop(text: str) -> Callable[[World], None]:
    """A job is at work when control/stop is made, with that text in it."""

    def prepare(world: World) -> None:
        work_in_progress(world)
        with open(world.layout.stop, "w", encoding="ascii") as stream:
            stream.write(text)
        assert world.service is not None
        world.service.watch.control.add("stop")

    return prepare


def until_stopped(world: World) -> None:
    """The dispatcher does what it was asked for, until it is over."""
    dispatching = world.dispatcher
    assert dispatching is not None
    world.run(lambda: dispatching.is_over)


def with_a_successor(world: World) -> None:
    """A dispatcher runs what is due while another stands by, which takes over if the first dies."""
    first = world.start_dispatcher()
    world.start_dispatcher(standby=True)
    world.run(lambda: world.is_idle() or all(process.is_over for process in world.processes))
    first.kill()


def left_by(scenario: Scenario, plan: Plan) -> Callable[[World], None]:
    """Everybody was killed in the middle of another scenario."""

    def prepare(world: World) -> None:
        strike(world, scenario, plan)
        world.plan = None

    return prepare


def fingerprint(world: World) -> tuple[Any, ...]:
    """What recovery can tell of a spool: scenarios that leave the same need not be recovered from twice."""
    layout, seen = world.layout, []
    for (state, name), data in world.files().items():
        left = traces.peek(layout.lock(name))
        marker = left.marker
        try:
            _, raw = document.parse(data)
        except JobFormatError:
            seen.append((state, name, "unreadable"))
            continue
        attempts = raw.get("attempts", [])
        stamp = world.spool.stamp(state, name)
        fits = marker is not None and stamp is not None and marker.fits(len(attempts), stamp, wholly=False)
        kind = None if marker is None else (marker.kind, marker.attempt, left.outcome and left.outcome.outcome)
        last = attempts[-1]["verdict"] if attempts else ""
        seen.append((state, name, len(attempts), last, kind, fits))
    about = [sorted(os.listdir(folder)) for folder in (layout.locks, layout.control, layout.folder(State.FAILED))]
    return (*seen, str(about), bool(os.listdir(layout.job_logs)))
