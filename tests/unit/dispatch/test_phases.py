"""The table of phases: complete, and true to what each word promises."""

from __future__ import annotations

from itertools import product

import pytest

from spoolrunner.dispatch.phases import TABLE, Answer, Phase, Request

ALL = list(product(Phase, Request))


def test_every_phase_has_an_answer_to_every_request() -> None:
    """No combination is left to chance."""
    assert set(TABLE) == set(ALL)


@pytest.mark.parametrize("phase", Phase)
def test_an_end_that_was_asked_for_is_never_taken_back(phase) -> None:
    """Whatever comes over a dispatcher that is to end, it still is to end."""
    assert all(TABLE[phase, request][0].is_ending for request in Request) or not phase.is_ending


@pytest.mark.parametrize(("phase", "request_"), ALL)
def test_what_follows(phase, request_) -> None:
    """Trouble blocks, recovery unblocks, a pause is kept over both, and a leave ends everything."""
    then, _ = TABLE[phase, request_]
    if phase is Phase.LEAVING or request_ is Request.LEAVE:
        assert then is Phase.LEAVING
    elif request_ is Request.TROUBLE:
        assert (then.works, then.is_paused, then.is_ending) == (False, phase.is_paused, phase.is_ending)
    elif request_ is Request.RECOVERED:
        assert (then.works, then.is_paused, then.is_ending) == (True, phase.is_paused, phase.is_ending)
    elif request_ is Request.STOP:
        assert (then.works, then.is_ending) == (phase.works, True)
    else:
        paused = request_ is Request.PAUSE and not phase.is_ending
        assert (then.works, then.is_paused, then.is_ending) == (phase.works, paused, phase.is_ending)


@pytest.mark.parametrize(("phase", "request_"), ALL)
def test_what_is_done_about_it(phase, request_) -> None:
    """The first stop gives time, the next one hurries; what changes something is reported, what changes nothing is not."""
    then, answer = TABLE[phase, request_]
    if request_ is Request.STOP and phase is not Phase.LEAVING:
        assert answer is (Answer.HURRY if phase.is_ending else Answer.BEGIN_TO_STOP)
    elif request_ is Request.TROUBLE and phase is not Phase.LEAVING:
        assert answer is Answer.REPORT
    else:
        assert answer is (Answer.REPORT if then is not phase and then is not Phase.LEAVING else Answer.NOTHING)


def test_only_a_serving_dispatcher_starts_jobs() -> None:
    """A dispatcher that is paused, blocked or to end starts nothing."""
    assert [phase for phase in Phase if phase.starts] == [Phase.SERVING]
    assert Phase.SERVING.works


def test_words() -> None:
    """The words in status.json: that it stops comes before that it is blocked, and that before a pause."""
    assert {phase: phase.word for phase in Phase} == {
        Phase.SERVING: "running",
        Phase.PAUSED: "paused",
        Phase.BLOCKED: "blocked",
        Phase.BLOCKED_PAUSED: "blocked",
        Phase.STOPPING: "stopping",
        Phase.STOPPING_BLOCKED: "stopping",
        Phase.LEAVING: "leaving",
    }
