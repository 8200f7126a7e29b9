"""A form: the fields of a method, and what a person typed as parameters."""

from __future__ import annotations

import os
import sys

import pytest

from spoolrunner.client import form as module
from spoolrunner.client.form import Field, Form, Forms, type_of
from spoolrunner.client.settings import settings_in_force
from spoolrunner.errors import JobFormatError, NotAllowedError

MODULE = (
    "def work(year: int, name: str = 'x', flag: bool = False, share: float = 1.5, data: dict = {}, free=None): 'Work.'"
)


@pytest.fixture
def forms() -> Forms:
    return Forms()


@pytest.fixture
def code(tmp_path, home) -> str:
    """A module whose function may be called; the path of its file."""
    path = tmp_path / "unit_form_jobs.py"
    path.write_text(MODULE, encoding="ascii")
    for name, source in {
        "hangs": "import threading; threading.Event().wait()",
        "dies": "import os; os._exit(7)",
    }.items():
        (tmp_path / f"unit_form_{name}.py").write_text(source, encoding="ascii")
    home(allowed_jobs={f"unit_form_{name}": ["work"] for name in ("jobs", "hangs", "dies", "lies")}, import_timeout=30)
    return str(path)


def test_the_fields_of_a_function(forms, code) -> None:
    """Each parameter is a field, with how its text is read."""
    found = forms.of(settings_in_force(), "unit_form_jobs", "work")
    assert found == Form(
        "unit_form_jobs",
        "work",
        [
            Field("year", "int", "integer", required=True),
            Field("name", "str", "text", required=False, default='"x"'),
            Field("flag", "bool", "boolean", required=False, default="false"),
            Field("share", "float", "number", required=False, default="1.5"),
            Field("data", "dict", "json", required=False, default="{}"),
            Field("free", "", "any", required=False, default="null"),
        ],
        "Work.",
    )


@pytest.fixture
def asked(monkeypatch) -> list[str]:
    """Each time that a process was started for a form."""
    times: list[str] = []
    real = module._answer

    def counting(*arguments):
        times.append(arguments[1])
        return real(*arguments)

    monkeypatch.setattr(module, "_answer", counting)
    return times


def test_it_is_remembered_until_something_changes(forms, code, home, asked) -> None:
    """A second look starts no process; a file of the code that was saved, or another config.json, does."""
    first = forms.of(settings_in_force(), "unit_form_jobs", "work")
    assert forms.of(settings_in_force(), "unit_form_jobs", "work") is first
    assert len(asked) == 1
    with open(code, "w", encoding="ascii") as stream:
        stream.write("def work(other): ...")
    os.utime(code, (1, 1))
    assert [field.name for field in forms.of(settings_in_force(), "unit_form_jobs", "work").fields] == ["other"]
    home(allowed_jobs={"unit_form_jobs": ["work"]}, environment={"A": "b"})
    forms.of(settings_in_force(), "unit_form_jobs", "work")
    assert len(asked) == 3


def test_what_failed_is_tried_again_after_a_while(forms, code, asked, clock) -> None:
    """A module that cannot be imported is asked again when somebody has had time to mend it."""
    os.unlink(code)
    found = forms.of(settings_in_force(), "unit_form_jobs", "work")
    assert "No module named 'unit_form_jobs'" in found.problem
    assert forms.of(settings_in_force(), "unit_form_jobs", "work") is found
    clock.advance(module.REMEMBERED)
    forms.of(settings_in_force(), "unit_form_jobs", "work")
    assert len(asked) == 2


def test_a_module_that_hangs(forms, code, monkeypatch) -> None:
    """It is ended in time, and that is the problem."""
    monkeypatch.setattr(module, "LONGEST", 1.0)
    problem = forms.of(settings_in_force(), "unit_form_hangs", "work").problem
    assert problem == "importing it did not end within 1 s"


def test_a_module_that_dies(forms, code) -> None:
    """It takes its own process along, and no other."""
    problem = forms.of(settings_in_force(), "unit_form_dies", "work").problem
    assert problem == "importing it ended the process with status 7"


def test_an_interpreter_that_is_not_there(forms, home) -> None:
    """That is said."""
    home(python_binary="no-such-python")
    assert "no-such-python cannot be used" in forms.of(settings_in_force(), "app.Report", "build").problem


@pytest.mark.parametrize(
    "answer", [{}, {"parameters": 5}, {"parameters": [{}]}, {"parameters": [], "files": 5}, {"parameters": []}]
)
def test_an_answer_of_another_shape(forms, home, monkeypatch, answer) -> None:
    """A module that writes over the answer has no form."""
    monkeypatch.setattr(module, "_answer", lambda *_: answer)
    problem = forms.of(settings_in_force(), "app.Report", "build").problem
    assert problem == "its module has written something else over the answer"


