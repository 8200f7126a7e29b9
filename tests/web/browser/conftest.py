"""A browser for all tests of this folder, and a page that it reads.

The tests need the extra `browser`; without it they are not collected. Where Chromium or npm is missing they are skipped.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec

import pytest

if find_spec("selenium") is None:
    collect_ignore_glob = ["test_*.py"]
else:
    from tests.web.browser import chromium


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests here need a browser."""
    for item in items:
        if "tests/web/browser" in item.path.as_posix():
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def driver() -> Iterator:
    """One Chromium for all tests."""
    if chromium.programs() is None:
        pytest.skip("chromium and chromium-driver are not on this machine")
    started = chromium.start()
    yield started
    started.quit()


@pytest.fixture(scope="session")
def axe() -> str:
    """The program of axe-core."""
    source = chromium.axe_source()
    if source is None:
        pytest.skip("npm is not on this machine" if shutil.which("npm") is None else "npm cannot fetch axe-core")
    return source


@pytest.fixture
def read(driver, serve) -> Callable:
    """Open the page of the test's spool; what the browser complains of, or asks of other places, is an error at the end."""
    opened: list[chromium.Reader] = []

    def begin(*args, **keys) -> chromium.Reader:
        reader = chromium.Reader(driver, serve(*args, **keys))
        opened.append(reader)
        return reader

    yield begin
    for reader in opened:
        complaints, others = reader.complaints(), reader.asked_of_others()
        driver.get("about:blank")  # no stream stays open
        assert (complaints, others) == ([], [])
