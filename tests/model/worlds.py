"""The worlds that are explored, and for each rule the one in which its counterexample is to be found."""

from __future__ import annotations

from typing import Any, NamedTuple

from tests.model.rules import ALL, Promise, Rule
from tests.model.state import DONE, FAILED, PENDING, File, State
from tests.model.steps import Act, Bounds, Model
from tests.model.world import begin

FRESH, FINISHED, GIVEN_UP, TRIED = "", "d", "rf", "r"


class World(NamedTuple):
    """What lies in the spool at the beginning, and how much may go wrong."""

    name: str
    bounds: Bounds
    pending: str | None = None
    done: str | None = None
    failed: str | None = None

    def __str__(self) -> str:
        return self.name

    def model(self, rules: frozenset[Rule] = ALL) -> Model:
        """This world under those rules."""
        return Model(rules, self.bounds)

    def first(self, rules: frozenset[Rule] = ALL) -> State:
        """How it begins. The waiting job is job 0; if there is none, one in done/ or failed/ is."""
        given = {PENDING: self.pending, DONE: self.done, FAILED: self.failed}
        there = [(place, history) for place, history in given.items() if history is not None]
        files = {place: File(job, job + 1, history) for job, (place, history) in enumerate(there)}
        return begin(self.model(rules), files)


def of(
    name: str,
    *acts: Act,
    pending: str | None = FRESH,
    done: str | None = None,
    failed: str | None = None,
    **bounds: Any,
) -> World:
    """A world in which one job waits; as many acts of people as kinds are named may come, unless `acts` says how many."""
    return World(name, Bounds(**{"allowed": acts, "acts": len(acts), **bounds}), pending, done, failed)


