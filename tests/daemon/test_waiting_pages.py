"""docs/limits.md and docs/dependencies.md: their examples run as they stand there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.daemon.harness import COMMAND, Installation

DOCS = Path(__file__).parents[2] / "docs"
APP = {
    "mail": "def send(text):\n    return text\n",
    "orders": "def export():\n    pass\n\n\ndef bill(number):\n    return int(number)\n",
    "images": "def resize(number):\n    return number\n\n\ndef album(count):\n    return int(count)\n",
}
ALLOWED = {"app.images": ["resize", "album"], "app.mail": ["send"]}


def blocks(page: str, language: str) -> list[str]:
    """The examples of a page in that language."""
    return re.findall(rf"^```{language}\n(.*?)^```", (DOCS / page).read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture
def install(tmp_path):
    """Make the installation that the page speaks of."""
    made = []

    def make(settings: dict) -> Installation:
        home = Installation(tmp_path, **settings)
        made.append(home)
        (tmp_path / "app").mkdir()
        for name, code in APP.items():
            (tmp_path / "app" / f"{name}.py").write_text(code)
        return home

    yield make
    for home in made:
        home.close()


def run_python(home: Installation, code: str) -> None:
    subprocess.run([sys.executable, "-c", code], cwd=home.folder, check=True, timeout=60)


def run_shell(home: Installation, line: str) -> None:
    words = line.partition("#")[0].split()
    assert words[0] == "spoolrunner"
    subprocess.run([*COMMAND, *words[1:]], cwd=home.folder, check=True, timeout=60, stdout=subprocess.PIPE)


def results(home: Installation) -> list:
    """What the jobs in done/ have returned, those that returned nothing aside."""
    found = [json.loads(path.read_text("utf-8")).get("result") for path in (home.spool / "done").glob("*.json")]
    return sorted((one for one in found if one is not None), key=str)


def test_groups(install):
    """With the configuration of the page its jobs run, whoever enqueues them."""
    (settings,) = blocks("limits.md", "json")
    home = install(json.loads(settings))
    run_python(home, *blocks("limits.md", "python"))
    enqueues, _ = blocks("limits.md", "sh")
    run_shell(home, enqueues)
    assert home.start("--drain").wait() == 0
    assert results(home) == [4711, 4712, "hello"]


def test_pauses(install):
    """Each command of the page makes, or removes, the file that stands beside it."""
    (settings,) = blocks("limits.md", "json")
    home = install(json.loads(settings))
    _, pauses = blocks("limits.md", "sh")
    for line in pauses.splitlines():
        run_shell(home, line)
        by_hand = line.partition("# ")[2].split()
        if by_hand:
            assert (home.folder / by_hand[1]).exists() is (by_hand[0] == "touch"), line
    assert os.listdir(home.spool / "control") == []


def test_dependencies(install):
    """The album is made after its pictures, and the mail is sent after the album."""
    home = install({"allowed_jobs": ALLOWED})
    run_python(home, *blocks("dependencies.md", "python"))
    assert len(os.listdir(home.spool / "pending")) == 12
    assert home.start("--drain").wait() == 0
    assert results(home) == [*range(2), 10, *range(2, 10), "the album is over"]


def test_dependencies_by_file_and_command(install):
    """The files of the page, and its commands, wait for the jobs they name."""
    home = install({"allowed_jobs": ALLOWED})
    album, mail = map(json.loads, blocks("dependencies.md", "json"))
    for name, document in (("mail", mail), ("album", album)):
        home.drop(name, json.dumps(document))
    for number in (1, 2):
        home.drop(f"picture-{number}", job="app.images", method="resize", params=[number])
    for line in blocks("dependencies.md", "sh")[0].splitlines():
        run_shell(home, line)
    assert home.start("--drain").wait() == 0
    assert results(home) == [1, 10, 10, 2, "over", "over"]


def test_retries(install):
    """The commands of the page retry what failed for another job, and let one start that waits for nobody."""
    home = install({"allowed_jobs": {**ALLOWED, "app.orders": ["bill"]}, "max_retries": 0})
    home.drop("ID", job="app.orders", method="bill", params=["x"])
    home.drop("other", job="app.mail", method="send", params=["text"], after=["ID"])
    assert home.start("--drain").wait() == 0
    assert (home.where("ID"), home.where("other")) == (["failed"], ["failed"])
    without, with_them = (block.splitlines() for block in blocks("dependencies.md", "sh")[1:])
    for line in with_them:
        run_shell(home, line)
    assert (home.where("ID"), home.where("other")) == (["pending"], ["pending"])
    (home.spool / "pending" / "ID.json").unlink()
    (home.spool / "pending" / "other.json").rename(home.spool / "pending" / "ID.json")
    run_shell(home, *without)
    assert home.start("--drain").wait() == 0
    assert results(home) == ["text"]
