"""What the demo needs of the disk: its spool, files for its jobs to work on, and job files as a stranger may drop them."""

from __future__ import annotations

import csv
import os

import spoolrunner
from spoolrunner.client.look import find
from spoolrunner.config.load import Config
from spoolrunner.spool.folders import Spool


def make_folders(settings: Config) -> None:
    """Make the folders of the spool that are missing."""
    Spool(settings.layout).make()


def source_folder() -> str:
    """Return the absolute path of this program's own source, which the demo's jobs read."""
    return os.path.dirname(os.path.abspath(spoolrunner.__file__))


def source_files() -> list[str]:
    """Return the sorted paths of this program's own modules."""
    return sorted(
        os.path.join(room, name)
        for room, _, names in os.walk(source_folder())
        for name in names
        if name.endswith(".py")
    )


def write_table(settings: Config) -> str:
    """Write demo.csv beside config.json, a row a module of this program with its size in bytes; return its path."""
    path, source = os.path.join(settings.folder, "demo.csv"), source_folder()
    with open(path, "w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["module", "bytes"])
        rows.writerows([os.path.relpath(name, source), os.path.getsize(name)] for name in source_files())
    return path


def drop(settings: Config, job_id: str, data: bytes) -> None:
    """Publish these bytes as they are, which need not be a job at all: it is for the dispatcher to refuse them."""
    Spool(settings.layout).publish(job_id, data)


def state_of(settings: Config, job_id: str) -> str | None:
    """Return the state in which the job lies now, or None when it is nowhere."""
    found = find(settings.layout, job_id)
    return None if found is None else found.state.value
