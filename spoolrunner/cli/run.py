"""`run`: the dispatcher in the foreground, its signals, and its events on the terminal."""

from __future__ import annotations

import argparse
import signal
import socket
import sys
import threading
from contextlib import ExitStack
from types import FrameType

from spoolrunner.cli import out, web
from spoolrunner.cli.render import EventPrinter
from spoolrunner.config.load import load_config
from spoolrunner.dispatch.beside import Beside
from spoolrunner.dispatch.loop import Dispatcher
from spoolrunner.dispatch.surroundings import Surroundings
from spoolrunner.dispatch.wishes import Notice, Wish
from spoolrunner.system import dispositions, orphans

_WISHES = {"SIGINT": Wish.STOP, "SIGTERM": Wish.STOP, "SIGHUP": Wish.RELOAD, "SIGBREAK": Wish.STOP}
_LEFT_IGNORED = ("SIGINT", "SIGHUP")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the verb its arguments."""
    parser.add_argument(
        "--drain", action="store_true", help="run what is due, wait for it, and end; 1 if a job could not be started"
    )
    parser.add_argument("--standby", action="store_true", help="wait for the spool while another dispatcher holds it")
    parser.add_argument(
        "--web",
        nargs="?",
        const=web.DEFAULT,
        metavar="HOST:PORT|unix:PATH",
        help=f"serve the page, too, in a process of its own (default: {web.DEFAULT}); needs the extra [web]",
    )
    web.add_page_options(parser)
    parser.add_argument("-q", "--quiet", action="store_true", help="print nothing; the logs have it all")


def run(arguments: argparse.Namespace) -> int:
    """Dispatch until stopped; with --drain until nothing is due and nothing runs (1 if a job could not be started)."""
    printers = [] if arguments.quiet else [EventPrinter()]
    orphans.get_them()  # what jobs leave is found among our children then, and costs no look at all processes
    config = load_config(arguments.config, to_run=True)
    surroundings = Surroundings(is_program=True)
    beside = [] if arguments.web is None else [_page(arguments, config.path, surroundings)]
    dispatcher = Dispatcher(config, [*printers, *beside], surroundings)
    heed_signals(dispatcher)
    try:
        with ExitStack() as programs:
            for program in beside:
                programs.enter_context(program)
            dispatcher.run(drain=arguments.drain, standby=arguments.standby)
    finally:
        for printer in printers:
            printer.close()
    if arguments.drain and dispatcher.is_paused:
        out.complain("spoolrunner: the spool is paused, so nothing was started; `spoolrunner resume`")
        return 1
    if arguments.drain and dispatcher.unstarted:
        count = dispatcher.unstarted
        out.complain(f"spoolrunner: {count} due job{'s' * (count > 1)} could not be started; see `spoolrunner status`")
        return 1
    return 0


def _page(arguments: argparse.Namespace, config: str, surroundings: Surroundings) -> Beside:
    """The page as a program beside the dispatcher, started by the command line that does the same by itself."""
    web.check_packages()
    command = [sys.executable, "-m", "spoolrunner", "--config", config, "web", "--bind", arguments.web, web.UNTIL]
    inbox = surroundings.inbox
    return Beside(
        "the page", [*command, *web.page_options(arguments)], lambda event: inbox.put(Notice(event)), surroundings.clock
    )


def heed_signals(dispatcher: Dispatcher) -> None:
    """Ask the dispatcher to stop at each signal that asks a program to end, and to read config.json again at SIGHUP.

    SIGHUP is a stop where it says that our terminal has closed: to the leader of its session. SIGHUP and SIGINT stay ignored
    where they were at the start: `nohup`, and a shell that puts us into the background, do that so that we go on.
    """
    dispositions.reap_ourselves()

    wishes: dict[int, Wish] = {}

    def caught(number: int, _frame: FrameType | None) -> None:
        dispatcher.request(wishes[number])

    for name, wish in _WISHES.items():
        number = getattr(signal, name, None)
        if number is not None and not (name in _LEFT_IGNORED and signal.getsignal(number) is signal.SIG_IGN):
            wishes[number] = Wish.STOP if name == "SIGHUP" and dispositions.leads_terminal() else wish
            signal.signal(number, caught)
    # A reader that goes away (`run | head`) must not take the dispatcher with it in the middle of its work.
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    _wake_on_signals(dispatcher)


def _wake_on_signals(dispatcher: Dispatcher) -> None:
    """End the loop's wait at each signal: it may come to any thread, and its handler is called when the main one wakes."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)

    def heard(_kept: socket.socket = theirs) -> None:
        ours.recv(64)

    def wake() -> None:
        with theirs:
            while ours.recv(64):
                dispatcher.request(Wish.LOOK)

    signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    try:
        dispatcher.listen(ours.fileno(), heard)
    except NotImplementedError:  # Windows waits for no descriptors
        threading.Thread(target=wake, name="signals", daemon=True).start()
