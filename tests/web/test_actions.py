"""What a person does on the page, over HTTP: what each action leaves on the disk, what it says, what the log says of it."""

from __future__ import annotations

import json
import os
import re
from html import unescape

import pytest

from spoolrunner.protocol.states import Outcome, State
from spoolrunner.spool.dispatcher_lock import DispatcherLock
from spoolrunner.web.settings import Settings
from tests.daemon.harness import until

ERROR = {"attempts": [{"outcome": "failed", "ended_at": "2026-11-27T11:58:07Z", "error": {"type": "ValueError"}}]}


def lies(spool, state: State) -> list[str]:
    return sorted(
        name.removesuffix(".json") for name in os.listdir(spool.layout.folder(state)) if name.endswith(".json")
    )


def control(spool) -> list[str]:
    return sorted(os.listdir(spool.layout.control))


def fields_of(page: str) -> list[tuple[str, str]]:
    """The hidden fields of the question on a page."""
    return [(name, unescape(value)) for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page)]


# ---- many


def test_all_that_match(serve, drop, spool) -> None:
    """All files that match are moved, if as many match as the page has shown; the log says who did it, and by which line."""
    for name in "ab":
        drop(State.FAILED, name, ERROR)
    drop(State.FAILED, "c")
    page = serve()
    answer = page.follow("/failed/retry", {"error": "ValueError", "count": "2"})
    assert (lies(spool, State.FAILED), lies(spool, State.PENDING)) == (["c"], ["a", "b"])
    assert answer.said() == "2 files moved from failed/ to pending/. spoolrunner retry --error ValueError"
    assert page.log == [("web", "spoolrunner retry --error ValueError", 2)]


def test_another_number_matches(serve, drop, spool) -> None:
    """If another number matches than was shown, nothing is moved, and the question comes again with the number of now."""
    for name in "abc":
        drop(State.FAILED, name, ERROR)
    page = serve()
    answer = page.post("/failed/discard", {"count": "2", "error": "ValueError"})
    assert (answer.status, lies(spool, State.FAILED), page.log) == (409, ["a", "b", "c"], [])
    assert "2 matched when the page was drawn, 3 do now. Nothing was touched." in answer.text
    page.follow("/failed/discard", fields_of(answer.text))
    assert lies(spool, State.FAILED) == []


def test_it_asks_first(serve, drop, spool) -> None:
    """A form that has counted nothing leads to a question, which works without a script; ticked files are named in it."""
    for name in "abc":
        drop(State.FAILED, name)
    page = serve()
    answer = page.post("/failed/discard", [("which", "ticked"), ("id", "a"), ("id", "b")])
    assert (answer.status, lies(spool, State.FAILED)) == (200, ["a", "b", "c"])
    assert "Discard 2 files?" in answer.text
    assert (
        page.follow("/failed/discard", fields_of(answer.text))
        .said()
        .startswith("2 files removed from failed/ for good.")
    )
    assert (lies(spool, State.FAILED), page.log) == (["c"], [("web", "spoolrunner discard a b", 2)])


def test_what_comes_between(serve, drop, spool) -> None:
    """What came to the folder after the question was put is not touched."""
    drop(State.FAILED, "a")
    page = serve()
    asked = page.post("/failed/discard", {})
    drop(State.FAILED, "b")
    page.follow("/failed/discard", fields_of(asked.text))
    assert lies(spool, State.FAILED) == ["b"]


@pytest.mark.parametrize(
    ("folder", "verb"),
    [
        (State.PENDING, "cancel"),
        (State.PENDING, "discard"),
        (State.RUNNING, "cancel"),
        (State.DONE, "retry"),
        (State.DONE, "discard"),
    ],
)
def test_each_folder(serve, drop, spool, folder, verb) -> None:
    """Each folder has its actions."""
    drop(folder, "a")
    page = serve()
    page.follow(f"/{folder}/{verb}", {"count": "1"})
    left = {state.value: lies(spool, state) for state in State if lies(spool, state)}
    expected = {"cancel": {folder.value: ["a"]}, "discard": {}, "retry": {"pending": ["a"]}}
    assert (left, control(spool)) == (expected[verb], ["cancel-a"] if verb == "cancel" else [])


