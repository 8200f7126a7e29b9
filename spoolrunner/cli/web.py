"""`web`: the operator's page, in a process of its own, until stopped (Ctrl-C, SIGTERM). Needs the extra [web]."""

from __future__ import annotations

import argparse
from importlib.util import find_spec

from spoolrunner.cli import out
from spoolrunner.config.lookup import read_secret
from spoolrunner.errors import SpoolRunnerError

_NEEDED = ("jinja2", "sse_starlette", "starlette", "uvicorn")
_DEFAULT = "127.0.0.1:8417"


class WebMissingError(SpoolRunnerError):
    """A package of the extra [web] is not installed."""

    exit_code = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the verb its arguments."""
    parser.add_argument("--bind", default=_DEFAULT, metavar="HOST:PORT|unix:PATH", help=f"where (default: {_DEFAULT})")
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


def run(arguments: argparse.Namespace) -> int:
    """Serve the page until stopped."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise WebMissingError(
            f"the page needs {', '.join(missing)}, not installed here: pip install 'spoolrunner[web]'"
        )
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
    serve(Desk(arguments.config), settings, parse_bind(arguments.bind), lambda address: out.say(f"open {address}"))
    return 0
