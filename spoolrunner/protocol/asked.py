"""What a job may raise to say what is to become of it. Loaded by the jobs that do."""

from __future__ import annotations

from spoolrunner.errors import JobFormatError
from spoolrunner.system import times

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import timedelta


class Retry(Exception):  # noqa: N818 -- what a job asks for is no error
    """Raised by a job that is to be tried again: `raise Retry("the exchange is closed", after="5m")`.

    `after` is the pause until then: seconds, a text like "5m", or a timedelta; the usual pause without it. It uses a retry, as
    each failure does. JobFormatError when `after` is no duration.
    """

    __module__ = "spoolrunner"

    def __init__(self, reason: str = "", *, after: float | str | timedelta | None = None) -> None:
        super().__init__(reason)
        self.after = None if after is None else _seconds(after)


class Discard(Exception):  # noqa: N818 -- as above
    """Raised by a job that is not to be tried again, however many retries it has left: `raise Discard("no such customer")`."""

    __module__ = "spoolrunner"

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)


def _seconds(after: object) -> float:
    of_timedelta = getattr(after, "total_seconds", None)
    try:
        return times.parse_duration(after if of_timedelta is None else of_timedelta())
    except ValueError as error:
        raise JobFormatError("after", str(error)) from None
