"""The filters of a list: the query of its address is the command line's, word for word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from spoolrunner.client.glance import Glance
from spoolrunner.client.look import look
from spoolrunner.client.search import Filter, seconds
from spoolrunner.config.load import Config
from spoolrunner.errors import JobFormatError

WORDS = ("job", "method", "group", "error", "match", "older", "newer")
"""The names in the query; `kind` is job and method in one word."""
_LONGEST = 500
"""Characters of a filter."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list is asked for: `given` are the words as they stand in the query, `older` and `newer` the ages in seconds."""

    given: dict[str, str]
    older: float | None = None
    newer: float | None = None

    def fits(self, found: Glance, config: Config, *, may_read: bool) -> bool:
        """Return whether a job fits by all but its age. `match` is looked for in the whole file, with `may_read` alone."""
        given = self.given
        return (
            ("job" not in given or found.job == given["job"])
            and ("method" not in given or found.method == given["method"])
            and ("group" not in given or found.group == given["group"])
            and ("error" not in given or given["error"] in found.errors)
            and ("match" not in given or _holds(found, given["match"], config, may_read=may_read))
        )

    def query(self, **others: str) -> str:
        """Return the query that asks for the same, with `others`, as `?error=ValueError`; "" for none."""
        made = urlencode({**self.given, **{name: value for name, value in others.items() if value}})
        return f"?{made}" if made else ""

    @property
    def kind(self) -> str:
        """JOB.METHOD, where both are given."""
        return f"{self.given['job']}.{self.given['method']}" if {"job", "method"} <= set(self.given) else ""


def read(query: Mapping[str, str]) -> Filters:
    """Return the filters in a query; JobFormatError for an age that is none."""
    given = {name: query[name].strip()[:_LONGEST] for name in WORDS if query.get(name, "").strip()}
    job, dot, method = query.get("kind", "").strip()[:_LONGEST].rpartition(".")
    if dot:
        given = {"job": job, "method": method, **{name: given[name] for name in WORDS[2:] if name in given}}
    return Filters(given, _age("older", given), _age("newer", given))


def _age(name: str, given: dict[str, str]) -> float | None:
    text = given.get(name)
    if text is None:
        return None
    try:
        return seconds(name, float(text))
    except ValueError:
        return seconds(name, text)
    except JobFormatError:
        raise JobFormatError(name, f"{text!r} is no duration: write 90s, 5m, 2h or 7d") from None


def _holds(found: Glance, text: str, config: Config, *, may_read: bool) -> bool:
    """Whether a text is in the id, or anywhere in the file if that may be read for it."""
    if text in found.id:
        return True
    if not may_read:
        return any(text in shown for shown in (found.kind, found.group, found.error, found.error_type))
    whole = look(config.layout, found.state, found.id)
    return whole is not None and Filter(match=text).fits(whole, config)
