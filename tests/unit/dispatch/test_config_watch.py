"""config.json was changed while a dispatcher runs: noticed once, and said in the log, in status.json, and in refusals."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from spoolrunner.config.load import load_config
from spoolrunner.dispatch.config_watch import ConfigWatch, advice
from spoolrunner.telling.troubles import ConfigChanged


@pytest.fixture
def path(tmp_path) -> str:
    found = tmp_path / "config.json"
    found.write_text(json.dumps({"allowed_jobs": {"app.Report": ["build"]}}))
    return str(found)


def change(path: str, **keys) -> None:
    with open(path, "w", encoding="ascii") as stream:
        json.dump({"allowed_jobs": {"app.Report": ["build", "send"]}, **keys}, stream)


def test_a_change_is_reported_once(path) -> None:
    """It is seen at the next look, every five seconds, and no longer trouble when the file is as it was."""
    heard = []
    before = Path(path).read_bytes()
    watch = ConfigWatch(load_config(path), heard.append)
    watch.work(100.0)
    change(path)
    watch.work(104.9)
    assert (heard, watch.trouble) == ([], "")
    watch.work(105.0)
    watch.work(110.0)
    assert heard == [ConfigChanged(path)]
    assert watch.trouble == heard[0].sentence
    with open(path, "wb") as stream:
        stream.write(before)
    watch.work(115.0)
    assert (len(heard), watch.trouble) == (1, "")


def a_pipe(path) -> None:
    os.unlink(path)
    os.mkfifo(path)


@pytest.mark.parametrize(
    "touch",
    [
        lambda path: os.utime(path, (1, 1)),
        os.unlink,
        pytest.param(a_pipe, marks=pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with a name here")),
    ],
)
def test_what_is_no_change(path, touch) -> None:
    """A file of another time and the same bytes is the same; one that is gone cannot be gone by."""
    config = load_config(path)
    touch(path)
    assert not config.is_changed()
    assert advice(config) == ""


def test_advice(path) -> None:
    """A refusal gets it while the file is another than the one that was read, also one of the same size."""
    config = load_config(path)
    assert advice(config) == ""
    os.replace(path, path + ".old")
    change(path)
    assert advice(config) == (
        "; config.json was changed since the dispatcher started: restart it, then `spoolrunner retry` the job"
    )