def test_what_is_not_allowed(forms, home) -> None:
    """A form is made for what config.json allows, and for nothing else."""
    with pytest.raises(NotAllowedError):
        forms.of(settings_in_force(), "os", "system")


def test_a_command(forms, home, asked) -> None:
    """Its fields are the places in its words, and no process is asked."""
    argv = ["convert", "{source}", ["-resize", "{width}"], ["{tags}"]]
    types = {"width": "integer", "tags": "strings"}
    home(allowed_jobs={"shell": {"thumbnail": {"argv": argv, "types": types}}})
    found = forms.of(settings_in_force(), "shell", "thumbnail")
    assert found.fields == [
        Field("source", "string", "text", required=True),
        Field("width", "integer", "integer", required=False),
        Field("tags", "strings", "json", required=False),
    ]
    assert found.params({"source": "a.png", "width": "80", "tags": '["a"]'}) == {
        "source": "a.png",
        "width": 80,
        "tags": ["a"],
    }
    assert asked == []


@pytest.mark.parametrize(
    ("words", "default", "kind"),
    [
        ("int", None, "integer"),
        ("int | None", None, "integer"),
        ("Optional[int]", None, "integer"),
        ("typing.Optional[str]", None, "text"),
        ("float", "1", "number"),
        ("bool", None, "boolean"),
        ("int | str", None, "any"),
        ("list[str]", None, "json"),
        ("dict[str, int] | None", None, "json"),
        ("app.Money", None, "json"),
        ("Any", None, "any"),
        ("", None, "any"),
        ("", "3", "any"),
        ("", "true", "boolean"),
    ],
)
def test_how_a_text_is_read(words, default, kind) -> None:
    """By the words of the annotation; without one, true and false are known by the default."""
    assert type_of(words, default) == kind


def one(kind: str, *, required: bool = True, default: str = "") -> Form:
    return Form("a.B", "c", [Field("x", "", kind, required, default)])


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("text", "007", "007"),
        ("integer", "7", 7),
        ("number", "7.5", 7.5),
        ("number", "7", 7),
        ("boolean", "true", True),
        ("boolean", "false", False),
        ("json", '{"a": [null]}', {"a": [None]}),
        ("any", "[1]", [1]),
        ("any", "hello", "hello"),
        ("any", "007", "007"),
    ],
)
def test_a_text_becomes_a_value(kind, text, value) -> None:
    """Each type reads its texts."""
    assert one(kind).params({"x": text}) == {"x": value}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("integer", "7.5"),
        ("integer", "seven"),
        ("integer", "true"),
        ("number", "true"),
        ("number", '"7"'),
        ("boolean", "yes"),
        ("json", "{"),
        ("integer", ""),
    ],
)
def test_a_text_of_another_type(kind, text) -> None:
    """It is refused under the name of its field."""
    with pytest.raises(JobFormatError) as caught:
        one(kind).params({"x": text})
    assert caught.value.key == "x"


def test_empty_fields() -> None:
    """One that may be left out is, and a required text may be empty."""
    assert one("integer", required=False).params({"x": ""}) == {}
    assert one("text", required=False).params({}) == {}
    assert one("text").params({"x": ""}) == {"x": ""}


def test_parameters_by_position() -> None:
    """Parameters without names are a list; one that is left out before another is its default."""
    fields = [
        Field("a", "", "any", required=True),
        Field("b", "", "any", False, "2"),
        Field("c", "", "any", False, "<x>"),
    ]
    form = Form("a.B", "c", [*fields, Field("d", "", "any", required=False, default="4")], by_position=True)
    assert form.params({"a": "1"}) == [1]
    assert form.params({"a": "1", "c": "3"}) == [1, 2, 3]
    with pytest.raises(JobFormatError, match="c: is needed"):
        form.params({"a": "1", "d": "4"})


@pytest.mark.skipif(sys.platform == "win32", reason="a path there has no such bytes")
def test_a_path_that_is_no_text(forms, tmp_path, home, monkeypatch) -> None:
    """A folder of code whose name holds bytes that are no UTF-8 is looked into all the same."""
    folder = os.path.join(os.fsencode(tmp_path), b"caf\xe9")
    os.mkdir(folder)
    with open(os.path.join(folder, b"unit_form_odd.py"), "wb") as stream:
        stream.write(b"def work(x): ...")
    home(allowed_jobs={"unit_form_odd": ["work"]})
    settings = settings_in_force()
    settings.python_path = [os.fsdecode(folder)]
    assert [field.name for field in forms.of(settings, "unit_form_odd", "work").fields] == ["x"]
