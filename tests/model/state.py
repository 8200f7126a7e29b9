"""The state of the modelled world: what is on the disk, where each process stands, and what has happened to each job.

One id is modelled, and at most two jobs that bear it. What no later step can tell apart is kept equal, so that states
stay few: numbers of inodes, lock files and processes are the lowest that are free, as real ones may be.
"""

from __future__ import annotations

from typing import NamedTuple

PENDING, RUNNING, DONE, DONE_2, FAILED, FAILED_2, PENDING_2, HAND = range(8)
"""Where a job file can be: ID in a state folder, ID~2 there, or out of the spool in a person's hand."""
NAMES = (
    "pending/ID",
    "running/ID",
    "done/ID",
    "done/ID~2",
    "failed/ID",
    "failed/ID~2",
    "pending/ID~2",
    "in a person's hand",
)
TARGETS = {"d": (DONE, DONE_2), "f": (FAILED, FAILED_2), "r": (PENDING, PENDING_2), "i": (PENDING, PENDING_2)}
"""Where each verdict leads to: done, failed, retry, and retry of one that was interrupted."""
FINAL = "df"
MAX_RETRIES = 1
START, CLAIM = "start", "claim"
NOBODY = -1
STRANGER = -2
"""Of a marker in a copied spool: its process lives, but works for the original."""
EITHER = 2
"""Of a request to cancel: nobody can say which job it means."""
EITHER_CAME = "?"
"""Of an outcome that was left before a power cut: it may be there or not."""
STOPPED = "stop"
"""Of an attempt that the stop of all processes ended before it left an outcome."""
COMING, CAME = "coming", "came"
"""Of the signal of a stop to all processes: a job's process has had it, and the dispatcher has."""


class File(NamedTuple):
    """A job file; `history` has the verdict of each attempt. `dirty`: not synced since written; `torn`: lost for that.

    `touched`: its time is another than when it was written. `edits`: how often it was exchanged for an edited one.
    """

    job: int
    inode: int
    history: str = ""
    later: bool = False
    dirty: bool = False
    torn: bool = False
    touched: bool = False
    edits: int = 0


class Marker(NamedTuple):
    """The last marker in the lock file, about the attempt to be made of that file; None: of no file that is there.

    `process` is the runner's place, NOBODY once it is gone; `namespace` that of the pid by which the marker names it.
    """

    kind: str
    attempt: int
    file: File | None
    process: int = NOBODY
    namespace: int = 0


class Outcome(NamedTuple):
    """An outcome line: what came of that attempt, `ok` or `fail`; `torn`: written in part only."""

    attempt: int
    came: str
    torn: bool = False


class LockFile(NamedTuple):
    """`locks/ID.lock`, its last marker and the last outcome line; `ident` tells it from one that was removed.

    `synced`: its lines are on the disk for good.
    """

    ident: int
    marker: Marker | None = None
    outcome: Outcome | None = None
    synced: bool = False


class Notice(NamedTuple):
    """The job that on_failure names, published for attempt `number` of that job; `done`: it is no longer in pending/.

    `dirty` and `torn` as for a file.
    """

    job: int
    number: int
    done: bool = False
    dirty: bool = False
    torn: bool = False


class Mine(NamedTuple):
    """The attempt that a dispatcher watches; `cancelled` if it ended the process itself.

    `file`: what it sent the process for, which it remembers; None when it adopted the process. `signalled`: the process ended
    by a signal that may be that of a stop.
    """

    number: int
    process: int
    file: File | None = None
    cancelled: bool = False
    signalled: bool = False

    @property
    def adopted(self) -> bool:
        """Whether an earlier dispatcher started the process."""
        return self.file is None


class Dispatcher(NamedTuple):
    """`at` is its next step, None between two; what follows it keeps, what begins with `cancels` only for a piece of work.

    `unresolved`: there is something in running/ that it has to settle or adopt. `has_markers`, `serves`: whether lock
    files can be trusted, and whether it has told its successors so. `keeps_inodes`: whether the files have the inodes that
    markers name. `doubts`: it has not yet looked for names that a power cut brought back, `fresh`: nor at running/, `heeds`:
    nor at the request in control/.
    """

    at: str | None = None
    has_markers: bool = True
    serves: bool = True
    keeps_inodes: bool = True
    doubts: bool = False
    fresh: bool = False
    heeds: bool = False
    unresolved: bool = False
    mine: Mine | None = None
    cancels: bool = False
    claimed: bool = False
    file: File | None = None
    staged: File | None = None
    marker: Marker | None = None
    outcome: Outcome | None = None
    lock: int = 0
    locked: bool = False
    verdict: str = ""
    source: int = RUNNING
    slot: int = 0
    notice: Notice | None = None
    namespace: int = 0


