"""Signed job files: proof that the producer of a file had the key, for spools whose pending/ others can write into.

The signature is HMAC-SHA256 (RFC 2104) over the job's id, a line break and the very bytes of the file, in which the 64
characters of the signature itself count as zeros. So a file stays one JSON document that people can read, and any program can
sign it without a canonical form of JSON. Only a spool with a key needs this module.
"""

from __future__ import annotations

import re
from typing import Any

from spoolrunner.protocol import jsontext

FIELD = "signature"
KEY_BYTES = range(32, 65)
"""From the output length of SHA-256 to its block length; a longer key is no stronger (RFC 2104, section 3)."""
_UNSIGNED = "0" * 64
_SIGNATURE = re.compile("[0-9a-f]{64}")
_NUMBER = re.compile("~[0-9]+$")


def parse_key(text: bytes) -> bytes:
    """Return the key in the text of a key file, which must be 64 to 128 hexadecimal digits; else ValueError."""
    try:
        key = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        raise ValueError("must hold hexadecimal digits only, as `openssl rand -hex 32` makes them") from None
    if len(key) not in KEY_BYTES:
        raise ValueError(f"holds {len(key)} bytes; 32 to 64 are needed, as `openssl rand -hex 32` makes them")
    return key


def sign(key: bytes, job_id: str, raw: dict[str, Any]) -> bytes:
    """Return the document `raw` as the bytes of the signed file of that id."""
    fields = {name: value for name, value in raw.items() if name != FIELD}
    data = jsontext.encode({**fields, FIELD: _UNSIGNED})
    place = data.rindex(_UNSIGNED.encode())  # the last key, so whatever the others hold stands before it
    return data[:place] + _hmac(key, job_id, data).encode() + data[place + len(_UNSIGNED) :]


def problem(key: bytes, job_id: str, raw: dict[str, Any], data: bytes) -> str | None:
    """Return why the file of that id is not signed with `key`, or None when it is; its bytes `data` decode to `raw`."""
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

    # The number after ~ was added because the name was taken: the producer did not know it when it signed.
    return hmac.digest(key, _NUMBER.sub("", job_id).encode() + b"\n" + data, "sha256").hex()
