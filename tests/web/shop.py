"""A shop's spool for pictures: a simulated day in its folders and its history, and a real dispatcher that runs some jobs now.

What is simulated is made with the project's own parts: the history by its listener, documents as the dispatcher records them,
files as producers drop them. What runs in the pictures runs.
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spoolrunner.config.load import parse_config
from spoolrunner.protocol.slots import slot_id
from spoolrunner.protocol.states import Outcome, State, Verdict
from spoolrunner.spool import schedule_notes
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.paths import Layout
from spoolrunner.spool.schedule_notes import Note, Skip
from spoolrunner.system.clock import format_time
from spoolrunner.telling.events import Recorded, Started
from spoolrunner.telling.line_format import Who
from spoolrunner.telling.minutes import Minutes
from tests.conftest import FakeClock

DAY, HOUR, MINUTE = 86_400.0, 3_600.0, 60.0
CODE = '''
import time

from spoolrunner import current_job


def work(seconds, words):
    job, begun = current_job(), time.monotonic()
    while (gone := time.monotonic() - begun) < seconds:
        if words:
            job.progress(gone / seconds, words.format(int(200 * gone / seconds)))
        time.sleep(0.2)


class Report:
    def build(self, year, quarter=4):
        """Build the report of a quarter."""
        print(f"building the report of {year}, quarter {quarter}")
        work(600, "page {} of 256")


class Index:
    def refresh(self, shards=16):
        work(400, "shard {}")


class Import:
    def pull(self, source):
        print(f"reading {source}")
        work(120, "{},000 rows")


class Thumbnail:
    def render(self, source, width=1280, format="webp"):
        """Render a thumbnail of a picture."""
        work(60, "tile {}")


class Mailer:
    def deliver(self, to: str, subject: str, urgent: bool = False, tags: list = ()):
        """Send one mail."""
        work(90, "")


class Invoice:
    def export(self, invoice):
        work(5, "")


class Backup:
    def dump(self):
        work(40, "")
'''
ALLOWED = {
    "shop.Mailer": {"deliver": {"group": "mail", "max_retries": 3}},
    "shop.Thumbnail": {"render": {"timeout": "2m", "max_retries": 3}},
    "shop.Import": {"pull": {"group": "feeds", "timeout": "5m"}},
    "shop.Index": {"refresh": {"timeout": "1h"}},
    "shop.Invoice": {"export": {"max_retries": 10}},
    "shop.Report": {"build": {"timeout": "20m"}},
    "shop.Backup": {"dump": {}},
}
SCHEDULES: dict[str, dict[str, Any]] = {
    "backup": {"cron": "0 * * * *", "job": "shop.Backup", "method": "dump"},
    "nightly-index": {"cron": "45 11,23 * * *", "job": "shop.Index", "method": "refresh"},
    "feeds": {"every": "15m", "job": "shop.Import", "method": "pull", "params": ["https://feeds.example/acme.csv"]},
    "digest": {
        "cron": "0 7 * * 1-5",
        "timezone": "Europe/Berlin",
        "job": "shop.Mailer",
        "method": "deliver",
        "params": ["all", "Digest"],
    },
    "month-close": {
        "cron": "30 3 1 * *",
        "timezone": "Europe/Berlin",
        "job": "shop.Report",
        "method": "build",
        "params": [2026],
    },
}
LIMITS = {"mail": {"concurrency": 2, "rate": "100/m"}, "feeds": {"concurrency": 3}, "customer.*": {"concurrency": 1}}


@dataclass(frozen=True, slots=True)
class Sort:
    """A kind of job as it comes through the day: how many an hour, how long each takes about, in seconds, and how many fail."""

    job: str
    method: str
    an_hour: float
    seconds: float
    fails: float = 0.0


SORTS = (
    Sort("shop.Mailer", "deliver", 1200, 0.6, 0.002),
    Sort("shop.Thumbnail", "render", 900, 1.4, 0.012),
    Sort("shop.Import", "pull", 160, 12, 0.01),
    Sort("shop.Invoice", "export", 60, 3.2),
    Sort("shop.Index", "refresh", 4, 800),
    Sort("shop.Report", "build", 2, 480, 0.05),
    Sort("shop.Backup", "dump", 1, 41),
)
TIMEOUT = "TimeoutError", "no answer from images.internal:8080 within 10 s"
TRACEBACK = """Traceback (most recent call last):
  File "/srv/shop/shop/media.py", line 88, in render
    original = self.store.fetch(source)
  File "/srv/shop/shop/store.py", line 41, in fetch
    with self.session.get(url, timeout=10) as answer:
  File "/usr/lib/python3.11/socket.py", line 718, in readinto
    return self._sock.recv_into(b)
