"""A fast source of broken documents: a corpus, a dictionary, and a handful of ways to damage bytes."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

WORDS = (
    b'"job"', b'"method"', b'"params"', b'"meta"', b'"attempts"', b'"timeout"', b'"delay"', b'"next_run_at"', b'"expires_at"',
    b'"max_retries"', b'"priority"', b'"result"', b'"number"', b'"verdict"', b'"outcome"', b'"retry"', b'"done"',
    b'"jobs"', b'"echo"', b'"forbidden"', b'"os"', b'"system"', b'"__class__"', b"null", b"true", b"NaN", b"1e999", b"-0", b"0",
    b"18446744073709551616", b"-9223372036854775809", b"1.0", b'"90s"', b'"2026-11-23T17:45:01Z"', b"{", b"}", b"[", b"]",
    b":", b",", b'"', b"\\",
    b"\\u0000", b"\\ud800", b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xc0\xaf", b"\n", b"[[[[[[[[", b'{"a":{"a":',
)  # fmt: skip
VALUES = (
    b'"jobs"', b'"echo"', b'"add"', b'"jobs.Sum"', b'"up"', b'"retry"', b'"done"', b'"failed"', b'"1s"', b'"5m"',
    b'"2026-11-23T17:45:01Z"', b'"9999-12-31T23:59:59-23:59"', b'"x"', b'""', b'"\\u0000\\u00e9"',
    b"0", b"1", b"2", b"3", b"-1", b"0.5", b"1e300", b"1001", b"18446744073709551615", b"18446744073709551616",
    b"-9223372036854775808", b"true", b"null", b"[]", b"{}", b"[[1],{}]",
)  # fmt: skip
LONGEST = 4096
_SCALAR = re.compile(rb'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|true|false|null')


def corpus_of(strategy: st.SearchStrategy[bytes], count: int) -> list[bytes]:
    """So many examples, the same in every run."""
    found: list[bytes] = []

    @settings(max_examples=count, phases=[Phase.generate], derandomize=True, suppress_health_check=list(HealthCheck))
    @given(strategy)
    def collect(data: bytes) -> None:
        found.append(data)

    collect()
    return found


class Mutator:
    """Makes documents out of a corpus; the same ones for the same seed."""

    def __init__(self, corpus: Sequence[bytes], seed: int) -> None:
        self._corpus = corpus
        self._dice = random.Random(seed)
        breaking = self._flip, self._word, self._over, self._cut, self._repeat, self._splice
        harmless = self._value, self._digit
        self._ways: tuple[Callable[[bytearray, int], None], ...] = breaking + harmless * 5

    def document(self) -> bytes:
        """One document: changed in one to four places, a few in none."""
        dice = self._dice
        data = bytearray(self._corpus[int(dice.random() * len(self._corpus))])
        for _ in range(int(0.9 + dice.random() ** 2 * 4)):
            self._ways[int(dice.random() * len(self._ways))](data, int(dice.random() * (len(data) + 1)))
        return bytes(data[:LONGEST])

    def _flip(self, data: bytearray, at: int) -> None:
        if at < len(data):
            data[at] ^= 1 << int(self._dice.random() * 8)

    def _word(self, data: bytearray, at: int) -> None:
        data[at:at] = WORDS[int(self._dice.random() * len(WORDS))]

    def _value(self, data: bytearray, _at: int) -> None:
        """Another word in the place of a value or a key: what comes of it is JSON still."""
        spans = [found.span() for found in _SCALAR.finditer(data)]
        if spans:
            begin, end = spans[int(self._dice.random() * len(spans))]
            data[begin:end] = VALUES[int(self._dice.random() * len(VALUES))]

    def _over(self, data: bytearray, at: int) -> None:
        word = WORDS[int(self._dice.random() * len(WORDS))]
        data[at : at + len(word)] = word

    def _cut(self, data: bytearray, at: int) -> None:
        del data[at : at + int(self._dice.random() * 12)]

    def _repeat(self, data: bytearray, at: int) -> None:
        length = int(self._dice.random() * 40)
        data[at:at] = data[at : at + length] * int(1 + self._dice.random() * 4)

    def _splice(self, data: bytearray, at: int) -> None:
        other = self._corpus[int(self._dice.random() * len(self._corpus))]
        data[at:] = other[int(self._dice.random() * (len(other) + 1)) :]

    def _digit(self, data: bytearray, at: int) -> None:
        for index in range(at, len(data)):
            if 48 <= data[index] <= 57:
                data[index] = 48 + int(self._dice.random() * 10)
                return
