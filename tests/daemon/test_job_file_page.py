"""docs/job-file.md does what it says: its examples are run as they are printed, its table and numbers compared."""

from __future__ import annotations

import json
import os
import queue
import re
import shutil
import subprocess
import threading
from pathlib import Path
from typing import NamedTuple

import pytest

from spoolrunner.config.load import Config, load_config
from spoolrunner.dispatch.loop import Dispatcher
from spoolrunner.dispatch.wishes import Wish
from spoolrunner.errors import JobFormatError
from spoolrunner.protocol import document, jsontext
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.ids import id_problem
from spoolrunner.telling.events import Event, Started

PAGE = (Path(__file__).parents[2] / "docs" / "job-file.md").read_text(encoding="utf-8")
ALLOWED = {"spoolrunner.demo_jobs.Text": ["count_words"]}
TEXT = "one two two three three three\n"
DEADLINE = 60


class Language(NamedTuple):
    """How an example is run. `id_line` finds the statement that makes the id, `taken` replaces it by a fixed one."""

    tag: str
    file: str
    needs: tuple[str, ...]
    command: str
    id_line: str
    taken: str


LANGUAGES = (
    Language("bash", "publish.sh", ("bash",), "bash publish.sh", r"^id=.*$", "id=taken"),
    Language("powershell", "publish.ps1", ("pwsh",), "pwsh -File publish.ps1", r"^\$id = .*$", "$id = 'taken'"),
    Language("php", "publish.php", ("php",), "php publish.php", r"^    \$id = .*;$", "    $id = 'taken';"),
    Language("javascript", "publish.js", ("node",), "node publish.js", r"^const id = .*;$", 'const id = "taken";'),
    Language("perl", "publish.pl", ("perl",), "perl publish.pl", r"^my \$id = .*;$", "my $id = 'taken';"),
    Language("go", "publish.go", ("go",), "go run publish.go", r"^\tid = .*$", "\tid, _ = `taken`, time.Now()"),
    Language(
        "c",
        "publish.c",
        ("cc", "sh"),
        "cc -o publish publish.c && ./publish",
        r"snprintf\(id, .*\);$",
        'snprintf(id, sizeof id, "taken");',
    ),
)
BY_TAG = {language.tag: language for language in LANGUAGES}
NO_JQ_TOOLS = ("bash", "date", "mv", "rm", "sync")


class Published(NamedTuple):
    """What running an example led to: its process, and the bytes of the job file it published, if it did."""

    ended: subprocess.CompletedProcess[str]
    data: bytes


