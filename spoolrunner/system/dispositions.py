"""What a process does at signals, as a program that nobody prepared finds it: set by our processes, never inherited.

Whoever starts a dispatcher may ignore or block signals, and each program that it starts inherits that. Light: without `signal`
and its classes.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from typing import Any
else:
    import _signal  # what `signal` dresses in classes

if sys.platform == "win32":

    def set_defaults() -> None:
        """Do nothing: there a program inherits no such thing."""

    def reap_ourselves() -> None:
        """Do nothing, as above."""

    def leads_terminal() -> bool:
        """Return False: there is no SIGHUP."""
        return False

else:
    _PYTHONS_OWN: dict[int, Any] = {
        int(_signal.SIGINT): _signal.default_int_handler,
        int(_signal.SIGPIPE): _signal.SIG_IGN,
        **({int(_signal.SIGXFSZ): _signal.SIG_IGN} if hasattr(_signal, "SIGXFSZ") else {}),
    }
    """What Python itself sets at its start."""
    _NEVER_SET = {int(_signal.SIGKILL), int(_signal.SIGSTOP)}

    def set_defaults() -> None:
        """Let each signal do what it does in a fresh Python, and block none. In the main thread only.

        A SIGHUP that was ignored for a dispatcher is none of its jobs' business: they lead sessions of their own.
        """
        for number in sorted(set(map(int, _signal.valid_signals())) - _NEVER_SET):
            wanted = _PYTHONS_OWN.get(number, _signal.SIG_DFL)
            if _signal.getsignal(number) != wanted:
                _signal.signal(number, wanted)
        _signal.pthread_sigmask(_signal.SIG_SETMASK, ())

    def leads_terminal() -> bool:
        """Return whether this process leads the session of a terminal: the kernel sends it SIGHUP when that closes.

        To be asked at the start: once it has closed, nothing is known of it.
        """
        if os.getsid(0) != os.getpid():
            return False
        try:
            os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK))
        except OSError:
            return False  # ENXIO: a session without a terminal, as service managers make them
        return True

    def reap_ourselves() -> None:
        """Let no ignored SIGCHLD have the system collect our children before we can, and block no signal."""
        _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
        _signal.pthread_sigmask(_signal.SIG_SETMASK, ())
