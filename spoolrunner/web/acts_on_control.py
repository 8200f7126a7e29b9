"""Actions on the spool as a whole, all of them files in control/: pause, resume, reload, stop; and on schedules."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from spoolrunner.client import operate, schedules
from spoolrunner.client.overview import dispatcher_of
from spoolrunner.errors import JobFormatError
from spoolrunner.web import commands
from spoolrunner.web.acting import action, job_address, lead, logged, refusal
from spoolrunner.web.answers import Screen, show, web_of
from spoolrunner.web.forms import Form
from spoolrunner.web.notes import Note

GROUP = "group-"
"""How the name of a pause begins that is of a group, as in control/pause-group-mail; that of a method is its own."""


def _pause(request: Request, form: Form) -> Response:
    """Pause the kind (JOB.METHOD) or the group that the form names, or all where it names none."""
    web, what = web_of(request), _what(form)
    if what:
        operate.pause_part(web.desk.config, what)
    else:
        operate.pause(web.desk.layout)
    return _did(request, f"{_path(what)} lies there: no more jobs of {_named(what)} are started.", _line("pause", what))


def _resume(request: Request, form: Form) -> Response:
    """Take that pause back."""
    web, what = web_of(request), _what(form)
    layout = web.desk.layout
    if not (operate.resume_part(layout, what) if what else operate.resume(layout)):
        return lead(request, "", refusal(f"{_path(what)} was not there any more. Nothing was done."))
    return _did(request, f"{_path(what)} is removed: jobs of {_named(what)} are started again.", _line("resume", what))


def _reload(request: Request, _form: Form) -> Response:
    """Have config.json read again."""
    web = web_of(request)
    operate.reload(web.desk.layout)
    text = "control/reload lies there: config.json is read again, and stays as it was where it has problems."
    return _did(request, text, commands.touched(f"{web.desk.layout.control}/reload"))


def _stop(request: Request, form: Form) -> Response:
    """Stop the dispatcher, once it was asked for sure; with `leave` its jobs run on."""
    web = web_of(request)
    if dispatcher_of(web.desk.layout) is None:
        return lead(request, "", refusal("No dispatcher runs on this spool. Nothing was done."))
    running = operate.running(web.desk.layout)
    if not form.one("sure"):
        values = {"running": running, "grace": web.desk.config.stop_grace}
        return show(request, Screen("ask_stop.html", values, {"running": running, "done": 0}, tab="spool"))
    leaves = bool(form.one("leave"))
    operate.stop(web.desk.layout, leave_running=leaves)
    became = "the jobs run on, for the next dispatcher" if leaves else "it claims no more, and waits for what runs"
    options = ["--leave-running"] if leaves else []
    return _did(request, f"control/stop lies there: {became}.", commands.line("stop", *options))


def _run_schedule(request: Request, _form: Form) -> Response:
    web, name = web_of(request), _schedule(request)
    made = schedules.run(web.desk.config, name)
    note = Note(f"A job of {name} waits in pending/, beside its times.", commands.line("schedules", "run", name))
    return lead(request, job_address(made.id), logged(request, note))


def _pause_schedule(request: Request, _form: Form) -> Response:
    web, name = web_of(request), _schedule(request)
    schedules.pause(web.desk.config, name)
    text = f"control/pause-schedule-{name} lies there: its times are skipped."
    return _did(request, text, commands.line("schedules", "pause", name), "schedules/")


def _resume_schedule(request: Request, _form: Form) -> Response:
    web, name = web_of(request), _schedule(request)
    if schedules.resume(web.desk.config, name) is None:
        return lead(request, "schedules/", refusal(f"{name} was not paused any more. Nothing was done."))
    text = f"control/pause-schedule-{name} is removed: {name} runs at its times again."
    return _did(request, text, commands.line("schedules", "resume", name), "schedules/")


def _did(request: Request, text: str, command: str, back: str = "") -> Response:
    return lead(request, back, logged(request, Note(text, command)))


def _schedule(request: Request) -> str:
    return str(request.path_params["name"])


def _what(form: Form) -> str:
    """What is meant, as the name of its file in control/ has it; "" for all.

    The field `what` says it, or `kind` or `group`. A form with any other field is refused: it means something, and not all.
    """
    unknown = form.names() - {"what", "kind", "group"}
    if unknown:
        raise JobFormatError(min(unknown), "is no field of this form")
    group = form.one("group")
    return GROUP + group if group else form.one("kind") or form.one("what")


def _path(what: str) -> str:
    return f"control/pause-{what}" if what else "control/pause"


def _named(what: str) -> str:
    if not what:
        return "any kind"
    return f"the group {what[len(GROUP) :]}" if what.startswith(GROUP) else what


def _line(verb: str, what: str) -> str:
    if not what:
        return commands.line(verb)
    return commands.line(verb, "--group", what[len(GROUP) :]) if what.startswith(GROUP) else commands.line(verb, what)


def _back(address: str, _request: Request) -> str:
    return address


_SPOOL, _SCHEDULES = partial(_back, ""), partial(_back, "schedules/")
ROUTES = [
    action("/control/pause", _pause, _SPOOL),
    action("/control/resume", _resume, _SPOOL),
    action("/control/reload", _reload, _SPOOL),
    action("/control/stop", _stop, _SPOOL),
    action("/schedules/{name}/run", _run_schedule, _SCHEDULES),
    action("/schedules/{name}/pause", _pause_schedule, _SCHEDULES),
    action("/schedules/{name}/resume", _resume_schedule, _SCHEDULES),
]
