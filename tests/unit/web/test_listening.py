"""Where the page answers."""

from __future__ import annotations

import os
import socket
import stat
import sys

import pytest

from spoolrunner.web.listening import Bind, BindError, address, check_bind, listen, parse_bind

unix_only = pytest.mark.skipif(sys.platform == "win32", reason="no sockets in the file system")


@pytest.mark.parametrize(
    ("text", "bind", "is_loopback"),
    [
        ("127.0.0.1:8417", Bind("127.0.0.1", 8417), True),
        ("8417", Bind("127.0.0.1", 8417), True),
        ("[::1]:80", Bind("::1", 80), True),
        ("localhost:0", Bind("localhost", 0), True),
        ("0.0.0.0:80", Bind("0.0.0.0", 80), False),
        ("[::]:80", Bind("::", 80), False),
        ("10.1.2.3:80", Bind("10.1.2.3", 80), False),
        ("host.example:80", Bind("host.example", 80), False),
    ],
)
def test_parse(text, bind, is_loopback) -> None:
    """A port alone is one of the loopback; a name other than localhost may be anywhere."""
    assert parse_bind(text) == bind
    assert parse_bind(text).is_loopback is is_loopback


@pytest.mark.parametrize("text", ["", "x", "127.0.0.1:", "127.0.0.1:99999", "1:2:x", "unix:", "host:-1"])
def test_what_is_no_place(text) -> None:
    """What means nothing is refused with what to write."""
    with pytest.raises(BindError):
        parse_bind(text)


def test_other_machines_need_a_password() -> None:
    """A place that others reach is refused unless a password or the header of a proxy keeps them out."""
    everywhere = parse_bind("0.0.0.0:80")
    with pytest.raises(BindError, match="--password-file"):
        check_bind(everywhere, has_password=False, has_proxy_header=False)
    check_bind(everywhere, has_password=True, has_proxy_header=False)
    check_bind(everywhere, has_password=False, has_proxy_header=True)
    check_bind(parse_bind("127.0.0.1:80"), has_password=False, has_proxy_header=False)


def test_a_port_that_is_taken() -> None:
    """A port at which another program listens is said to be so."""
    with listen(Bind("127.0.0.1", 0)) as first:
        port = first.getsockname()[1]
        with pytest.raises(BindError, match="another port"), listen(Bind("127.0.0.1", port)):
            pass
        assert address(Bind("127.0.0.1", 0), first, "/x", "t") == f"http://127.0.0.1:{port}/x/?token=t"


@unix_only
def test_a_socket_is_for_its_owner(tmp_path) -> None:
    """The socket is there for its owner alone, goes at the end, and one that was left is replaced."""
    path = str(tmp_path / "page.sock")
    before = os.umask(0)
    try:
        with listen(parse_bind(f"unix:{path}")):
            assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
            with pytest.raises(BindError, match="another program"), listen(Bind(path=path)):
                pass
    finally:
        os.umask(before)
    assert not os.path.exists(path)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(path)
    with listen(Bind(path=path)):
        assert stat.S_ISSOCK(os.stat(path).st_mode)


@unix_only
@pytest.mark.parametrize("make", ["file", "link"])
def test_what_is_no_socket_is_left(tmp_path, make) -> None:
    """A file or a link in the place of the socket is not removed."""
    path, other = tmp_path / "page.sock", tmp_path / "other"
    other.write_text("x")
    if make == "file":
        path.write_text("x")
    else:
        path.symlink_to(other)
    with pytest.raises(BindError, match="something else"), listen(Bind(path=str(path))):
        pass
    assert path.read_text() == "x"
