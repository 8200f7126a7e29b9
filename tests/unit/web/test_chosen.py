"""Which files a form means."""

from __future__ import annotations

import os

import pytest

from spoolrunner.errors import JobFormatError
from spoolrunner.protocol.states import Outcome, State
from spoolrunner.web.chosen import Asked, asked, find
from spoolrunner.web.forms import Form

ERROR = {"attempts": [{"outcome": "failed", "error": {"type": "ValueError", "message": "no"}}]}


def form(*pairs: tuple[str, str]) -> Form:
    return Form(list(pairs))


def wish(desk, verb: str, folder: State, *pairs: tuple[str, str]) -> Asked:
    return asked(verb, folder, form(*pairs), desk.clock.wall())


def names(desk, *args, may_read: bool = True) -> list[str]:
    found = find(desk, wish(desk, *args), desk.clock.wall(), may_read=may_read)
    return sorted(choice.name for choice in found.jobs)


@pytest.fixture(autouse=True)
def by_mtime(arrived_as_written) -> None:
    """A file came when its time of change says, which a test can set."""


def test_all_that_match(desk, drop) -> None:
    """All that fit the filters are meant, and no other; without filters the whole folder is."""
    drop(State.FAILED, "a", ERROR)
    drop(State.FAILED, "b", {"method": "send", **ERROR})
    drop(State.DONE, "c", ERROR)
    made = desk()
    assert names(made, "discard", State.FAILED) == ["a", "b"]
    assert names(made, "discard", State.FAILED, ("method", "send"), ("error", "ValueError")) == ["b"]
    assert names(made, "discard", State.FAILED, ("kind", "app.Report.build")) == ["a"]
    assert names(made, "retry", State.DONE) == ["c"]


def test_what_came_later(desk, drop, clock) -> None:
    """What came after the page was drawn is not meant: neither by a filter nor by its id."""
    drop(State.FAILED, "old", ERROR, age=60)
    drop(State.FAILED, "new", ERROR, age=1)
    made, drawn = desk(), str(clock.wall() - 30)
    assert names(made, "discard", State.FAILED, ("at", drawn)) == ["old"]
    ticked = [("which", "ticked"), ("id", "old"), ("id", "new"), ("id", "nowhere"), ("at", drawn)]
    assert names(made, "discard", State.FAILED, *ticked) == ["old"]


def test_ages_count_from_the_page(desk, drop, clock) -> None:
    """A job does not grow out of `newer`, nor into `older`, while somebody reads the question."""
    drop(State.FAILED, "x", ERROR, age=3590)
    made, drawn = desk(), str(clock.wall())
    clock.advance(60)
    assert names(made, "discard", State.FAILED, ("newer", "1h"), ("at", drawn)) == ["x"]
    assert names(made, "discard", State.FAILED, ("older", "1h"), ("at", drawn)) == []


def test_what_a_retry_leaves(desk, drop, spool) -> None:
    """All that match are counted; a retry of all leaves what would be refused again or was cancelled, and says so."""
    drop(State.FAILED, "a", ERROR)
    drop(State.FAILED, "b", b"no json")
    drop(State.FAILED, "c", {"attempts": [{"outcome": "cancelled"}]})
    spool.explain("b", Outcome.REJECTED, "no", "pending/b.json", 0.0)
    made = desk()
    found = find(made, wish(made, "retry", State.FAILED), made.clock.wall(), may_read=True)
    assert ([choice.name for choice in found.jobs], found.total) == (["a"], 3)
    assert [text.split(":")[0] for text in found.left] == ["1 rejected", "1 cancelled on purpose"]


def test_ticked_ones_are_named(desk, drop) -> None:
    """What was ticked is meant whatever it ended by, as when it is named on the command line."""
    drop(State.FAILED, "c", {"attempts": [{"outcome": "cancelled"}]})
    assert names(desk(), "retry", State.FAILED, ("which", "ticked"), ("id", "c")) == ["c"]


def test_text_in_hidden_parameters(desk, drop) -> None:
    """Where parameters are hidden nobody finds out by a filter what they are."""
    drop(State.FAILED, "x", {"params": ["secret"]})
    made = desk()
    assert names(made, "discard", State.FAILED, ("match", "secret")) == ["x"]
    assert names(made, "discard", State.FAILED, ("match", "secret"), may_read=False) == []


@pytest.mark.parametrize(
    "pairs",
    [
        [("count", "-1")],
        [("count", "x")],
        [("count", "9" * 13)],
        [("at", "tomorrow")],
        [("at", "nan")],
        [("at", "1e300")],
        [("older", "soon")],
        [("which", "ticked")],
        [("which", "ticked"), ("id", f"..{os.sep}x")],
        [("which", "ticked"), ("id", "")],
    ],
)
def test_what_means_nothing(desk, pairs) -> None:
    """A count, a time, an age or an id that means nothing is an error, before anything is looked at."""
    with pytest.raises(JobFormatError):
        wish(desk(), "discard", State.FAILED, *pairs)


def test_count(desk) -> None:
    """The number that a page has shown may have a comma between thousands; none means that it has not counted."""
    made = desk()
    assert wish(made, "discard", State.FAILED, ("count", "18,402")).count == 18402
    assert wish(made, "discard", State.FAILED).count is None


def test_count_of_ticked_ones(desk) -> None:
    """What a list has counted is what matches, not what is ticked; the question that follows has counted these."""
    made, ticked = desk(), [("which", "ticked"), ("id", "a"), ("count", "1")]
    assert wish(made, "discard", State.FAILED, *ticked).count is None
    assert wish(made, "discard", State.FAILED, *ticked, ("sure", "yes")).count == 1


def test_command(desk) -> None:
    """The command line does the same."""
    made = desk()
    assert wish(made, "retry", State.FAILED, ("error", "x")).command == "spoolrunner retry --error x"
    ticked = [("which", "ticked"), ("id", "a"), ("id", "b"), ("error", "x")]
    assert wish(made, "retry", State.FAILED, *ticked).command == "spoolrunner retry a b"
