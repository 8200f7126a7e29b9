"""A folder is recognised as a spool by what is in it."""

from __future__ import annotations

import os

import pytest

from spoolrunner.errors import SpoolLayoutError
from spoolrunner.spool.recognise import check_for_publishing, is_inside, is_spool, refuse_links


def test_a_spool_and_other_folders(spool, tmp_path) -> None:
    """The folders of a spool make one, not those that other programs may have too."""
    assert is_spool(spool.layout.root)
    for name in ("pending", "done", "failed", "logs"):
        (tmp_path / "other" / name).mkdir(parents=True)
    assert not is_spool(str(tmp_path / "other"))
    assert not is_spool(str(tmp_path / "nowhere"))


def test_a_few_folders_may_be_missing(spool) -> None:
    """A spool whose folders were removed by hand is still one."""
    for name in ("done", "failed", "control"):
        os.rmdir(os.path.join(spool.layout.root, name))
    assert is_spool(spool.layout.root)


def test_inside(spool, tmp_path) -> None:
    """Inside is the root, each folder and all below, by a path or by a link; beside it is not inside."""
    root = spool.layout.root
    for path in ("x", os.path.join("failed", "x"), os.path.join("tmp", "a", "b", "x")):
        assert is_inside(os.path.join(root, path))
    assert not is_inside(str(tmp_path / "x"))
    (tmp_path / "link").symlink_to(os.path.join(root, "failed", "x"))
    assert is_inside(str(tmp_path / "link"))


@pytest.mark.parametrize("name", ["pending", "schedules"])
def test_a_folder_that_is_a_link_is_refused(spool, tmp_path, name) -> None:
    """No folder of a spool may be a link, also none that is made only when it is needed; a missing one of those is no fault."""
    refuse_links(spool.layout)
    check_for_publishing(spool.layout)
    there = os.path.join(spool.layout.root, name)
    if os.path.isdir(there):
        os.rmdir(there)
    (tmp_path / "elsewhere").mkdir()
    os.symlink(tmp_path / "elsewhere", there)
    with pytest.raises(SpoolLayoutError, match=name):
        refuse_links(spool.layout)
