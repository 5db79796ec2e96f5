"""Words that a place never had in the demonstrations: the loss that leaves open whether they may stand there.

Which words these are is counted by `training/unshown.py`. Shapes: n words to predict, V words of the vocabulary, W
words of a gap at most.
"""

from __future__ import annotations

import torch

EVEN = 0.03  # weight of `unevenness` in the loss
FEW = 4  # words whose mean says nothing yet
FAR = -5.0  # as far behind as a word need be: it is out of the question, and what speaks for it may still bring it back


def chosen_among(scores_nV: torch.Tensor, ids_n: torch.Tensor, unshown_nW: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of the right words among all but those of their gap, float [n]; -1 is no word."""
    n, size = scores_nV.shape
    out = torch.where(unshown_nW < 0, size, unshown_nW)
    left = torch.cat([scores_nV, scores_nV.new_zeros(n, 1)], 1).scatter(1, out, -1e9)[:, :size]
    return left.logsumexp(1) - scores_nV.gather(1, ids_n[:, None])[:, 0]


def unevenness(
    scores_nV: torch.Tensor, ids_n: torch.Tensor, unshown_nW: torch.Tensor, asked_n: torch.Tensor
) -> torch.Tensor:
    """How much farther behind the right word a gap's word is than where it may stand, squared, float [n].

    A word that is left out of the choice is pulled nowhere, and drifts. What keeps it in its place are the other
    contexts: there, where the same word is right, this one is so far behind on average, and so far it should be here.
    If that is less, as many of its own standard deviations: where nothing is told apart it varies less. And no farther
    than `FAR`.

    Args:
        scores_nV: of all words.
        ids_n: the right ones.
        unshown_nW: int64, the words of the gap, filled up with -1. The first counts.
        asked_n: bool, whether a word counts at all.
    """
    total = scores_nV.new_zeros(len(ids_n))
    gap_n = torch.where(asked_n, unshown_nW[:, 0], -1)
    for word, right in torch.stack([gap_n, ids_n], 1)[gap_n >= 0].unique(dim=0).tolist():
        alike = asked_n & (ids_n == right)
        here, there = alike & (gap_n == word), alike & (unshown_nW != word).all(1)
        if here.sum() < FEW or there.sum() < FEW:
            continue
        behind = scores_nV[:, word] - scores_nV[:, right]
        own, other = behind[here], behind[there].detach()
        deviations = other.mean() / other.std().clamp(min=0.05) * own.detach().std()
        aim = torch.maximum(other.mean(), deviations).clamp(min=FAR)
        total = total + here * (own.mean() - aim).square()
    return total
