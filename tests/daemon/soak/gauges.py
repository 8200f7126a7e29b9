"""What a dispatcher needs of its machine, read from /proc and the spool, and whether that stays the same over time."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import psutil

SHORTEST_LIFE = 120.0
"""Seconds; a dispatcher that served for less is not judged, because its caches, and done/, were still filling."""
FEWEST_SAMPLES = 20
_PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)


@dataclass(frozen=True)
class Sample:
    """One look: at the dispatcher that serves, at its template, at the folders that are not for jobs to stay in."""

    at: float
    pss_kib: int
    descriptors: int
    threads: int
    template_pss_kib: int
    template_descriptors: int
    tmp: int
    locks: int
    control: int
    files: int
    waiting: int


KIB_A_WAITING_JOB = 3.0
"""What the dispatcher keeps of a job that waits: its candidate, read ahead, and its place in the order."""
MARGINS = {
    "pss_kib": (0.10, 1024),
    "descriptors": (0.0, 3),
    "threads": (0.0, 1),
    "template_pss_kib": (0.10, 1024),
    "template_descriptors": (0.0, 3),
    "tmp": (0.0, 8),
    "locks": (0.10, 50),
    "control": (0.0, 8),
    "files": (0.25, 200),
}
"""By gauge, how much more the last quarter of a life may need than its second: a share of that, and so much besides."""


def take(spool: Path, pid: int, at: float) -> Sample | None:
    """A sample of the dispatcher `pid`; None when it, or its template, went away under our eyes or is not there yet."""
    try:
        (template,) = [child.pid for child in psutil.Process(pid).children()]
        return Sample(
            at=at,
            pss_kib=_pss(pid),
            descriptors=_count(f"/proc/{pid}/fd"),
            threads=_count(f"/proc/{pid}/task"),
            template_pss_kib=_pss(template),
            template_descriptors=_count(f"/proc/{template}/fd"),
            tmp=_count(spool / "tmp"),
            locks=_count(spool / "locks"),
            control=_count(spool / "control"),
            files=sum(_count(spool / name) for name in ("running", "done", "failed", "logs/jobs")),
            waiting=_count(spool / "pending"),
        )
    except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError, ValueError):
        return None


def growth(samples: Sequence[Sample]) -> list[str]:
    """Each gauge that rose beyond its margin from the second quarter of a life to the last, in a sentence."""
    found = []
    for gauge, (share, besides) in MARGINS.items():
        before, after = _quarters(samples, gauge)
        if gauge == "pss_kib":
            # How many jobs wait depends on the machine's other work; that they take memory is no leak.
            few, many = _quarters(samples, "waiting")
            before += KIB_A_WAITING_JOB * max(0.0, many - few)
        if after > before * (1 + share) + besides:
            found.append(f"{gauge} rose from {before:g} to {after:g} within {samples[-1].at - samples[0].at:.0f} s")
    return found


def is_judged(samples: Sequence[Sample]) -> bool:
    """Whether a life was long enough to be judged."""
    return len(samples) >= FEWEST_SAMPLES and samples[-1].at - samples[0].at >= SHORTEST_LIFE


def table(lives: Sequence[Sequence[Sample]]) -> list[str]:
    """For each life that is judged and each gauge: the medians of its second and last quarter, and the most there was."""
    rows = []
    for life in filter(is_judged, lives):
        span = f"{life[0].at:.0f}-{life[-1].at:.0f} s, {len(life)} samples"
        for gauge in (*MARGINS, "waiting"):
            before, after = _quarters(life, gauge)
            most = max(asdict(sample)[gauge] for sample in life)
            rows.append(f"{span}: {gauge:<20} {before:>10g} -> {after:>10g}   most {most:>10g}")
    return rows


def _quarters(samples: Sequence[Sample], gauge: str) -> tuple[float, float]:
    values = [asdict(sample)[gauge] for sample in samples]
    quarter = len(values) // 4
    return median(values[quarter : 2 * quarter]), median(values[-quarter:])


def _pss(pid: int) -> int:
    found = _PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text())
    if found is None:
        raise ProcessLookupError(pid)  # it has ended: what is left has no memory
    return int(found[1])


def _count(folder: str | Path) -> int:
    with os.scandir(folder) as entries:
        return sum(1 for _ in entries)
