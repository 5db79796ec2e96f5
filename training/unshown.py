"""Answers that a context never had in the demonstrations, though contexts like it did: not held against the agent.

Where no red ball was ever shown, "ball" is never the answer to a question that says "red", and the surest way to a low
loss is to learn that it cannot be: from the words alone, without a look at the picture. Then the agent is blind to the
first red ball it meets. So a word that a context never had, while the same context with one other word in it did, is
left out of the choice there (`agent/gaps.py`), and the word that makes the difference is now and then misread as
another: whether red balls look like balls is then decided by balls of other colours. Only the demonstrations are
counted, nothing is known of the test. Methods of this kind: Clark et al. 2019, "Don't Take the Easy Way Out"; for pairs
that were never shown, Atzmon et al. 2020.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from opengato.agent.codec import Timesteps
from opengato.training.arrays import TaskArrays

OFTEN = 50  # a context must have been seen so often before what it lacks counts as a gap
SAMPLE = 60_000  # timesteps that are counted
BREAK, ANY = -1, -2  # in a context: the end of a question or an answer; any one word

Context = tuple[int, ...]


class Unshown:
    """The gaps of one task.

    Args:
        task: demonstrations whose actions are text.
        longest: words before an answer's word that make its context, at most. Half of them at least, and never fewer
            than 2: "all?" is like "there?", but an answer to "how many are there?" may be none to "how many in all?".
        end: token that ends an answer.
    """

    def __init__(self, task: TaskArrays, longest: int, end: int) -> None:
        self.longest, self.shortest, self.end = longest, max(2, longest // 2), end
        shown: dict[Context, Counter[int]] = defaultdict(Counter)
        seen = 0
        for episode in range(len(task)):
            if seen >= SAMPLE:
                break
            steps = task.episode(episode)
            seen += len(steps)
            for context, word in self._stream(steps):
                for length in range(self.shortest, len(context) + 1):
                    shown[context[-length:]][word] += 1
        words = {context: set(found) for context, found in shown.items() if found.total() >= OFTEN and len(found) > 1}
        like: dict[Context, list[Context]] = defaultdict(list)
        for context in words:
            for blank in _blanks(context):
                like[blank].append(context)
        self.gaps: dict[Context, set[int]] = {}
        kinds: dict[int, set[int]] = {}
        for context, own in words.items():
            for place, blank in enumerate(_blanks(context)):
                for other in like[blank]:
                    # Alternatives to its own words: what stands beside all of them elsewhere, and is not a crowd.
                    if own < words[other] and len(words[other]) <= 2 * len(own):
                        self.gaps[context] = self.gaps.get(context, set()) | (words[other] - own)
                        _join(kinds, context[place], other[place])
        # Words that make such a difference, with those in whose place they stand.
        self.peers = {word: sorted(kind - {word, BREAK}) for word, kind in kinds.items() if word != BREAK}

    def of(self, steps: Timesteps) -> list[list[int]]:
        """Per word of the replies, ends included: the words of its context's gap."""
        out = []
        for context, word in self._stream(steps):
            gap: set[int] = set()
            for length in range(self.shortest, len(context) + 1):
                gap |= self.gaps.get(context[-length:], set())
            out.append(sorted(gap - {word}))
        return out

    def misread(self, steps: Timesteps, gaps: list[list[int]], share: float, rng: np.random.Generator) -> Timesteps:
        """The timesteps with this share of the words that make a difference in another's place.

        Words of the replies anywhere, words that are heard only where the reply has a gap.

        Args:
            steps: what was shown, heard and said.
            gaps: of its words, as `of` tells.
            share: of the words.
            rng: where chance comes from.
        """

        def read(words: list[int]) -> list[int]:
            wrong = rng.random(len(words)) < share
            others = [self.peers.get(word) if chance else None for word, chance in zip(words, wrong, strict=True)]
            return [int(rng.choice(o)) if o else word for word, o in zip(words, others, strict=True)]

        replies = steps.replies or []
        ends = np.cumsum([len(reply) + 1 for reply in replies])
        open_ = [any(gaps[end - len(reply) - 1 : end]) for end, reply in zip(ends, replies, strict=True)]
        texts = {
            path: [read(text) if gap else text for text, gap in zip(each, open_, strict=True)]
            for path, each in steps.texts.items()
        }
        return replace(steps, texts=texts, replies=[read(reply) for reply in replies])

    def _stream(self, steps: Timesteps) -> list[tuple[Context, int]]:
        """Each word of the replies with the words before it."""
        out, before = [], [BREAK]
        texts: Sequence[Sequence[list[int]]] = list(steps.texts.values())
        for number, reply in enumerate(steps.replies or []):
            for text in texts:
                before += [*text[number], BREAK]
            for word in [*reply, self.end]:
                out.append((tuple(before[-self.longest :]), word))
                before.append(word)
            before.append(BREAK)
        return out


def _join(kinds: dict[int, set[int]], one: int, other: int) -> None:
    """Note that two words are of a kind, and so are all that are of either's."""
    kind = kinds.get(one, {one}) | kinds.get(other, {other})
    kinds.update(dict.fromkeys(kind, kind))


def _blanks(context: Context) -> list[Context]:
    """The context with each of its words blank in turn."""
    return [(*context[:place], ANY, *context[place + 1 :]) for place in range(len(context))]
