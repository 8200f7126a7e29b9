"""What is open to others and should not be; and that what `init` makes, and the way to a group's spool, is not."""

from __future__ import annotations

import os
import sys

import pytest

from spoolrunner.config import exposure
from spoolrunner.config.load import load_config, parse_config
from spoolrunner.spool.folders import Spool

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has access lists instead of modes")
KEY = "ab" * 32


@pytest.fixture
def installation(tmp_path):
    """An installation with a key, as tight as it should be."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o755)
    (folder / "config.json").write_text('{"allowed_jobs": {}, "signing_key": "key", "python_binary": "/usr/bin/env"}')
    (folder / "config.json").chmod(0o644)
    (folder / "key").write_text(KEY)
    (folder / "key").chmod(0o600)
    made = load_config(str(folder / "config.json"))
    Spool(made.layout).make()
    return made


def path(installation, name: str) -> str:
    return os.path.join(installation.folder, name)


def test_what_init_makes_is_tight(installation) -> None:
    """A spool that was just made, beside a config.json that others can only read, is not complained about."""
    assert exposure.loose(installation) == []
    assert {
        os.stat(path(installation, f"spool/{name}")).st_mode & 0o777 for name in ("", "pending", "done", "logs/jobs")
    } == {0o700}


def test_the_folders_of_a_group_are_tight_when_sticky(installation) -> None:
    """The modes that docs/security.md gives for a group are not complained about."""
    os.chmod(path(installation, "spool"), 0o710)
    for name in ("spool/pending", "spool/tmp"):
        os.chmod(path(installation, name), 0o3730)

    assert exposure.loose(installation) == []


def test_a_folder_that_is_made_later_is_looked_at_too(installation) -> None:
    """The notes of schedules are for the operator alone; a spool that has none is not complained about."""
    os.chmod(path(installation, "spool"), 0o711)
    assert exposure.loose(installation) == []
    os.mkdir(path(installation, "spool/schedules"))
    os.chmod(path(installation, "spool/schedules"), 0o755)
    (found,) = exposure.loose(installation)
    assert "schedules is open to others" in found


@pytest.mark.parametrize(
    ("name", "mode", "words"),
    [
        ("config.json", 0o666, "decides what runs"),
        (".", 0o777, "decides what runs"),
        ("spool", 0o777, "spool can be written by others"),
        ("key", 0o640, "who can sign with it"),
    ],
)
def test_what_others_can_write_or_sign_with(installation, name, mode, words) -> None:
    """A file or folder by which others could decide what runs is named, with what to do."""
    os.chmod(path(installation, name), mode)

    found = exposure.loose(installation)

    assert any(words in complaint and "chmod" in complaint for complaint in found)


@pytest.mark.parametrize(
    ("name", "mode", "words"),
    [
        ("done", 0o750, "chmod go-rwx"),
        ("locks", 0o701, "chmod go-rwx"),
        ("logs/jobs", 0o755, "chmod go-rwx"),
        ("control", 0o770, "chmod go-rwx"),
        ("pending", 0o1733, "chmod o-rwx"),
        ("tmp", 0o730, r"chmod +t"),
    ],
)
def test_folders_of_a_spool_that_others_can_enter(installation, name, mode, words) -> None:
    """In a spool that others can pass through, every folder that is more open than it should be is named."""
    os.chmod(path(installation, f"spool/{name}"), mode)
    assert exposure.loose(installation) == [], "nobody gets there yet"
    os.chmod(path(installation, "spool"), 0o710)

    (complaint,) = exposure.loose(installation)

    assert words in complaint
    assert os.path.join("spool", name) in complaint


def test_the_group_of_one_user_is_that_user(installation, monkeypatch) -> None:
    """A folder that the owner's private group can write is his alone; one of a group with members is not."""
    os.chmod(path(installation, "."), 0o775)
    monkeypatch.setattr(exposure, "_is_private_group", lambda uid, gid: True)
    assert exposure.loose(installation) == []
    monkeypatch.setattr(exposure, "_is_private_group", lambda uid, gid: False)
    assert exposure.loose(installation) != []


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can give files away")
def test_another_owner(installation) -> None:
    """A config.json that belongs to another user is named."""
    os.chown(installation.path, 12345, -1)

    assert any("belongs to user 12345" in complaint for complaint in exposure.loose(installation))


def test_the_program_of_a_command_decides_what_runs(installation) -> None:
    """One that others can write, or put another in the place of, is named; one that is not found is none of its affairs."""
    for folder in ("bin", "open"):
        os.mkdir(path(installation, folder))
        os.chmod(path(installation, folder), 0o755)
    for name in ("bin/tool", "open/other"):
        with open(path(installation, name), "w") as stream:
            stream.write("#!/bin/sh\n")
        os.chmod(path(installation, name), 0o755)
    raw = {
        "allowed_jobs": {
            "shell": {"a": {"argv": ["tool"]}, "b": {"argv": ["./open/other"]}, "c": {"argv": ["no-such"]}}
        },
        "environment": {"PATH": path(installation, "bin")},
    }
    made = parse_config(installation.path, raw)
    assert exposure.loose(made) == []
    os.chmod(path(installation, "bin/tool"), 0o777)
    os.chmod(path(installation, "open"), 0o777)
    found = exposure.loose(made)
    assert {problem.split(" can be written by others")[0] for problem in found} == {
        path(installation, "open"), path(installation, "bin/tool")
    }  # fmt: skip