TimeoutError: no answer from images.internal:8080 within 10 s
"""


class Shop:
    """An installation in a folder, with the day before `now` (seconds since 1970) behind it."""

    def __init__(self, folder: Path, now: float) -> None:
        self.folder, self.now = folder, now
        self.config = folder / "config.json"
        self._dice = random.Random(20261128)
        settings = {
            "allowed_jobs": ALLOWED,
            "schedules": SCHEDULES,
            "limits": LIMITS,
            "concurrency": 6,
            "keep_done": "1d",
            "stop_grace": 0.2,
            "python_binary": sys.executable,
            "fsync": False,
        }
        self.config.write_text(json.dumps(settings, indent=1))
        (folder / "shop.py").write_text(CODE)
        self.layout = Layout(str(folder / "spool"))
        Spool(self.layout).make()

    def fill(self) -> None:
        """Lay down the history of a day, and the files that it has left."""
        self._history()
        for number in range(320):
            self._done(number)
        for number in range(19):
            self._failed(number, "shop.Thumbnail", "render", TIMEOUT, 4, MINUTE * (2 + 1.1 * number), "customer.204")
        for number, ago in enumerate((0.9, 7, 20, 50)):
            error = "ValueError", "row 4,411: price is not a number: '12,50 EUR'"
            self._failed(number, "shop.Import", "pull", error, 2, HOUR * ago, "feeds")
        for number in range(2):
            self._failed(number, "shop.Report", "build", None, 1, HOUR * (3 + 3 * number), None, Outcome.TIMED_OUT)
        self._rejected()
        for name in SCHEDULES:
            self._slots(name)

    def drop(self, job_id: str, **document: Any) -> None:
        """Publish a job as a program in any language does."""
        staged = self.folder / "spool" / "tmp" / job_id
        staged.write_text(json.dumps(document))
        staged.rename(self.folder / "spool" / "pending" / f"{job_id}.json")

    def busy(self) -> None:
        """Publish what runs in the pictures, and what waits for it."""
        self.drop("report-2026-q3", job="shop.Report", method="build", params={"year": 2026, "quarter": 3}, priority=9)
        self.drop("index-products", job="shop.Index", method="refresh", priority=9)
        self.drop(
            "feed-acme-88213", job="shop.Import", method="pull", params=["https://feeds.example/acme.csv"], priority=9
        )
        self.drop(
            "mail-90412-c", job="shop.Mailer", method="deliver", params=["ada@example.org", "Invoice"], priority=9
        )
        self.drop(
            "mail-90412-d", job="shop.Mailer", method="deliver", params=["bob@example.org", "Invoice"], priority=8
        )
        self.drop(
            "thumb-7f3aa01c", job="shop.Thumbnail", method="render", params=["s3://originals/7f/aa01c.tif"], priority=9
        )

    def waiting(self) -> None:
        """Publish what waits: for a limit, for another job, for its time."""
        self.drop("mail-90412-e", job="shop.Mailer", method="deliver", params=["eve@example.org", "Invoice"])
        invoice = {
            "job": "shop.Invoice",
            "method": "export",
            "params": [90388],
            "group": "customer.204",
            "after": ["feed-acme-88213"],
        }
        self.drop("invoice-90388", **invoice)
        self.drop(
            "mail-90388",
            job="shop.Mailer",
            method="deliver",
            params=["kim@example.org", "Export"],
            after=["invoice-90388"],
        )
        for number in range(40):
            due = format_time(self.now + MINUTE * (3 + 7 * number))
            self.drop(
                f"digest-{number:04}",
                job="shop.Mailer",
                method="deliver",
                params=[f"list-{number}", "Digest"],
                next_run_at=due,
            )

    # ---- the day

    def _history(self) -> None:
        """Let the history's own listener hear the events of a day, in order."""
        clock = FakeClock()
        listener = Minutes(self.layout, clock, 40 * DAY)
        due = 0
        listener.state_of = lambda: {"due": due, "waiting": due + 40, "running": 4 + due % 3, "state": "running"}
        minute = 0.0
        for at, event in sorted(self._events(), key=lambda one: one[0]):
            if at - minute >= MINUTE:
                minute = at // MINUTE * MINUTE
                due = (
                    60 + int(self._dice.random() * 40)
                    if 1500 < self.now - at < 1800
                    else int(self._dice.expovariate(0.4))
                )
            clock.wall_now = at
            listener(event, at)
        listener.flush()

    def _events(self) -> Iterator[tuple[float, Any]]:
        begin = self.now - DAY
        for sort in SORTS:
            at = begin
            while (at := at + self._dice.expovariate(sort.an_hour * self._tide(at) / HOUR)) < self.now - 2:
                yield from self._attempt(sort, at)

    def _tide(self, at: float) -> float:
        """How busy the hour is: less at night."""
        return 0.45 + 0.55 * abs(((at / HOUR) % 24) - 2) / 12

    def _attempt(self, sort: Sort, at: float) -> Iterator[tuple[float, Any]]:
        who = Who("", sort.job, sort.method, 1, 4)
        took = self._dice.lognormvariate(0, 0.6) * sort.seconds
        is_bad = sort.job == "shop.Thumbnail" and 0 < self.now - at < 1200
        fails = self._dice.random() < (0.2 if is_bad else sort.fails)
        wait = self._dice.expovariate(3) if 1500 < self.now - at < 1800 else self._dice.expovariate(60)
        yield at, Started(who, at - wait)
        if at + took < self.now:
            verdict = Verdict.DONE if not fails else Verdict.RETRY if self._dice.random() < 0.8 else Verdict.FAILED
            yield at + took, Recorded(who, Outcome.FAILED if fails else Outcome.SUCCEEDED, verdict, took)

    # ---- the files

    def _lay(self, state: State, job_id: str, document: dict[str, Any] | bytes, ago: float) -> None:
        path = self.layout.job(state, job_id)
        data = document if isinstance(document, bytes) else json.dumps(document, indent=2).encode()
        Path(path).write_bytes(data)
        os.utime(path, (self.now - ago, self.now - ago))

    def _done(self, number: int) -> None:
        sort = SORTS[0] if number % 3 else SORTS[1]
        ago = DAY * (number / 330) ** 1.4 + 3
        took = self._dice.lognormvariate(0, 0.6) * sort.seconds
        end = self.now - ago
        result = {"accepted": 1} if sort is SORTS[0] else {"bytes": 40_000 + 13 * number, "format": "webp"}
        name = f"mail-{90_400 - number}" if sort is SORTS[0] else f"thumb-7f39{number * 7919 % 65_536:04x}"
        attempt = {"number": 1, "outcome": "succeeded", "verdict": "done", **_times(end - took, end)}
        made = {"created_at": format_time(end - took - 0.02), "attempts": [attempt], "result": result}
        self._lay(State.DONE, name, {"job": sort.job, "method": sort.method, "params": ["…"], **made}, ago)

    def _failed(
        self,
        number: int,
        job: str,
        method: str,
        error: tuple[str, str] | None,
        starts: int,
        ago: float,
        group: str | None,
        outcome: Outcome = Outcome.FAILED,
    ) -> None:
        attempts, at = [], self.now - ago
        for start in range(starts, 0, -1):
            begin = at - 10.3
            verdict = "failed" if start == starts else "retry"
            made = {"number": start, "outcome": outcome.value, "verdict": verdict, **_times(begin, at)}
            if error:
                made["error"] = {"type": error[0], "message": error[1], "traceback": TRACEBACK}
            attempts.insert(0, made)
            at = begin - 31 * 2 ** (start - 2)
        document = {
            "job": job,
            "method": method,
            "params": {"source": f"s3://originals/7f/3a/{number:02}21.tif", "width": 1280, "format": "webp"},
            "created_at": format_time(at),
            **({"group": group} if group else {}),
            "attempts": attempts,
        }
        name = f"{method}-7f3a{number * 4099 + 33:05x}"
        self._lay(State.FAILED, name, document, ago)
        lines = "".join(
            f"--- attempt {one['number']} · {one['started_at']} · pid {4100 + one['number']}\nfetch s3://originals/7f/3a/9c21.tif\n"
            "GET http://images.internal:8080/originals/7f/3a/9c21.tif\ngave up after 10 s\n"
            for one in attempts
        )
        Path(self.layout.log(name)).write_text(lines)

    def _slots(self, name: str) -> None:
        """Let the jobs of a schedule have run in the last day: a few failed, and one slot was skipped."""
        schedule = parse_config(str(self.config), json.loads(self.config.read_text())).schedules[name]
        slots = []
        at = schedule.timing.after(int(self.now - DAY))
        while at is not None and at < self.now:
            slots.append(at)
            at = schedule.timing.after(at)
        job = SCHEDULES[name]
        skipped = slots[-20:-19] if name == "feeds" else []
        for place, slot in enumerate(slots):
            is_bad = name == "feeds" and place % 37 == 20
            state, outcome = (State.FAILED, "failed") if is_bad else (State.DONE, "succeeded")
            attempt = {"number": 1, "outcome": outcome, "verdict": state.value, **_times(slot, slot + 41)}
            if is_bad:
                attempt["error"] = {"type": "ConnectionError", "message": "feeds.example does not answer"}
            document = {
                "job": job["job"],
                "method": job["method"],
                "params": job.get("params", []),
                "attempts": [attempt],
            }
            if slot not in skipped:
                self._lay(state, slot_id(name, slot), document, self.now - slot - 41)
        skips = tuple(Skip(slot, slot, "the job of the slot before it has not ended") for slot in skipped)
        last = slots[-1] if slots else None
        note = Note(schedule.timing.text, int(self.now), last, None if last is None else slot_id(name, last), skips)
        schedule_notes.write(self.layout, name, note, fsync=False)

    def _rejected(self) -> None:
        self._lay(
            State.FAILED, "upload-0031", b'{"job": "shop.Thumbnail", "method": "render", "prams": []}', 9.7 * HOUR
        )
        Spool(self.layout).explain(
            "upload-0031", Outcome.REJECTED, "prams: unknown key (did you mean 'params'?)", "pending/", 0.0
        )


def _times(begin: float, end: float) -> dict[str, str]:
    return {"started_at": format_time(begin), "ended_at": format_time(end)}
