"""What text tasks share: a space for any text, scores between texts, and splits that never move."""

from __future__ import annotations

import hashlib
import re
import string
from collections import Counter
from typing import Any

from gymnasium import spaces

from opengato.errors import UnknownNameError

SPLITS = ("train", "test")
TEST_SHARE = 10  # one item in ten is held out where the data have no test split of their own
_PRINTABLE = "".join(sorted(set(string.printable) - set(string.whitespace))) + " "


class FreeText(spaces.Text):
    """Text of up to `max_length` characters, any characters: a person may answer in any script.

    `sample()` draws printable ASCII, the charset that the space states; `contains` takes all that UTF-8 can hold.
    """

    def __init__(self, max_length: int, *, min_length: int = 0, seed: Any = None) -> None:
        super().__init__(max_length, min_length=min_length, charset=_PRINTABLE, seed=seed)

    def contains(self, x: Any) -> bool:
        if not isinstance(x, str) or not self.min_length <= len(x) <= self.max_length:
            return False
        return not any("\ud800" <= character <= "\udfff" for character in x)  # half of a surrogate pair is no text

    def __repr__(self) -> str:
        return f"FreeText({self.min_length}, {self.max_length})"


def normalise(text: str) -> str:
    """Lower case, single spaces, no full stop at the end: what "the same answer" means."""
    return " ".join(text.casefold().split()).rstrip(".!?").rstrip()


def words(text: str) -> list[str]:
    """The words of a text in lower case; an apostrophe belongs to its word, other punctuation to none."""
    return re.findall(r"\w+(?:['’]\w+)*", text.casefold())


def word_overlap(answer: str, truth: str) -> tuple[float, int]:
    """Unigram F1 of two texts, and how many of the truth's words the answer has.

    With `c` the number of words common to both (counted with repetition): F1 = 2c / (words in answer + words in truth),
    the harmonic mean of precision and recall. Two texts without words score 1, one without 0.

    Returns:
        F1 in [0, 1] and c.
    """
    said, meant = Counter(words(answer)), Counter(words(truth))
    common = (said & meant).total()
    total = said.total() + meant.total()
    return (2 * common / total if total else 1.0), common


def same_words(answer: str, truth: str) -> bool:
    """Whether two texts say the same words in the same order; without any word, the same signs but for spaces."""
    return (words(answer) or answer.split()) == (words(truth) or truth.split())


def stable_hash(key: str) -> int:
    """A 64-bit hash that is the same in every process and on every machine, unlike `hash`."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")


def split_of(key: str) -> str:
    """The split an item belongs to, by the hash of its key: one in `TEST_SHARE` is `test`."""
    return "test" if stable_hash(key) % TEST_SHARE == 0 else "train"


def check_split(split: str) -> str:
    """The split itself.

    Raises:
        UnknownNameError: it is neither `train` nor `test`.
    """
    if split not in SPLITS:
        raise UnknownNameError("split", split, SPLITS, "Next: pass split='train' or split='test'.")
    return split


def shorten(text: str, max_length: int) -> str:
    """Single spaces, no control characters, at most `max_length` characters, cut between words where possible."""
    clean = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(clean) <= max_length:
        return clean
    head, space, _ = clean[: max_length + 1].rpartition(" ")
    return head.rstrip() if space else clean[:max_length]
