"""Parameters: they are said to fit exactly when the call would get into the function."""

from __future__ import annotations

import functools

from hypothesis import given
from hypothesis import strategies as st

from spoolrunner.attempt.binding import Callee

ARGUMENTS = st.tuples(
    st.integers(0, 2),
    st.integers(0, 3),
    st.sampled_from(["", "*rest"]),
    st.integers(0, 2),
    st.booleans(),
    st.integers(0, 5),
)
PARAMS = st.lists(st.none(), max_size=7) | st.dictionaries(st.sampled_from("abcdefghk"), st.none(), max_size=6)


@given(ARGUMENTS, PARAMS, st.sampled_from(["function", "method", "class method", "partial"]))
def test_the_quick_look_agrees_with_the_signature(arguments, params, kind) -> None:
    """Whatever the function and the params: they are said to fit exactly when the call would get into the function."""
    before, plain, rest, only, others, optional = arguments
    others = others and not before  # inspect of Python 3.11 errs where f(a, /, **k) is given a keyword a
    names = "abcdefgh"[: before + plain]
    spelled = [f"{name}=0" if index >= len(names) - optional else name for index, name in enumerate(names)]
    spelled = spelled[:before] + ["/"] * (before > 0) + spelled[before:] + ([rest] if rest else ["*"] * (only > 0))
    spelled += [f"{name}=0" if optional else name for name in "gh"[:only]] + ["**k"] * others
    first = {"method": ["self"], "class method": ["cls"]}.get(kind, [])
    if before and first:
        spelled = first + spelled
    made: dict = {}
    body = f"def f({', '.join(spelled if before and first else first + spelled)}): return 'in'"
    exec(body, made)
    owner = type("Owner", (), {"f": classmethod(made["f"]) if kind == "class method" else made["f"]})
    if kind == "method":
        callee = Callee("f", vars(owner)["f"], owner)
    elif kind == "class method":
        callee = Callee("f", owner.f, None)
    else:
        function = made["f"] if kind == "function" else functools.partial(made["f"])
        callee = Callee("f", function, None)
    try:
        entered = callee.call(params) == "in"
    except TypeError:
        entered = False
    assert (callee.problem(params) is None) == entered
