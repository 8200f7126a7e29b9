"""A program that looks for documents that break the reception, guided by the branches they reach in spoolrunner's code.

Run as `python -m tests.fuzz.guided FOLDER RUNS`; it needs atheris. Ends with another status than 0 when it found one.
"""

from __future__ import annotations

import os
import sys

import atheris

from tests.fuzz.mutation import LONGEST, WORDS

with atheris.instrument_imports(include=["spoolrunner"]):
    from tests.fuzz.reception import Reception


def main(folder: str, runs: int) -> None:
    """Begin with the words of a document; libFuzzer makes the rest."""
    reception = Reception(folder)
    corpus = os.path.join(folder, "corpus")
    os.mkdir(corpus)
    seeds = [
        b'{"job":"jobs","method":"echo","params":[1],"meta":{}}',
        b'{"job":"jobs","method":"add","attempts":[]}',
        *WORDS,
    ]
    for number, seed in enumerate(seeds):
        with open(os.path.join(corpus, f"seed-{number}"), "wb") as stream:
            stream.write(seed)

    def one(data: bytes) -> None:
        found = reception.receive([data])
        if found:
            raise AssertionError(found[0])

    atheris.Setup(
        [sys.argv[0], f"-runs={runs}", f"-max_len={LONGEST}", "-rss_limit_mb=512", "-timeout=10", corpus], one
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
