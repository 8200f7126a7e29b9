"""The spool of a verb, also while config.json is unfit."""

from __future__ import annotations

import json
from argparse import Namespace

import pytest

from spoolrunner.cli.found import spool_of
from spoolrunner.errors import ConfigError


def test_what_is_wrong_is_said_and_keeps_from_nothing(tmp_path, capsys) -> None:
    """Each problem of the other keys is a line, and the spool is found; one of a file that is fit is found in silence."""
    path = tmp_path / "config.json"
    arguments = Namespace(config=str(path))
    for keys, lines in (({"timeout": "soon", "shout": 1}, 2), ({}, 0)):
        path.write_text(json.dumps({"allowed_jobs": {}, "spool": "here", **keys}))
        assert spool_of(arguments).root == str(tmp_path / "here")
        assert capsys.readouterr().err.count(f"spoolrunner: {path}: ") == lines


def test_a_spool_that_cannot_be_made_out(tmp_path) -> None:
    """Then there is nothing to work on."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"spool": 5}))
    with pytest.raises(ConfigError):
        spool_of(Namespace(config=str(path)))
