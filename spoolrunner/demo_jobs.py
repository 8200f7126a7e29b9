"""The jobs of `spoolrunner demo`: small, real work on the files of this project, and ways to go wrong.

An example of what a job looks like: an ordinary class or module function. It knows nothing of the spool, unless it asks.
"""

from __future__ import annotations

import csv
import hashlib
import statistics
import time
from collections import Counter
from typing import Any

from spoolrunner import current_job


class Text:
    """Work on text files. Paths are relative to the folder of config.json."""

    def count_words(self, path: str, top: int = 3) -> dict[str, Any]:
        """The number of lines and words in a file, and the `top` most frequent words longer than three letters."""
        with open(path, encoding="utf-8") as stream:
            lines = stream.read().splitlines()
        words = [word.strip(".,:;()`*\"'").lower() for line in lines for word in line.split()]
        common = Counter(word for word in words if len(word) > 3).most_common(top)
        return {"path": path, "lines": len(lines), "words": len(words), "common": [list(pair) for pair in common]}

    def checksum(self, paths: list[str]) -> dict[str, str]:
        """The SHA-256 of each file."""
        sums = {}
        for path in paths:
            with open(path, "rb") as stream:
                sums[path] = hashlib.file_digest(stream, "sha256").hexdigest()
        print(f"{len(sums)} files read")
        return sums


class Table:
    """Work on tables."""

    def summarize(self, path: str, column: str) -> dict[str, Any]:
        """Count, mean, minimum and maximum of a numeric column of a CSV file with a header."""
        with open(path, newline="", encoding="utf-8") as stream:
            values = [float(row[column]) for row in csv.DictReader(stream)]
        print(f"{path}: {len(values)} rows")
        mean = round(statistics.fmean(values), 3)
        return {"rows": len(values), "mean": mean, "min": min(values), "max": max(values)}


class Weather:
    """Jobs that meet with fair and foul weather."""

    def steady(self, seconds: float) -> str:
        """Work for a while, telling how far it is."""
        job = current_job()
        steps = max(1, int(seconds / 0.1))
        for step in range(steps):
            time.sleep(seconds / steps)
            if job is not None:
                job.progress((step + 1) / steps, "sailing")
        return "fair"

    def fails_twice(self) -> str:
        """Succeed on the third attempt."""
        job = current_job()
        attempt = job.attempt if job is not None else 1
        if attempt < 3:
            raise ConnectionError(f"attempt {attempt}: the other side does not answer")
        return f"succeeded on attempt {attempt}"

    def always_fails(self) -> None:
        """Fail, whatever the attempt."""
        raise ValueError("this will never work")

    def too_slow(self) -> None:
        """Take longer than the timeout in config.json."""
        time.sleep(60)
