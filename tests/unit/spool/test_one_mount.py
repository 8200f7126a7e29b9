"""Whether renames work between the folders: tried, not guessed."""

from __future__ import annotations

import errno
import os

import pytest

from spoolrunner.protocol.states import State
from spoolrunner.spool import one_mount
from spoolrunner.system import durable


def everything(spool) -> set[str]:
    return {os.path.join(folder, name) for folder, _, names in os.walk(spool.layout.root) for name in names}


def test_a_spool_in_one_piece(spool, monkeypatch) -> None:
    """The folder of each state is tried, and nothing is left behind."""
    tried = set()
    real = durable.rename

    def rename(source: str, target: str) -> None:
        tried.update((os.path.dirname(source), os.path.dirname(target)))
        real(source, target)

    monkeypatch.setattr(durable, "rename", rename)
    one_mount.try_renames(spool.layout)
    assert tried == {spool.layout.tmp, *map(spool.layout.folder, State)}
    assert everything(spool) == set()


def test_what_a_killed_trial_left(spool) -> None:
    """It is no hindrance, and is removed."""
    for state in State:
        with open(os.path.join(spool.layout.folder(state), one_mount.TRIAL), "wb"):
            pass
    one_mount.try_renames(spool.layout)
    assert everything(spool) == set()


@pytest.mark.parametrize("folder", [state.value for state in State])
def test_a_folder_on_another_mount(spool, monkeypatch, folder) -> None:
    """It is named, and nothing is left behind."""
    path = os.path.join(spool.layout.root, folder)
    real = durable.rename

    def rename(source: str, target: str) -> None:
        if path in (os.path.dirname(source), os.path.dirname(target)):
            raise OSError(errno.EXDEV, "Invalid cross-device link", source, None, target)
        real(source, target)

    monkeypatch.setattr(durable, "rename", rename)
    with pytest.raises(OSError, match="another mount of it") as caught:
        one_mount.try_renames(spool.layout)
    assert (caught.value.errno, caught.value.filename) == (errno.EXDEV, path)
    assert everything(spool) == set()