def test_what_a_folder_has_not(serve, drop, spool) -> None:
    """A running job is not discarded, a waiting one not retried: nothing listens there."""
    drop(State.RUNNING, "a")
    page = serve()
    assert [page.post(path).status for path in ("/running/discard", "/pending/retry", "/failed/cancel")] == [405] * 3
    assert lies(spool, State.RUNNING) == ["a"]


# ---- one


def test_retry_one(serve, drop, spool) -> None:
    """One job is moved from where its page has shown it."""
    drop(State.FAILED, "a", ERROR)
    page = serve()
    answer = page.post("/job/a/retry", {"folder": "failed"})
    assert (answer.status, answer.leads_to, lies(spool, State.PENDING)) == (303, "/job/a", ["a"])
    assert page.log == [("web", "spoolrunner retry a", 1)]


def test_moved_meanwhile(serve, drop, spool) -> None:
    """A job that went on since the page was drawn is left where it is, and the page says where that is."""
    drop(State.DONE, "a", {"attempts": [{"outcome": "succeeded", "ended_at": "2026-11-27T11:58:07Z"}]})
    page = serve()
    said = page.follow("/job/a/retry", {"folder": "failed"}).said()
    assert re.match(r"It is not in failed/ any more: done/ since .*11:58.*\. Nothing was moved\.", said)
    assert (lies(spool, State.DONE), page.log) == (["a"], [])


def test_there_and_back(serve, drop, spool) -> None:
    """A job that failed again since the page was drawn is not removed unseen."""
    page = serve()
    drop(State.FAILED, "a", ERROR)
    said = page.follow("/job/a/discard", {"folder": "failed", "sure": "yes", "at": "1000"}).said()
    assert said.startswith("It came to failed/ again after the page was drawn.")
    assert lies(spool, State.FAILED) == ["a"]


def test_name_taken(serve, drop, spool) -> None:
    """While another job of the id waits nothing is moved, and it is said."""
    drop(State.FAILED, "a")
    drop(State.PENDING, "a")
    said = serve().follow("/job/a/retry", {"folder": "failed"}).said()
    assert said == "pending/ has a file of the id a already; mv -n refused. Nothing was moved."
    assert lies(spool, State.FAILED) == ["a"]


def test_discard_one(serve, drop, spool) -> None:
    """A discard asks first, and leads to the folder then, since the job has no page any more."""
    drop(State.FAILED, "a")
    page = serve()
    asked = page.post("/job/a/discard", {"folder": "failed"})
    assert (asked.status, lies(spool, State.FAILED)) == (200, ["a"])
    assert "rm failed/a.json" in asked.text
    answer = page.post("/job/a/discard", fields_of(asked.text))
    assert (answer.status, answer.leads_to, lies(spool, State.FAILED)) == (303, "/failed/", [])


def test_cancel_one(serve, drop, spool) -> None:
    """A cancel is a file in control/; without a dispatcher it says that the next one carries it out."""
    drop(State.PENDING, "a")
    said = serve().follow("/job/a/cancel").said()
    assert said.startswith("control/cancel-a lies there. No dispatcher runs; the next one cancels")
    assert control(spool) == ["cancel-a"]


def test_copy(serve, drop, spool) -> None:
    """A copy is a new job with the same call; what is of the past, as its attempts and its expiry, is not in it."""
    drop(State.FAILED, "a", {"params": [2026], "priority": 3, "expires_at": "2020-01-01T00:00:00Z", **ERROR})
    page = serve()
    answer = page.post("/job/a/copy", {"folder": "failed"})
    (name,) = lies(spool, State.PENDING)
    assert (answer.leads_to, lies(spool, State.FAILED)) == (f"/job/{name}", ["a"])
    with open(spool.layout.job(State.PENDING, name), "rb") as stream:
        raw = json.load(stream)
    assert {key: raw[key] for key in ("job", "method", "params", "priority")} == {
        "job": "app.Report",
        "method": "build",
        "params": [2026],
        "priority": 3,
    }
    assert raw.keys() & {"attempts", "expires_at"} == set()
    assert page.log == [("web", "spoolrunner enqueue app.Report build --json '[2026]'", 1)]


def test_copy_of_what_is_not_allowed(serve, drop, spool) -> None:
    """What is on the whitelist no more is not run again, and the page says why."""
    drop(State.FAILED, "a", {"job": "os", "method": "system"})
    said = serve().follow("/job/a/copy").said()
    assert said.endswith("Nothing was done.")
    assert "allowed_jobs" in said
    assert lies(spool, State.PENDING) == []


