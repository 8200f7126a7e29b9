"""Who is let in: by the one-time token of the printed address, the session cookie that it is given for, or the password.

Knows secrets and compares them; knows nothing of requests. What it keeps dies with the process.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections import OrderedDict, deque
from collections.abc import Callable

from spoolrunner.system.clock import SYSTEM, Clock

_BYTES = 24
"""Random bytes of a token or a session: nobody guesses 192 bits."""
MOST_SESSIONS = 100
"""Sessions that are known; the one that was used longest ago makes room."""
_TRIES, _TRIES_IN = 10, 60.0
"""So many wrong passwords in so many seconds; then none is looked at until some time has passed."""


class Access:
    """Secrets of one page. `announce` is called with each new one-time token: at the start, and when one was used."""

    def __init__(
        self, spool: str, password: str | None, announce: Callable[[str], object] = str, clock: Clock = SYSTEM
    ) -> None:
        self.cookie = f"spoolrunner_{hashlib.sha256(spool.encode('utf-8', 'surrogateescape')).hexdigest()[:12]}"
        """The name of the cookie: pages of two spools on one machine are one site for a browser, which knows no ports here."""
        self._password = password
        self._announce = announce
        self._clock = clock
        self._lock = threading.Lock()
        self._sessions: OrderedDict[str, None] = OrderedDict()
        self._failures: deque[float] = deque(maxlen=_TRIES)
        self.token = ""
        self._renew()

    def open_with_token(self, token: str) -> str | None:
        """Return a new session for the one-time token, which is used up by it; None when it is another."""
        with self._lock:
            if not _are_equal(token, self.token):
                return None
            session = self._new_session()
            self._renew()
        return session

    def open_with_password(self, password: str) -> str | None:
        """Return a new session for the password; None when it is another one, or when too many wrong ones came just now."""
        with self._lock:
            return self._new_session() if self._is_password(password) else None

    def knows_session(self, session: str) -> bool:
        """Return whether it is the value of a cookie that was given out."""
        with self._lock:
            if session not in self._sessions:
                return False
            self._sessions.move_to_end(session)
        return True

    def knows_bearer(self, secret: str) -> bool:
        """Return whether a program without a cookie may come in with this: the password, or the token, which stays good."""
        with self._lock:
            return _are_equal(secret, self.token) or self._is_password(secret)

    def _is_password(self, given: str) -> bool:
        if self._password is None:
            return False
        now = self._clock.monotonic()
        if len(self._failures) == _TRIES and now - self._failures[0] < _TRIES_IN:
            return False
        if _are_equal(given, self._password):
            return True
        self._failures.append(now)
        return False

    def _new_session(self) -> str:
        session = secrets.token_urlsafe(_BYTES)
        self._sessions[session] = None
        while len(self._sessions) > MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return session

    def _renew(self) -> None:
        self.token = secrets.token_urlsafe(_BYTES)
        self._announce(self.token)


def _are_equal(given: str, known: str) -> bool:
    """Compare without telling by the time that it takes how much of it was right."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), known.encode("utf-8", "replace"))
