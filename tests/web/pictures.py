"""Pictures of every screen on real data, for README and docs: `python -m tests.web.pictures` writes docs/images/web-*.png.

It needs Chromium with its driver, and the extra `browser`. Inter and JetBrains Mono are used where they are installed.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from io import BytesIO
from pathlib import Path

from PIL import Image

from spoolrunner.spool import arrival
from spoolrunner.system import machine
from spoolrunner.web.settings import Settings
from tests.daemon.harness import Daemon, until
from tests.web.browser import chromium
from tests.web.browser.chromium import NARROW, WIDE, Reader
from tests.web.served import Served
from tests.web.shop import Shop

FOLDER = Path(__file__).parents[2] / "docs" / "images"
FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
<include>/etc/fonts/fonts.conf</include>
<match target="pattern"><test name="family"><string>sans-serif</string></test>
<edit name="family" mode="prepend" binding="strong"><string>Inter</string></edit></match>
<match target="pattern"><test name="family"><string>system-ui</string></test>
<edit name="family" mode="prepend" binding="strong"><string>Inter</string></edit></match>
</fontconfig>
"""
_VIVID = 40
"""How far the parts of a colour are apart that is no grey."""
_ANYWHERE = """
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), [folder, host] = arguments;
for (let node = walker.nextNode(); node; node = walker.nextNode())
  node.data = node.data.replaceAll(folder, "/srv/shop").replace(`${host}:/srv`, "node-3:/srv");
"""
"""Names no folder and no host of the machine on which the pictures are made."""
SCREENS = {
    "overview": "/",
    "overview-day": "/?span=day",
    "pending": "/pending/",
    "running": "/running/",
    "done": "/done/",
    "failed": "/failed/?error=TimeoutError",
    "job-failed": "/job/render-7f3a00021",
    "job-waits": "/job/invoice-90388",
    "job-runs": "/job/report-2026-q3",
    "edit": "/job/digest-0003/edit",
    "enqueue": "/enqueue/?kind=shop.Mailer.deliver",
    "schedules": "/schedules/",
    "logs": "/logs/",
    "settings": "/settings/",
}
LONG = {"done": 1100, "pending": 1000, "settings": 1200}
"""Pages that go on as they begin, and how many pixels of them are shown."""
ALSO_DARK = ("overview", "job-failed")
ALSO_NARROW = ("overview", "failed", "job-failed", "schedules")


def main() -> None:
    """Make all pictures."""
    arrival.came_at_ns = lambda status: status.st_mtime_ns  # a simulated day: nobody can set when a file came
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "shop"
        folder.mkdir()
        (Path(name) / "fonts.conf").write_text(FONTS)
        os.environ["FONTCONFIG_FILE"] = str(Path(name) / "fonts.conf")
        driver = chromium.start()
        try:
            _empty(driver, Path(name) / "empty")
            _shop(driver, folder)
        finally:
            driver.quit()


def _empty(driver, folder: Path) -> None:
    folder.mkdir()
    shop = Shop(folder, time.time())
    daemon = Daemon(folder).ready()
    try:
        _pictures(driver, shop, {"empty": "/"})
    finally:
        daemon.stop()


def _shop(driver, folder: Path) -> None:
    shop = Shop(folder, time.time())
    shop.fill()
    shop.busy()
    daemon = Daemon(folder).ready()
    try:
        until(lambda: len(os.listdir(shop.layout.folder("running"))) >= 6)
        shop.waiting()
        _pictures(driver, shop, SCREENS)
        daemon.kill()
        _pictures(driver, shop, {"down": "/"})
    finally:
        daemon.kill()
        Daemon(folder).ready().stop()  # the jobs have run on; it ends them


def _pictures(driver, shop: Shop, screens: dict[str, str]) -> None:
    page = Served(str(shop.config), Settings())
    reader = Reader(driver, page)
    try:
        until(lambda: not page.desk.index.is_counting)
        for name, path in screens.items():
            looks = [(name, WIDE, "light")]
            looks += [(f"{name}-dark", WIDE, "dark")] if name in ALSO_DARK else []
            looks += [(f"{name}-390", NARROW, "light")] if name in ALSO_NARROW else []
            for picture, size, scheme in looks:
                reader.look_like(size, scheme)
                reader.open(path)
                reader.script(_ANYWHERE, str(shop.folder), machine.host())
                _save(reader, size, picture)
    finally:
        driver.get("about:blank")
        page.close()


def _save(reader: Reader, size: tuple[int, int], name: str) -> None:
    """Save the whole page, in few colours: a picture of text needs no more."""
    height = min(reader.script("return document.documentElement.scrollHeight"), LONG.get(name, 4000))
    reader.look_like(
        (size[0], max(height, 400)),
        reader.script("return matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'"),
    )
    taken = Image.open(BytesIO(reader.driver.get_screenshot_as_png())).convert("RGB")
    path = FOLDER / f"web-{name}.png"
    _in_few_colours(taken).save(path, optimize=True)
    print(f"{path.name}: {taken.width} x {taken.height}, {path.stat().st_size // 1000} kB", file=sys.stderr)


def _in_few_colours(picture: Image.Image) -> Image.Image:
    """The picture in the colours that it has most of: those of the page are exact, the edges of letters have near ones."""
    counted = sorted(picture.getcolors(1 << 24), reverse=True)
    kept = [colour for _, colour in counted[:236]]
    vivid = [colour for _, colour in counted[236:] if max(colour) - min(colour) > _VIVID]
    kept += vivid[:20]  # as that of a dot
    places = {colour: _nearest(colour, kept) for _, colour in counted}
    data = picture.tobytes()
    pixels = zip(data[::3], data[1::3], data[2::3], strict=True)
    made = Image.frombytes("P", picture.size, bytes(map(places.__getitem__, pixels)))
    made.putpalette([part for colour in kept for part in colour])
    return made


def _nearest(colour: tuple[int, int, int], kept: list[tuple[int, int, int]]) -> int:
    def distance(place: int) -> int:
        return sum((one - other) ** 2 for one, other in zip(colour, kept[place], strict=True))

    return min(range(len(kept)), key=distance)


if __name__ == "__main__":
    main()
