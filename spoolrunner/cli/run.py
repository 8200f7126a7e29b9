"""`run`: the dispatcher in the foreground, its signals, and its events on the terminal."""

from __future__ import annotations

import argparse
import signal
import socket
import sys
import threading
from types import FrameType

from spoolrunner.cli.render import EventPrinter
from spoolrunner.config.load import load_config
from spoolrunner.dispatch.loop import Dispatcher
from spoolrunner.dispatch.wishes import Wish

_STOPPING = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the verb its arguments."""
    parser.add_argument("--drain", action="store_true", help="run what is due, wait for it, and end")
    parser.add_argument("--standby", action="store_true", help="wait for the spool while another dispatcher holds it")
    parser.add_argument("-q", "--quiet", action="store_true", help="print nothing; the logs have it all")


def run(arguments: argparse.Namespace) -> int:
    """Dispatch until stopped; with --drain until nothing is due and nothing runs (1 if the spool is paused then)."""
    listeners = [] if arguments.quiet else [EventPrinter()]
    dispatcher = Dispatcher(load_config(arguments.config, to_run=True), listeners)
    stop_on_signals(dispatcher)
    dispatcher.run(drain=arguments.drain, standby=arguments.standby)
    if arguments.drain and dispatcher.is_paused:
        print("spoolrunner: the spool is paused, so nothing was started; `spoolrunner resume`", file=sys.stderr)
        return 1
    return 0


def stop_on_signals(dispatcher: Dispatcher) -> None:
    """Ask the dispatcher to stop at each signal that asks a program to end."""

    def caught(_number: int, _frame: FrameType | None) -> None:
        dispatcher.request(Wish.STOP)

    for name in _STOPPING:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), caught)
    # A reader that goes away (`run | head`) must not take the dispatcher with it in the middle of its work.
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    _wake_on_signals(dispatcher)


def _wake_on_signals(dispatcher: Dispatcher) -> None:
    """End the loop's wait at each signal: Python calls handlers in the main thread only, and Windows does not wake that."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)

    def wake() -> None:
        with theirs:
            while ours.recv(64):
                dispatcher.request(Wish.LOOK)

    signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=wake, name="signals", daemon=True).start()
