"""Signed job files: proof that whoever made a file had the key, for spools whose pending/ others can write into.

The signature is HMAC-SHA256 (RFC 2104) over the job's id, a line break and the very bytes of the file, in which the 64
characters of the signature itself count as zeros. So a file stays one JSON document that people can read and any program
can sign without a canonical form. Light: only a spool with a key needs it.
"""

from __future__ import annotations

import re
from typing import Any

from spoolrunner.protocol import jsontext

FIELD = "signature"
KEY_BYTES = range(32, 65)
"""From the output length of SHA-256 to its block length, beyond which more adds nothing: RFC 2104 section 3."""
_UNSIGNED = "0" * 64
_SIGNATURE = re.compile("[0-9a-f]{64}")
_NUMBER = re.compile("~[0-9]+$")


def parse_key(text: bytes) -> bytes:
    """The key in a key file: 64 to 128 hexadecimal digits; ValueError when it holds anything else."""
    try:
        key = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        raise ValueError("must hold hexadecimal digits only, as `openssl rand -hex 32` makes them") from None
    if len(key) not in KEY_BYTES:
        raise ValueError(f"holds {len(key)} bytes; 32 to 64 are needed, as `openssl rand -hex 32` makes them")
    return key


def sign(key: bytes, job_id: str, raw: dict[str, Any]) -> bytes:
    """The document `raw` as the signed bytes of the file of that id."""
    fields = {name: value for name, value in raw.items() if name != FIELD}
    data = jsontext.encode({**fields, FIELD: _UNSIGNED})
    place = data.rindex(_UNSIGNED.encode())  # the last key, so whatever the others hold stands before it
    return data[:place] + _hmac(key, job_id, data).encode() + data[place + len(_UNSIGNED) :]


def problem(key: bytes, job_id: str, raw: dict[str, Any], data: bytes) -> str | None:
    """Why the file of that id with the bytes `data`, which decode to `raw`, does not count as signed; None when it does."""
    import hmac

    claimed = raw.get(FIELD)
    if claimed is None:
        return "missing; this spool takes signed job files only, see docs/job-file.md"
    if not isinstance(claimed, str) or not _SIGNATURE.fullmatch(claimed):
        return "is not 64 hexadecimal digits in lower case"
    if data.count(claimed.encode()) != 1:
        return "occurs more than once in the file"
    expected = _hmac(key, job_id, data.replace(claimed.encode(), _UNSIGNED.encode()))
    if not hmac.compare_digest(claimed, expected):
        return "does not fit: the file or its id was changed after it was signed, or it was signed with another key"
    return None


def _hmac(key: bytes, job_id: str, data: bytes) -> str:
    import hmac  # 2 ms that only signed files pay

    # The number that a taken name brought about is not part of what its maker knew.
    return hmac.digest(key, _NUMBER.sub("", job_id).encode() + b"\n" + data, "sha256").hex()
