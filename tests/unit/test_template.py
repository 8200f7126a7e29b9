"""The template and the executor are two programs that share only words; here they are compared."""

from __future__ import annotations

import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")


def test_both_ends_speak_the_same_words() -> None:
    """Every word of the protocol is spelled alike in the template and in its executor."""
    from spoolrunner import template
    from spoolrunner.executors import fork

    for word in ("STARTED", "EXITED", "READY", "THREADS", "SKIPPED", "START", "WHO", "RETIRE"):
        assert getattr(template, word) == getattr(fork, word)


def test_code_files_leave_python_itself_out(tmp_path, monkeypatch) -> None:
    """Files of the standard library are not compared before each job, and those of an application are."""
    import json

    from spoolrunner import template

    (tmp_path / "of_an_application.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    import of_an_application

    found = template._code_files([json, sys, of_an_application])
    assert found == {
        str(tmp_path / "of_an_application.py"): template._signature(str(tmp_path / "of_an_application.py"))
    }


def test_a_file_that_is_gone_has_another_signature(tmp_path) -> None:
    """A removed file never looks like the one that was imported."""
    from spoolrunner import template

    path = tmp_path / "x.py"
    path.write_text("")
    assert template._signature(str(path)) != (0, 0)
    path.unlink()
    assert template._signature(str(path)) == (0, 0)