KILLS = of("kills", pending=None, publishes=True, dispatcher_kills=1, runner_kills=1, start_failures=1)
TAKEOVER = of("a dispatcher dies", dispatcher_kills=1, start_failures=1)
SECOND = of("a second job of the id", Act.SECOND, dispatcher_kills=1)
SECOND_CRASHES = of("a second job, and a runner dies", Act.SECOND, dispatcher_kills=1, runner_kills=1, fails=False)
EDITS = of("people save the waiting file", Act.PUT_OFF, dispatcher_kills=1, start_failures=1)
RESAVES = of("people save the waiting file anew", Act.SAVE, dispatcher_kills=1)
RETRIES = of("people retry", Act.RETRY, dispatcher_kills=1)
RETRY_WAITS = of("a retry by hand waits", pending=FINISHED, dispatcher_kills=1, runner_kills=1)
TOUCHES = of("people touch the running file", Act.TOUCH, dispatcher_kills=1, runner_kills=1)
SWAPS = of("people put another job in the place", Act.REMOVE, Act.SECOND, dispatcher_kills=1)
SLIPS = of(
    "people put a finished job in the place", Act.REMOVE, Act.RETRY, done=FINISHED, dispatcher_kills=1, fails=False
)
TAKES = of("people take the file and put it back", Act.TAKE, Act.PUT_BACK, dispatcher_kills=1, fails=False)
CANCELS = of("people cancel", Act.CANCEL, dispatcher_kills=1)
RACES = of("people cancel, nobody dies", Act.CANCEL, fails=False)
CANCELS_TRIED = of(
    "people cancel between two attempts", Act.CANCEL, Act.RETRY, pending=TRIED, dispatcher_kills=1, fails=False
)
CANCELS_CRASHED = of(
    "people cancel, and a runner dies", Act.CANCEL, pending=TRIED, dispatcher_kills=1, runner_kills=1, fails=False
)
CANCELS_LATER = of("people cancel, and another job comes", Act.CANCEL, Act.SECOND, dispatcher_kills=1, fails=False)
CLOSES = of("the job closes its descriptors", closes=1, dispatcher_kills=1)
REMOVES = of("the job removes its lock file", removes=1, dispatcher_kills=1)
CLOSES_FORKS = of("the job leaves a copy of its lock and closes its own", closes=1, forks_below=True)
FORKS = of("the job leaves a copy of its lock", forks_below=True, runner_kills=1)
STOPS = of("all processes are stopped", stops=1)
STOPS_AND_KILLS = of("all processes are stopped, and a dispatcher dies", stops=1, dispatcher_kills=1, runner_kills=1)
CUT = of("the power fails", pending=None, publishes=True, cuts=1)
CUT_CRASH = of("the power fails, and a runner dies", cuts=1, runner_kills=1)
CUT_SWAPS = of("the power fails, and another job comes", Act.REMOVE, Act.SECOND, cuts=1, fails=False, reuses=False)
CUT_REUSES = of("the power fails, and another job comes in the same inode", Act.REMOVE, Act.SECOND, cuts=1, fails=False)
CUT_SLIPS = of("the power fails, and a finished job comes", Act.REMOVE, Act.RETRY, done=FINISHED, cuts=1, fails=False)
CUT_KILL = of("the power fails, and a dispatcher dies", cuts=1, dispatcher_kills=1)
CUT_RETRY = of("the power fails after a retry by hand", pending=FINISHED, cuts=1)
NAMES = of("the power fails, and a name comes back", cuts=1, lingers=True)
NAMES_KILL = of("the power fails, a name comes back, and a dispatcher dies", cuts=1, lingers=True, dispatcher_kills=1)
NAMES_SECOND = of("a name comes back, and another job comes", Act.SECOND, cuts=1, lingers=True, fails=False)
NAMES_RETRY = of("a name comes back after a retry", Act.RETRY, pending=None, done=FINISHED, cuts=1, lingers=True)
NAMES_RETRIED = of("a name comes back after a job was run and retried", Act.RETRY, cuts=1, lingers=True, fails=False)
NAMES_CANCEL = of("a name comes back after a cancel", Act.CANCEL, pending=TRIED, cuts=1, lingers=True, fails=False)
TELLS = of("a failure is told of", pending=TRIED, tells=True, dispatcher_kills=1, runner_kills=1, start_failures=1)
TELLS_SECOND = of("a failure of each of two jobs is told of", Act.SECOND, pending=TRIED, tells=True, dispatcher_kills=1)
TELLS_RETRY = of("a failure is told of, and people retry", Act.RETRY, pending=TRIED, tells=True, dispatcher_kills=1)
TELLS_FORKS = of(
    "a failure is told of, and something holds the lock",
    pending=TRIED,
    tells=True,
    forks_below=True,
    dispatcher_kills=1,
    runner_kills=1,
)
TELLS_CUT = of("a failure is told of, and the power fails", pending=TRIED, tells=True, cuts=1)
COPIED = of("the spool is copied", copies=1, dispatcher_kills=1)
COPIED_LIVE = of("the spool is copied while its jobs run", copies=1, dispatcher_kills=1, originals=True)
CONTAINERS = of("a dispatcher in a container follows", containers=1, dispatcher_kills=2, runner_kills=1)
COVERED = of("something is mounted over the spool", covers=1, dispatcher_kills=1, runner_kills=1)
EDIT = of("a waiting job is edited", edits=1, dispatcher_kills=1)
EDIT_DIES = of("a waiting job is edited, and the editor dies", edits=1, dispatcher_kills=1, editor_kills=1, fails=False)
EDIT_SECOND = of("a waiting job is edited, and another job comes", Act.SECOND, edits=1, fails=False)
EDIT_SAVED = of("a waiting job is edited and saved", Act.SAVE, edits=1, fails=False)
EDIT_SWAPS = of(
    "people put another job in the place of one that is edited", Act.REMOVE, Act.SECOND, edits=1, fails=False
)
EDIT_CANCEL = of("a job that was tried is edited and cancelled", Act.CANCEL, pending=TRIED, edits=1, fails=False)
EDIT_RETRY = of("a retry by hand waits, and is edited", pending=FINISHED, edits=1, dispatcher_kills=1, fails=False)
EDIT_CUT = of("a waiting job is edited, and the power fails", edits=1, cuts=1, fails=False)
EDIT_NAMES = of("a job is edited, and a name comes back", edits=1, cuts=1, lingers=True, fails=False)
EDIT_GAP = of(
    "another job comes while one is edited, and the editor dies", Act.SECOND, edits=1, editor_kills=1, fails=False
)
"""The one world in which a promise is broken with all rules in force: see `editing`."""

