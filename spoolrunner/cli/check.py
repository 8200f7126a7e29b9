"""`check`: the configuration in force, what weakens it, and every allowed job looked up."""

from __future__ import annotations

import argparse

from spoolrunner.cli import out, render
from spoolrunner.client.check import check
from spoolrunner.config.load import load_config


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
    out.say(f"{settings.path}:")
    render.fields((f"  {key}", render.as_text(value)) for key, value in settings.effective().items())
    for weakness in checked.warnings:
        out.complain(f"warning: {weakness}")
    for problem in checked.problems:
        out.complain(f"problem: {problem}")
    hooks = len([name for name in settings.hooks or () if name])
    count = sum(len(methods) for methods in settings.allowed.values()) + hooks
    out.say(f"{count - len(checked.problems)} of {count} allowed methods{' and hooks' if hooks else ''} found")
    return 1 if checked.problems else 0
