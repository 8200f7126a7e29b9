"""The key `schedules` of config.json: what it makes, and every fault in it under its key."""

from __future__ import annotations

import json
from typing import Any

import pytest

from spoolrunner.config.faults import config_faults
from spoolrunner.config.load import load_config, parse_config
from spoolrunner.errors import ConfigError
from spoolrunner.protocol.slots import Schedule, Terms
from spoolrunner.protocol.timing import Cron, Every

JOBS = {"app.Report": ["build"], "app.cleanup": {"vacuum": {}}}
ENTRY: dict[str, Any] = {"job": "app.Report", "method": "build", "cron": "0 3 * * *"}
EVERY: dict[str, Any] = {"job": "app.cleanup", "method": "vacuum", "every": "10m"}


def problems(schedules: Any, jobs: Any = JOBS) -> list[str]:
    return [str(fault) for fault in config_faults({"allowed_jobs": jobs, "schedules": schedules})]


def without_cronsim(monkeypatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)


def test_what_schedules_are_made(config) -> None:
    """Each entry is a schedule; what is left out is UTC, skip and skip, an hour and no jitter."""
    made = config(
        allowed_jobs=JOBS, schedules={"nightly": ENTRY, "often": {**EVERY, "params": {"deep": True}}}
    ).schedules
    assert made == {
        "nightly": Schedule("nightly", Cron("0 3 * * *", "UTC"), "app.Report", "build", [], Terms()),
        "often": Schedule("often", Every(600), "app.cleanup", "vacuum", {"deep": True}, Terms()),
    }
    assert Terms() == Terms("skip", 3600.0, "skip", 0.0)


def test_every_key(config) -> None:
    """Every key of an entry is taken over."""
    keys = {
        "timezone": "Europe/Berlin",
        "catch_up": "once",
        "catch_up_within": "2h",
        "overlap": "queue",
        "jitter": "5m",
    }
    made = config(allowed_jobs=JOBS, schedules={"nightly": {**ENTRY, **keys}}).schedules["nightly"]
    assert made.timing == Cron("0 3 * * *", "Europe/Berlin")
    assert made.terms == Terms("once", 7200.0, "queue", 300.0)


def test_a_file_without_schedules_has_none(config) -> None:
    """A config.json of before has no schedules; what is in force names the key."""
    made = config()
    assert made.schedules == {}
    assert made.effective()["schedules"] == {}


def test_the_zone_in_force_is_shown(config) -> None:
    """What is in force names the time zone of each cron expression, also the one that was left out."""
    shown = config(allowed_jobs=JOBS, schedules={"nightly": ENTRY, "often": EVERY}).effective()["schedules"]
    assert shown == {"nightly": {**ENTRY, "timezone": "UTC"}, "often": EVERY}


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({**ENTRY, "corn": "x"}, ".corn: unknown key (did you mean 'cron'?)"),
        ({"cron": "0 3 * * *", "method": "build"}, ".job: missing; it is required"),
        ({**ENTRY, "job": "app.Repot"}, ": job 'app.Repot' is not in allowed_jobs (did you mean 'app.Report'?)"),
        ({**ENTRY, "method": "bild"}, ": method 'bild' is not listed under 'app.Report' in allowed_jobs (did you mean 'bu"),
        ({**ENTRY, "every": "5m"}, ': needs either "cron", as in "0 3 * * *", or "every", as in "10m"'),
        ({"job": "app.Report", "method": "build"}, ': needs either "cron", as in "0 3 * * *", or "every", as in "10m"'),
        ({**ENTRY, "cron": 3}, ".cron: expected `str | null`, got `int`"),
        ({**EVERY, "every": 0.5}, ".every: 0.5 is no period: it must be whole seconds, at least one"),
        ({**EVERY, "every": "soon"}, '.every: \'soon\' is no duration: write seconds as a number, or "90s", "5m", "2h", "7d"'),
        ({**EVERY, "timezone": "Europe/Berlin"}, '.timezone: means nothing to "every", which is counted from 1970'),
        ({**ENTRY, "timezone": "Berlin"}, ".timezone: 'Berlin' is no time zone; write one as in Europe/Berlin"),
        ({**ENTRY, "catch_up": "all"}, ".catch_up: invalid enum value 'all'"),
        ({**ENTRY, "overlap": "kill"}, ".overlap: invalid enum value 'kill'"),
        ({**ENTRY, "catch_up_within": "1w"}, ".catch_up_within: '1w' is no duration"),
        ({**ENTRY, "jitter": -1}, ".jitter: "),
        ({**ENTRY, "params": "x"}, ".params: expected `object | array`, got `str`"),
        ({**ENTRY, "params": [{"a": 10**30}]}, ".params[0].a: an integer beyond 64 bits would not survive"),
        ({**ENTRY, "params": ["x" * (1 << 20)]}, ".params: "),
        ("0 3 * * *", ': must be an object, as {"cron": "0 3 * * *", "job": '),
    ],
)  # fmt: skip
def test_a_wrong_entry(entry, problem) -> None:
    """What is wrong in an entry is named with the name of the schedule and its key, and with what is needed."""
    found = problems({"nightly": entry})
    assert len(found) == 1, found
    assert found[0].startswith("schedules.nightly" + problem)