SHORT = (
    KILLS,
    TAKEOVER,
    SECOND,
    SECOND_CRASHES,
    EDITS,
    RESAVES,
    RETRIES,
    RETRY_WAITS,
    TOUCHES,
    SWAPS,
    SLIPS,
    TAKES,
    CANCELS,
    RACES,
    CANCELS_TRIED,
    CANCELS_CRASHED,
    CANCELS_LATER,
    CLOSES,
    REMOVES,
    FORKS,
    CLOSES_FORKS,
    STOPS,
    STOPS_AND_KILLS,
    CUT,
    CUT_CRASH,
    CUT_SWAPS,
    CUT_REUSES,
    CUT_SLIPS,
    CUT_KILL,
    CUT_RETRY,
    NAMES,
    NAMES_KILL,
    NAMES_SECOND,
    NAMES_RETRY,
    NAMES_RETRIED,
    NAMES_CANCEL,
    TELLS,
    TELLS_SECOND,
    TELLS_RETRY,
    TELLS_FORKS,
    TELLS_CUT,
    COPIED,
    COPIED_LIVE,
    CONTAINERS,
    COVERED,
    EDIT,
    EDIT_DIES,
    EDIT_SECOND,
    EDIT_SAVED,
    EDIT_SWAPS,
    EDIT_CANCEL,
    EDIT_RETRY,
    EDIT_CUT,
    EDIT_NAMES,
)

PEOPLE = tuple(Act)
NO_SECOND = tuple(act for act in Act if act is not Act.SECOND)
"""What people do while a job is edited, beside publishing another one of its id, which is alone in its worlds: who touches the
edited file in the microseconds in which it stands in for that one has the job twice."""
LONG = (
    of("many kills", start_failures=1, dispatcher_kills=3, runner_kills=2, runners=3),
    of("many kills, and any inode", dispatcher_kills=2, runner_kills=2, inodes=2),
    of("any act, and kills", *PEOPLE, acts=1, dispatcher_kills=1, runner_kills=1, start_failures=1),
    of("any two acts", *PEOPLE, acts=2, dispatcher_kills=1, fails=False),
    of("any two acts, and runners die", *PEOPLE, acts=2, dispatcher_kills=1, runner_kills=1, fails=False),
    of("any two acts, any inode", *PEOPLE, acts=2, dispatcher_kills=1, inodes=2, fails=False),
    of("any two acts, a finished job", *PEOPLE, acts=2, dispatcher_kills=1, done=FINISHED, fails=False),
    of("any two acts, a job that was tried", *PEOPLE, acts=2, dispatcher_kills=1, pending=TRIED, fails=False),
    of("any act, a retry by hand", *PEOPLE, acts=1, dispatcher_kills=1, pending=FINISHED, runner_kills=1),
    of("any three acts, a job that was given up", *PEOPLE, acts=3, pending=None, failed=GIVEN_UP, fails=False),
    of("any three acts, nobody dies", *PEOPLE, acts=3, start_failures=1, fails=False),
    of("closed descriptors and kills", closes=1, dispatcher_kills=2, runner_kills=1),
    of("removed lock files and kills", removes=1, dispatcher_kills=2),
    of("copies of the lock and kills", forks_below=True, dispatcher_kills=2, runner_kills=1),
    of(
        "copies of the lock, closed descriptors and kills",
        closes=1,
        forks_below=True,
        dispatcher_kills=2,
        runner_kills=1,
    ),
    of("two stops of all processes and kills", stops=2, dispatcher_kills=1, runner_kills=1),
    of("a stop of all processes and a cancel", Act.CANCEL, stops=1, dispatcher_kills=1),
    of("two power cuts", cuts=2, dispatcher_kills=1),
    of("two power cuts after a retry by hand", pending=FINISHED, cuts=2),
    of("a power cut and kills", cuts=1, dispatcher_kills=1, runner_kills=1),
    of("a power cut and a retry by hand", Act.RETRY, cuts=1, dispatcher_kills=1),
    of("a power cut and a cancel", Act.CANCEL, cuts=1, dispatcher_kills=1, fails=False),
    of("a power cut and closed descriptors", cuts=1, closes=1, dispatcher_kills=1),
    of("two power cuts, and names come back", cuts=2, lingers=True),
    of("a name comes back, a retry by hand and a kill", Act.RETRY, cuts=1, lingers=True, dispatcher_kills=1),
    of("a name comes back, a cancel and a kill", Act.CANCEL, cuts=1, lingers=True, dispatcher_kills=1, fails=False),
    of("a name comes back, another job and a kill", Act.SECOND, cuts=1, lingers=True, dispatcher_kills=1, fails=False),
    of(
        "failures are told of, any two acts but a cancel, and kills",
        *(act for act in Act if act is not Act.CANCEL),
        acts=2,
        tells=True,
        pending=TRIED,
        dispatcher_kills=1,
    ),
    of("failures are told of, a power cut and kills", tells=True, cuts=1, dispatcher_kills=1, runner_kills=1),
    of("failures are told of, two power cuts", tells=True, pending=TRIED, cuts=2, dispatcher_kills=1),
    of("an edit, any act, and a dispatcher dies", *PEOPLE, acts=1, edits=1, dispatcher_kills=1, fails=False),
    of("an edit, any two acts but another job", *NO_SECOND, acts=2, edits=1, fails=False),
    of(
        "an edit, any act but another job, and deaths",
        *NO_SECOND,
        acts=1,
        edits=1,
        dispatcher_kills=1,
        runner_kills=1,
        editor_kills=1,
        fails=False,
    ),
    of("an edit, a power cut and deaths", edits=1, cuts=1, dispatcher_kills=1, editor_kills=1, fails=False),
    of("two edits, and a name comes back", edits=2, cuts=1, lingers=True, fails=False),
    of("two copies, a power cut and kills", copies=1, cuts=1, dispatcher_kills=1, runner_kills=1, fails=False),
)
"""What takes minutes: up to three deaths of dispatchers and two of runners, three acts of people, two power cuts."""

