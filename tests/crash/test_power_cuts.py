"""The power of the machine cut at random moments under load: nothing that `enqueue()` acknowledged is missing afterwards."""

from __future__ import annotations

import subprocess
import sys
import tempfile

import pytest

from tests.crash import power_disk
from tests.crash.power import BLIND, NO_NAMES, NOTHING, ROOT, Report, cut_power
from tests.tally import Tally

KINDS = pytest.mark.parametrize("kind", sorted(power_disk.KINDS))
MANY = 250
"""Cuts of the long form, on each kind of file system."""


@pytest.fixture(autouse=True)
def _can_cut() -> None:
    reason = power_disk.obstacle()
    if reason:
        pytest.skip(reason)


def judge(report: Report, kind: str, cuts: int, tally: Tally) -> None:
    """Nothing was lost or doubled, every start but one a cut was counted, and the cuts struck while there was work."""
    lost, double, beyond = (report.count(what) for what in ("lost", "double", "beyond"))
    tally.add(f"power cuts, {kind}", report.count("cuts"), lost=lost, double=double, beyond=beyond)
    print(f"{kind}: {report}")
    assert report.count("cuts") == cuts
    assert (lost, double, beyond) == (0, 0, 0), "\n".join(report.stories)
    assert report.count("acked") >= cuts
    assert report.count("starts") >= cuts


@KINDS
def test_nothing_acknowledged_is_lost_to_a_power_cut(kind: str, tally: Tally) -> None:
    """After a few power cuts under load every acknowledged job is in one folder, whole, and comes to its end.

    After some of them the file system alone is mounted again, and the machine was not restarted.
    """
    judge(cut_power(kind, 3), kind, 3, tally)


@pytest.mark.parametrize("kind", ["xfs", pytest.param("ext4", marks=pytest.mark.long)])
def test_no_name_is_called_durable_after_the_power_is_gone(kind: str) -> None:
    """When the power goes before the sync of a folder, that is refused, also on XFS, whose own fsync says that it was done."""
    with tempfile.TemporaryDirectory(prefix="power-", dir=power_disk.memory_folder()) as folder:
        command = ["unshare", *power_disk.NAMESPACES, sys.executable, "-m", "tests.crash.power_disk", kind, folder]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    assert ended.stdout.startswith("refused: ")


def test_without_syncs_a_power_cut_loses_acknowledged_jobs() -> None:
    """With `fsync: false` the same cuts lose acknowledged jobs, so these tests are known to see a loss."""
    report = cut_power("ext4", 2, syncs=NOTHING)
    assert report.count("acked") > 0
    assert report.count("lost") > 0, report


@pytest.mark.long
@pytest.mark.timeout(1200)
@KINDS
def test_nothing_acknowledged_is_lost_to_hundreds_of_power_cuts(kind: str, tally: Tally) -> None:
    """After 250 power cuts under load on each file system every acknowledged job is in one folder, whole, and was run.

    Before half of the cuts the dispatcher dies: what the jobs that it leaves behind have left is recorded as they left it.
    """
    report = cut_power(kind, MANY, seed=2, timeout=1150)
    judge(report, kind, MANY, tally)
    assert report.count("orphans") >= MANY // 5


@pytest.mark.long
@pytest.mark.timeout(600)
def test_where_a_new_mounting_is_trusted_jobs_run_again() -> None:
    """A dispatcher that trusts all markers of its boot runs finished jobs again, when the file system alone had failed."""
    report = cut_power("ext4", 120, seed=3, syncs=BLIND, timeout=550)
    print(report)
    assert report.count("mounted again without a reboot") > 0
    assert report.count("double") > 0, report


@pytest.mark.long
@pytest.mark.timeout(240)
@pytest.mark.parametrize("syncs", [NOTHING, NO_NAMES])
@KINDS
def test_where_syncs_are_left_out_jobs_are_lost(kind: str, syncs: str) -> None:
    """Without any sync, and without that of the names alone, cuts lose acknowledged jobs on either file system."""
    report = cut_power(kind, 20, syncs=syncs, timeout=200)
    print(f"{kind}, synced {syncs}: {report}")
    assert report.count("lost") > 0, report
