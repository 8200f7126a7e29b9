"""Templates of commands: what becomes of parameters, and what is refused in a template and in parameters."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoolrunner.errors import JobFormatError
from spoolrunner.protocol.argv import TYPES, Template, faults

CONVERT = ["convert", "{source}", ["-resize", "{width}x"], ["-strip", "{strip}"], "{target}"]
CONVERT_TYPES = {"width": "integer", "strip": "boolean"}
CONVERTED = {"source": "a.png", "target": "b.png"}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


def refusal(template: Template, params) -> str:
    """Why the parameters are refused."""
    with pytest.raises(JobFormatError) as caught:
        template.fill(params)
    assert caught.value.key == "params"
    return caught.value.problem


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, ["convert", "a.png", "b.png"]),
        ({"width": 200}, ["convert", "a.png", "-resize", "200x", "b.png"]),
        ({"width": 0}, ["convert", "a.png", "-resize", "0x", "b.png"]),
        ({"width": None, "strip": None}, ["convert", "a.png", "b.png"]),
        ({"strip": True}, ["convert", "a.png", "-strip", "b.png"]),
        ({"strip": False}, ["convert", "a.png", "b.png"]),
        ({"source": ""}, ["convert", "", "b.png"]),
        ({"source": "a b; rm -rf $HOME `id` * \n"}, ["convert", "a b; rm -rf $HOME `id` * \n", "b.png"]),
        ({"source": "{target}"}, ["convert", "{target}", "b.png"]),
    ],
)
def test_filling(more, words) -> None:
    """Each value is in its word as it is; a list of words is there when all that it names is."""
    assert Template(CONVERT, CONVERT_TYPES).fill({**CONVERTED, **more}) == words


@pytest.mark.parametrize(
    ("argv", "types", "params", "words"),
    [
        (["tar", "{files}"], {"files": "strings"}, {"files": ["a", "b c"]}, ["tar", "a", "b c"]),
        (["tar", "{files}"], {"files": "strings"}, {"files": []}, ["tar"]),
        (
            ["tar", "--exclude={x}", "."],
            {"x": "strings"},
            {"x": ["a", "b"]},
            ["tar", "--exclude=a", "--exclude=b", "."],
        ),
        (["tar", ["--exclude", "{x}"]], {"x": "strings"}, {"x": []}, ["tar"]),
        (["tar", ["--exclude", "{x}"]], {"x": "strings"}, {}, ["tar"]),
        (["seq", "{n}"], {"n": "integers"}, {"n": [1, 2]}, ["seq", "1", "2"]),
        (["sleep", "{s}"], {"s": "number"}, {"s": 0.5}, ["sleep", "0.5"]),
        (["sleep", "{s}"], {"s": "number"}, {"s": 3}, ["sleep", "3"]),
        (["a", "{x}-{x}.{y}"], {}, {"x": "1", "y": "2"}, ["a", "1-1.2"]),
        (["awk", "{{print {n}}}"], {"n": "integer"}, {"n": 3}, ["awk", "{print 3}"]),
        (["a", ["-o", "{f}", "{on}"]], {"on": "boolean"}, {"f": "x", "on": False}, ["a"]),
        (["a", ["-o", "{f}", "{on}"]], {"on": "boolean"}, {"f": "x", "on": True}, ["a", "-o", "x"]),
        (["a"], {}, {}, ["a"]),
        (["a"], {}, [], ["a"]),
        (["a", ""], {}, {}, ["a", ""]),
    ],
)
def test_kinds_of_words(argv, types, params, words) -> None:
    """Lists make their word come once for each value; booleans choose; double braces are braces."""
    assert faults(argv, types) == []
    assert Template(argv, types).fill(params) == words


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({}, "source: missing; it is required; target: missing; it is required"),
        (["a.png"], "must be an object: a command takes its parameters by name"),
        ("a", "must be an object: a command takes its parameters by name"),
        ({**CONVERTED, "wdith": 1}, "wdith: unknown parameter (did you mean 'width'?)"),
        ({**CONVERTED, "width": "1"}, "width: must be an integer, not '1'"),
        ({**CONVERTED, "width": 1.5}, "width: must be an integer, not 1.5"),
        ({**CONVERTED, "width": True}, "width: must be an integer, not True"),
        ({**CONVERTED, "width": {}}, "width: must be an integer, not {}"),
        ({**CONVERTED, "strip": "yes"}, "strip: must be true or false, not 'yes'"),
        ({**CONVERTED, "strip": 1}, "strip: must be true or false, not 1"),
        ({**CONVERTED, "source": 5}, "source: must be a string, not 5"),
        ({**CONVERTED, "source": ["a"]}, "source: must be a string, not ['a']"),
        ({**CONVERTED, "source": None}, "source: missing; it is required"),
        ({**CONVERTED, "source": "a\0"}, "source: holds a NUL, which no argument of a program may"),
    ],
)
def test_refused_parameters(params, problem) -> None:
    """Parameters that do not fit are refused by name, all at once, with what is needed."""
    assert refusal(Template(CONVERT, CONVERT_TYPES), params) == problem


@pytest.mark.parametrize(
    ("argv", "types", "params", "name"),
    [
        (["rm", "{file}"], {}, {"file": "-rf"}, "file"),
        (["rm", "{file}"], {}, {"file": "-"}, "file"),
        (["a", "--x={file}"], {}, {"file": "-rf"}, "file"),
        (["rm", "{files}"], {"files": "strings"}, {"files": ["a", "-rf"]}, "files"),
        (["nice", "{n}"], {"n": "integer"}, {"n": -5}, "n"),
        (["nice", "{n}"], {"n": "number"}, {"n": -0.0}, "n"),
        (["a", "{a}{b}"], {}, {"a": "", "b": "-x"}, "b"),
        (["a", "{a}-b"], {}, {"a": ""}, "a"),
        (["a", "{a}{b}-c"], {}, {"a": "", "b": ""}, "a"),
        (["a", ["{a}-b"]], {}, {"a": ""}, "a"),
        (["a", "{a}-b"], {"a": "strings"}, {"a": ["x", ""]}, "a"),
    ],
)
def test_no_value_becomes_an_option(argv, types, params, name) -> None:
    """A value that begins with -, or makes its word begin so, is refused; where the policy allows it, it is not."""
    assert faults(argv, types) == []
    problem = refusal(Template(argv, types), params)
    assert problem.startswith(f"{name}: ")
    assert "option" in problem
    assert Template(argv, types, list(params)).fill(params)


def test_long_values_and_many_faults_are_cut() -> None:
    """What is said of a document with thousands of faults is bounded, and quickly made."""
    problem = refusal(Template(["a", "{x}"]), {"x": ["y" * 10_000], **{f"n{number}": 1 for number in range(100_000)}})
    assert len(problem) < 3000
    assert "and 99980 more unknown parameters" in problem
    assert len(refusal(Template(["a", "{x}"], {"x": "integers"}), {"x": list("abc" * 10_000)})) < 3000


@pytest.mark.parametrize(
    ("argv", "types", "options", "problem"),
    [
        ("convert", {}, [], "argv: must be a list of words, the program first"),
        ([], {}, [], "argv: must be a list of words"),
        (None, {}, [], "argv: must be a list of words"),
        (["{program}"], {}, [], "argv[0]: must be the name or the path of a program"),
        ([["convert"]], {}, [], "argv[0]: must be the name or the path of a program"),
        ([""], {}, [], "argv[0]: must be the name or the path of a program"),
        (["a", 5], {}, [], "argv[1]: must be a word, or a list of words"),
        (["a", ["b", ["c"]]], {}, [], "argv[1]: must be a list of words; a list inside it may hold no other"),
        (["a", ["-v"]], {}, [], "argv[1]: names no parameter"),
        (["a", []], {}, [], "argv[1]: names no parameter"),
        (["a", "{"], {}, [], "argv[1]: '{' has a brace that belongs to no {name}"),
        (["a", "{a b}"], {}, [], "argv[1]: '{a b}' has a brace"),
        (["a", "{}"], {}, [], "argv[1]: '{}' has a brace"),
        (["a", "{1}"], {}, [], "argv[1]: '{1}' has a brace"),
        (["a", "b\0"], {}, [], "argv[1]: holds a NUL"),
        (["a", "{width}"], {"width": "int"}, [], "types.width: 'int' is none; there are string, integer"),
        (["a", "{width}"], {"wdith": "integer"}, [], "types.wdith: argv has no {wdith} (did you mean 'width'?)"),
        (["a", "{width}"], {}, ["with"], "allow_options: argv has no {with} (did you mean 'width'?)"),
        (["a", "{v}"], ["v"], [], "types: must be an object: parameter -> type"),
        (["a", "{v}"], {}, "v", "allow_options: must be a list of names of parameters"),
        (["a", "{v}"], {}, [1], "allow_options: must be a list of names of parameters"),
        (["a", "{v}"], {"v": "boolean"}, [], "argv[1]: v is a boolean, which has no text: it chooses a list"),
        (["a", ["-v={v}"]], {"v": "boolean"}, [], "argv[1]: v is a boolean"),
        (["a", "{v}{w}"], {"v": "strings", "w": "strings"}, [], "argv[1]: '{v}{w}' has two lists"),
    ],
)
def test_faults(argv, types, options, problem) -> None:
    """A wrong template is refused with the place of the fault and what is needed."""
    found = [str(fault) for fault in faults(argv, types, options)]
    assert len(found) == 1
    assert found[0].startswith(problem)


def test_all_faults_at_once() -> None:
    """Each fault of a template is named."""
    found = faults(["{a}", "{", ["-v"], 5], {"a": "text"})
    assert [fault.key for fault in found] == ["argv[0]", "argv[1]", "argv[2]", "argv[3]", "types.a"]


def test_the_program() -> None:
    """The program is the first word."""
    assert Template(["a{{b", "{x}"]).program == "a{b"


WORDS_OF_ANY = st.none() | st.booleans() | st.integers() | TEXT
PIECES = st.one_of(st.sampled_from(["{a}", "{b}", "{n}", "{l}", "{on}"]), TEXT.map(lambda t: re.sub("[{}]", "", t)))
WORDS = st.lists(PIECES, max_size=3).map("".join)
TYPES_OF = {"n": "integer", "l": "strings", "on": "boolean"}
VALUES = st.fixed_dictionaries(
    {}, optional={"a": TEXT, "b": TEXT, "n": st.integers(), "l": st.lists(TEXT, max_size=3), "on": st.booleans()}
)


@given(st.lists(WORDS | st.lists(WORDS, max_size=3), max_size=5), VALUES)
def test_what_a_value_can_do(argv, params) -> None:
    """Whatever fits: no word begins with - unless its template does, and each word is its template with the values in it."""
    argv = ["program", *argv]
    names = {
        name
        for part in argv
        for word in ([part] if isinstance(part, str) else part)
        for name in re.findall(r"{(\w+)}", word)
    }
    types = {name: kind for name, kind in TYPES_OF.items() if name in names}
    if faults(argv, types):
        return
    try:
        words = Template(argv, types).fill({name: value for name, value in params.items() if name in names})
    except JobFormatError:
        return
    templates = [word for part in argv for word in ([part] if isinstance(part, str) else part)]
    patterns = [
        re.compile(
            "".join(".*" if piece.startswith("{") else re.escape(piece) for piece in re.split(r"({\w+})", word)),
            re.DOTALL,
        )
        for word in templates
    ]
    position = 0
    for word in words:
        while not patterns[position].fullmatch(word):
            position += 1
        template = templates[position]
        assert not word.startswith("-") or template.startswith("-")
    assert words[0] == "program"


@given(
    WORDS_OF_ANY | st.lists(WORDS_OF_ANY | st.lists(WORDS_OF_ANY, max_size=3), max_size=4),
    st.dictionaries(TEXT, st.sampled_from(TYPES) | TEXT | st.none(), max_size=3),
    st.lists(TEXT, max_size=2),
)
def test_any_template_is_judged(argv, types, options) -> None:
    """Whatever stands under the keys is taken or has faults; what is taken can be filled or refuses with words."""
    if faults(argv, types, options):
        return
    template = Template(argv, types, options)
    assert template.program
    with suppress(JobFormatError):
        assert all(isinstance(word, str) for word in template.fill(dict.fromkeys(types, "x")))
