"""The text of a ``.dpomdp`` file as blocks, and the words in it as numbers; everything wrong is told with its line."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from ...errors import UserError
from ...utils.registry import nearest
from ..game import FloatArray, IntArray

LARGEST = 2**26  # numbers in an array, of which a file may ask for several
WHOLE = re.compile(r"\d{1,9}", re.ASCII)
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)


@dataclass(frozen=True)
class Text:
    """A file's name and what errors say of it."""

    name: str

    def fail(self, line: int, reason: str) -> NoReturn:
        """Raises the sentence for a line (from 1; 0: the file as a whole).

        Raises:
            UserError: always.
        """
        where = f"{self.name}, line {line}" if line else self.name
        raise UserError(f"{where}: {reason}.")


@dataclass(frozen=True)
class Block:
    """A line with a key, and the lines without one that follow it.

    Attributes:
        text: where it is from.
        line: number of its first line, from 1.
        key: what stands before the first colon.
        parts: what stands between colons in the first line, after the key.
        words: those of all lines below, and of the part after the last colon.
        rows: the words of each line below.
    """

    text: Text
    line: int
    key: str
    parts: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def words(self) -> list[str]:
        tail = self.parts[-1].split() if self.parts else []
        return [*tail, *(word for row in self.rows for word in row)]

    def fail(self, reason: str) -> NoReturn:
        self.text.fail(self.line, reason)

    def whole(self, word: str, low: int, high: int, what: str) -> int:
        """A whole number between bounds."""
        if not WHOLE.fullmatch(word) or not low <= int(word) <= high:
            self.fail(f"{what} must be a whole number from {low} to {high}, not '{word[:40]}'")
        return int(word)

    def number(self, word: str) -> float:
        """A finite number."""
        found = float(word) if NUMBER.fullmatch(word) else math.inf
        if not math.isfinite(found):
            self.fail(f"'{word[:40]}' is not a number")
        return found

    def numbers(self, words: Sequence[str], shape: tuple[int, ...], what: str) -> FloatArray:
        """As many numbers as an array of this shape holds."""
        if len(words) != math.prod(shape):
            wanted = f"{' x '.join(map(str, shape))} numbers" if shape else "one number"
            self.fail(f"{what} must be {wanted}, not {len(words)}")
        return np.array([self.number(word) for word in words]).reshape(shape)

    def pick(self, word: str, names: Sequence[str], what: str) -> IntArray:
        """Places in a list of names, for a name, a number from 0, or ``*``."""
        if word == "*":
            return np.arange(len(names))
        if word in names:
            return np.array([names.index(word)])
        if WHOLE.fullmatch(word):
            if int(word) < len(names):
                return np.array([int(word)])
            self.fail(f"there are {len(names)} {what}s, numbered from 0, but none with number {word}")
        self.fail(f"unknown {what} '{word[:40]}'{nearest(word, names[:200])}")


def blocks(text: Text, content: str) -> list[Block]:
    """The blocks of a file, without comments and empty lines.

    Raises:
        UserError: something stands before the first key.
    """
    found: list[tuple[int, str, tuple[str, ...], list[tuple[str, ...]]]] = []
    for line, written in enumerate(content.splitlines(), 1):
        bare = written.partition("#")[0].strip()
        if not bare:
            continue
        key, colon, rest = bare.partition(":")
        if colon:
            found.append((line, " ".join(key.split()), tuple(part.strip() for part in rest.split(":")), []))
        elif found:
            found[-1][3].append(tuple(bare.split()))
        else:
            text.fail(line, f"'{bare[:40]}' stands before the first key, such as 'agents:'")
    return [Block(text, line, key, parts, tuple(rows)) for line, key, parts, rows in found]
