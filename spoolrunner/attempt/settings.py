"""What every job's process is told at its start, and the way of that across the process boundary.

Light: every job's process imports it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import orjson

from spoolrunner.protocol.policy import Limits, Policy


@dataclass(frozen=True, slots=True)
class Settings:
    """What the dispatcher tells every runner; the same for all jobs."""

    root: str
    boot: str
    fsync: bool
    max_log_bytes: int
    limits: Limits
    python_path: list[str]
    allowed: Mapping[str, Mapping[str, Policy]]
    default_policy: Policy
    signing_key: str | None = None
    """In hexadecimal; None where job files need not be signed."""

    def to_bytes(self) -> bytes:
        """For the way across the process boundary."""
        return orjson.dumps(asdict(self))

    @classmethod
    def from_bytes(cls, data: bytes) -> Settings:
        """The settings that `to_bytes` made."""
        raw = orjson.loads(data)
        raw["limits"] = Limits(**raw["limits"])
        raw["default_policy"] = Policy(**raw["default_policy"])
        raw["allowed"] = {
            job: {method: Policy(**policy) for method, policy in methods.items()}
            for job, methods in raw["allowed"].items()
        }
        return cls(**raw)
