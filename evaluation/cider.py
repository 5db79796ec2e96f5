"""CIDEr of captions (Vedantam et al. 2015), by the reference implementation."""

from __future__ import annotations

import re
from collections.abc import Sequence

from opengato.evaluation.transcript import Turn


def cider(turns: Sequence[Turn]) -> float | None:
    """Mean CIDEr of what was said, 0 to 10; the weights of words are those of the references of these turns.

    Texts are taken apart into lower-case words without punctuation; the implementation's own tokenizer needs Java.

    Args:
        turns: with `references`, or what was `expected` as the only one.

    Returns:
        None where fewer than two turns say what was expected (every word of a single one weighs nothing, however right
        it is), or pycocoevalcap is not installed (extra `cider`).
    """
    told = [turn for turn in turns if turn.references or turn.expected]
    try:
        from pycocoevalcap.cider.cider import Cider
    except ImportError:
        return None
    if len(told) < 2:
        return None
    right = {i: [_words(text) for text in turn.references or (turn.expected,)] for i, turn in enumerate(told)}
    said = {i: [_words(turn.said)] for i, turn in enumerate(told)}
    return float(Cider().compute_score(right, said)[0])


def _words(text: str) -> str:
    return " ".join(re.findall(r"[\w']+", text.lower()))
