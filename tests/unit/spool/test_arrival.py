"""When a file came to lie where it lies: by the system's word, not by that of its writer."""

from __future__ import annotations

import os
import time

from spoolrunner.spool import arrival


def test_no_writer_sets_it(tmp_path) -> None:
    """Whatever its writer makes of the mtime, a file came when it came."""
    path = str(tmp_path / "x")
    with open(path, "w", encoding="ascii"):
        pass
    for mtime in (0.0, time.time() + 1e8):
        os.utime(path, (mtime, mtime))
        assert abs(arrival.came_at(os.stat(path)) - time.time()) < 60
        assert not arrival.came_before(path, time.time() - 60)
        assert arrival.came_before(path, time.time() + 60)


def test_what_is_not_there(tmp_path) -> None:
    """A file that is gone came at no time; a link is asked for itself."""
    assert not arrival.came_before(str(tmp_path / "nowhere"), time.time() + 60)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert arrival.came_before(str(tmp_path / "link"), time.time() + 60)
