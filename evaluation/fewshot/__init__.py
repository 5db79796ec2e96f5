"""`opengato fewshot`: how much a task takes to learn, for an agent that knows others and for learners that do not."""

from __future__ import annotations

from typing import Any

from opengato.errors import OpengatoError
from opengato.evaluation.fewshot.config import FewshotConfig
from opengato.tasks import registry


def run(config: FewshotConfig, as_json: bool) -> Any:
    """The command."""
    import contextlib
    import sys

    import torch

    from opengato.evaluation.fewshot.study import study
    from opengato.evaluation.report import write_report

    if not config.task:
        raise OpengatoError("which task? Next: opengato fewshot task=control/cartpole-swingup")
    registry.load_plugins(config.plugins)
    card = registry.get(config.task)
    if config.threads:
        torch.set_num_threads(config.threads)
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        found = study(config, card)
    page = write_report([], config.out, "opengato: few-shot curves", config)
    if as_json:
        return found
    for row in found:
        told = "no scale" if row["score"] is None else f"score {row['score']:.0f} {row['interval']}"
        print(f"{row['method']:<12} {row['demonstrations']:>4} demonstrations  {told}  return {row['mean_return']:.4g}")
    print(page)
    return None


__all__ = ["FewshotConfig", "run"]
