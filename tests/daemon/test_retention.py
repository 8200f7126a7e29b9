"""Retention by a real dispatcher, and what docs/retention.md shows."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from spoolrunner.config.load import parse_config
from spoolrunner.telling.upkeep import Pruned
from tests.daemon.harness import DEADLINE, until

PAGE = (Path(__file__).parents[2] / "docs" / "retention.md").read_text(encoding="utf-8")


def blocks(tag: str) -> list[str]:
    """The code blocks of the page in that language."""
    return re.findall(rf"^```{tag}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_the_example_of_the_page(tmp_path):
    """It keeps what the page says, and `prune --dry-run` names what is to go before."""
    if shutil.which("bash") is None:
        pytest.skip("not on this machine: bash")
    (example,) = blocks("bash")
    programs = os.path.dirname(sys.executable)
    ended = subprocess.run(
        ["bash", "-eu", "-c", example],
        cwd=tmp_path,
        env={**os.environ, "PATH": programs + os.pathsep + os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=4 * DEADLINE,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.endswith("\n" + blocks("text")[0])
    assert re.findall(r"would remove .*(count-\d)\.json", ended.stdout) == ["count-1", "count-2"]


def test_the_configuration_of_the_page(tmp_path):
    """It is one, and says what the page says."""
    made = parse_config(str(tmp_path / "config.json"), json.loads(blocks("json")[0]))
    assert (made.auto_prune, made.keep_done.count, made.keep_done.age) == (True, 100000, 7 * 86400)


def test_the_line_of_the_log():
    """What the page quotes from the log is what is written there."""
    assert f"`{Pruned(120, 3, 0).entry(0.0).note}`" in PAGE


def test_a_dispatcher_prunes_by_itself(make):
    """When it starts, and when a reload tells it to; with the output of the job, and no more than that."""
    home = make(keep_done={"count": 1})
    daemon = home.start().ready()
    for name in ("a", "b", "c"):
        home.drop(name, method="echo", params=["hello"])
        daemon.expect("completed", f"id={name} ")
    daemon.stop()
    settings = json.loads((home.folder / "config.json").read_text())
    (home.folder / "config.json").write_text(json.dumps({**settings, "auto_prune": True}))
    daemon = home.start().ready()
    daemon.expect("dispatcher", "removed: 2 from done/, 0 from failed/")
    assert home.where("a") == home.where("b") == []
    assert home.where("c") == ["done"]
    assert os.listdir(home.spool / "logs" / "jobs") == ["c.log"]
    daemon.stop()


def test_a_reload_begins_it(make):
    """A dispatcher that was told to keep all forgets that at once when config.json says otherwise."""
    home = make(keep_done={"count": 0})
    daemon = home.start().ready()
    home.drop("a", method="noop")
    daemon.expect("completed", "id=a ")
    settings = json.loads((home.folder / "config.json").read_text())
    (home.folder / "config.json").write_text(json.dumps({**settings, "auto_prune": True}))
    (home.spool / "control" / "reload").touch()
    daemon.expect("dispatcher", "removed: 1 from done/")
    until(lambda: home.where("a") == [])
