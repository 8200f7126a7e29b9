"""config.json is read again: what is fit comes into force at once, what is not is refused whole, and said."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace

import pytest

from spoolrunner.config.load import load_config
from spoolrunner.dispatch.reloading import PERIOD, SETTLE_SECONDS, Reloading, advice, changed_keys, needs_restart
from spoolrunner.telling.troubles import NotSwept
from spoolrunner.telling.upkeep import ConfigRefused, ConfigReloaded

NOW = 5_000.0


@pytest.fixture
def path(tmp_path) -> str:
    found = str(tmp_path / "config.json")
    write(found)
    return found


def write(path: str, text: str | None = None, **keys) -> None:
    with open(path + ".new", "w", encoding="ascii") as stream:
        stream.write(text if text is not None else json.dumps({"allowed_jobs": {"app.Report": ["build"]}, **keys}))
    os.replace(path + ".new", path)


@pytest.fixture
def made(path, executor, events, clock) -> SimpleNamespace:
    """The reloading of a configuration; `heard` has what came into force."""
    config, heard = load_config(path), []
    reloading = Reloading(config, executor, lambda settings: settings.file.timeout, events.append, clock)
    reloading.listeners.append(lambda settings: heard.append(settings.default_policy.timeout))

    def wait(seconds: float) -> None:
        clock.advance(seconds)
        reloading.work(clock.monotonic())

    reloading.work(clock.monotonic())
    return SimpleNamespace(config=config, heard=heard, reloading=reloading, wait=wait)


def test_a_change_comes_into_force(made, path, executor, events) -> None:
    """It is seen at the next look, every five seconds; executor and listeners hear of it once, and all holders see it."""
    write(path, timeout="2m")
    made.wait(PERIOD - 0.1)
    assert (events, made.heard, made.config.default_policy.timeout) == ([], [], 3600.0)
    made.wait(0.1)
    made.wait(PERIOD)
    assert events == [ConfigReloaded(path, ("timeout",))]
    assert (made.heard, made.config.default_policy.timeout) == ([120.0], 120.0)
    assert executor.told == [("replan", "")]


def test_what_is_asked_for_is_done_at_once(made, path, events) -> None:
    """A file that says the same is read again, too: what it leads to may be another by now."""
    assert made.reloading.next_in(NOW) > PERIOD
    made.reloading.ask()
    assert made.reloading.next_in(NOW) == 0
    made.wait(0.0)
    made.wait(0.0)
    assert (events, made.heard) == ([ConfigReloaded(path, ())], [3600.0])


def test_a_file_with_problems_is_refused_with_all_of_them(made, path, executor, events) -> None:
    """It is given a moment, since it may still be being written; then it is said once, and the old one stays in force."""
    write(path, timeout="soon", concurrency=0)
    made.wait(PERIOD)
    assert (events, made.reloading.trouble) == ([], "")
    made.wait(SETTLE_SECONDS)
    made.wait(PERIOD)
    (event,) = events
    assert [problem.partition(":")[0] for problem in event.problems] == ["concurrency", "timeout"]
    assert (event.path, made.reloading.trouble) == (path, event.sentence)
    assert (made.heard, executor.told, made.config.default_policy.timeout) == ([], [], 3600.0)
    assert advice(made.config).startswith("; config.json was changed, but is not in force")


def test_a_half_written_file_is_not_refused(made, path, events) -> None:
    """A program that writes into the file itself has it broken for a moment."""
    write(path, text='{"allowed_jobs": {"app.')
    made.wait(PERIOD)
    write(path, timeout="2m")
    made.wait(SETTLE_SECONDS)
    assert events == [ConfigReloaded(path, ("timeout",))]


@pytest.mark.parametrize("text", ["{", "[]", '{"allowed_jobs": 5}'])
def test_who_asks_is_answered_at_once_each_time(made, path, events, text) -> None:
    """Nobody waits for an answer, and a second request has its own; the next looks do not repeat it."""
    write(path, text=text)
    for _ in range(2):
        made.reloading.ask()
        made.wait(0.0)
    made.wait(PERIOD)
    made.wait(PERIOD)
    assert [type(event) for event in events] == [ConfigRefused, ConfigRefused]


def test_a_file_that_is_gone(made, path, events) -> None:
    """Nothing is done by itself; who asks is told, and that stands until the file is there again."""
    os.rename(path, path + ".away")
    made.wait(PERIOD)
    assert events == []
    made.reloading.ask()
    made.wait(0.0)
    made.wait(PERIOD)
    assert "cannot be read" in made.reloading.trouble
    os.rename(path + ".away", path)
    made.wait(PERIOD)
    assert (made.reloading.trouble, made.heard) == ("", [])


def test_a_file_that_is_put_back_is_no_trouble(made, path, events) -> None:
    """When it is as it was, nothing is wrong any more; and one that is mended comes into force."""
    for again in ({}, {"timeout": "2m"}):
        write(path, timeout=-1)
        made.wait(PERIOD)
        made.wait(SETTLE_SECONDS)
        assert made.reloading.trouble
        write(path, **again)
        made.wait(PERIOD)
        assert made.reloading.trouble == ""
    assert made.heard == [120.0]
    assert len(events) == 3


def test_what_needs_a_restart_is_named(made, path, tmp_path, events) -> None:
    """All of it at once; nothing of such a file comes into force, so that what is in force is never half of two files."""
    key = tmp_path / "key"
    key.write_text("ab" * 32)
    write(path, spool="other", executor="spawn", fsync=False, signing_key="key", timeout="2m")
    made.reloading.ask()
    made.wait(0.0)
    (event,) = events
    assert list(event.problems) == [
        f"{name}: is another now, which needs a restart" for name in ("spool", "executor", "fsync", "signing_key")
    ]
    assert made.config.default_policy.timeout == 3600.0


def test_another_key_in_the_same_file_needs_a_restart(path, tmp_path) -> None:
    """The key that counts is the one that was read first: records are signed with it."""
    key = tmp_path / "key"
    key.write_text("ab" * 32)
    write(path, signing_key="key")
    config = load_config(path)
    assert config.signing_key is not None
    assert needs_restart(config, config.read_again()) == []
    key.write_text("cd" * 32)
    assert needs_restart(config, config.read_again()) == ["signing_key: is another now, which needs a restart"]


def test_no_process_by_the_new_plan(made, path, executor, events) -> None:
    """What the machine refuses is said at the second look, and tried again at each: the file is not to blame."""
    executor.fails = True
    write(path, timeout="2m")
    for _ in range(3):
        made.wait(PERIOD)
    assert [event.problems for event in events] == [("no process to be had",)]
    assert made.heard == []
    executor.fails = False
    made.wait(PERIOD)
    assert (made.heard, made.reloading.trouble) == ([120.0], "")


def test_a_newer_file_is_taken_when_it_is_asked_for(made, path) -> None:
    """Before a job is refused for what config.json says, the file is looked at, whenever that was done last."""
    assert made.reloading.take_if_changed() is False
    write(path, timeout="2m")
    assert made.reloading.take_if_changed() is True
    assert made.reloading.take_if_changed() is False
    assert made.heard == [120.0]


def test_a_flood_of_refusals_reads_a_bad_file_once(made, path, monkeypatch) -> None:
    """A thousand jobs that are not allowed do not have it parsed a thousand times."""
    write(path, text="{")
    assert made.reloading.take_if_changed() is False
    monkeypatch.setattr(type(made.config), "read_again", None)
    assert made.reloading.take_if_changed() is False


def test_the_request_is_removed_first(made, events) -> None:
    """So that one which is made while the file is read counts again."""
    layout = made.config.layout
    os.makedirs(layout.control)
    with open(layout.reload, "wb"):
        made.reloading.obey()
    assert os.listdir(layout.control) == []
    made.wait(0.0)
    assert len(events) == 1


def test_a_request_that_cannot_be_removed(made, events, monkeypatch) -> None:
    """It is named once and not obeyed, since it would be at each look; an error of the disk is one."""

    def refuse(path: str) -> None:
        raise PermissionError(1, "Operation not permitted", path)

    monkeypatch.setattr("spoolrunner.system.durable.unlink", refuse)
    for _ in range(2):
        made.reloading.obey()
    made.wait(0.0)
    assert [type(event) for event in events] == [NotSwept]

    def break_down(path: str) -> None:
        raise OSError(30, "Read-only file system", path)

    monkeypatch.setattr("spoolrunner.system.durable.unlink", break_down)
    with pytest.raises(OSError, match="Read-only"):
        made.reloading.obey()


def test_changed_keys(config) -> None:
    """The keys are those whose values differ, also where a default took the place of a value."""
    assert changed_keys(config(timeout="2m", preload=True), config(concurrency=77, preload=True)) == [
        "concurrency",
        "timeout",
    ]
    assert changed_keys(config(), config()) == []


@pytest.mark.parametrize("touch", [lambda path: os.utime(path, (1, 1)), os.unlink])
def test_what_is_no_change(path, touch) -> None:
    """A file of another time and the same bytes is the same; one that is gone cannot be gone by."""
    config = load_config(path)
    touch(path)
    assert not config.is_changed()
    assert advice(config) == ""