class Runner(NamedTuple):
    """The process of a job, started to make attempt `number` of that file; `came`: what came of it.

    `removed`: it has the lock file open which was removed from the path.
    """

    at: str
    number: int
    file: File
    lock: int = 0
    locked: bool = False
    removed: bool = False
    inside: bool = False
    came: str = ""
    namespace: int = 0


class Editor(NamedTuple):
    """One who edits a waiting job: `known` is what was read, `ours` what he has written, `staged` what lies in tmp/."""

    at: str
    known: File
    ours: File
    staged: File | None = None
    lock: int = 0
    locked: bool = False


class Story(NamedTuple):
    """What has happened to a job: what only the judge knows.

    Of its starts: how many reached the user's code, how many left a marker; how many a power cut took from the count. Of
    people's wishes: how many final verdicts it had when it was last retried by hand, whether it is to be cancelled. `slipped`:
    it was claimed in the place of another file, so without a claim marker of its own; `pardoned`: the power failed before
    that was seen. `recorded`: the attempts it had when it last left running/. `left`: what came of the
    attempt that is not settled yet, STOPPED if a stop ended it, EITHER_CAME after a power cut, unless it is `lasting`.
    `twofold`: a power cut has brought a name of it back, and nobody has looked for that yet. `edited`: how many edits of it
    were answered.
    """

    promised: bool = False
    effects: int = 0
    begun: int = 0
    excused: int = 0
    asked: int = 0
    slipped: bool = False
    pardoned: bool = False
    wished: bool = False
    recorded: int = 0
    left: str = ""
    lasting: bool = False
    twofold: bool = False
    edited: int = 0


class Disk(NamedTuple):
    """What a power cut can take back to what it was.

    `retried`, which only the judge knows, is for each job how many final verdicts it had when it was last retried by hand, as
    far as the disk has kept that. `notices` are the jobs of on_failure, None where no policy names one. `gone`: the names that
    were moved away since the folder in which they were was last synced, on a file system that may bring them back; None on one
    that keeps all changes of names in their order.
    """

    places: tuple[File | None, ...] = (None,) * len(NAMES)
    lock: LockFile | None = None
    cancel: int = NOBODY
    reasons: tuple[int, int] = (0, 0)
    retried: tuple[int, int] = (0, 0)
    gone: tuple[tuple[int, File], ...] | None = None
    notices: tuple[Notice, ...] | None = None


class State(NamedTuple):
    """The world. `cancel` names the job that is meant; a reason is 0 (none), 1 (older than the request) or 2.

    `stop`: how far the signal of a stop to all processes has come, COMING or CAME; `stops`: how many may come yet.
    `copied`: the files have other inodes than those that markers name, since the spool is a copy. `covered`: the spool, while
    another one, an empty one, lies at its path.
    """

    disk: Disk
    stories: tuple[Story, Story] = (Story(), Story())
    dispatchers: tuple[Dispatcher | None, ...] = (None,)
    runners: tuple[Runner | None, ...] = (None, None)
    producer: str = ""
    staged: File | None = None
    leftover: int = 0
    served: bool = True
    dispatcher_kills: int = 0
    runner_kills: int = 0
    acts: int = 0
    cuts: int = 0
    closes: int = 0
    removes: int = 0
    start_failures: int = 0
    stops: int = 0
    stop: str = ""
    copies: int = 0
    copied: bool = False
    containers: int = 0
    covers: int = 0
    covered: Disk | None = None
    edits: int = 0
    editor_kills: int = 0
    editor: Editor | None = None
    past: tuple[Disk, ...] = ()
    fault: str = ""


def stamp(file: File) -> File:
    """What tells one version of a file from any other: its inode, size and time, for which the model has the file itself."""
    return file._replace(dirty=False, torn=False)


def put(state: State, place: int, file: File | None) -> State:
    """The state with that file in that place."""
    places = state.disk.places
    return state._replace(disk=state.disk._replace(places=(*places[:place], file, *places[place + 1 :])))


def move(state: State, source: int, target: int) -> State:
    """A rename; what lies at the target is gone after it."""
    file = state.disk.places[source]
    moved = put(put(state, source, None), target, file)
    if file is None or moved.disk.gone is None or source == HAND:
        return moved
    gone = tuple(sorted({*moved.disk.gone, (source, file)}))
    return moved._replace(disk=moved.disk._replace(gone=gone))


def retried(state: State, job: int, asked: int) -> State:
    """That job, which has as many final verdicts, is to be run again."""
    first, second = state.disk.retried
    both = (asked, second) if job == 0 else (first, asked)
    return state._replace(disk=state.disk._replace(retried=both))


def set_dispatcher(state: State, index: int, dispatcher: Dispatcher | None) -> State:
    """The state with that dispatcher."""
    old = state.dispatchers
    return state._replace(dispatchers=(*old[:index], dispatcher, *old[index + 1 :]))


