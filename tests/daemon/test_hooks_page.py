"""docs/hooks.md does what it says: its recipes are run as they are printed, with the packages themselves."""

from __future__ import annotations

import gzip
import http.server
import json
import re
import shlex
import sys
import threading
from pathlib import Path

import pytest
import sentry_sdk
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from spoolrunner.client.enqueue import enqueue
from spoolrunner.config.load import load_config
from spoolrunner.dispatch.loop import Dispatcher

PAGE = (Path(__file__).parents[2] / "docs" / "hooks.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```python\n# (app/\w+\.py)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
(CONFIG,) = re.findall(r"^```json\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
(LOG_LINE,) = re.findall(r"^```text\n(.*)\n^```$", PAGE, re.MULTILINE)
EXECUTORS = ["spawn"] if sys.platform in ("win32", "darwin") else ["fork", "spawn"]


class Memory(sentry_sdk.transport.Transport):
    """Keeps what would be sent."""

    kept: list[dict]

    def capture_envelope(self, envelope) -> None:
        self.kept += [event for item in envelope.items if (event := item.get_event()) is not None]


@pytest.fixture
def page(make):
    """The modules of the page beside its config.json."""

    def installation(**changes):
        home = make(**{**json.loads(CONFIG), "max_retries": 0, **changes})
        (home.folder / "app").mkdir()
        for name, text in FILES.items():
            (home.folder / name).write_text(text)
        return home

    return installation


class Sentry(http.server.BaseHTTPRequestHandler):
    """Takes what is sent to a DSN of this machine."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_arguments) -> None:
        """Print nothing."""


@pytest.fixture
def sentry():
    """A server to which reports can be sent; `got` has the bytes of each."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sentry)
    server.got = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def log_of(home, job_id: str) -> str:
    return (home.spool / "logs" / "jobs" / f"{job_id}.log").read_text(encoding="utf-8")


def spans_in(text: str) -> list[dict]:
    """The spans that the console exporter has printed."""
    found, at = [], text.find("\n{\n")
    while at >= 0:
        span, length = json.JSONDecoder().raw_decode(text[at + 1 :])
        found.append(span)
        at = text.find("\n{\n", at + 1 + length)
    return found


@pytest.mark.parametrize("executor", EXECUTORS)
def test_all_together(page, sentry, executor) -> None:
    """In a job's own process: lines with its id, a span in the trace of who enqueued it, and its error at a DSN."""
    dsn = f"http://key@127.0.0.1:{sentry.server_address[1]}/1"
    home = page(executor=executor, environment={"SENTRY_DSN": dsn})
    config = str(home.folder / "config.json")
    with TracerProvider().get_tracer("shop").start_as_current_span("checkout") as span:
        enqueue("app.orders", "confirm", [7], id="order-7", config=config)
    enqueue("app.orders", "refuse", [8], id="order-8", config=config)
    home.cli("run", "--drain")

    assert home.document("done", "order-7")["result"] == 7
    (line,) = [line for line in log_of(home, "order-7").splitlines() if "event=confirmed" in line]
    assert fields_of(line) == {**fields_of(LOG_LINE), "timestamp": fields_of(line)["timestamp"]}
    (made,) = spans_in(log_of(home, "order-7"))
    ids = span.get_span_context()
    assert (made["context"]["trace_id"], made["parent_id"]) == (f"0x{ids.trace_id:032x}", f"0x{ids.span_id:016x}")
    assert (made["name"], made["attributes"]) == ("app.orders.confirm", {"job.id": "order-7", "job.attempt": 1})

    (attempt,) = home.document("failed", "order-8")["attempts"]
    assert attempt["error"]["message"] == "order 8 is not known"
    assert "in refuse\n    raise ValueError" in attempt["error"]["traceback"]
    (report,) = [body for body in sentry.got if b"order 8 is not known" in body]
    assert b'"order-8"' in report
    assert b"app.orders.refuse" in report
    (failed,) = spans_in(log_of(home, "order-8"))
    assert failed["status"]["status_code"] == "ERROR"


def fields_of(line: str) -> dict[str, str]:
    return dict(pair.partition("=")[::2] for pair in shlex.split(line))


def test_in_memory(page, monkeypatch) -> None:
    """The recipes, with exporters and transports that keep in memory what they are given."""
    home = page(executor="inline")
    spans, reports = InMemorySpanExporter(), Memory()
    reports.kept = []
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    real = sentry_sdk.init
    monkeypatch.setattr(
        sentry_sdk, "init", lambda: real("http://key@127.0.0.1:1/1", transport=reports, default_integrations=False)
    )
    monkeypatch.setattr(trace, "set_tracer_provider", lambda _: None)  # once a process, and this one goes on
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    config = str(home.folder / "config.json")
    before = set(sys.modules)
    try:
        with provider.get_tracer("shop").start_as_current_span("checkout") as span:
            enqueue("app.orders", "confirm", [7], id="order-7", config=config)
            enqueue("app.orders", "refuse", [8], id="order-8", config=config)
        Dispatcher(load_config(config)).run(drain=True)
    finally:
        real()  # no client any more
        for name in set(sys.modules) - before:
            if name.partition(".")[0] == "app":
                del sys.modules[name]
    by_name = {made.name: made for made in spans.get_finished_spans()}
    assert by_name["app.orders.confirm"].parent.span_id == span.get_span_context().span_id
    assert by_name["app.orders.refuse"].status.is_ok is False
    (report,) = reports.kept
    assert report["transaction"] == "app.orders.refuse"
    assert report["tags"] == {"job.id": "order-8", "job.attempt": 1}
    assert report["exception"]["values"][0]["value"] == "order 8 is not known"
    assert "job=order-7" in log_of(home, "order-7")
    assert home.where("order-8") == ["failed"]
