"""A file in running/, as it is when its attempt is over: read again or, if it is unchanged, as it was when it was claimed."""

from __future__ import annotations

from typing import Any, NamedTuple

from spoolrunner.protocol import document, signing
from spoolrunner.protocol.document import Document
from spoolrunner.protocol.states import State
from spoolrunner.spool import record
from spoolrunner.spool.folders import NotOpenedError, Spool, Stamp
from spoolrunner.spool.settling_rules import Known


class UnopenedError(PermissionError):
    """A file in running/ that may not be opened. It could be when it was claimed, so it is given a second look."""


class RunningFile(NamedTuple):
    """A readable file in running/. `document` is None where the dispatcher knows the file, and the policy with it.

    `key` is the one to sign its record with, if the file itself was rightly signed.
    """

    stamp: Stamp
    raw: dict[str, Any]
    document: Document | None
    key: bytes | None

    @property
    def attempts(self) -> list[dict[str, Any]]:
        """The attempts in its document."""
        attempts: list[dict[str, Any]] = self.raw.get("attempts", [])
        return attempts

    def record_of(self, job_id: str, changed: dict[str, Any]) -> bytes:
        """Return the bytes of its document with a record. Signed only if the file was: others may have written into it."""
        return record.encoded(job_id, changed, self.key)


class RunningFiles:
    """The files in running/ of one spool; `key` is that of signed job files, if there is one."""

    def __init__(self, spool: Spool, key: bytes | None) -> None:
        self._spool = spool
        self._key = key

    def read(self, job_id: str) -> RunningFile:
        """Read it; FileNotFoundError when it is gone, JobFormatError when it is none, UnopenedError when it is shut."""
        try:
            found = self._spool.read(State.RUNNING, job_id)
        except NotOpenedError as error:
            cause = error.__cause__
            if not isinstance(cause, OSError):
                raise
            raise UnopenedError(cause.errno, cause.strerror, cause.filename) from None
        checked, raw = document.parse(found.data)
        key = self._key
        if key is not None and signing.problem(key, job_id, raw, found.data):
            key = None
        return RunningFile(found.stamp, raw, checked, key)

    def as_claimed(self, job_id: str, known: Known, *, is_left: bool) -> RunningFile | None:
        """Return it as the dispatcher read it before it claimed it; None when it is another by now.

        FileNotFoundError when it is gone, unless its process has left an outcome (`is_left`): a job that removed its own file
        has run nonetheless, and the record makes the file anew.
        """
        if known.looked_at is None or known.policy is None:
            return None
        stamp = self._spool.stamp(State.RUNNING, job_id)
        if stamp is None and not is_left:
            raise FileNotFoundError(self._spool.layout.running(job_id))
        if stamp not in (known.looked_at.stamp, None):
            return None
        return RunningFile(known.looked_at.stamp, known.looked_at.raw, None, self._key)