def blocks(tag: str) -> list[str]:
    """The code blocks of the page in that language."""
    return re.findall(rf"^```{tag}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def example(tag: str) -> str:
    """The page's one example in that language."""
    (code,) = blocks(tag)
    return code


def missing(tag: str) -> list[str]:
    """The programs that the example needs and this machine has not."""
    return [name for name in BY_TAG[tag].needs if shutil.which(name) is None]


def need(tag: str) -> None:
    """Skip the test when the machine has not got the language."""
    if missing(tag):
        pytest.skip(f"not on this machine: {', '.join(missing(tag))}")


def make_home(folder: Path) -> Config:
    """A folder with config.json, a README.md to count and an empty spool."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text(TEXT, encoding="utf-8")
    (folder / "config.json").write_text(json.dumps({"allowed_jobs": ALLOWED}), encoding="utf-8")
    made = load_config(str(folder / "config.json"))
    Spool(made.layout).make()
    return made


def run(tag: str, code: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Save `code` beside config.json and run it there as the page says."""
    language = BY_TAG[tag]
    (home / language.file).write_text(code, encoding="utf-8")
    inherited = {name: value for name, value in os.environ.items() if name != "SPOOL"}
    command = language.command.split(" ")
    return subprocess.run(
        ["sh", "-c", language.command] if "&&" in command else command,
        cwd=home,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )


def drain(settings: Config) -> None:
    """Run what waits in the spool."""
    Dispatcher(settings).run(drain=True)


def files(folder: Path) -> list[str]:
    """The names in a folder."""
    return sorted(entry.name for entry in folder.iterdir())


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def published(home) -> dict[str, Published]:
    """Every example that can be run here, run as printed with the spool elsewhere; then the spool is drained."""
    settings = make_home(home / "served")
    found = {}
    for language in LANGUAGES:
        if missing(language.tag):
            continue
        workplace = home / language.tag
        workplace.mkdir()
        ended = run(language.tag, example(language.tag), workplace, SPOOL=settings.layout.root)
        path = Path(settings.layout.pending, ended.stdout.strip() + ".json")
        found[language.tag] = Published(ended, path.read_bytes() if ended.returncode == 0 else b"")
    drain(settings)
    return found


@pytest.mark.parametrize("tag", BY_TAG)
def test_example_leads_to_a_finished_job(tag, published, home):
    """The example publishes a job under the id that it prints, and the dispatcher finishes it with the right result."""
    need(tag)
    ended = published[tag].ended

    assert (ended.returncode, ended.stderr) == (0, "")
    job_id = ended.stdout.strip()
    assert id_problem(job_id) is None
    finished = json.loads((home / "served" / "spool" / "done" / f"{job_id}.json").read_bytes())
    assert finished["attempts"][0]["outcome"] == "succeeded"
    common = [["three", 3]]
    assert finished["result"] == {"path": "README.md", "lines": 1, "words": 6, "common": common}


@pytest.mark.parametrize("tag", BY_TAG)
def test_example_writes_a_document_that_passes(tag, published):
    """What the example wrote is a valid job document that says what the page's first one says."""
    need(tag)

    checked, raw = document.parse(published[tag].data)

    assert checked.job == "spoolrunner.demo_jobs.Text"
    assert raw == json.loads(blocks("json")[0])


@pytest.mark.parametrize("tag", BY_TAG)
def test_example_leaves_nothing_in_tmp(tag, published, home):
    """An example that succeeded has left no staged file behind."""
    need(tag)
    job_id = published[tag].ended.stdout.strip()

    assert not [name for name in files(home / "served" / "spool" / "tmp") if name.startswith(job_id)]


@pytest.mark.parametrize("tag", BY_TAG)
def test_example_uses_the_spool_beside_it_and_refuses_a_taken_id(tag, tmp_path):
    """Without SPOOL the example goes to ./spool, where it fails when its id waits already, and changes nothing."""
    need(tag)
    make_home(tmp_path)
    waiting = tmp_path / "spool" / "pending" / "taken.json"
    waiting.write_bytes(b"the first")
    language = BY_TAG[tag]
    code, replaced = re.subn(language.id_line, lambda _: language.taken, example(tag), flags=re.MULTILINE)
    assert replaced == 1

    ended = run(tag, code, tmp_path)

    assert ended.returncode != 0
    assert "taken" in ended.stderr or "exist" in ended.stderr.lower()
    assert ended.stdout == ""
    assert waiting.read_bytes() == b"the first"
    assert files(tmp_path / "spool" / "tmp") == []


@pytest.mark.parametrize("tag", BY_TAG)
def test_example_fails_without_a_spool(tag, tmp_path):
    """The example says so and exits with another status than 0 when there is no spool, and does not make one."""
    need(tag)

    ended = run(tag, example(tag), tmp_path, SPOOL=str(tmp_path / "nowhere"))

    assert ended.returncode != 0
    assert ended.stdout == ""
    assert ended.stderr
    assert not (tmp_path / "nowhere").exists()


@pytest.fixture
def path_without_jq(tmp_path) -> str:
    """A PATH with the programs that the bash example needs, but not jq."""
    need("bash")
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in NO_JQ_TOOLS:
        (folder / name).symlink_to(shutil.which(name))
    return str(folder)


def test_bash_example_without_jq(tmp_path, path_without_jq):
    """Without jq the bash example builds the same document with printf."""
    make_home(tmp_path)

    ended = run("bash", example("bash"), tmp_path, PATH=path_without_jq)

    assert (ended.returncode, ended.stderr) == (0, "")
    _, raw = document.parse((tmp_path / "spool" / "pending" / f"{ended.stdout.strip()}.json").read_bytes())
    assert raw == json.loads(blocks("json")[0])


@pytest.mark.parametrize("value", ['a "quote"', "back\\slash", "a\ttab"])
def test_bash_example_and_awkward_text(tmp_path, path_without_jq, value):
    """Text that JSON must escape is refused by the bash example without jq, and published unharmed with it."""
    make_home(tmp_path)
    code = example("bash").replace("param=README.md", f"param='{value}'")

    refused = run("bash", code, tmp_path, PATH=path_without_jq)

    assert refused.returncode != 0
    assert files(tmp_path / "spool" / "pending") == []
    if shutil.which("jq") is None:
        pytest.skip("not on this machine: jq")
    ended = run("bash", code, tmp_path)
    _, raw = document.parse((tmp_path / "spool" / "pending" / f"{ended.stdout.strip()}.json").read_bytes())
    assert raw["params"] == [value]


@pytest.mark.parametrize("text", blocks("json"))
def test_json_of_the_page_passes(text):
    """Each JSON document on the page is a valid job file."""
    checked, _ = document.parse(text.encode())

    assert checked.job in ALLOWED


def table_rows() -> list[list[str]]:
    """The cells of the table of fields, without its header."""
    table = PAGE.partition("| field | type | default | meaning |\n")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in table.splitlines()[1:]]


