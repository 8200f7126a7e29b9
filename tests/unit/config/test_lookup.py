"""Which file is taken for config.json: none that a producer or a stranger put in the way."""

from __future__ import annotations

import os
import sys

import orjson
import pytest

from spoolrunner.client.settings import settings_in_force
from spoolrunner.config.load import FILE_NAME, VARIABLE, find_config, load_config
from spoolrunner.errors import ConfigError
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.paths import FOLDERS, Layout

AS_ROOT_ONLY = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only root can give a file to another user"
)
STRANGER, OWNER = 54321, 54322


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.fixture
def installation(tmp_path):
    """A folder with config.json and a spool."""
    (tmp_path / FILE_NAME).write_bytes(orjson.dumps({"allowed_jobs": {"app.Report": ["build"]}}))
    Spool(Layout(str(tmp_path / "spool"))).make()
    return tmp_path


@pytest.mark.parametrize("folder", ["", *FOLDERS, os.path.join("tmp", "deeper")])
def test_none_inside_a_spool_is_found(installation, monkeypatch, folder) -> None:
    """From within a spool the one above it is found, whatever a producer named config.json in there."""
    inside = installation / "spool" / folder
    inside.mkdir(exist_ok=True)
    (inside / FILE_NAME).write_text("{}")
    monkeypatch.chdir(inside)
    assert os.path.samefile(find_config(), installation / FILE_NAME)


@pytest.mark.parametrize("gone", FOLDERS[:7])
def test_a_spool_that_lost_a_folder_is_still_one(installation, monkeypatch, gone) -> None:
    """A folder of the spool that was removed opens no way in."""
    inside = installation / "spool" / ("failed" if gone != "failed" else "done")
    (installation / "spool" / gone).rmdir()
    (inside / FILE_NAME).write_text("{}")
    monkeypatch.chdir(inside)
    assert os.path.samefile(find_config(), installation / FILE_NAME)


def test_none_inside_a_spool_is_taken_when_named(installation, monkeypatch) -> None:
    """Nor is one taken that --config or the variable names, directly or by a link."""
    inside = installation / "spool" / "failed" / FILE_NAME
    inside.write_text("{}")
    link = installation / "link.json"
    link.symlink_to(inside)
    for given in (inside, link):
        with pytest.raises(ConfigError, match="lies inside a spool"):
            find_config(str(given))
        monkeypatch.setenv(VARIABLE, str(given))
        with pytest.raises(ConfigError, match="lies inside a spool"):
            find_config()
        monkeypatch.delenv(VARIABLE)


@AS_ROOT_ONLY
@pytest.mark.parametrize("is_link", [False, True])
def test_a_strangers_file_is_found_and_refused(installation, monkeypatch, is_link) -> None:
    """One found upwards that belongs to neither this user nor root nor the spool's owner is refused, and its link as well."""
    path = installation / FILE_NAME
    if is_link:
        path.rename(installation / "real.json")
        path.symlink_to("real.json")
    os.chown(path, STRANGER, -1, follow_symlinks=False)
    os.chown(installation / "spool", OWNER, -1)
    monkeypatch.chdir(installation)
    for load in (load_config, settings_in_force, lambda: load_config(to_run=True)):
        with pytest.raises(ConfigError, match=f"belongs to user {STRANGER}"):
            load()
    assert settings_in_force(str(path)).path == str(path), "a person may name it"
    with pytest.raises(ConfigError, match=f"belongs to user {STRANGER}"):
        settings_in_force()  # that it was named once is no reason to take it when it is found


@AS_ROOT_ONLY
def test_the_spools_owner_may_configure_but_not_run(installation, monkeypatch) -> None:
    """Root may look into a user's spool by that user's config.json, and starts no programs by it."""
    for path in (installation / FILE_NAME, installation / "spool"):
        os.chown(path, OWNER, -1)
    monkeypatch.chdir(installation)
    assert load_config().path == str(installation / FILE_NAME)
    with pytest.raises(ConfigError, match="run as you"):
        load_config(to_run=True)
    assert load_config(str(installation / FILE_NAME), to_run=True).concurrency


@AS_ROOT_ONLY
def test_a_strangers_folder_decides_what_runs_too(installation, monkeypatch) -> None:
    """Who owns the folder can put modules beside config.json, so its programs are not started, whoever wrote the file."""
    os.chown(installation, STRANGER, -1)
    monkeypatch.chdir(installation)
    assert load_config().path == str(installation / FILE_NAME)
    with pytest.raises(ConfigError, match=f"user {STRANGER}"):
        load_config(to_run=True)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with a name here")
def test_a_pipe_does_not_hold_up_who_reads_it(installation, monkeypatch) -> None:
    """A config.json that became a pipe after it was found is refused at once, not waited for."""
    os.remove(installation / FILE_NAME)
    os.mkfifo(installation / FILE_NAME)
    monkeypatch.setattr(os.path, "isfile", lambda _: True)
    with pytest.raises(ConfigError, match="no regular file"):
        load_config(str(installation / FILE_NAME))
