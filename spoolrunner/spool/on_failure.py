"""on_failure: the job that is published when another one has failed for good, once for each time.

It is published between the record of the failure and the move to failed/, so that no crash can lose it. What is published is a
function of the record alone; whoever finishes an interrupted settling knows by that whether it was published already.
"""

from __future__ import annotations

from typing import Any

from spoolrunner.errors import DuplicateJobError, JobFormatError
from spoolrunner.protocol import jsontext, signing
from spoolrunner.protocol.policy import OnFailure
from spoolrunner.protocol.states import Outcome, State
from spoolrunner.spool.folders import NotOpenedError, Spool
from spoolrunner.spool.ids import MAX_ID, numbered
from spoolrunner.spool.record import is_own

META = "on_failure_of"
"""The key in `meta` that holds the id of the job that failed."""
_NOT_TOLD = (Outcome.SUCCEEDED, Outcome.CANCELLED, Outcome.REJECTED, Outcome.EXPIRED)


def publish(spool: Spool, key: bytes | None, job_id: str, raw: dict[str, Any], target: OnFailure) -> str:
    """Publish the job `target` if the last attempt of `raw` is a failure to be told of, and has not been yet.

    Returns its id, "" when nothing was published; OSError when the disk refuses. `raw` is a document whose last verdict is
    failed; what is published is signed with `key`, if there is one.
    """
    made = _document(job_id, raw, target)
    if made is None:
        return ""
    name = id_of(job_id, len(raw["attempts"]))
    if _is_published(spool, name, made):
        return ""
    while True:
        data = jsontext.encode(made) if key is None else signing.sign(key, name, made)
        try:
            spool.publish(name, data)
        except DuplicateJobError:
            name = numbered(name)  # of an earlier job with the same id, or somebody else's
        else:
            return name


def id_of(job_id: str, attempts: int) -> str:
    """Return the id for a job that failed after so many attempts: ID.failed.N; a long ID is shortened, with a checksum."""
    stem, ending = job_id.replace("~", "-"), f".failed.{attempts}"
    if len(stem) + len(ending) > MAX_ID:
        import hashlib  # paid by long ids only

        checksum = "-" + hashlib.sha256(job_id.encode()).hexdigest()[:16]
        stem = stem[: MAX_ID - len(checksum) - len(ending)] + checksum
    return stem + ending


def _document(job_id: str, raw: dict[str, Any], target: OnFailure) -> dict[str, Any] | None:
    """Return the document of the job to be published, None when this failure is not told of."""
    last = raw["attempts"][-1]
    if last.get("outcome") in _NOT_TOLD or META in raw.get("meta", {}):
        return None
    params = {"id": job_id, "outcome": last["outcome"], "error": last.get("error")}
    if target.words is not None:
        params["error"] = _in_words(params["error"])
        params = {name: params[name] for name in target.words}
    made = {"job": target.job, "method": target.method, "params": params, "meta": {META: job_id}}
    return made if "ended_at" not in last else {**made, "created_at": last["ended_at"]}


def _in_words(error: dict[str, Any] | None) -> str:
    """Return the error as a word of a command: type and message. No word of a program can hold a NUL."""
    return f"{error['type']}: {error['message']}".replace("\0", "\N{REPLACEMENT CHARACTER}") if error else ""


def _is_published(spool: Spool, name: str, made: dict[str, Any]) -> bool:
    """Whether the job lies in any folder. Looked for in the order in which jobs move, so that it cannot slip by."""
    for state in State:
        there = name
        while (found := _read(spool, state, there)) is not None:
            if found.get("meta") == made["meta"] and found.get("created_at") == made.get("created_at"):
                return True
            there = numbered(there)
    return False


def _read(spool: Spool, state: State, name: str) -> dict[str, Any] | None:
    """Return the document of that name, {} for a file that is none of ours, None when there is no file.

    OSError when that cannot be found out, or it is ours and cannot be opened now.
    """
    if not spool.exists(state, name):
        return None
    try:
        return jsontext.decode(spool.read(state, name).data)
    except FileNotFoundError:
        return None
    except NotOpenedError as error:
        if isinstance(error.__cause__, OSError) and is_own(spool.layout.job(state, name)):
            raise error.__cause__ from None
        return {}
    except JobFormatError:
        return {}
