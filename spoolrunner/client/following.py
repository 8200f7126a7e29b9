"""Following one job, when its id may be used again: one publication is told from all others of the same id.

    follower = Follower(layout, "20261123-174501-123456-7f3a9c", Publication.of(found))
    follower.look()

What `enqueue` writes has `created_at` and `key`, which no other job has. A file that says neither is known by its
inode, and a record that takes its place by the note of what it replaces.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from spoolrunner.client.look import Look, find, find_publication
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.paths import Layout

_REPLACES = "replaces"


class Publication(NamedTuple):
    """One publication: `created_at` and `key` as its document says them, and the inode that its file had at the last look."""

    created_at: str | None = None
    key: str | None = None
    inode: int | None = None

    @classmethod
    def of(cls, found: Look) -> Publication:
        """Return the publication that a look has met."""
        raw = found.document or {}
        return cls(_text(raw.get("created_at")), _text(raw.get("key")), found.inode)

    def is_in(self, found: Look, job_id: str) -> bool:
        """Return whether it is the job that a look has met; `job_id` is the id under which it was published.

        A file that can no longer be read is taken for the job, if it lies under its own id.
        """
        raw = found.document
        if raw is None:
            return self.inode == found.inode or (self._says_something and found.id == job_id)
        said = _text(raw.get("created_at")), _text(raw.get("key"))
        if said != (self.created_at, self.key):
            return False
        return self._says_something or self.inode in (found.inode, *_replaced(raw))

    @property
    def _says_something(self) -> bool:
        return self.created_at is not None or self.key is not None


class Follower:
    """One publication and where it was last; without a publication it becomes that of the job which the first look meets."""

    __slots__ = ("_layout", "id", "name", "publication")

    def __init__(self, layout: Layout, job_id: str, publication: Publication | None = None) -> None:
        self._layout = layout
        self.id = job_id
        self.publication = publication
        self.name = job_id
        """The name of its file at the last look that met it."""

    def look(self, *, thoroughly: bool = False) -> Look | None:
        """Return what lies in the spool of this publication now, None when nothing does; OSError when that cannot be found out.

        `thoroughly` lists the folders where it is not found by its names.
        """
        if self.publication is None:
            found = find(self._layout, self.id)
        else:
            names = (self.name,)
            found = find_publication(self._layout, self.id, self.publication, names)
            if found is None and thoroughly:
                found = find_publication(self._layout, self.id, self.publication, names, thoroughly=True)
        if found is not None:
            self.publication = (self.publication or Publication.of(found))._replace(inode=found.inode)
            self.name = found.id
        return found

    @property
    def root(self) -> str:
        """The absolute path of the spool."""
        return self._layout.root

    def path(self, found: Look) -> str:
        """Return the path of the file that a look has met."""
        return self._layout.job(found.state, found.id)

    def check_spool(self) -> None:
        """Raise SpoolLayoutError when a folder of the spool is missing: then nothing can be said of a job."""
        Spool(self._layout).check()


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _replaced(raw: dict[str, Any]) -> list[Any]:
    """The inodes of the files that the records of a document took the place of."""
    stamps = raw.get(_REPLACES)
    return [stamp[0] for stamp in stamps if isinstance(stamp, list) and stamp] if isinstance(stamps, list) else []
