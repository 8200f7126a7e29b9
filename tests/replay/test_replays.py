"""Prefixes of what a disk was told to write under load: whenever the power had gone, no job is lost, none runs twice.

The suite of power cuts in tests/crash strikes a few hundred times at random moments, on the file systems that can be shut down
from outside. Here one run is recorded, and every write of it can be the last one; btrfs is among the file systems.
"""

from __future__ import annotations

import pytest

from tests.crash.power import Report
from tests.replay.replayed import KINDS, obstacle, replay
from tests.tally import Tally

ANY_KIND = pytest.mark.parametrize("kind", sorted(KINDS))
MANY = 200
"""Prefixes of the long form, of each of so many recordings on each kind of file system."""
RECORDINGS = (1, 2)


@pytest.fixture(autouse=True)
def _can_record() -> None:
    reason = obstacle()
    if reason:
        pytest.skip(reason)


def judge(report: Report, kind: str, cuts: int, tally: Tally) -> None:
    """Nothing was lost or doubled, every start but one of each job was counted, and there was work at the cuts."""
    lost, double, beyond = (report.count(what) for what in ("lost", "double", "beyond"))
    tally.add(f"replayed power cuts, {kind}", report.count("cuts"), lost=lost, double=double, beyond=beyond)
    print(f"{kind}: {report}")
    assert report.count("cuts") == report.count("recoveries") == cuts
    assert (lost, double, beyond) == (0, 0, 0), "\n".join(report.stories)
    assert report.count("acked") >= cuts
    assert report.count("starts") >= cuts


@ANY_KIND
def test_nothing_is_lost_whatever_write_is_the_last(kind: str, tally: Tally) -> None:
    """After a few prefixes of a recorded run every acknowledged job is in one folder, whole, and comes to its end."""
    judge(replay(kind, 4), kind, 4, tally)


@pytest.mark.replay
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", RECORDINGS)
@ANY_KIND
def test_nothing_is_lost_whatever_of_many_writes_is_the_last(kind: str, seed: int, tally: Tally) -> None:
    """The same holds for hundreds of prefixes of several runs, on each file system."""
    judge(replay(kind, MANY, seed=seed, timeout=850), kind, MANY, tally)


@pytest.mark.replay
@pytest.mark.timeout(300)
def test_on_btrfs_jobs_lie_in_two_folders_at_a_cut() -> None:
    """Without the look for second names jobs on btrfs run again that are done, so these tests are known to see that."""
    report = replay("btrfs", 100, seed=2, guarded=False, timeout=280)
    print(report)
    assert report.count("in two folders at a cut") > 0
    assert report.count("double") > 0
    assert report.count("lost") == 0
