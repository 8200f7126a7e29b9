"""docs/recipes.md does what it says: each recipe is run as it is printed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from spoolrunner.spool.folders import Spool
from spoolrunner.spool.paths import Layout
from tests.daemon.harness import COMMAND, Daemon, until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the page has commands of a POSIX shell")

PAGE = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text(encoding="utf-8")
TWO_PAGES = 140
"""Lines."""


def blocks(tag: str, chapter: str = "") -> list[str]:
    """The code blocks in that language, of the whole page or of the chapter that begins so."""
    text = PAGE if not chapter else PAGE.partition(f"\n## {chapter}")[2].partition("\n## ")[0]
    return re.findall(rf"^```{tag}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder with the configuration and the module of the page, a spool, and a command named spoolrunner."""
    (tmp_path / "config.json").write_text(blocks("json")[0], encoding="utf-8")
    (tmp_path / "shop.py").write_text(blocks("python shop.py")[0], encoding="utf-8")
    (tmp_path / "bin").mkdir()
    shim = tmp_path / "bin" / "spoolrunner"
    shim.write_text(f'#!/bin/sh\nexec {COMMAND[0]} -m spoolrunner "$@"\n', encoding="utf-8")
    shim.chmod(0o700)
    Spool(Layout(str(tmp_path / "spool"))).make()
    return tmp_path


@pytest.fixture
def served(folder):
    """The same, with a dispatcher."""
    daemon = Daemon(folder)
    daemon.ready()
    yield folder
    daemon.kill()


def run(folder: Path, program: str, *words: str) -> str:
    """Run a block to its end, and return what it printed; it must end with 0."""
    env = {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    ended = subprocess.run(
        [program, *words], cwd=folder, env=env, capture_output=True, text=True, timeout=50, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def documents(folder: Path, state: str) -> list[dict]:
    """The documents in a folder of the spool."""
    return [json.loads(path.read_bytes()) for path in sorted((folder / "spool" / state).glob("*.json"))]


def test_the_page_is_two_pages_at_most() -> None:
    """Whoever looks for a recipe reads no book."""
    assert len(PAGE.splitlines()) <= TWO_PAGES


def test_the_configuration_is_sound(folder) -> None:
    """`check` finds all that it names, but for spools of others."""
    run(folder, "spoolrunner", "check")


def test_a_report_each_night(served) -> None:
    """The schedule is shown, and its job runs now as well."""
    printed = run(served, "sh", "-ec", blocks("sh", "A report")[0])
    assert "nightly-report" in printed
    until(lambda: [one["result"] for one in documents(served, "done")] == ["the report is written"])


def test_ten_pictures_then_a_mail(served) -> None:
    """Both mails are sent, after all ten."""
    run(served, sys.executable, "-c", blocks("python", "Ten pictures")[0])
    until(lambda: len(documents(served, "done")) == 12)
    done = documents(served, "done")
    mails = [one["attempts"][0]["started_at"] for one in done if one["method"] == "send"]
    pictures = [one["attempts"][0]["ended_at"] for one in done if one["method"] == "resize"]
    assert min(mails) >= max(pictures)


def test_at_most_two_for_each_customer(served) -> None:
    """All five are of the group, and none is refused."""
    run(served, sys.executable, "-c", blocks("python", "At most two")[0])
    until(lambda: sorted(one["result"] for one in documents(served, "done")) == [0, 1, 2, 3, 4])
    assert {one["group"] for one in documents(served, "done")} == {"customer.42"}


@pytest.mark.skipif(shutil.which("du") is None, reason="not on this machine: du")
def test_a_command(served) -> None:
    """Its output is the result."""
    job_id = run(served, "sh", "-ec", blocks("sh", "Run a command")[0]).strip()
    assert run(served, "spoolrunner", "wait", job_id, "--timeout", "40", "--result").rstrip().endswith('spool"')


@pytest.mark.skipif(shutil.which("bash") is None, reason="not on this machine: bash")
def test_waiting_in_bash(served) -> None:
    """The script prints the result."""
    assert run(served, "bash", "-ec", blocks("bash")[0]) == 'it is done: "picture 7 is 128 wide"\n'


def test_a_long_import_goes_on(served) -> None:
    """Three attempts fail at the same row; after a retry by hand only the rows that were missing are stored."""
    first, again = blocks("sh", "Go on")
    run(served, "sh", "-ec", first)
    until(lambda: [one["attempts"][-1]["number"] for one in documents(served, "failed")] == [3])
    assert (served / "rows.txt").read_text() == "a\nb\n"
    (served / "mended").touch()
    run(served, "sh", "-ec", again)
    until(lambda: [one["result"] for one in documents(served, "done")] == [4])
    assert (served / "rows.txt").read_text() == "a\nb\nbad\nc\n"


def test_one_kind_is_stopped(served) -> None:
    """While it is paused its jobs wait and others run; each command of the recipe ends with 0."""
    lines = blocks("sh", "Stop one kind")[0].splitlines()
    run(served, "sh", "-ec", lines[0])
    run(served, "spoolrunner", "enqueue", "shop", "bill", "4711")
    other = run(served, "spoolrunner", "enqueue", "shop", "send", "hello").strip()
    run(served, "spoolrunner", "wait", other, "--timeout", "40")
    until(lambda: "shop.bill" in run(served, "sh", "-ec", lines[1]))
    assert [one["method"] for one in documents(served, "pending")] == ["bill"]
    run(served, "sh", "-ec", "\n".join(lines[2:]))
    until(lambda: documents(served, "pending") == [])
