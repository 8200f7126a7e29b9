"""What commands print as a person would have typed it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from spoolrunner.cli import as_typed


@pytest.mark.skipif(sys.platform == "win32", reason="PowerShell is not to be had where this is tested")
@pytest.mark.parametrize("name", ["a", "with space", "it's", "$(touch x)", "-x"])
def test_what_is_printed_can_be_typed(tmp_path, name) -> None:
    """Each line, given to sh, does what it says."""
    path, folder = str(tmp_path / name), str(tmp_path / "folder")
    os.mkdir(folder)

    def typed(line: str) -> list[str]:
        subprocess.run(["sh", "-c", line], check=True, cwd=tmp_path)
        return sorted(os.listdir(tmp_path) + os.listdir(folder))

    assert typed(as_typed.touched(path)) == sorted([name, "folder"])
    assert typed(as_typed.removed(path)) == ["folder"]
    assert typed(as_typed.written(path, "word")) == sorted([name, "folder"])
    with open(path, encoding="ascii") as stream:
        assert stream.read() == "word\n"
    assert typed(as_typed.moved(path, folder)) == sorted([name, "folder"])
    assert os.listdir(folder) == [name]


@pytest.mark.skipif(sys.platform != "win32", reason="lines for PowerShell")
def test_lines_for_powershell() -> None:
    """What PowerShell would take apart is quoted as it wants it."""
    assert as_typed.touched(r"C:\spool\control\stop") == r"ni C:\spool\control\stop"
    assert as_typed.removed(r"C:\it's a spool\x.json") == r"rm 'C:\it''s a spool\x.json'"
    assert as_typed.moved(r"C:\a$b", r"C:\c") == r"mv 'C:\a$b' C:\c"
    assert as_typed.written(r"C:\s p\stop", "leave-running") == r"echo leave-running > 'C:\s p\stop'"
