"""The command line: arguments, signals, exit codes, printing. Each verb's work is in a module of its own."""

from spoolrunner.cli.main import main

__all__ = ["main"]
