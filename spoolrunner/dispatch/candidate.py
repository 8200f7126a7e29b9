"""A file in pending/ that may run: from its bytes, the whitelist and the policy to a candidate, or to what is wrong.

Touches no disk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from spoolrunner.config.load import Config
from spoolrunner.dispatch.lanes import LaneKey
from spoolrunner.errors import JobFormatError, NotAllowedError
from spoolrunner.protocol import document, signing, whitelist
from spoolrunner.protocol.document import Document
from spoolrunner.protocol.policy import Policy, job_policy
from spoolrunner.spool.folders import Found, Stamp


class Candidate(NamedTuple):
    """A file in pending/ that may run: its checked document, and what the file was when it was read.

    `due_at` is in seconds since 1970.
    """

    job_id: str
    document: Document
    raw: dict[str, Any]
    stamp: Stamp
    due_at: float
    policy: Policy

    @property
    def lane(self) -> LaneKey:
        """Whose limits and pauses it shares."""
        return LaneKey(self.document.job, self.document.method, self.policy.group or "")

    def has_expired(self, now: float) -> bool:
        """Whether its first start would come too late at that time, in seconds since 1970."""
        expires_at = self.document.expires_at
        return expires_at is not None and not self.document.attempts and now > expires_at.timestamp()


class FaultyValueError(JobFormatError):
    """Valid JSON with a wrong key or value: whole as it is, so there is no writer to wait for."""


class BeyondConfigError(FaultyValueError):
    """It asks for more than the configuration allows, or has other parameters than its command there takes."""


def _is_newest() -> bool:
    return False


def checked(
    config: Config, job_id: str, found: Found, now: float, take_newer: Callable[[], bool] = _is_newest
) -> Candidate:
    """Return the candidate in a file that was read; `now` is in seconds since 1970.

    `take_newer` puts a newer configuration into force, before a job is refused for what this one does not allow; it returns
    whether there was one.

    FaultyValueError for a wrong key or value, another JobFormatError for what may still be being written, NotAllowedError for
    what the whitelist has not.
    """
    try:
        content, raw = document.parse(found.data)
    except JobFormatError as error:
        if error.key:
            raise FaultyValueError(error.key, error.problem) from None
        raise
    _check_signature(config.signing_key, job_id, raw, found.data)
    if len(content.attempts) >= document.MAX_ATTEMPTS:
        what = f"{len(content.attempts)} of them, and no more can be recorded; enqueue the job anew, under another id"
        raise FaultyValueError("attempts", what)
    policy = _newest_policy_for(config, content, take_newer)
    due_at = document.due_at(content, found.mtime, found.came_at, now)
    return Candidate(job_id, content, raw, found.stamp, due_at, policy)


def _check_signature(key: bytes | None, job_id: str, raw: dict[str, Any], data: bytes) -> None:
    problem = None if key is None else signing.problem(key, job_id, raw, data)
    if problem:
        raise FaultyValueError(signing.FIELD, problem)


def _newest_policy_for(config: Config, content: Document, take_newer: Callable[[], bool]) -> Policy:
    """The policy of a job that may run under it, by the newest configuration before the job is refused."""
    try:
        return _fitting_policy_for(config, content)
    except (NotAllowedError, BeyondConfigError):
        if not take_newer():
            raise
        return _fitting_policy_for(config, content)


def _fitting_policy_for(config: Config, content: Document) -> Policy:
    """As `policy_for`; JobFormatError also when the job is a command that does not take its parameters."""
    policy = policy_for(config, content)
    if policy.command is not None:
        try:
            policy.check_params(content.params)
        except JobFormatError as error:
            raise BeyondConfigError(error.key, error.problem) from None
    return policy


def policy_for(config: Config, checked: Document) -> Policy:
    """The policy the job runs under: its method's, with what the document overrides within the operator's limits.

    NotAllowedError when the whitelist has no such job; JobFormatError when it asks for more than the limits allow.
    """
    policy: Policy = whitelist.entry(config.allowed, checked.job, checked.method)
    try:
        return job_policy(document.overrides(checked), policy, config.limits)
    except JobFormatError as error:
        raise BeyondConfigError(error.key, error.problem) from None