def test_a_wrong_expression() -> None:
    """A cron expression that means nothing is named with the field that is wrong."""
    (found,) = problems({"nightly": {**ENTRY, "cron": "0 25 * * *"}})
    assert found.startswith("schedules.nightly.cron: '0 25 * * *' is no cron expression: bad hour; write minute hour")


@pytest.mark.parametrize("name", ["", "-a", "a b", "a/b", "é", "a" * 81, "a.", "con", "NUL.x", "a\n"])
def test_a_wrong_name(name) -> None:
    """A name is one that can be the name of a file on every system, and begin the id of a job."""
    assert len(problems({name: ENTRY})) == 1


def test_names_that_are_one_where_case_does_not_count() -> None:
    """Two names that differ by capital letters alone are refused: both would have the same file on some systems."""
    assert problems({"nightly": ENTRY, "Nightly": EVERY}) == [
        "schedules.Nightly: differs from nightly by capital letters alone: the files of both would be one"
    ]


@pytest.mark.parametrize("value", [[], "x", 1, None])
def test_what_is_no_object(value) -> None:
    """The value of the key is an object of names."""
    (found,) = problems(value)
    assert found.startswith("schedules: must be an object: name -> schedule")


@pytest.mark.parametrize("jobs", [None, [], {"app.Report": 5}, {"app.Report": [[]]}])
def test_a_wrong_whitelist_is_named_as_what_it_is(jobs) -> None:
    """Where the whitelist itself is wrong, that is named too, and nothing fails."""
    found = problems({"nightly": ENTRY}, jobs)
    assert any(problem.startswith("allowed_jobs") for problem in found)


def test_all_faults_at_once() -> None:
    """All faults of all schedules are named together."""
    found = problems({"a": {**ENTRY, "cron": "x", "jitter": "y", "job": "z"}, "b": {}})
    assert [problem.partition(" ")[0] for problem in found] == [
        "schedules.a.cron:", "schedules.a.jitter:", "schedules.a:", "schedules.b.job:", "schedules.b.method:", "schedules.b:"
    ]  # fmt: skip


def test_without_cronsim_a_period_works(config, monkeypatch) -> None:
    """A schedule with `every` needs no further package."""
    without_cronsim(monkeypatch)
    assert config(allowed_jobs=JOBS, schedules={"often": EVERY}).schedules["often"].timing == Every(600)


def test_without_cronsim_an_expression_is_refused_by_who_would_run_it(tmp_path, monkeypatch) -> None:
    """A cron expression without cronsim: `run` and `check` name the package; programs that enqueue need not have it."""
    without_cronsim(monkeypatch)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"allowed_jobs": JOBS, "schedules": {"often": EVERY, "nightly": ENTRY}}))
    settings = load_config(str(path))
    problem = (
        "schedules.nightly.cron: a cron expression needs the package cronsim: pip install 'spoolrunner[schedules]'"
    )
    for refused in (lambda: load_config(str(path), to_run=True), lambda: settings.schedules):
        with pytest.raises(ConfigError) as caught:
            refused()
        assert caught.value.problems == [problem]


def test_a_wrong_configuration_is_refused_whole(tmp_path) -> None:
    """A fault of a schedule refuses the configuration as any other fault does."""
    with pytest.raises(ConfigError, match=r"schedules\.nightly"):
        parse_config(str(tmp_path / "config.json"), {"allowed_jobs": JOBS, "schedules": {"nightly": {}}})
