"""The shape of config.json: what its types take, and that they agree with one another."""

from __future__ import annotations

import msgspec
import pytest

from spoolrunner.config.commands import KEYS
from spoolrunner.config.shape import ConfigFile, MethodPolicy
from spoolrunner.protocol.policy import Policy

OF_COMMANDS = set(KEYS)
"""Keys that make a method a command: together they become one part of its policy."""
ONLY_BY_METHOD = {"concurrency", "priority", "group"} | OF_COMMANDS


def fields(shape: type[msgspec.Struct]) -> dict[str, msgspec.structs.FieldInfo]:
    return {field.name: field for field in msgspec.structs.fields(shape)}


def test_only_the_whitelist_is_required() -> None:
    """A config.json with nothing but allowed_jobs is whole."""
    assert [name for name, field in fields(ConfigFile).items() if field.required] == ["allowed_jobs"]


def test_the_defaults_are_of_their_types() -> None:
    """Written out, the defaults are a config.json that is read again as the same."""
    made = ConfigFile(allowed_jobs={"app.A": ["b"], "app.C": {"d": MethodPolicy(timeout="5s")}})
    assert msgspec.convert(msgspec.to_builtins(made), ConfigFile) == made


def test_two_configurations_share_nothing() -> None:
    """A default that can be changed is made anew for each configuration."""
    one, two = ConfigFile(allowed_jobs={}), ConfigFile(allowed_jobs={})
    one.python_path.append("x")
    one.environment["X"] = "y"
    assert (two.python_path, two.environment) == (["."], {})


def test_a_method_may_set_what_all_have() -> None:
    """Each key of a method's policy is one of the whole file too, but for those that mean something for a method alone."""
    assert set(fields(MethodPolicy)) - ONLY_BY_METHOD < set(fields(ConfigFile))


def test_a_policy_has_every_key() -> None:
    """Each key of a method's policy is part of the policy that jobs run under, so that none is read and forgotten."""
    assert set(fields(MethodPolicy)) - OF_COMMANDS <= set(Policy.__dataclass_fields__)


def test_an_empty_policy_sets_nothing() -> None:
    """A method with {} sets no key of its own."""
    assert msgspec.to_builtins(msgspec.convert({}, MethodPolicy)) == {}


@pytest.mark.parametrize(
    "policy",
    [
        {"timeout": -1},
        {"timeout": "1 hour"},
        {"max_retries": -1},
        {"max_retries": 1_000_001},
        {"concurrency": 0},
        {"priority": -1001},
        {"memory": "1.5G"},
        {"open_files": 15},
        {"on_crash": "pray"},
        {"no_new_privileges": "yes"},
        {"colour": "red"},
    ],
)
def test_what_no_policy_takes(policy) -> None:
    """A value out of range, of another kind, or under an unknown key does not fit the shape."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(policy, MethodPolicy)
