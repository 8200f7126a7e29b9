"""The tables of the protocol are complete, and docs/internals.md shows the very same ones."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from spoolrunner.protocol.policy import Policy
from spoolrunner.protocol.states import (
    DESTINATION,
    FINAL,
    MAX_INTERRUPTIONS,
    MOVES,
    RECOVERY_RULES,
    TRANSITIONS,
    Outcome,
    State,
    Verdict,
)
from spoolrunner.protocol.verdict import decide
from spoolrunner.spool.settling import choose

PACKAGE = Path(__file__).parents[2] / "spoolrunner"
PAGE = (Path(__file__).parents[2] / "docs" / "internals.md").read_text(encoding="utf-8")

# The verdict on each outcome while the budget lasts, and when it is used up.
VERDICTS = {
    Outcome.SUCCEEDED: (Verdict.DONE, Verdict.DONE),
    Outcome.FAILED: (Verdict.RETRY, Verdict.FAILED),
    Outcome.TIMED_OUT: (Verdict.RETRY, Verdict.FAILED),
    Outcome.CRASHED: (Verdict.RETRY, Verdict.FAILED),
    Outcome.INTERRUPTED: (Verdict.RETRY, Verdict.RETRY),
    Outcome.CANCELLED: (Verdict.FAILED, Verdict.FAILED),
    Outcome.REJECTED: (Verdict.FAILED, Verdict.FAILED),
    Outcome.EXPIRED: (Verdict.FAILED, Verdict.FAILED),
    Outcome.DEPENDENCY_FAILED: (Verdict.FAILED, Verdict.FAILED),
}
ONE_RETRY = Policy(max_retries=1)
EARLIER = [{"outcome": Outcome.FAILED, "verdict": Verdict.RETRY}]


def rows(header: str) -> list[tuple[str, ...]]:
    """The cells of the page's one table with that header."""
    assert PAGE.count(header) == 1
    lines = PAGE.partition(header + "\n")[2].partition("\n\n")[0].splitlines()
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines[1:]]


def test_transition_table_of_the_page():
    """docs/internals.md shows every transition of states.py, in its order and its words."""
    expected = [
        (t.source.value if t.source else "-", t.event.value, t.target.value, t.commit, t.counted) for t in TRANSITIONS
    ]

    assert rows("| from | event | to | the commit | attempt counted |") == expected


def test_recovery_table_of_the_page():
    """docs/internals.md shows every recovery rule of states.py, in its order and its words."""
    expected = [(str(rule.number), rule.sign, rule.remedy.value) for rule in RECOVERY_RULES]

    assert rows("| rule | sign | remedy |") == expected


def test_outcome_table_of_the_page():
    """The page's table of verdicts names every outcome exactly once."""
    named = [word for row in rows("| outcome | verdict |") for word in row[0].split("`")[1::2]]

    assert sorted(named) == sorted(outcome.value for outcome in Outcome)


def test_every_move_is_a_row_of_the_page():
    """Each pair of states between which a move is legal is a row of the page's table, and no other pair is."""
    header = "| from | event | to | the commit | attempt counted |"
    shown = {(row[0], row[2]) for row in rows(header) if row[0] not in ("-", row[2])}

    assert shown == {(source.value, target.value) for source, target in MOVES}


def test_final_verdicts_do_not_wait():
    """A verdict is final exactly if it does not lead back to pending/."""
    assert {verdict for verdict, target in DESTINATION.items() if target is not State.PENDING} == FINAL


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_a_verdict(outcome):
    """`verdict.decide` gives every outcome the verdict that is laid down for it, within the budget and beyond."""
    within, beyond = VERDICTS[outcome]

    assert decide(outcome, ONE_RETRY, [], 0.0, 0.0).verdict is within
    assert decide(outcome, ONE_RETRY, EARLIER, 0.0, 0.0).verdict is beyond


@pytest.mark.parametrize("outcome", Outcome)
def test_no_outcome_repeats_for_ever(outcome):
    """No outcome, however often it comes, makes more starts than the budget and the free interruptions allow."""
    attempts = []
    verdict = Verdict.RETRY
    while verdict is Verdict.RETRY and len(attempts) < 100:
        verdict = decide(outcome, ONE_RETRY, attempts, 0.0, 0.0).verdict
        attempts.append({"outcome": outcome, "verdict": verdict})

    assert len(attempts) <= 1 + ONE_RETRY.max_retries + MAX_INTERRUPTIONS


def test_retry_says_when():
    """A verdict comes with a next run time exactly if it is a retry."""
    decisions = [decide(outcome, ONE_RETRY, [], 100.0, 0.0) for outcome in Outcome]

    assert all((d.next_run_at is not None) == (d.verdict is Verdict.RETRY) for d in decisions)


def test_last_rule_catches_all():
    """A readable document without attempts and without a marker falls to the last rule, so no file is left without one."""
    assert choose([], 1, None, has_markers=True) is RECOVERY_RULES[-1]


def test_each_step_is_where_the_page_says() -> None:
    """Every function that the 17 steps of an attempt name is in the module that they name, and every step names one."""
    steps = rows("| | who | where | what | file operations |")
    defined = {path.stem: functions_of(path) for path in PACKAGE.rglob("*.py")}

    assert [row[0] for row in steps] == [str(number) for number in range(1, 18)]
    for row in steps:
        places = row[2].split("`")[1::2]
        assert places
        for place in places:
            module, _, name = place.partition(".")
            assert name in defined[module], place


def functions_of(path: Path) -> set[str]:
    """The names of the functions and methods of a module."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}
