"""Configurations near the valid ones: each is taken whole, or every problem is told, and nothing else happens."""

from __future__ import annotations

import json
import os
from contextlib import suppress

import orjson
import pytest
from hypothesis import example, given, settings

from spoolrunner.config.load import load_config, parse_config
from spoolrunner.errors import ConfigError, JobFormatError
from spoolrunner.executors.plan import runner_settings
from tests.fuzz.grammar import CONFIGS
from tests.fuzz.mutation import Mutator, corpus_of

LONG = int(os.environ.get("SPOOLRUNNER_FUZZ_CONFIGS", "100000"))
SEED = 20261124


def judge(make):
    """What `make` leads to: the Config with everything derived from it looked at, or the problems."""
    try:
        made = make()
    except ConfigError as error:
        problems = error.problems
    else:
        return put_to_use(made)
    assert problems
    assert all(problems)
    return problems


def put_to_use(made):
    """Derive from the configuration what the dispatcher derives."""
    orjson.dumps(made.effective())
    policies = [made.default_policy, *(policy for methods in made.allowed.values() for policy in methods.values())]
    for policy in policies:
        assert policy.timeout > 0
        assert 0 <= policy.pause(1, 0.5) <= policy.retry_max_interval
        fill(policy.command)
    for schedule in made.schedules.values():
        slot = schedule.timing.after(0)
        assert slot is None or slot > 0
        assert schedule.timing.words
    for group in ("mail", "customer.42", *made.file.limits):
        limit = made.groups.of(group)
        assert limit.concurrency is None or limit.concurrency >= 1
        assert limit.rate is None or (limit.rate.starts >= 1 and 0 < limit.rate.seconds <= made.groups.longest_window)
    assert os.path.isabs(made.layout.root)
    assert not any("\0" in path for path in (made.layout.root, made.python_binary, *made.python_path))
    if made.file.signing_key is None:  # else a key is read from a file, which is told of when there is none
        runner_settings(made, boot="").to_bytes()
    return made


def fill(command) -> None:
    """Fill a command with parameters that fit or do not: it has words, or says what is wrong."""
    if command is not None:
        for params in ({}, {"x": "a", "y": 1}, {"x": ["a"], "y": "-b"}, {"x": True}):
            with suppress(JobFormatError):
                assert all(isinstance(word, str) and "\0" not in word for word in command.template.fill(params))


@given(CONFIGS)
@settings(max_examples=60)
@example({"allowed_jobs": {}, "spool": "a\x00b"})
@example({"allowed_jobs": {}, "spool": "~\x00"})
@example({"allowed_jobs": {}, "spool": ""})
@example({"allowed_jobs": {"jobs": {"echo": {"timeout": 0}}}})
@example({"allowed_jobs": {"jobs": ["echo"]}, "schedules": {"a": {"job": "jobs", "method": "echo", "every": 5}}})
def test_a_configuration_is_taken_or_every_problem_is_told(tmp_path_factory, made):
    """No value leads to another error than ConfigError; one that is taken can be put to use."""
    raw = json.loads(json.dumps(made))
    judge(lambda: parse_config(str(tmp_path_factory.getbasetemp() / "config.json"), raw))


def damaged(folder, count):
    """Files of damaged bytes, one after the other, read as config.json."""
    path = folder / "config.json"
    corpus = corpus_of(CONFIGS.map(lambda made: json.dumps(made).encode()), min(1000, count // 5))
    mutator = Mutator(corpus, SEED)
    for _ in range(count):
        path.write_bytes(mutator.document())
        judge(lambda: load_config(str(path)))


def test_a_damaged_file_is_told_of(tmp_path, tally):
    """A config.json with bytes flipped, cut and mixed is taken or told of."""
    damaged(tmp_path, 200)
    tally.add("configurations, short form", 200)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_many_damaged_files_are_told_of(tmp_path, tally):
    """The same for a hundred thousand."""
    damaged(tmp_path, LONG)
    tally.add("configurations", LONG)