def set_runner(state: State, index: int, runner: Runner | None) -> State:
    """The state with that runner."""
    old = state.runners
    return state._replace(runners=(*old[:index], runner, *old[index + 1 :]))


def set_story(state: State, job: int, story: Story) -> State:
    """The state with that story."""
    old = state.stories
    return state._replace(stories=(*old[:job], story, *old[job + 1 :]))


def bury(state: State, index: int) -> State:
    """The runner is gone: its lock is free, and its marker and its dispatcher name nobody."""
    state = set_runner(state, index, None)
    lock = state.disk.lock
    if lock is not None and lock.marker is not None and lock.marker.process == index:
        state = set_lock(state, lock._replace(marker=lock.marker._replace(process=NOBODY)))
    for which, dispatcher in enumerate(state.dispatchers):
        if dispatcher is not None:
            state = set_dispatcher(state, which, _without(dispatcher, index))
    return state


def _without(dispatcher: Dispatcher, index: int) -> Dispatcher:
    """The dispatcher, when that runner is gone."""
    mine, marker = dispatcher.mine, dispatcher.marker
    if mine is not None and mine.process == index:
        mine = mine._replace(process=NOBODY)
    if marker is not None and marker.process == index:
        marker = marker._replace(process=NOBODY)
    return dispatcher._replace(mine=mine, marker=marker)


def set_lock(state: State, lock: LockFile | None) -> State:
    """The state with that lock file."""
    return state._replace(disk=state.disk._replace(lock=lock))


def sync_lock(state: State, ident: int) -> State:
    """The lines of the lock file are on the disk for good, if it is still the one with that ident."""
    lock = state.disk.lock
    return state if lock is None or lock.ident != ident else set_lock(state, lock._replace(synced=True))


def processes(state: State) -> list[Dispatcher | Runner | Editor]:
    """Everybody who may have the lock file open."""
    return [process for process in (*state.dispatchers, *state.runners, state.editor) if process is not None]


def open_lock(state: State) -> tuple[State, int]:
    """The lock file is there after this; and which one it is."""
    lock = state.disk.lock
    if lock is not None:
        return state, lock.ident
    taken = {process.lock for process in processes(state)} | {state.leftover}
    ident = next(number for number in range(1, 9) if number not in taken)
    return set_lock(state, LockFile(ident)), ident


def is_locked(state: State, ident: int) -> bool:
    """Whether anybody holds the lock on that lock file."""
    return state.leftover == ident or any(process.locked and process.lock == ident for process in processes(state))


def free_inodes(state: State, count: int, lowest: int = 1) -> list[int]:
    """The lowest numbers that no file has, as many as that; what the dead left in tmp/ has none."""
    staged = [dispatcher.staged for dispatcher in state.dispatchers if dispatcher is not None]
    gone = [file for _, file in state.disk.gone or ()]
    edited = [] if state.editor is None else [state.editor.known, state.editor.staged, state.editor.ours]
    files = [*state.disk.places, state.staged, *staged, *gone, *edited]
    taken = {file.inode for file in files if file is not None}
    return [number for number in range(lowest, 12) if number not in taken][:count]


def decide(history: str, outcome: str) -> str:
    """The verdict on an attempt that ended with `ok`, `fail`, `cancel` or STOPPED after that history."""
    if outcome == STOPPED:
        return "i"
    if outcome != "fail":
        return "d" if outcome == "ok" else "f"
    return "r" if since_final(history).count("r") < MAX_RETRIES else "f"


def since_final(history: str) -> str:
    """The verdicts since the last final one."""
    return history[max(history.rfind("d"), history.rfind("f")) + 1 :]


def finals(history: str) -> int:
    """How many verdicts were final."""
    return history.count("d") + history.count("f")


def describe(state: State) -> str:
    """The disk in a line, for a trace."""
    parts = [
        f"{NAMES[place]}.json = job {file.job} inode {file.inode} [{file.history}]"
        + (" put off" if file.later else "")
        + (" edited" if file.edits else "")
        + (" torn" if file.torn else "")
        for place, file in enumerate(state.disk.places)
        if file is not None
    ]
    lock = state.disk.lock
    if lock is not None:
        mark = lock.marker
        held = ", held" if is_locked(state, lock.ident) else ""
        came = (
            f", {'torn ' if lock.outcome.torn else ''}{lock.outcome.came} {lock.outcome.attempt}"
            if lock.outcome
            else ""
        )
        of = f" of job {mark.file.job} inode {mark.file.inode}" if mark and mark.file else ""
        parts.append(f"lock ({f'{mark.kind} {mark.attempt}{of}' if mark else 'empty'}{came}{held})")
    if state.disk.cancel != NOBODY:
        parts.append("cancel-ID")
    return "; ".join(parts) or "empty"