def test_with_dependants(serve, drop, spool) -> None:
    """With those that failed because it did, both go."""
    drop(State.FAILED, "a", ERROR)
    drop(State.FAILED, "b", {"after": ["a"]})
    spool.explain("b", Outcome.DEPENDENCY_FAILED, "a failed", "pending/b.json", 0.0)
    serve().follow("/job/a/retry", {"folder": "failed", "dependants": "yes"})
    assert lies(spool, State.PENDING) == ["a", "b"]


@pytest.mark.parametrize("job_id", ["..%2Fx", "%2Fetc%2Fpasswd", "a%00b", "%2e%2e"])
def test_ids_that_lead_elsewhere(serve, drop, spool, job_id) -> None:
    """An id is the name of a file in a folder, and never a way out of it."""
    outside = os.path.join(spool.layout.root, "x.json")
    with open(outside, "w", encoding="ascii") as stream:
        stream.write("{}")
    page = serve()
    for verb in ("retry", "discard", "cancel", "copy", "edit"):
        assert page.post(f"/job/{job_id}/{verb}", {"sure": "yes", "folder": "failed"}).status in (303, 400, 404)
    assert os.path.exists(outside)
    assert page.log == []


# ---- edit


def test_edit(serve, drop, spool) -> None:
    """The form of a waiting job holds what its file says; what is changed in it is written anew, and nothing else."""
    drop(State.PENDING, "a", {"params": {"year": 2026}, "meta": {"x": 1}})
    page = serve()
    form = page.get("/job/a/edit").text
    assert unescape(form[form.index("<textarea") :]).partition(">")[2].startswith('{\n  "year": 2026\n}')
    fields = dict(fields_of(form))
    answer = page.follow("/job/a/edit", {**fields, "priority": "7", "due": "1h", "params": '{"year": 2027}'})
    assert answer.said().startswith("Written anew in pending/: ")
    with open(spool.layout.job(State.PENDING, "a"), "rb") as stream:
        raw = json.load(stream)
    assert (raw["priority"], raw["params"], raw["meta"]) == (7, {"year": 2027}, {"x": 1})
    assert "next_run_at" in raw
    assert len(page.log) == 1


def test_edit_of_one_that_went_on(serve, drop, spool) -> None:
    """A job that was claimed, or replaced, while somebody typed is left as it is."""
    path = drop(State.PENDING, "a", {"params": [1]})
    page = serve()
    fields = dict(fields_of(page.get("/job/a/edit").text))
    os.rename(path, spool.layout.job(State.RUNNING, "a"))
    assert page.follow("/job/a/edit", {**fields, "params": "[2]"}).said().endswith("Nothing was changed.")
    with open(spool.layout.job(State.RUNNING, "a"), "rb") as stream:
        assert json.load(stream)["params"] == [1]
    assert page.log == []


@pytest.mark.parametrize(
    "fields",
    [
        {"params": "{"},
        {"params": "1"},
        {"priority": "high"},
        {"priority": "100000"},
        {"due": "someday"},
        {"inode": "x"},
    ],
)
def test_edit_that_means_nothing(serve, drop, spool, fields) -> None:
    """A value that no job file may hold is refused with its reason, and the file is as it was."""
    path = drop(State.PENDING, "a", {"params": [1]})
    page = serve()
    shown = dict(fields_of(page.get("/job/a/edit").text))
    with open(path, "rb") as stream:
        before = stream.read()
    assert page.follow("/job/a/edit", {**shown, **fields}).said() != ""
    with open(path, "rb") as stream:
        assert stream.read() == before
    assert page.log == []


# ---- control, schedules


@pytest.mark.parametrize(
    ("fields", "name", "line"),
    [
        ({}, "pause", ""),
        ({"kind": "app.Report.build"}, "pause-app.Report.build", " app.Report.build"),
        ({"group": "mail"}, "pause-group-mail", " --group mail"),
        ({"what": "app.Report.send"}, "pause-app.Report.send", " app.Report.send"),
    ],
)
def test_pause_and_resume(serve, spool, fields, name, line) -> None:
    """All, a kind and a group are paused by a file of that name, and go on without it."""
    page = serve()
    assert page.follow("/control/pause", fields).said().startswith(f"control/{name} lies there")
    assert control(spool) == [name]
    assert page.follow("/control/resume", fields).said().startswith(f"control/{name} is removed")
    assert control(spool) == []
    assert page.follow("/control/resume", fields).said().endswith("was not there any more. Nothing was done.")
    assert page.log == [("web", f"spoolrunner {verb}{line}", 1) for verb in ("pause", "resume")]


