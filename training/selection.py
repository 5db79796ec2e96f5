"""Which episodes to run and which to keep: decided by seeds and results alone, not by the order in which they end."""

from __future__ import annotations

from typing import Any

import numpy as np

# The demonstrator's mean is taken over so many first episodes: enough for a mean, few enough to decide early.
REFERENCE_EPISODES = 25
# Disturbed episodes have their own mean, or the rule would drop just those. It needs so many of them.
FEWEST_OF_A_KIND = 3


class Selection:
    """Runs seeds one after the other until enough of them are good.

    No seed is begun that is not needed if all that are under way turn out well; so the seeds run are the same for any
    number of workers.

    Args:
        goal: number of episodes to keep.
        seed: the first seed.
        keep: share of the reference return that a good episode reaches; 0 keeps all.
        by_success: only an episode that succeeds is good. One that does is good in any case.
        thresholds: the least returns that are good, of an undisturbed episode and of a disturbed one, where they are
            known from before.
    """

    def __init__(
        self, goal: int, seed: int, keep: float, by_success: bool, thresholds: list[float] | None = None
    ) -> None:
        self.goal, self.seed, self.keep, self.by_success = goal, seed, keep, by_success
        self.thresholds = thresholds
        self.limit = max(4 * goal, goal + 20)
        self.records: dict[int, dict[str, Any]] = {}
        self._running: set[int] = set()
        self._next = seed
        self._hopes = 0  # good records, counted or not
        self._refused = 0
        # Records that count: up to the first seed without one, or up to the last that is needed. An episode that its
        # demonstrator refused doesn't: a person may try as often as they like.
        self._settled: dict[int, dict[str, Any]] = {}
        self._kept: list[int] = []
        self.end_seed = seed  # the first that was not needed

    def next_seed(self) -> int | None:
        """The seed to run next, None where it depends on those under way."""
        while self._next in self.records or self._next in self._running:
            self._next += 1
        # A seed that an earlier run left out comes first: without it nothing after it counts.
        is_gap = bool(self.records) and self._next < max(self.records)
        enough = self._hopes + len(self._running) >= self.goal and not is_gap
        if enough or self._next >= self.seed + self.limit + self._refused:
            return None
        self._running.add(self._next)
        return self._next

    def add(self, seed: int, record: dict[str, Any]) -> None:
        """Take in the result of a seed: a record of the episode, `{failed: why}`, or `{refused: why}`."""
        self._running.discard(seed)
        self.records[seed] = record
        self._refused += "refused" in record
        self._hopes += self.good(record)
        before = self.thresholds
        self._find_thresholds()
        if self.thresholds is not before:
            self._hopes = sum(self.good(record) for record in self.records.values())
            self._settled, self._kept, self.end_seed = {}, [], self.seed
        self._settle()

    def _settle(self) -> None:
        while self.end_seed in self.records and not self.done:
            record = self.records[self.end_seed]
            if "refused" not in record:
                self._settled[self.end_seed] = record
            if self.good(record):
                self._kept.append(self.end_seed)
            self.end_seed += 1

    def _find_thresholds(self) -> None:
        if self.thresholds is not None or self.keep == 0:
            return
        first = range(self.seed, self.seed + min(self.goal, REFERENCE_EPISODES))
        if not all(seed in self.records for seed in first):
            return
        ran = [self.records[seed] for seed in first if "return" in self.records[seed]]
        if not ran or (self.by_success and all(record["success"] is not None for record in ran)):
            return
        self.thresholds = []
        for disturbed in (False, True):
            same = [record["return"] for record in ran if (record["noise"] > 0) == disturbed]
            mean = float(np.mean(same if len(same) >= FEWEST_OF_A_KIND else [record["return"] for record in ran]))
            self.thresholds.append(mean - (1 - self.keep) * abs(mean))

    def good(self, record: dict[str, Any]) -> bool:
        """Whether an episode is kept, as far as is known by now."""
        if "return" not in record:
            return False
        if record["success"] or (self.by_success and record["success"] is not None):
            return bool(record["success"])
        return self.thresholds is None or record["return"] >= self.thresholds[record["noise"] > 0]

    def kept_seeds(self) -> list[int]:
        """Seeds of the good episodes, in order, no more than wanted."""
        return list(self._kept)

    @property
    def kept(self) -> int:
        """Number of good episodes."""
        return len(self._kept)

    @property
    def attempted(self) -> int:
        """Number of episodes that were run and not refused."""
        return len(self._settled)

    @property
    def failed(self) -> int:
        """Number of episodes in which something went wrong."""
        return sum("failed" in record for record in self._settled.values())

    @property
    def succeeded(self) -> int:
        """Number of successes."""
        return sum(bool(record.get("success")) for record in self._settled.values())

    @property
    def done(self) -> bool:
        """Whether there is nothing left to run."""
        return self.kept >= self.goal or self.attempted >= self.limit

    @property
    def short(self) -> bool:
        """Whether fewer episodes are good than wanted."""
        return self.kept < self.goal

    def complaint(self) -> str:
        """What to tell the user of too few good episodes."""
        rule = "succeeded" if self.by_success else f"returned at least {self.thresholds}"
        return f"only {self.kept} of {self.attempted} episodes {rule}; {self.goal} were wanted"

    def problem(self) -> str | None:
        """Why going on is pointless, None where it is not."""
        if self.failed > max(5, self.attempted // 2):
            last = next(r["failed"] for _, r in sorted(self.records.items(), reverse=True) if "failed" in r)
            return f"{self.failed} of {self.attempted} episodes failed, the last with: {last}"
        if self.done and self.kept == 0:
            return f"{self.complaint()}. Next: look at the demonstrator, or lower keep"
        return None
