"""`demo`: the whole life of jobs on real files, live, and then where to look."""

from __future__ import annotations

import argparse
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from spoolrunner.cli import as_typed, out, render
from spoolrunner.cli.run import heed_signals
from spoolrunner.client import operate, showcase
from spoolrunner.client.enqueue import enqueue
from spoolrunner.client.install import make_config
from spoolrunner.client.overview import dispatcher_of, is_paused
from spoolrunner.config.load import Config, load_config
from spoolrunner.config.lookup import check_owners, read_file
from spoolrunner.dispatch.holder import busy
from spoolrunner.dispatch.loop import Dispatcher
from spoolrunner.dispatch.wishes import Wish
from spoolrunner.errors import ConfigError, SpoolBusyError
from spoolrunner.protocol.states import FINAL, State
from spoolrunner.spool.paths import Layout
from spoolrunner.system.clock import SYSTEM, format_time
from spoolrunner.telling.events import Event, Recorded, Refused

_FOLDER = "spoolrunner-demo"
_LONGEST = 18.0
"""Seconds after which the demo ends whatever happened."""
_OVERTURE = 0.5
"""Seconds for which starting is paused, so that all jobs wait when the first is chosen."""
_JOBS = "spoolrunner.demo_jobs"

CONFIG: dict[str, Any] = {
    "allowed_jobs": {
        f"{_JOBS}.Text": ["count_words", "checksum"],
        f"{_JOBS}.Table": ["summarize"],
        f"{_JOBS}.Weather": {
            "steady": {},
            "fails_twice": {"max_retries": 3},
            "always_fails": {"max_retries": 2},
            "too_slow": {"timeout": "1s", "max_retries": 0},
        },
    },
    "spool": "spool",
    "concurrency": 2,
    "retry_interval": "1s",
    "retry_backoff": "fixed",
    "retry_jitter": 0,
    "timeout": "1m",
    "kill_grace": "2s",
    "stop_grace": "5s",
}
"""The configuration the demo needs; config.json of the project's own checkout is the same."""


