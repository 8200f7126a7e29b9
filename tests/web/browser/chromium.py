"""A real browser, driven by its own protocol: what it shows, what it logs, what it asks of the network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException, TimeoutException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from tests.web.served import DEADLINE, Served

WIDE, NARROW = (1280, 900), (390, 844)
_OURS = ("favicon.ico",)
"""What a browser asks for by itself."""
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "spoolrunner-tests"
_AXE = "4.14"
_RUN_AXE = """
const done = arguments[0];
axe.run(document, {preload: false}).then((found) => done(found.violations), (error) => done([{id: String(error)}]));
"""


def programs() -> tuple[str, str] | None:
    """The paths of Chromium and its driver, as Debian installs them; None where one is missing."""
    found = shutil.which("chromium"), shutil.which("chromedriver")
    return None if None in found else found


def start() -> webdriver.Chrome:
    """Start a Chromium without a window; as root it has no sandbox of its own."""
    chromium, driver = programs()
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--hide-scrollbars",
        "--no-first-run",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = webdriver.Chrome(options=options, service=Service(driver))
    started.set_page_load_timeout(DEADLINE)
    return started


def axe_source() -> str | None:
    """The program of axe-core, from the npm registry, kept outside of the repository; None where npm cannot fetch it."""
    path = _CACHE / "node_modules" / "axe-core" / "axe.min.js"
    if not path.exists():
        _CACHE.mkdir(parents=True, exist_ok=True)
        command = [
            "npm",
            "install",
            "--no-audit",
            "--no-fund",
            "--no-save",
            "--ignore-scripts",
            "--prefix",
            str(_CACHE),
        ]
        try:
            subprocess.run([*command, f"axe-core@^{_AXE}"], check=True, capture_output=True, timeout=120)
        except (OSError, subprocess.SubprocessError):
            return None
    return path.read_text("utf-8")


class Reader:
    """A person at a browser, with one served page."""

    def __init__(self, driver: webdriver.Chrome, page: Served) -> None:
        self.driver = driver
        self.page = page
        self.root = f"http://127.0.0.1:{page.port}"
        driver.get("about:blank")
        self.complaints()
        driver.get_log("performance")
        driver.delete_all_cookies()
        self.look_like()
        driver.get(f"{self.root}/?token={page.tokens[-1]}")
        self.until(lambda: "You are in" not in self.text())

    # ---- how it looks

    def look_like(self, size: tuple[int, int] = WIDE, scheme: str = "light", zone: str = "") -> None:
        """Have a window of that size, that colour scheme, and that time zone ("": the machine's)."""
        width, height = size
        self._cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self._cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self._cdp("Emulation.setTimezoneOverride", timezoneId=zone)

    @contextmanager
    def without_script(self) -> Iterator[None]:
        """Have no JavaScript."""
        self._cdp("Emulation.setScriptExecutionDisabled", value=True)
        yield
        self._cdp("Emulation.setScriptExecutionDisabled", value=False)

    # ---- what it does

    def open(self, path: str) -> None:
        self.driver.get(f"{self.root}{path}")

    def click(self, selector: str) -> None:
        """Press what is there, as soon as it is: the page may still be on its way, or be drawing a region anew."""

        def press() -> bool:
            found = self.all(selector)
            if found:
                self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", found[0])
                found[0].click()
            return bool(found)

        self.until(press)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    def type(self, selector: str, text: str) -> None:
        field = self.one(selector)
        field.clear()
        field.send_keys(text)

    # ---- what it sees

    def one(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str = "body") -> str:
        return self.one(selector).text

    def script(self, program: str, *arguments: Any) -> Any:
        return self.driver.execute_script(program, *arguments)

    def path(self) -> str:
        return urlsplit(self.driver.current_url).path

    def until(self, condition: Callable[[], Any], seconds: float = DEADLINE) -> None:
        """Wait for something to be so; an element that is not there yet, or was just replaced, is looked for again."""
        passing = [NoSuchElementException, StaleElementReferenceException]
        try:
            WebDriverWait(self.driver, seconds, 0.05, ignored_exceptions=passing).until(lambda _: condition())
        except TimeoutException:
            raise AssertionError(f"not within {seconds} s; the page says:\n{self.text()[:3000]}") from None

    def complaints(self) -> list[str]:
        """What the browser has logged as errors or warnings since the last call."""
        return [
            f"{entry['level']}: {entry['message']}"
            for entry in self.driver.get_log("browser")
            if entry["level"] in ("SEVERE", "WARNING") and not any(word in entry["message"] for word in _OURS)
        ]

    def asked_of_others(self) -> list[str]:
        """What was asked of any other place than the page's server since the last call."""
        found = []
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                url = message["params"]["request"]["url"]
                if not url.startswith((self.root + "/", "data:,", "about:", "chrome:")):
                    found.append(url)
        return found

    def violations(self, axe: str) -> list[str]:
        """What axe-core has against the page as it is now."""
        self.script(axe)

        found = self.driver.execute_async_script(_RUN_AXE)
        return [
            f"{one['id']}: {one.get('help')}: {[node['html'][:160] for node in one.get('nodes', [])][:4]}"
            for one in found
        ]

    def _cdp(self, method: str, **parameters: Any) -> Any:
        return self.driver.execute_cdp_cmd(method, parameters)


ENTER, SPACE, ESCAPE, TAB = Keys.ENTER, Keys.SPACE, Keys.ESCAPE, Keys.TAB