BREAKS: dict[Rule, tuple[World, Promise]] = {
    Rule.MOVES_REFUSE: (SECOND, Promise.NEVER_LOST),
    Rule.PUBLISH_REFUSES: (SECOND, Promise.NEVER_LOST),
    Rule.ONE_DISPATCHER: (RACES, Promise.EXPLAINED),
    Rule.RUNNER_LOCKS: (TAKEOVER, Promise.OUTCOME_KEPT),
    Rule.SETTLE_LOCKS: (TAKEOVER, Promise.OUTCOME_KEPT),
    Rule.LOCK_COMPARED: (TAKES, Promise.ONE_PROCESS),
    Rule.LOCK_REMOVED_HELD: (TAKES, Promise.ONE_PROCESS),
    Rule.LOCK_REMOVED_UNNEEDED: (KILLS, Promise.COUNTED),
    Rule.PROCESS_GONE: (CLOSES, Promise.OUTCOME_KEPT),
    Rule.LEFTOVERS_KILLED: (FORKS, Promise.RECOVERS),
    Rule.MARK_FIRST: (KILLS, Promise.COUNTED),
    Rule.FITS_STAMP: (CUT_REUSES, Promise.OUTCOME_KEPT),
    Rule.FITS_TOUCHED: (TOUCHES, Promise.COUNTED),
    Rule.CLAIM_MARK: (CUT_RETRY, Promise.RETRY_RUN),
    Rule.CLAIM_MARK_SYNCED: (CUT_RETRY, Promise.RETRY_RUN),
    Rule.CLAIM_MARK_STALE: (CUT_SLIPS, Promise.RETRY_RUN),
    Rule.CLAIM_MARK_ALONE: (SECOND_CRASHES, Promise.COUNTED),
    Rule.START_COUNTS: (KILLS, Promise.COUNTED),
    Rule.CLAIM_RELEASES: (CUT_RETRY, Promise.RETRY_RUN),
    Rule.FINAL_OBEYED: (KILLS, Promise.NOT_AGAIN),
    Rule.FINAL_NEEDS_MARK: (SLIPS, Promise.RETRY_RUN),
    Rule.RECORD_THEN_MOVE: (KILLS, Promise.ONE_FOLDER),
    Rule.LEAVE_BEGUN: (KILLS, Promise.COUNTED),
    Rule.LEAVE_CHANGED: (KILLS, Promise.COUNTED),
    Rule.COMPARE_LOCKED: (KILLS, Promise.COUNTED),
    Rule.OUTCOME_OBEYED: (KILLS, Promise.OUTCOME_KEPT),
    Rule.OUTCOME_FOLLOWS: (SECOND_CRASHES, Promise.OUTCOME_KEPT),
    Rule.OUTCOME_WHOLE: (KILLS, Promise.OUTCOME_KEPT),
    Rule.OUTCOME_REACHES: (CLOSES, Promise.OUTCOME_KEPT),
    Rule.OUTCOME_READ_LAST: (CLOSES, Promise.OUTCOME_KEPT),
    Rule.OUTCOME_REMARKED: (REMOVES, Promise.OUTCOME_KEPT),
    Rule.OUTCOME_SYNCED_BY_ORPHAN: (CUT_KILL, Promise.OUTCOME_KEPT),
    Rule.REMARK_LOCKED: (REMOVES, Promise.OUTCOME_KEPT),
    Rule.REMOVED_HELD: (REMOVES, Promise.COUNTED),
    Rule.MARKER_RESTORED: (REMOVES, Promise.COUNTED),
    Rule.CLAIM_COMPARED: (CUT_SLIPS, Promise.RETRY_RUN),
    Rule.PUT_BACK_LOCKED: (TAKEOVER, Promise.COUNTED),
    Rule.GIVE_UP_RESOLVED: (CANCELS_TRIED, Promise.RECOVERS),
    Rule.GIVE_UP_CHECKED: (CANCELS_CRASHED, Promise.COUNTED),
    Rule.CANCEL_WAITS: (CANCELS_LATER, Promise.CANCEL_KEPT),
    Rule.REASON_FIRST: (CANCELS, Promise.EXPLAINED),
    Rule.CANCEL_BEFORE_MOVE: (CANCELS_LATER, Promise.CANCEL_MEANT),
    Rule.CANCEL_AFTER_MOVE: (CANCELS, Promise.CANCEL_KEPT),
    Rule.CANCEL_KNOWN: (CANCELS_LATER, Promise.CANCEL_MEANT),
    Rule.CANCEL_RECORDED: (CANCELS_TRIED, Promise.FRESH_BUDGET),
    Rule.UNSTARTED_SPARED: (KILLS, Promise.NOT_INVENTED),
    Rule.STOP_AWAITED: (STOPS, Promise.SPARED),
    Rule.STOP_SPARES: (STOPS, Promise.SPARED),
    Rule.PUBLISH_SYNCED: (CUT, Promise.NEVER_LOST),
    Rule.PUBLISH_FOLDER_SYNCED: (CUT, Promise.NEVER_LOST),
    Rule.RECORD_SYNCED: (CUT, Promise.NEVER_LOST),
    Rule.RECORD_FOLDER_SYNCED: (CUT, Promise.COUNTED),
    Rule.RECORD_SYNCED_AGAIN: (CUT_KILL, Promise.COUNTED),
    Rule.BOOT_COMPARED: (CUT, Promise.NOT_AGAIN),
    Rule.BOOT_CLAIMED: (CUT_SLIPS, Promise.RETRY_RUN),
    Rule.BOOT_VOUCHED: (CUT_KILL, Promise.NOT_AGAIN),
    Rule.MOUNT_COMPARED: (CUT, Promise.NOT_AGAIN),
    Rule.FITS_COPY: (COPIED, Promise.COUNTED),
    Rule.MARK_COMPARED: (COPIED_LIVE, Promise.STRANGERS_SPARED),
    Rule.PLACE_COMPARED: (CONTAINERS, Promise.STRANGERS_SPARED),
    Rule.GROUND_COMPARED: (COVERED, Promise.RECOVERS),
    Rule.NAMES_COMPARED: (NAMES, Promise.COUNTED),
    Rule.LATER_KEPT: (NAMES, Promise.COUNTED),
    Rule.RETRY_NAMED: (NAMES_RETRIED, Promise.RETRY_RUN),
    Rule.SECOND_TOLD: (NAMES_SECOND, Promise.NEVER_LOST),
    Rule.TELL_AFTER_RECORD: (TELLS, Promise.TOLD_TRULY),
    Rule.TELL_BEFORE_MOVE: (TELLS, Promise.TOLD),
    Rule.TELL_LOOKED_FOR: (TELLS, Promise.TOLD_ONCE),
    Rule.TELL_OF_ITS_OWN: (TELLS_SECOND, Promise.TOLD),
    Rule.TELL_SYNCED: (TELLS_CUT, Promise.TOLD),
    Rule.EDIT_EXCHANGES: (EDIT, Promise.ONE_FOLDER),
    Rule.EDIT_COMPARED: (EDIT_SECOND, Promise.ONE_FOLDER),
    Rule.EDIT_LOCKED: (EDIT_SECOND, Promise.COUNTED),
    Rule.EDIT_SYNCED: (EDIT_CUT, Promise.NEVER_LOST),
    Rule.EDIT_FOLDER_SYNCED: (EDIT_CUT, Promise.EDIT_KEPT),
    Rule.EDIT_TOLD: (EDIT_NAMES, Promise.ONE_FOLDER),
}

SECOND_LINE: dict[Rule, tuple[Rule, World, Promise]] = {
    Rule.FITS_INODE: (Rule.FITS_STAMP, CUT_SWAPS, Promise.OUTCOME_KEPT),
    Rule.FITS_NUMBER: (Rule.FITS_STAMP, CUT, Promise.NOT_INVENTED),
}
"""Rules that stand behind another one: their counterexample is there when that one is missing too."""
