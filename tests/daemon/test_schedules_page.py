"""docs/schedules.md as a reader would use it, and schedules with real dispatchers that die, follow each other or pause."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from spoolrunner.config.load import parse_config
from spoolrunner.spool import schedule_notes
from spoolrunner.spool.paths import Layout
from tests.daemon.harness import COMMAND, Installation, until

PAGE = (Path(__file__).parents[2] / "docs" / "schedules.md").read_text(encoding="utf-8")
REPORTS = """
from spoolrunner import current_job
def nightly(draft=True):
    return {"draft": draft, **current_job().meta}
def hourly():
    return current_job().meta
"""
EVERY_SECOND = {"tick": {"every": 1, "job": "jobs", "method": "noop", "overlap": "queue"}}


def blocks(tag: str) -> list[str]:
    """The code blocks of the page in that language."""
    return re.findall(rf"^```{tag}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def example() -> dict:
    """The configuration that the page begins with."""
    return json.loads(blocks("json")[0])


@pytest.fixture
def reader(make) -> Installation:
    """An installation with the configuration of the page, and the module that it names."""
    made = make(**example(), python_path=["."])
    (made.folder / "app").mkdir()
    (made.folder / "app" / "reports.py").write_text(REPORTS)
    return made


def slots_of(folder: Path, name: str) -> list[datetime]:
    """The slots of a schedule of which a job lies in the folder."""
    stems = [path.stem.removeprefix(f"{name}.") for path in folder.glob(f"{name}.*.json")]
    return sorted(datetime.strptime(stem, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) for stem in stems)


def test_the_example_is_whole_and_runs(reader) -> None:
    """The configuration of the page is taken; each of its schedules runs, with the parameters and the meta that it says."""
    assert "2 of 2 allowed methods found" in reader.cli("check")
    nightly, figures = (reader.cli("schedules", "run", name).strip() for name in ("nightly-report", "figures"))
    reader.cli("run", "--drain")
    assert reader.document("done", nightly)["result"] == {"draft": False, "schedule": "nightly-report"}
    assert reader.document("done", figures)["result"] == {"schedule": "figures"}


def test_the_listing_is_as_the_page_shows_it(reader) -> None:
    """`spoolrunner schedules` prints what the page shows, but for the times and the jobs, which are others."""

    def shape(text: str) -> list[str]:
        lines = [line for line in text.splitlines() if not line.startswith(("$", "last"))]
        return [re.sub(r"\d{4}-\d\d-\d\dT[\d:]+(Z|[+-]\d\d:\d\d)", "TIME", line) for line in lines]

    assert shape(reader.cli("schedules")) == shape(blocks("console")[0])
    assert [one["name"] for one in json.loads(reader.cli("schedules", "--json"))] == ["nightly-report", "figures"]


def test_a_slot_is_run_as_the_page_says(reader) -> None:
    """A slot that is due is run under the id, with the meta and the note that the page shows."""
    note = json.loads(blocks("json")[2])
    folder = reader.spool / "schedules"
    folder.mkdir()
    minutes = 10 * 60
    now = datetime.now(UTC).timestamp()
    before = datetime.fromtimestamp(now - now % minutes - minutes, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    settings = example()
    settings["schedules"]["figures"] |= {"catch_up": "once"}
    config = json.loads((reader.folder / "config.json").read_text())
    (reader.folder / "config.json").write_text(json.dumps({**config, **settings}))
    known = {**note, "timing": "every 600 s", "until": before, "slot": None, "job": None}
    (folder / "figures.json").write_text(json.dumps(known))
    reader.cli("run", "--drain")
    (slot,) = slots_of(reader.spool / "done", "figures")
    text = slot.strftime("%Y-%m-%dT%H:%M:%SZ")
    job_id = f"figures.{slot.strftime('%Y%m%dT%H%M%SZ')}"
    assert reader.document("done", job_id)["result"] == {"schedule": "figures", "slot": text}
    assert set(json.loads(blocks("json")[1])) == {"schedule", "slot"}
    written = json.loads((folder / "figures.json").read_text())
    assert written == {"timing": "every 600 s", "until": text, "slot": text, "job": job_id, "skipped": []}
    assert list(note) == list(written)
    nightly = json.loads((folder / "nightly-report.json").read_text())
    assert nightly["timing"] == note["timing"]


@pytest.mark.skipif(shutil.which("sh") is None, reason="not on this machine: sh")
@pytest.mark.skipif(sys.platform == "win32", reason="a line of a crontab")
def test_an_external_cron_publishes_once(reader) -> None:
    """The line of the page for a crontab publishes the job of the day once, also when it is over."""
    line = next(block for block in blocks("sh") if "--unique" in block)
    command = line.partition("  ")[2].replace("\\%", "%").replace("cd /srv/app", f"cd {reader.folder}")
    command = command.replace(".venv/bin/spoolrunner", shlex.join(COMMAND))

    def publish() -> subprocess.CompletedProcess[str]:
        return subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=False)

    first = publish()
    assert (first.returncode, first.stderr) == (0, "")
    assert publish().returncode == 1
    reader.cli("run", "--drain")
    again = publish()
    assert again.returncode == 1
    assert f"done/{first.stdout.strip()}.json exists" in again.stderr


def test_every_default_of_the_page_is_the_default() -> None:
    """The defaults that the page's table names are those of the code."""
    table = PAGE.partition("## The keys")[2]
    rows = dict(
        re.findall(r"^\| `(timezone|catch_up|catch_up_within|overlap|jitter)` \| `(.*?)` \|", table, re.MULTILINE)
    )
    given = {key: json.loads(value) for key, value in rows.items()}
    entry = {"cron": "0 3 * * *", "job": "jobs", "method": "noop"}
    plain, written = (
        parse_config("/config.json", {"allowed_jobs": {"jobs": ["noop"]}, "schedules": {"a": keys}}).schedules
        for keys in (entry, {**entry, **given})
    )
    assert set(given) == {"timezone", "catch_up", "catch_up_within", "overlap", "jitter"}
    assert plain == written