class _Act(NamedTuple):
    """One job of the demo: what it shows, how it is published, and where it must end."""

    name: str
    shows: str
    end: State
    job: str = ""
    method: str = ""
    params: Sequence[Any] = ()
    options: Mapping[str, Any] = MappingProxyType({})
    raw: bytes | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the verb its arguments."""
    parser.add_argument("dir", nargs="?", metavar="DIR", help="make a fresh installation there and use it")


def run(arguments: argparse.Namespace) -> int:
    """Run the demo; 0 when every job ended where it should."""
    settings = _installation(arguments)
    if dispatcher_of(settings.layout) is not None:
        raise busy(settings.layout)
    if is_paused(settings.layout):
        raise SpoolBusyError(f"{settings.layout.pause} exists: `spoolrunner resume` first")
    showcase.make_folders(settings)
    prefix = "demo-" + format_time(SYSTEM.wall())[11:19].replace(":", "")
    acts = _acts(settings)
    out.say(f"spool {settings.layout.root}: {len(acts)} jobs are dropped into pending/, then two at a time run.", "")
    operate.pause(settings.layout)
    ids = {f"{prefix}-{act.name}": act for act in acts}
    for job_id, act in ids.items():
        _publish(settings, job_id, act)
    audience = _Audience(set(ids))
    dispatcher = Dispatcher(settings, [audience])
    audience.when_done = lambda: dispatcher.request(Wish.STOP)
    timers = [
        threading.Timer(_OVERTURE, lambda: operate.resume(settings.layout)),
        threading.Timer(_LONGEST, lambda: dispatcher.request(Wish.STOP)),
    ]
    heed_signals(dispatcher)
    for timer in timers:
        timer.start()
    try:
        dispatcher.run()
    finally:
        audience.close()
        for timer in timers:
            timer.cancel()
        operate.resume(settings.layout)
    return _epilogue(settings, ids)


class _Audience:
    """Prints each event, and notices when every job of the demo has come to its end."""

    def __init__(self, waiting: set[str]) -> None:
        self._waiting = waiting
        self._printer = render.EventPrinter()
        self.when_done: Callable[[], None] = _nothing

    def __call__(self, event: Event, at: float) -> None:
        self._printer(event, at)
        if isinstance(event, Refused):
            self._came_to_its_end(event.id)
        elif isinstance(event, Recorded) and event.verdict in FINAL:
            self._came_to_its_end(event.who.id)

    def close(self) -> None:
        """Print the last events."""
        self._printer.close()

    def _came_to_its_end(self, job_id: str) -> None:
        self._waiting.discard(job_id)
        if not self._waiting:
            self.when_done()


def _nothing() -> None:
    """What is done at the end until something better is known."""


def _installation(arguments: argparse.Namespace) -> Config:
    """The configuration to use: DIR's, made if needed; else the one in force, if it allows the demo's jobs."""
    folder = arguments.dir
    if folder is None:
        try:
            found = load_config(arguments.config, to_run=True)
        except ConfigError:
            if arguments.config:
                raise
            folder = _FOLDER  # there is none here
        else:
            if all(job in found.allowed for job in CONFIG["allowed_jobs"]):
                return found
            folder = _FOLDER
    path, _ = make_config(folder, CONFIG, fsync=False)
    settings = load_config(path)
    if arguments.dir is None:  # anybody could have made a folder of that name here, for us to find
        check_owners(path, read_file(path), settings.layout.root, to_run=True)
    return settings


def _acts(settings: Config) -> list[_Act]:
    modules, table = showcase.source_files(), showcase.write_table(settings)
    text, weather = f"{_JOBS}.Text", f"{_JOBS}.Weather"
    words = [os.path.join(showcase.source_folder(), "spool", "settling.py"), 5]
    unlisted = {"job": "os", "method": "system", "params": ["echo never"]}
    return [
        _Act("words", "counts the words of a file", State.DONE, text, "count_words", words),
        _Act("sums", "checksums of this program's own files", State.DONE, text, "checksum", [modules]),
        _Act("table", "sums up a CSV file", State.DONE, f"{_JOBS}.Table", "summarize", [table, "bytes"]),
        _Act("steady", "runs for a while, tells its progress", State.DONE, weather, "steady", [1.5]),
        _Act("later", "starts not before 2 s have passed", State.DONE, text, "count_words", words, {"delay": 2}),
        _Act("flaky", "fails twice, then succeeds", State.DONE, weather, "fails_twice"),
        _Act("hopeless", "fails until its retries are used up", State.FAILED, weather, "always_fails"),
        _Act("slow", "is ended by its timeout of 1 s", State.FAILED, weather, "too_slow"),
        _Act("unlisted", "names what is not on the whitelist", State.FAILED, raw=orjson.dumps(unlisted)),
        _Act("torn", "is no JSON", State.FAILED, raw=b'{"job": "spoolrunner.demo'),
        _Act(
            "urgent", "comes last, has priority, starts first", State.DONE, text, "count_words", words, {"priority": 9}
        ),
    ]


def _publish(settings: Config, job_id: str, act: _Act) -> None:
    if act.raw is not None:
        showcase.drop(settings, job_id, act.raw)
        return
    enqueue(act.job, act.method, act.params, id=job_id, config=settings.path, **act.options)


def _epilogue(settings: Config, ids: dict[str, _Act]) -> int:
    layout, rows, astray = settings.layout, [], 0
    for job_id, act in ids.items():
        state = showcase.state_of(settings, job_id)
        astray += state != act.end
        rows.append([job_id, state or "nowhere", act.shows])
    out.say()
    render.table(["id", "now in", "what it showed"], rows)
    prefix = next(iter(ids)).rpartition("-")[0]
    spool = Layout(_nearest(layout.root))
    looks = [
        (
            as_typed.shown(spool.job(State.DONE, f"{prefix}-flaky")),
            "three attempts, each with its outcome, and the result",
        ),
        (as_typed.shown(spool.job(State.FAILED, f"{prefix}-slow")), "what a timeout leaves"),
        (as_typed.shown(spool.reason(f"{prefix}-torn")), "why it never ran; its bytes are kept beside it"),
        (as_typed.shown(spool.log(f"{prefix}-sums")), "what a job printed"),
        (as_typed.shown(os.path.join(spool.logs, "background_jobs.log")), "one line an event"),
        (
            as_typed.moved(spool.job(State.FAILED, f"{prefix}-hopeless"), os.path.join(spool.pending, "")),
            "retries it, like `spoolrunner retry`",
        ),
    ]
    out.say("", "Everything is left to be looked at:")
    for command, what in looks:
        out.say(f"  {command}", f"      {what}")
    if astray:
        out.say("", f"{astray} jobs are not where they should be")
    return 1 if astray else 0


def _nearest(path: str) -> str:
    """The path from where we stand, if there is one."""
    try:
        return os.path.relpath(path)
    except ValueError:
        return path  # on another drive of Windows