@pytest.mark.parametrize(
    "fields", [{"kind": "app.Report.burn"}, {"kind": "../x"}, {"group": "../x"}, {"part": "app.Report.build"}]
)
def test_pause_of_what_is_not(serve, spool, fields) -> None:
    """What is no kind and no group is not paused, and no file is made."""
    page = serve()
    assert page.follow("/control/pause", fields).said().endswith("Nothing was done.")
    assert (control(spool), page.log) == ([], [])


def test_reload(serve, spool) -> None:
    """A reload is a file too."""
    page = serve()
    page.follow("/control/reload")
    assert (control(spool), page.log[0][1].startswith("touch ")) == (["reload"], True)


def test_stop(serve, drop, spool) -> None:
    """A stop asks first, names what runs, and may leave it running; where no dispatcher runs there is nothing to stop."""
    page = serve()
    assert page.follow("/control/stop", {"sure": "yes"}).said() == "No dispatcher runs on this spool. Nothing was done."
    lock = DispatcherLock(spool.layout.dispatcher_lock)
    assert lock.acquire({"pid": 1})
    drop(State.RUNNING, "busy")
    asked = page.post("/control/stop")
    assert (asked.status, control(spool)) == (200, [])
    assert "1 job runs: busy" in asked.text
    page.follow("/control/stop", {"sure": "yes", "leave": "yes"})
    with open(spool.layout.stop, encoding="ascii") as stream:
        assert stream.read() == "leave-running\n"
    page.follow("/control/stop", {"sure": "yes"})
    assert os.path.getsize(spool.layout.stop) == 0
    lock.release()
    assert [line for _, line, _ in page.log] == ["spoolrunner stop --leave-running", "spoolrunner stop"]


SCHEDULE = {"nightly": {"cron": "0 3 * * *", "job": "app.Report", "method": "build"}}


def test_schedules(serve, spool) -> None:
    """A schedule runs now under an id of its own, and is paused by a file."""
    page = serve(schedules=SCHEDULE)
    answer = page.post("/schedules/nightly/run")
    (name,) = lies(spool, State.PENDING)
    assert (answer.status, answer.leads_to) == (303, f"/job/{name}")
    page.post("/schedules/nightly/pause")
    assert control(spool) == ["pause-schedule-nightly"]
    page.post("/schedules/nightly/resume")
    assert control(spool) == []
    assert [line for _, line, _ in page.log] == [
        f"spoolrunner schedules {verb} nightly" for verb in ("run", "pause", "resume")
    ]
    assert page.post("/schedules/none/run").status == 303
    assert len(page.log) == 3


# ---- who may


def test_read_only(serve, drop, spool) -> None:
    """A page for reading takes no action at all."""
    drop(State.FAILED, "a")
    page = serve(Settings(is_read_only=True))
    for path in ("/failed/retry", "/job/a/discard", "/control/pause", "/job/a/edit"):
        assert page.post(path, {"count": "1", "sure": "yes"}).status == 403
    assert (lies(spool, State.FAILED), control(spool), page.log) == (["a"], [], [])


def test_get_changes_nothing(serve, drop, spool) -> None:
    """No address of an action does anything for a GET."""
    drop(State.FAILED, "a")
    page = serve(schedules=SCHEDULE)
    for path in ("/failed/retry", "/job/a/discard", "/control/pause", "/control/stop", "/schedules/nightly/run"):
        assert page.get(f"{path}?count=1&sure=yes").status in (404, 405)
    assert (lies(spool, State.FAILED), control(spool), page.log) == (["a"], [], [])


def test_a_file_that_cannot_be_moved(serve, drop, spool) -> None:
    """An error of the disk is said on the page; the page goes on."""
    drop(State.FAILED, "a")
    os.rmdir(spool.layout.folder(State.PENDING))
    page = serve()
    assert page.post("/job/a/retry", {"folder": "failed"}).status == 303
    assert lies(spool, State.FAILED) == ["a"]
    until(lambda: page.get("/failed/").status == 200)