def test_dispatchers_that_are_killed_double_and_lose_no_slot(make) -> None:
    """Dispatchers that are killed one after the other run each second's slot once, or say in the log that it is skipped."""
    home = make(schedules=EVERY_SECOND)
    for kill in range(4):
        daemon = home.start().ready()
        daemon.expect("completed", "tick.")
        if kill % 2:
            daemon.expect("scheduled", "tick.")
        daemon.kill()
    last = home.start().ready()
    last.expect("completed", "tick.")
    last.stop()
    log = (home.spool / "logs" / "background_jobs.log").read_text()
    note = schedule_notes.read(Layout(str(home.spool)), "tick")
    done = [int(slot.timestamp()) for folder in ("done", "pending") for slot in slots_of(home.spool / folder, "tick")]
    assert len(done) == len(set(done))
    begin = re.search(r"tick is new; its next slot is (\S+?)\"", log)
    skipped = re.findall(r"tick: (?:slot (\S+) is|\d+ slots from (\S+) to (\S+) are) skipped", log)
    spans = [(one or first, one or last) for one, first, last in skipped]
    covered = {
        second
        for first, last in spans
        for second in range(
            int(datetime.fromisoformat(first).timestamp()), int(datetime.fromisoformat(last).timestamp()) + 1
        )
    }
    all_slots = set(range(int(datetime.fromisoformat(begin[1]).timestamp()), note.until + 1))
    assert all_slots <= set(done) | covered
    assert not set(done) & covered


def test_a_paused_schedule_publishes_nothing(make) -> None:
    """While a schedule is paused its slots are skipped, and that is said; resumed, it goes on."""
    home = make(schedules=EVERY_SECOND)
    daemon = home.start().ready()
    daemon.expect("completed", "tick.")
    home.cli("schedules", "pause", "tick")
    daemon.expect("skipped", "the schedule is paused")
    assert json.loads(home.cli("schedules", "--json"))[0]["paused"] is True
    home.cli("schedules", "resume", "tick")
    daemon.expect("completed", "tick.")
    assert daemon.stop() == 0


def test_a_dispatcher_says_what_is_missing(make) -> None:
    """Without cronsim `run` and `check` refuse a cron expression with what to install; programs enqueue all the same."""
    home = make(schedules={"nightly": {"cron": "0 3 * * *", "job": "jobs", "method": "noop"}})
    (home.folder / "hidden.py").write_text(
        "import importlib.util, sys\n"
        "real = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *more: None if name == 'cronsim' else real(name, *more)\n"
        "from spoolrunner.cli.main import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    ends = {}
    for verb in (["run", "--drain"], ["check"], ["enqueue", "jobs", "noop"]):
        command = [sys.executable, "hidden.py", *verb]
        ends[verb[0]] = subprocess.run(
            command, cwd=home.folder, capture_output=True, text=True, timeout=60, check=False
        )
    for verb in ("run", "check"):
        assert ends[verb].returncode == 2
        assert "pip install 'spoolrunner[schedules]'" in ends[verb].stderr
    assert ends["enqueue"].returncode == 0


def test_a_spool_of_before_goes_on(make) -> None:
    """A spool without schedules/ is whole: it is checked, published into and served, and the folder is not made."""
    home = make()
    assert not (home.spool / "schedules").exists()
    home.cli("enqueue", "jobs", "noop")
    home.cli("run", "--drain")
    until(lambda: len(os.listdir(home.spool / "done")) == 1)
    assert not (home.spool / "schedules").exists()
