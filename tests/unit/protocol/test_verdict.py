"""Verdicts: what follows from an outcome under a policy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoolrunner import Discard, Retry
from spoolrunner.protocol.policy import Policy
from spoolrunner.protocol.states import MAX_INTERRUPTIONS, Outcome, Verdict
from spoolrunner.protocol.verdict import DISCARD, RETRY, Decision, Said, decide, since_final

NOW = 1_800_000_000.0
PLAIN = Policy(max_retries=2, retry_interval=10.0, retry_backoff="fixed", retry_jitter=0.0)
OF_A_START = [
    Outcome.SUCCEEDED,
    Outcome.FAILED,
    Outcome.TIMED_OUT,
    Outcome.CRASHED,
    Outcome.INTERRUPTED,
    Outcome.CANCELLED,
]


def history(*entries: tuple[Outcome, Verdict]) -> list[dict[str, str]]:
    return [{"outcome": outcome.value, "verdict": verdict.value} for outcome, verdict in entries]


FAILED = (Outcome.FAILED, Verdict.RETRY)
STOPPED = (Outcome.INTERRUPTED, Verdict.RETRY)
GIVEN_UP = (Outcome.FAILED, Verdict.FAILED)
DONE = (Outcome.SUCCEEDED, Verdict.DONE)


@pytest.mark.parametrize(
    ("outcome", "earlier", "decision"),
    [
        (Outcome.SUCCEEDED, [], Decision(Verdict.DONE, 0)),
        (Outcome.SUCCEEDED, [FAILED], Decision(Verdict.DONE, 1)),
        (Outcome.FAILED, [], Decision(Verdict.RETRY, 1, NOW + 10)),
        (Outcome.FAILED, [FAILED], Decision(Verdict.RETRY, 2, NOW + 10)),
        (Outcome.FAILED, [FAILED, FAILED], Decision(Verdict.FAILED, 2)),
        (Outcome.TIMED_OUT, [], Decision(Verdict.RETRY, 1, NOW + 10)),
        (Outcome.TIMED_OUT, [FAILED, FAILED], Decision(Verdict.FAILED, 2)),
        (Outcome.CRASHED, [], Decision(Verdict.RETRY, 1, NOW + 10)),
        (Outcome.CRASHED, [FAILED, FAILED], Decision(Verdict.FAILED, 2)),
        (Outcome.CANCELLED, [], Decision(Verdict.FAILED, 0)),
        (Outcome.REJECTED, [], Decision(Verdict.FAILED, 0)),
        (Outcome.EXPIRED, [], Decision(Verdict.FAILED, 0)),
        (Outcome.INTERRUPTED, [], Decision(Verdict.RETRY, 0, NOW)),
        (Outcome.INTERRUPTED, [FAILED, FAILED], Decision(Verdict.RETRY, 2, NOW)),
        (Outcome.INTERRUPTED, [STOPPED] * 4, Decision(Verdict.RETRY, 0, NOW)),
        (Outcome.INTERRUPTED, [STOPPED] * 5, Decision(Verdict.RETRY, 1, NOW + 10)),
        (Outcome.INTERRUPTED, [STOPPED] * 7, Decision(Verdict.FAILED, 2)),
        (Outcome.FAILED, [STOPPED] * 5, Decision(Verdict.RETRY, 1, NOW + 10)),
        (Outcome.FAILED, [FAILED, STOPPED, FAILED], Decision(Verdict.FAILED, 2)),
        (Outcome.FAILED, [FAILED, FAILED, GIVEN_UP], Decision(Verdict.RETRY, 1, NOW + 10)),
        (Outcome.FAILED, [DONE], Decision(Verdict.RETRY, 1, NOW + 10)),
        (Outcome.INTERRUPTED, [*[STOPPED] * 5, GIVEN_UP], Decision(Verdict.RETRY, 0, NOW)),
    ],
)
def test_decide(outcome, earlier, decision) -> None:
    """A verdict follows from the outcome and the attempts since the last final verdict."""
    assert decide(outcome, PLAIN, history(*earlier), NOW, 0.0) == decision


def test_crash_that_is_not_to_be_retried() -> None:
    """With on_crash "fail" a crash is final, and nothing but a crash."""
    policy = PLAIN.override(on_crash="fail")
    assert decide(Outcome.CRASHED, policy, [], NOW, 0.0).verdict is Verdict.FAILED
    assert decide(Outcome.FAILED, policy, [], NOW, 0.0).verdict is Verdict.RETRY
    assert decide(Outcome.TIMED_OUT, policy, [], NOW, 0.0).verdict is Verdict.RETRY


@given(st.integers(0, 6), st.lists(st.sampled_from(OF_A_START), min_size=30, max_size=30), st.integers(0, 3))
def test_starts_are_limited(max_retries, outcomes, by_hand) -> None:
    """However its starts end, a job is started at most 1 + max_retries times, and five more for interruptions.

    After a retry by hand the budget is fresh.
    """
    policy = PLAIN.override(max_retries=max_retries)
    attempts = history(*[GIVEN_UP] * by_hand)
    for outcome in outcomes:
        decision = decide(outcome, policy, attempts, NOW, 0.5)
        attempts += history((outcome, decision.verdict))
        if decision.verdict is not Verdict.RETRY:
            break
        assert decision.next_run_at is not None
        assert decision.next_run_at >= NOW
    ours = attempts[by_hand:]
    interrupted = sum(attempt["outcome"] == Outcome.INTERRUPTED for attempt in ours)
    assert ours[-1]["verdict"] != Verdict.RETRY
    assert len(ours) <= 1 + max_retries + min(interrupted, MAX_INTERRUPTIONS)


@given(st.integers(0, 6), st.integers(0, MAX_INTERRUPTIONS))
def test_no_start_is_withheld(max_retries, interruptions) -> None:
    """A job that always fails gets every start it is entitled to, whatever interrupted it before."""
    attempts = history(*[STOPPED] * interruptions)
    starts = 0
    verdict = Verdict.RETRY
    while verdict is Verdict.RETRY:
        verdict = decide(Outcome.FAILED, PLAIN.override(max_retries=max_retries), attempts, NOW, 0.0).verdict
        attempts += history((Outcome.FAILED, verdict))
        starts += 1
    assert starts == 1 + max_retries


@pytest.mark.parametrize(
    ("earlier", "counted"),
    [
        ([], 0),
        ([FAILED, STOPPED], 2),
        ([FAILED, GIVEN_UP], 0),
        ([DONE, FAILED], 1),
        ([GIVEN_UP, DONE, FAILED, FAILED], 2),
    ],
)
def test_since_final(earlier, counted) -> None:
    """The budget counts the attempts after the last final verdict."""
    attempts = history(*earlier)
    assert since_final(attempts) == attempts[len(attempts) - counted :]


KEY_ERROR = ("KeyError", "LookupError", "Exception", "BaseException")
OWN = ("app.NoCustomer", *KEY_ERROR)


@pytest.mark.parametrize(
    ("kinds", "retry_on", "discard_on", "no_retry"),
    [
        (KEY_ERROR, (), (), ""),
        (KEY_ERROR, (), ("KeyError",), "discard_on names KeyError"),
        (KEY_ERROR, (), ("LookupError",), "discard_on names LookupError"),
        (KEY_ERROR, (), ("OSError",), ""),
        (KEY_ERROR, ("KeyError",), (), ""),
        (KEY_ERROR, ("Exception",), (), ""),
        (KEY_ERROR, ("OSError",), (), "retry_on does not name its exception"),
        (OWN, ("LookupError",), ("app.NoCustomer",), "discard_on names app.NoCustomer"),
        (OWN, ("app.NoCustomer",), ("LookupError",), ""),
        (OWN, ("LookupError",), ("LookupError",), "discard_on names LookupError"),
        (OWN, (), ("NoCustomer",), ""),
        ((), ("OSError",), (), "retry_on does not name its exception"),
        ((RETRY, "Exception"), ("OSError",), ("Exception",), ""),
        ((DISCARD, "Exception"), (), (), "it raised Discard"),
        (("app.Gone", DISCARD, "Exception"), ("app.Gone",), (), "it raised Discard"),
    ],
)
def test_exceptions_decide(kinds, retry_on, discard_on, no_retry) -> None:
    """The nearest class of an exception that a list names decides; what the job asks for itself comes before the lists."""
    policy = PLAIN.override(retry_on=retry_on, discard_on=discard_on)
    made = decide(Outcome.FAILED, policy, [], NOW, 0.0, Said(kinds))
    assert made.no_retry == no_retry
    assert made.verdict is (Verdict.FAILED if no_retry else Verdict.RETRY)


@pytest.mark.parametrize("after", [0.0, 3.5, 12 * 3600.0])
def test_the_pause_that_is_asked_for(after) -> None:
    """A job's own pause counts as it is: without jitter, and though it is longer than the longest of the configuration."""
    policy = Policy(max_retries=1, retry_max_interval=60.0, retry_jitter=1.0)
    assert decide(Outcome.FAILED, policy, [], NOW, 0.5, Said((RETRY,), after)) == Decision(
        Verdict.RETRY, 1, NOW + after
    )
    assert decide(Outcome.FAILED, policy, history(FAILED), NOW, 0.5, Said((RETRY,), after)).verdict is Verdict.FAILED


@pytest.mark.parametrize("outcome", [Outcome.TIMED_OUT, Outcome.CRASHED, Outcome.INTERRUPTED])
def test_what_is_said_counts_for_a_failure_alone(outcome) -> None:
    """An attempt that was ended is tried again as its outcome says, whatever its exception was."""
    said = Said((DISCARD, "Exception"), 5.0)
    assert decide(outcome, PLAIN, [], NOW, 0.0, said) == decide(outcome, PLAIN, [], NOW, 0.0)


def test_why_there_is_no_retry_is_said_while_there_would_be_one() -> None:
    """A job whose retries are used up is not tried again for that reason, and no other is given."""
    made = decide(Outcome.FAILED, PLAIN, history(FAILED, FAILED), NOW, 0.0, Said((DISCARD,)))
    assert made == Decision(Verdict.FAILED, 2)


def test_the_names_are_those_of_the_classes() -> None:
    """The names that a verdict looks for are those under which the classes are told."""
    assert tuple(f"{asked.__module__}.{asked.__qualname__}" for asked in (Retry, Discard)) == (RETRY, DISCARD)
