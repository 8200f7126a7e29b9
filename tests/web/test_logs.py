"""The page of the log, and the log as it lies there."""

from __future__ import annotations

import os


def log(spool, *lines: str) -> None:
    with open(os.path.join(spool.layout.logs, "background_jobs.log"), "a", encoding="utf-8") as stream:
        stream.writelines(f"{line}\n" for line in lines)


def test_log(serve, spool) -> None:
    """The newest line is the first; a text or a choice leaves the others out; each id leads to its job."""
    log(
        spool,
        '2026-11-27T11:58:01.000000Z dispatcher note="started, version 0.1.0"',
        "2026-11-27T11:58:02.000000Z started id=a class=app.Report method=build attempt=1/4",
        '2026-11-27T11:58:03.000000Z failed id=a class=app.Report method=build attempt=1/4 duration=0.5s note="E: \\"x\\""',
        "no line of ours",
        "2026-11-27T11:58:04.000000Z retry id=a class=app.Report method=build attempt=2/4 next_run_at=2026-11-27T11:59:00Z",
    )
    page = serve()
    text = page.get("/logs/").text
    assert text.index(">retry<") < text.index(">failed<") < text.index(">started<")
    assert 'href="../job/a">a</a>' in text
    assert "Report.build 1/4 0.5s E: &#34;x&#34;" in text
    assert page.get("/logs/?with=version").text.count("<li class") == 1
    assert page.get("/logs/?events=failures").text.count("<li class") == 2
    assert page.get("/logs/?events=control").text.count("<li class") == 1
    assert "no line matches" in page.get("/logs/?with=nothing").text
    assert page.get("/logs/.json").json()["lines"][0]["kind"] == "retry"
    assert page.get("/logs/background_jobs.log").text.count("\n") == 5
    assert page.get("/logs/background_jobs.log").headers["content-type"].startswith("text/plain")


def test_quiet(serve) -> None:
    """Without a log the page says that it is quiet."""
    assert "quiet" in serve().get("/logs/").text
