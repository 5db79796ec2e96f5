"""`opengato gallery`: a page with a picture, the spec and the scores of every task, and one page of text per family."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opengato.evaluation.gallery.pages import write_pages
from opengato.evaluation.gallery.visit import PICTURES, picture_file
from opengato.evaluation.provenance import write_json
from opengato.tasks import registry
from opengato.tasks.source import code_hash
from opengato.training.workers import ProcessPool, core_count

FACTS = "tasks.json"


@dataclass(frozen=True)
class GalleryConfig:
    """The gallery.

    Args:
        tasks: ids and patterns.
        out: folder of index.html, of a text page per family and of the pictures.
        again: visit every task, not only those that are new or changed.
        workers: processes; 0 for one per core.
        timeout_s: a task that takes longer has no picture.
        plugins: files of the user that register tasks.
    """

    tasks: list[str] = field(default_factory=lambda: ["*"])
    out: str = "docs/tasks"
    again: bool = False
    workers: int = 0
    timeout_s: float = 120.0
    plugins: list[str] = field(default_factory=list)


def run(config: GalleryConfig, as_json: bool) -> Any:
    """The command. What was visited is kept in `out/tasks.json`, so it goes on where it was."""
    registry.load_plugins(config.plugins)
    cards = registry.find(config.tasks)
    out = Path(config.out)
    (out / PICTURES).mkdir(parents=True, exist_ok=True)
    file = out / FACTS
    facts: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    codes = {card.id: code_hash(card) for card in cards}
    due = [
        card
        for card in cards
        if card.available and (config.again or facts.get(card.id, {}).get("code") != codes[card.id])
    ]
    if due:
        plugins = [str(Path(plugin).expanduser().resolve()) for plugin in config.plugins]
        jobs = [{"task": card.id, "out": str(out.resolve()), "plugins": plugins} for card in due]
        for done, (job, found) in enumerate(_results(jobs, config), 1):
            facts[job["task"]] = {**found, "code": codes[job["task"]]}
            note = found.get("failed", "")
            print(f"{done}/{len(jobs)} {job['task']} {note}".rstrip(), file=sys.stderr, flush=True)
            if done % 20 == 0 or done == len(jobs):
                write_json(file, dict(sorted(facts.items())))
    known = {card.id for card in registry.find("*")}
    for gone in set(facts) - known:
        del facts[gone]
        picture_file(out, gone).unlink(missing_ok=True)
    write_json(file, dict(sorted(facts.items())))
    page = write_pages([card for card in registry.find("*") if card.id in facts], facts, out)
    failed = {task: found["failed"] for task, found in facts.items() if "failed" in found}
    if as_json:
        return {"page": str(page), "tasks": len(facts), "visited": len(due), "failed": failed}
    print(f"gallery: {page}")
    return None


def _results(jobs: list[dict[str, Any]], config: GalleryConfig) -> Any:
    """Jobs with their results, as they come."""
    pool = ProcessPool("opengato.evaluation.gallery.visit:visit", config.workers or core_count(), config.timeout_s)
    waiting, left = list(reversed(jobs)), len(jobs)
    try:
        while left:
            while pool.idle and waiting:
                pool.submit(waiting.pop())
            for found in pool.results(timeout_s=1.0):
                left -= 1
                yield found
    finally:
        pool.close()


__all__ = ["GalleryConfig", "run"]
