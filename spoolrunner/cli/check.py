"""`check`: the configuration in force, what weakens it, and every allowed job looked up."""

from __future__ import annotations

import argparse
import sys

import orjson

from spoolrunner.cli import render
from spoolrunner.client.check import check
from spoolrunner.config.load import load_config
from spoolrunner.telling.line_format import printable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the verb its arguments."""
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the configuration in force; 1 when an allowed job cannot be found, 2 when the configuration is wrong."""
    settings = load_config(arguments.config, to_run=True)
    checked = check(settings)
    if arguments.json:
        report = {"config": settings.path, "effective": settings.effective(), **checked._asdict()}
        render.as_json(report)
        return 1 if checked.problems else 0
    print(f"{settings.path}:")
    render.fields((f"  {key}", orjson.dumps(value).decode()) for key, value in settings.effective().items())
    for weakness in checked.warnings:
        print(f"warning: {weakness}", file=sys.stderr)
    for problem in checked.problems:
        print(f"problem: {printable(problem)}", file=sys.stderr)
    count = sum(len(methods) for methods in settings.allowed.values())
    print(f"{count - len(checked.problems)} of {count} allowed methods found")
    return 1 if checked.problems else 0
