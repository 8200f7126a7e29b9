"""`web`: the operator's page, in a process of its own, until stopped (Ctrl-C, SIGTERM). Needs the extra [web]."""

from __future__ import annotations

import argparse
from importlib.util import find_spec

from spoolrunner.cli import out
from spoolrunner.config.exposure import read_secret
from spoolrunner.errors import SpoolRunnerError

DEFAULT = "127.0.0.1:8417"
UNTIL = "--until-stdin-closes"
"""The option by which the page ends with the program that started it."""
_NEEDED = ("jinja2", "sse_starlette", "starlette", "uvicorn")


class WebMissingError(SpoolRunnerError):
    """A package of the extra [web] is not installed."""

    exit_code = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the verb its arguments."""
    parser.add_argument("--bind", default=DEFAULT, metavar="HOST:PORT|unix:PATH", help=f"where (default: {DEFAULT})")
    parser.add_argument(UNTIL, action="store_true", help=argparse.SUPPRESS)
    add_page_options(parser)


def add_page_options(parser: argparse.ArgumentParser) -> None:
    """Give a verb the options that say how the page behaves."""
    page = parser.add_argument_group("the page")
    page.add_argument("--prefix", default="", metavar="/PATH", help="the path below which a proxy shows it")
    page.add_argument("--read-only", action="store_true", help="show everything, do nothing")
    page.add_argument("--hide-params", action="store_true", help="show no parameters of jobs, nor files that hold them")
    page.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a further name by which it may be asked for, without a port (may be given again)",
    )
    page.add_argument("--password-file", metavar="FILE", help="a file whose first line lets in whoever knows it")
    page.add_argument(
        "--proxy-header", metavar="NAME", help="the header in which a proxy in front says whom it has let in"
    )


def page_options(arguments: argparse.Namespace) -> list[str]:
    """Return the options of `add_page_options` as they were given, for another command line."""
    words = [f"--{name}={value}" for name, value in _given(arguments).items() if value]
    words += [f"--allow-host={name}" for name in arguments.allow_host]
    switches = {"--read-only": arguments.read_only, "--hide-params": arguments.hide_params}
    return [*words, *(switch for switch, is_on in switches.items() if is_on)]


def check_packages() -> None:
    """Raise WebMissingError when a package is not installed that the page needs."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise WebMissingError(
            f"the page needs {', '.join(missing)}, not installed here: pip install 'spoolrunner[web]'"
        )


def run(arguments: argparse.Namespace) -> int:
    """Serve the page until stopped."""
    check_packages()
    from spoolrunner.web.desk import Desk
    from spoolrunner.web.listening import parse_bind
    from spoolrunner.web.serving import serve
    from spoolrunner.web.settings import Settings, parse_prefix

    settings = Settings(
        prefix=parse_prefix(arguments.prefix),
        allowed_hosts=frozenset(name.lower() for name in arguments.allow_host),
        password=None if arguments.password_file is None else read_secret(arguments.password_file),
        proxy_header=arguments.proxy_header,
        is_read_only=arguments.read_only,
        hides_params=arguments.hide_params,
    )
    serve(
        Desk(arguments.config),
        settings,
        parse_bind(arguments.bind),
        lambda address: out.say(f"open {address}"),
        until_stdin_closes=arguments.until_stdin_closes,
    )
    return 0


def _given(arguments: argparse.Namespace) -> dict[str, str | None]:
    names = ("prefix", "password_file", "proxy_header")
    return {name.replace("_", "-"): getattr(arguments, name) for name in names}
