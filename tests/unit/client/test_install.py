"""An installation is made once, and never overwritten."""

from __future__ import annotations

import json
import os

import pytest

from spoolrunner.client.install import make_config, make_spool
from spoolrunner.errors import ConfigError
from spoolrunner.spool.paths import FOLDERS


def test_make(tmp_path) -> None:
    """The folder, config.json and the spool's folders are made; a second time config.json stays as it is."""
    folder = str(tmp_path / "a" / "b")
    content = {"allowed_jobs": {"app.Report": ["build"]}, "spool": "spool"}
    path, is_new = make_config(folder, content, fsync=False)
    assert (path, is_new) == (os.path.join(folder, "config.json"), True)
    assert make_config(folder, {}, fsync=False) == (path, False)
    with open(path, "rb") as stream:
        assert json.load(stream) == content
    settings = make_spool(path)
    assert all(os.path.isdir(os.path.join(settings.layout.root, name)) for name in FOLDERS)


def test_make_a_spool_of_a_wrong_configuration(tmp_path) -> None:
    """With a wrong config.json nothing is made."""
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ConfigError):
        make_spool(str(tmp_path / "config.json"))
    assert os.listdir(tmp_path) == ["config.json"]