def test_fields_table_is_the_document():
    """The page's table has exactly the fields of `document.Document` that a producer may write."""
    described = document.schema()["$defs"]["Document"]["properties"]
    of_producers = {
        name for name, field in described.items() if "written by the dispatcher" not in field["description"]
    }

    assert {row[0].strip("`") for row in table_rows()} == of_producers


def test_fields_table_knows_what_is_required():
    """The page calls exactly those fields required that a document must have."""
    required = set(document.schema()["$defs"]["Document"]["required"])

    assert {row[0].strip("`") for row in table_rows() if row[2] == "required"} == required


def test_full_document_of_the_page_has_every_field_but_delay():
    """The page's full document shows every field of the table, but `signature`, and `delay`, which `next_run_at` overrules."""
    fields = {row[0].strip("`") for row in table_rows()}

    assert set(json.loads(blocks("json")[1])) == fields - {"delay", "signature"}


def test_runner_fields_are_named():
    """The page names the fields that a producer must leave alone."""
    described = document.schema()["$defs"]["Document"]["properties"]
    of_runner = [name for name, field in described.items() if "written by the dispatcher" in field["description"]]

    assert all(f"`{name}`" in PAGE for name in of_runner)


def test_limits_are_those_of_the_code():
    """The sizes and depths that the page names are those that are enforced."""
    assert f"{jsontext.MAX_PRODUCER_BYTES:,} bytes" in PAGE
    assert f"{jsontext.MAX_DEPTH} levels" in PAGE
    assert f"{document.MIN_PRIORITY} to {document.MAX_PRIORITY}" in PAGE


@pytest.mark.parametrize("value", [90, 0.5, "90s", "5m", "2h", "7d", "3650d"])
def test_durations_of_the_page_are_taken(value):
    """Each duration that the page shows is one."""
    made = {**json.loads(blocks("json")[0]), "delay": value}

    checked, _ = document.parse(json.dumps(made).encode())

    assert checked.delay == value


@pytest.mark.parametrize("value", ["2026-11-23T17:45:01Z", "2026-11-23T18:45:01.5+01:00"])
def test_times_of_the_page_are_taken(value):
    """Each time that the page shows is one."""
    assert f'"{value}"' in PAGE
    made = {**json.loads(blocks("json")[0]), "next_run_at": value}

    checked, _ = document.parse(json.dumps(made).encode())

    assert checked.next_run_at is not None


def test_reason_of_the_page_is_given():
    """A mistyped key is refused with the very words that the page shows."""
    shown = json.loads(blocks("text")[0])
    raw = json.loads(blocks("json")[0])
    raw["prams"] = raw.pop("params")

    with pytest.raises(JobFormatError) as caught:
        document.parse(json.dumps(raw).encode())

    assert str(caught.value) == shown["what"]


def test_reason_file_has_the_shape_of_the_page(tmp_path):
    """A refused file keeps its bytes in failed/, with a reason beside it that has the keys the page shows."""
    settings = make_home(tmp_path)
    raw = {**json.loads(blocks("json")[0]), "prams": []}
    Path(settings.layout.pending, "bad.json").write_text(json.dumps(raw), encoding="utf-8")

    drain(settings)

    failed = tmp_path / "spool" / "failed"
    assert json.loads((failed / "bad.json").read_bytes()) == raw
    assert set(json.loads((failed / "bad.reason").read_bytes())) == set(json.loads(blocks("text")[0]))


def test_link_is_noticed_like_a_rename(tmp_path):
    """A job that was published by link starts as soon as one that was renamed."""
    settings = make_home(tmp_path)
    started: queue.SimpleQueue[str] = queue.SimpleQueue()

    def listener(event: Event, _at: float) -> None:
        if isinstance(event, Started):
            started.put(event.who.id)

    dispatcher = Dispatcher(settings, [listener])
    thread = threading.Thread(target=dispatcher.run)
    thread.start()
    try:
        staged = tmp_path / "spool" / "tmp" / "staged"
        staged.write_text(blocks("json")[0], encoding="utf-8")
        staged.rename(tmp_path / "spool" / "pending" / "renamed.json")
        assert started.get(timeout=DEADLINE) == "renamed"
        staged.write_text(blocks("json")[0], encoding="utf-8")
        (tmp_path / "spool" / "pending" / "linked.json").hardlink_to(staged)

        with_a_link = started.get(timeout=2)

        assert with_a_link == "linked"
    finally:
        dispatcher.request(Wish.STOP)
        thread.join(DEADLINE)
