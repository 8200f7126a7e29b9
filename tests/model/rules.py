"""The rules of the protocol, each of which the model can do without, and the promises that break then."""

from __future__ import annotations

from enum import StrEnum


class Rule(StrEnum):
    """A rule of the protocol, as a sentence."""

    MOVES_REFUSE = "a move refuses a taken name"
    PUBLISH_REFUSES = "a producer refuses a taken name"
    ONE_DISPATCHER = "one dispatcher serves a spool"
    RUNNER_LOCKS = "a runner takes the lock before its first line and keeps it until it ends"
    SETTLE_LOCKS = "settling holds the lock from the test to the last rename"
    LOCK_COMPARED = "who took a lock compares its inode with that of the path"
    LOCK_REMOVED_HELD = "a lock file is removed under the lock only"
    LOCK_REMOVED_UNNEEDED = "a lock file is removed only for ids that neither wait nor run"
    PROCESS_GONE = "a free lock proves no death: the process of the marker must be gone too"
    LEFTOVERS_KILLED = "who keeps the lock of a process that is gone is killed"
    MARK_FIRST = "the start marker is written before the user's code runs"
    FITS_INODE = "a marker fits by the inode of running/ID.json"
    FITS_NUMBER = "a marker fits by the number of the next attempt"
    CLAIM_MARK = "a retry by hand is marked before its claim"
    CLAIM_MARK_STALE = "the claim of a job whose lock file has a start marker is marked"
    CLAIM_MARK_ALONE = "a claim is marked only while no file of that id is in running/"
    START_COUNTS = "a start marker that fits is counted"
    CLAIM_RELEASES = "a claim marker that fits releases the job"
    FINAL_OBEYED = "a final verdict in running/ is obeyed"
    FINAL_NEEDS_MARK = "a final verdict in running/ needs the start marker of its attempt"
    RECORD_THEN_MOVE = "the outcome is recorded in running/, then the file moves"
    LEAVE_UNEXPECTED = "a runner leaves when the document expects another attempt"
    LEAVE_BEGUN = "a runner leaves when a start marker fits already"
    LEAVE_FINAL = "a runner leaves when the last verdict is final and no claim marker fits"
    READ_LOCKED = "a runner reads the document under its lock"
    CLAIM_COMPARED = "what was claimed is compared with what was looked at"
    PUT_BACK_LOCKED = "what was claimed but is not to be started is settled, under the lock"
    GIVE_UP_RESOLVED = "a job that was claimed to be cancelled, but is locked, is looked at again"
    GIVE_UP_CHECKED = "a job that was begun meanwhile is not given up"
    REASON_FIRST = "the reason is written before a refused job moves"
    CANCEL_BEFORE_MOVE = "the request to cancel a running job goes before the move"
    CANCEL_AFTER_MOVE = "the request to cancel a waiting job goes after the move"
    CANCEL_KNOWN = "a request that was carried out already is known by the reason"
    CANCEL_WAITS = "a request waits while a file of the id is in running/ that is neither settled nor adopted"
    CANCEL_RECORDED = "a cancel between two attempts is recorded as a final verdict"
    PUBLISH_SYNCED = "a producer syncs the file before it renames it"
    PUBLISH_FOLDER_SYNCED = "a producer syncs pending/ before it promises the job"
    RECORD_SYNCED = "a record is synced before it is renamed"
    RECORD_FOLDER_SYNCED = "running/ is synced before the job moves"
    RECORD_SYNCED_AGAIN = "a record whose writer has not told that it is synced is synced before the move"
    BOOT_COMPARED = "after a power cut a missing marker proves nothing"
    BOOT_CLAIMED = "nor does it excuse a marker that is missing from what was claimed just now"
    BOOT_VOUCHED = "markers are trusted only when the spool was recovered in this boot"


ALL = frozenset(Rule)


class Promise(StrEnum):
    """What must hold in every state."""

    NEVER_LOST = "a job is never lost"
    ONE_FOLDER = "a job is in one folder"
    COUNTED = "every start is counted"
    NOT_INVENTED = "no attempt is counted that nobody made"
    ONE_PROCESS = "two processes never run one id"
    NOT_AGAIN = "a finished job is not run again unasked"
    NOT_EARLY = "no dispatcher starts a job before its time"
    RETRY_RUN = "a retry by hand is run"
    CANCEL_KEPT = "a cancelled job that waits does not start"
    CANCEL_MEANT = "a cancel hits no later job"
    FRESH_BUDGET = "a retry by hand begins afresh"
    EXPLAINED = "a job that never ran lies in failed/ with its reason"
    RECOVERS = "from every state the living come to rest"
