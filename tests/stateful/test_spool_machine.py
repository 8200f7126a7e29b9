"""Anything in any order: producers, people, dispatchers, runners and deaths, against a simple model of what must hold."""

from __future__ import annotations

import contextlib
import os
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from spoolrunner.dispatch.loop import Wish
from spoolrunner.errors import DuplicateJobError
from spoolrunner.protocol import document
from spoolrunner.protocol.states import MAX_INTERRUPTIONS, State
from tests.crash.conftest import new_world
from tests.crash.faults import Plan, Runner, World, eras
from tests.crash.scenarios import judge_left

IDS = st.sampled_from(("a", "b", "a~2"))
ENDINGS = st.sampled_from((("ok",), ("fail", "ok"), ("fail",)))
FINISHED = (State.DONE, State.FAILED)
LONGEST = 20_000.0
"""Seconds of the world's time in which everything must come to its end when it is let run."""


class Known:
    """What the model knows of one job, by its token: what was done to it, not where it must be."""

    def __init__(self, job_id: str) -> None:
        self.names = {job_id}
        self.due: int | None = 0
        self.may_be_cancelled = False
        self.may_be_refused = False
        self.always_ok = True
        self.was_ended = False


class SpoolMachine(RuleBasedStateMachine):
    """One spool, two or three ids, at most one dispatcher at a time, and as many runners as it starts."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = contextlib.ExitStack()
        self.world: World = self.stack.enter_context(new_world(max_retries=1, retry_interval=5, concurrency=2))
        self.shelf = os.path.join(self.world.folder, "shelf")
        os.mkdir(self.shelf)
        self.known: dict[str, Known] = {}
        self.counted = 0

    # -- producers

    @rule(job_id=IDS, endings=ENDINGS, hint=st.booleans())
    def publish(self, job_id: str, endings: tuple[str, ...], hint: bool) -> None:
        self.counted += 1
        token = f"token-{self.counted}"
        raw = self.world.document(token, *endings)
        try:
            self.world.spool.publish(job_id, orjson.dumps(raw))
        except DuplicateJobError:
            assert self.world.spool.exists(State.PENDING, job_id), "told as taken, but free"
            return
        self.known[token] = Known(job_id)
        self.known[token].always_ok = endings == ("ok",)
        self.hint(job_id, hint)

    @rule(job_id=IDS, operations=st.integers(0, 8), torn=st.booleans())
    def publish_and_die(self, job_id: str, operations: int, torn: bool) -> None:
        self.counted += 1
        token = f"token-{self.counted}"
        data = orjson.dumps(self.world.document(token))
        producer = self.world.start("producer", lambda: self.world.spool.publish(job_id, data))
        with contextlib.suppress(DuplicateJobError):
            producer.run(operations)
        producer.kill()
        if self.places(token):
            self.known[token] = Known(job_id)

    # -- dispatchers

    def dispatching(self) -> bool:
        return self.world.dispatcher is not None and not self.world.dispatcher.is_over

    @precondition(lambda self: not self.dispatching())
    @rule(operations=st.integers(0, 30))
    def start_dispatcher(self, operations: int) -> None:
        self.world.start_dispatcher().run(operations)

    @precondition(lambda self: self.dispatching())
    @rule(operations=st.integers(1, 25))
    def step_dispatcher(self, operations: int) -> None:
        self.world.dispatcher.run(operations)

    @precondition(lambda self: self.dispatching())
    @rule(seconds=st.sampled_from((0, 1, 6)))
    def run_dispatcher(self, seconds: float) -> None:
        self.world.clock.now += seconds
        self.world.dispatcher.run()

    @precondition(lambda self: self.dispatching())
    @rule(operations=st.integers(0, 12))
    def kill_dispatcher(self, operations: int) -> None:
        self.world.dispatcher.run(operations)
        self.world.dispatcher.kill()

    @precondition(lambda self: self.dispatching() and self.world.serving is not None)
    @rule(wish=st.sampled_from((Wish.STOP, Wish.LEAVE)))
    def stop_dispatcher(self, wish: Wish) -> None:
        self.world.serving.request(wish)

    # -- runners

    def living(self) -> bool:
        return bool(self.world.live_runners())

    def pick(self, index: int) -> Runner:
        living = self.world.live_runners()
        return living[index % len(living)]

    @precondition(living)
    @rule(index=st.integers(0, 3), operations=st.integers(1, 16))
    def step_runner(self, index: int, operations: int) -> None:
        self.pick(index).run(operations)

    @precondition(living)
    @rule(index=st.integers(0, 3))
    def run_runner(self, index: int) -> None:
        self.pick(index).run()

    @precondition(living)
    @rule(index=st.integers(0, 3), operations=st.integers(0, 16))
    def kill_runner(self, index: int, operations: int) -> None:
        runner = self.pick(index)
        runner.run(operations)
        runner.kill()

    @precondition(living)
    @rule(index=st.integers(0, 3))
    def lose_lock(self, index: int) -> None:
        runner = self.pick(index)
        if runner.token in self.world.inside:  # it is the job's own code that does so, and we write nothing meanwhile
            runner.close_descriptors(".lock")

    # -- time

    @rule(seconds=st.sampled_from((0.5, 3.0, 30.0, 700.0)))
    def pass_time(self, seconds: float) -> None:
        if self.dispatching():
            self.world.dispatcher.run()
        self.world.clock.now += seconds

    @rule(seconds=st.sampled_from((0.5, 3.0, 30.0)))
    def pass_time_over_whatever_is_under_way(self, seconds: float) -> None:
        self.world.clock.now += seconds

    @rule(seconds=st.sampled_from((1.0, 10.0)))
    def let_all_run(self, seconds: float) -> None:
        if not self.dispatching():
            self.world.start_dispatcher()
        end = self.world.clock.now + seconds
        self.world.run(lambda: self.world.clock.now >= end or not self.dispatching() or self.world.is_idle())

    @rule(at=st.integers(1, 60), torn=st.booleans(), everybody=st.booleans())
    def let_all_run_and_somebody_die(self, at: int, torn: bool, everybody: bool) -> None:
        self.world.kill_at(Plan(at, torn, everybody))
        self.let_all_run(10.0)
        self.world.kill_at(None)

    # -- people

    def choose(self, index: int, *states: State) -> tuple[State, str] | None:
        found = [(state, name) for state in states for name, _ in self.listed(state)]
        return found[index % len(found)] if found else None

    def waits(self) -> bool:
        return self.choose(0, State.PENDING) is not None

    def has_ended(self) -> bool:
        return self.choose(0, *FINISHED) is not None

    @precondition(has_ended)
    @rule(index=st.integers(0, 9), hint=st.booleans())
    def retry_by_hand(self, index: int, hint: bool) -> None:
        source, job_id = self.choose(index, *FINISHED)
        token = self.token_at(source, job_id)
        if self.world.spool.exists(State.PENDING, job_id):
            return
        self.known[token].due = len(self.raw(source, job_id).get("attempts", []))
        self.known[token].names.add(job_id)
        self.world.mv(job_id, source, State.PENDING)
        self.hint(job_id, hint)

    @precondition(waits)
    @rule(index=st.integers(0, 9))
    def take_away(self, index: int) -> None:
        _, job_id = self.choose(index, State.PENDING)
        there = os.path.join(self.shelf, job_id)
        if not os.path.exists(there):
            os.rename(self.world.layout.job(State.PENDING, job_id), there)

    @precondition(lambda self: os.listdir(self.shelf))
    @rule(index=st.integers(0, 9), hint=st.booleans())
    def put_back(self, index: int, hint: bool) -> None:
        shelved = sorted(os.listdir(self.shelf))
        job_id = shelved[index % len(shelved)]
        there = os.path.join(self.shelf, job_id)
        if not self.world.spool.exists(State.PENDING, job_id):
            os.rename(there, self.world.layout.job(State.PENDING, job_id))
            self.hint(job_id, hint)

    @precondition(waits)
    @rule(index=st.integers(0, 9), in_place=st.booleans(), allowed=st.booleans())
    def edit(self, index: int, in_place: bool, allowed: bool) -> None:
        _, job_id = self.choose(index, State.PENDING)
        token = self.token_at(State.PENDING, job_id)
        raw = self.raw(State.PENDING, job_id)
        raw["method"] = "work" if allowed else "forbidden"
        raw["priority"] = len(self.world.log) % 7
        self.known[token].may_be_refused |= not allowed
        if in_place:
            with open(self.world.layout.job(State.PENDING, job_id), "wb") as stream:
                stream.write(orjson.dumps(raw))
        else:
            self.world.put(State.PENDING, job_id, raw)

    @precondition(lambda self: self.waits() or self.has_ended())
    @rule(index=st.integers(0, 9))
    def remove(self, index: int) -> None:
        state, job_id = self.choose(index, State.PENDING, *FINISHED)
        token = self.token_at(state, job_id)
        os.unlink(self.world.layout.job(state, job_id))
        del self.known[token]

    @rule(index=st.integers(0, 9), nobody=st.booleans(), hint=st.booleans())
    def cancel(self, index: int, nobody: bool, hint: bool) -> None:
        found = self.choose(index, State.RUNNING, State.PENDING)
        if found is None and not nobody:
            return
        job_id = "a" if found is None else found[1]
        self.world.touch_cancel(job_id)
        if hint and self.dispatching() and self.world.service is not None:
            self.world.service.watch.control.add(f"cancel-{job_id}")

    # -- what must hold

    @invariant()
    def every_job_is_in_one_place_and_whole(self) -> None:
        places: dict[str, list[str]] = {token: [] for token in self.known}
        for state in (*State, None):
            for name, raw in self.listed(state):
                token = raw["meta"]["token"]
                assert token in places, f"{token} has come back: {state}/{name}"
                places[token].append(f"{state}/{name}")
                self.note_names(token, name, state)
        for token, found in places.items():
            assert len(found) == 1, f"{token} is in {found}; {self.world.describe()}"

    @invariant()
    def every_start_is_counted_and_none_is_made_up(self) -> None:
        for state in (*State, None):
            for name, raw in self.listed(state):
                token = raw["meta"]["token"]
                numbers = [made["number"] for made in raw.get("attempts", [])]
                starts = self.world.starts(token)
                story = f"{token} in {state}/{name}: attempts {numbers}, starts {starts}; {self.world.describe()}"
                assert len(starts) == len(set(starts)), f"one attempt was started twice: {story}"
                open_starts = set(starts) - set(numbers)
                assert open_starts <= ({len(numbers) + 1} if state is State.RUNNING else set()), f"not counted: {story}"
                assert len(numbers) - len(starts) <= self.deaths(token), f"made up: {story}"

    @invariant()
    def no_job_is_started_more_often_than_allowed(self) -> None:
        for state in (*State, None):
            for _, raw in self.listed(state):
                for era in eras(raw.get("attempts", [])):
                    free = min(MAX_INTERRUPTIONS, sum(made["outcome"] == "interrupted" for made in era))
                    assert len(era) <= 2 + free, f"{era}; {self.world.describe()}"

    @invariant()
    def what_a_process_left_is_what_is_recorded(self) -> None:
        for state in (*State, None):
            for _, raw in self.listed(state):
                recorded = raw.get("attempts", [])
                token, numbers = raw["meta"]["token"], {made["number"] for made in recorded}
                # One that is still in running/ may not be recorded yet.
                due = [left for left in self.world.left if state is not State.RUNNING or left.attempt in numbers]
                judge_left(self.world, token, recorded, due)

    @invariant()
    def no_cancel_hits_another_job(self) -> None:
        for name, raw in self.listed(State.FAILED):
            attempts = raw.get("attempts", [])
            if attempts and attempts[-1]["outcome"] == "cancelled":
                known = self.known[raw["meta"]["token"]]
                assert known.may_be_cancelled, f"{name} was cancelled, but nobody asked; {self.world.describe()}"

    def teardown(self) -> None:
        try:
            if self.known or self.world.processes:
                self.everything_comes_to_its_end()
        finally:
            self.stack.close()

    def everything_comes_to_its_end(self) -> None:
        world = self.world
        deadline = world.clock.now + LONGEST
        while not world.is_idle():
            if not self.dispatching():
                world.start_dispatcher()
            world.run(lambda: world.is_idle() or not self.dispatching(), deadline - world.clock.now)
        world.recover()
        self.every_job_is_in_one_place_and_whole()
        self.every_start_is_counted_and_none_is_made_up()
        self.no_job_is_started_more_often_than_allowed()
        self.no_cancel_hits_another_job()
        for state in FINISHED:
            for name, raw in self.listed(state):
                self.judge_ended(state, name, raw)
        assert not world.leftovers_of_running(), f"left behind: {world.leftovers_of_running()}; {world.describe()}"

    def judge_ended(self, state: State, name: str, raw: dict[str, Any]) -> None:
        token, attempts = raw["meta"]["token"], raw.get("attempts", [])
        known, story = self.known[token], f"{state}/{name}: {raw}; {self.world.describe()}"
        spared = known.may_be_cancelled or known.may_be_refused
        if known.due is not None and not spared:
            assert len(attempts) > known.due, f"it was to be run and was not: {story}"
        if not attempts:
            assert os.path.exists(self.world.layout.reason(name)), f"never ran, and nobody says why: {story}"
        if state is State.DONE:
            assert attempts[-1]["verdict"] == "done", story
            assert attempts[-1]["number"] in self.world.starts(token), f"done, but never run: {story}"
        elif known.always_ok and not spared:
            assert self.deaths(token), f"it failed, though it was left in peace: {story}"

    # -- aids

    def hint(self, job_id: str, given: bool) -> None:
        if given:
            self.world.hint(job_id)

    def listed(self, state: State | None) -> list[tuple[str, dict[str, Any]]]:
        """The jobs in a state, or on the person's shelf."""
        folder = self.shelf if state is None else self.world.layout.folder(state)
        found = []
        for file in sorted(os.listdir(folder)):
            if not file.endswith(".reason"):
                with open(os.path.join(folder, file), "rb") as stream:
                    found.append((file.removesuffix(".json"), document.parse(stream.read())[1]))
        return found

    def raw(self, state: State, job_id: str) -> dict[str, Any]:
        with open(self.world.layout.job(state, job_id), "rb") as stream:
            return document.parse(stream.read())[1]

    def token_at(self, state: State, job_id: str) -> str | None:
        return self.raw(state, job_id)["meta"]["token"] if self.world.spool.exists(state, job_id) else None

    def places(self, token: str) -> list[State]:
        return [state for state in State for _, raw in self.listed(state) if raw["meta"]["token"] == token]

    def note_names(self, token: str, name: str, state: State | None) -> None:
        known = self.known[token]
        known.names.add(name)
        if state in (State.PENDING, State.RUNNING) and os.path.exists(self.world.layout.cancel(name)):
            known.may_be_cancelled = True

    def deaths(self, token: str) -> int:
        names = self.known[token].names
        return sum(runner.was_killed and runner.key.job_id in names for runner in self.world.runners)


def budget(examples: int, steps: int) -> settings:
    """Always the same runs, so that a failure is a failure of the code that was changed."""
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.timeout(600)  # passing takes seconds; but when it fails, looking for the shortest story takes minutes
def test_what_must_hold_holds_in_any_order_of_events() -> None:
    """No order of publishing, dispatching, dying, editing and moving by hand loses, doubles, miscounts or forgets a job."""
    run_state_machine_as_test(SpoolMachine, settings=budget(180, 50))


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_what_must_hold_holds_in_many_more_orders_of_events() -> None:
    """The same over a hundred times as many steps."""
    run_state_machine_as_test(SpoolMachine, settings=budget(5000, 60))
