"""docs/inside-a-job.md does what it says: its module and its configuration are run as they are printed."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest

from tests.daemon.harness import until

PAGE = (Path(__file__).parents[2] / "docs" / "inside-a-job.md").read_text(encoding="utf-8")


def blocks(tag: str) -> list[str]:
    """The examples of that language, in their order."""
    return re.findall(rf"^```{tag}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def shop(make):
    """An installation with the module and the configuration of the page, and a dispatcher."""
    (settings,) = blocks("json")
    home = make(**{**json.loads(settings), "retry_jitter": 0})
    (home.folder / "shop.py").write_text("\n\n".join(blocks("python")), encoding="utf-8")
    home.start().ready()
    return home


def publish(home, job_id: str, job: str, **fields) -> None:
    job, _, method = job.rpartition(".")
    home.drop(job_id, json.dumps({"job": job, "method": method, **fields}))


def ends(home, job_id: str, state: str) -> dict:
    """The document of a job, when it has come to that state."""
    until(lambda: home.where(job_id) == [state])
    return home.document(state, job_id)


def test_the_configuration_is_checked(shop) -> None:
    """`check` finds every job and every exception that the page names."""
    assert "problem" not in shop.cli("check").lower()


def test_a_job_asks_for_its_retry(shop) -> None:
    """It is tried again after the pause that it gave, and says why in the attempt."""
    publish(shop, "order", "shop.Exchange.order", params=[7])
    made = ends(shop, "order", "done")
    assert made["result"] == "order 7 is placed"
    first, second = made["attempts"]
    assert first["error"]["type"] == "spoolrunner.Retry"
    assert first["error"]["message"] == "the exchange is closed"
    assert first["ended_at"] < second["started_at"]


def test_a_job_is_given_up(shop) -> None:
    """It is not tried again, which its attempt explains; and its failure is told of, once."""
    publish(shop, "order", "shop.Exchange.order", params=[-1])
    (attempt,) = ends(shop, "order", "failed")["attempts"]
    assert (attempt["error"]["message"], attempt["no_retry"]) == ("there is no order -1", "it raised Discard")
    told = ends(shop, "order.failed.1", "done")
    assert told["meta"] == {"on_failure_of": "order"}
    assert shop.notes() == ["order failed: spoolrunner.Discard: there is no order -1"]
    assert "no_retry" in shop.cli("show", "order")


@pytest.mark.parametrize(
    ("card", "attempts", "no_retry"),
    [("refused", 1, "discard_on names shop.CardRefused"), ("expired", 2, None), ("slow", 2, None)],
)
def test_exceptions_are_sorted(shop, card, attempts, no_retry) -> None:
    """The nearest class that a list names decides."""
    publish(shop, "charge", "shop.Cards.charge", params=[card])
    made = ends(shop, "charge", "failed")["attempts"]
    assert len(made) == attempts
    assert made[-1].get("no_retry") == no_retry
    ends(shop, f"charge.failed.{attempts}", "done")


def test_steps_are_made_once(shop) -> None:
    """The second attempt makes what the first one has not made, and leaves nothing of it."""
    publish(shop, "import", "shop.Import.run", params=["Ann"], max_retries=1)
    made = ends(shop, "import", "done")
    assert (made["result"], len(made["attempts"])) == (3, 2)
    assert shop.notes() == ["downloaded for Ann", "stored 1", "stored 2", "stored 3"]
    assert os.listdir(shop.spool / "steps") == []


@pytest.mark.parametrize("option", [[], ["--from-start"]])
def test_steps_of_a_job_that_failed(shop, option) -> None:
    """They are listed, and a retry by hand goes on behind them or begins from the start."""
    publish(shop, "import", "shop.Import.run", params=["Ann"], max_retries=0)
    ends(shop, "import", "failed")
    ends(shop, "import.failed.1", "done")
    shown = shop.cli("show", "import")
    assert "steps that are made" in shown
    assert re.search(r"download +\S+Z  \[1, 2, 3\]", shown)
    assert [step["step"] for step in json.loads(shop.cli("show", "--json", "import"))["steps"]] == [
        "download",
        "row 0",
        "row 1",
    ]
    said = shop.cli("retry", *option, "import")
    assert ("import.jsonl" in said) == bool(option)
    ends(shop, "import", "done")
    before = ["downloaded for Ann", "stored 1", "stored 2"]
    told = ["import failed: ConnectionError: the database is restarting"]
    assert shop.notes() == [*before, *told, *(before if option else []), "stored 3"]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pipes with a name here")
def test_progress_is_listed(shop) -> None:
    """What a job reports of its progress is in the list of those that run."""
    os.mkfifo(shop.folder / "landing")
    publish(shop, "cross", "shop.Sailing.cross")
    until(lambda: "mile 0" in shop.cli("list", "running"))
    (listed,) = json.loads(shop.cli("list", "running", "--json"))
    assert listed["progress"] == "0% mile 0"
    (shop.folder / "landing").write_text("")
    assert ends(shop, "cross", "done")["result"] == "landed"
