"""The settings that every job's process gets at its start, and their form as bytes on the way there.

Light: every job's process imports it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import orjson

from spoolrunner.protocol.policy import Limits, Policy


@dataclass(frozen=True, slots=True)
class Settings:
    """What the dispatcher gives to every runner, the same for all jobs. Paths are absolute; `boot` is that of `boot_id`."""

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
        """Return the settings as one line of JSON, to be sent to another process."""
        return orjson.dumps(asdict(self))

    @classmethod
    def from_bytes(cls, data: bytes) -> Settings:
        """Return the settings in the bytes that `to_bytes` made; TypeError when they are of another version."""
        raw = orjson.loads(data)
        raw["limits"] = Limits(**raw["limits"])
        raw["default_policy"] = Policy(**raw["default_policy"])
        raw["allowed"] = {
            job: {method: Policy(**policy) for method, policy in methods.items()}
            for job, methods in raw["allowed"].items()
        }
        return cls(**raw)
