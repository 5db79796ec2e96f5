"""The loop of a peer's process: orders come on stdin, answers go to stdout.

A peer pins other versions of its dependencies than ours, so it runs in an interpreter of its own; nothing here imports
anything of opengato.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import torch


def serve(side: Any) -> None:
    """Answer until stdin ends. An order is a line `[name, argument]`: what the method of that name of `side` returns
    goes back as a line of JSON.
    """
    answers, sys.stdout = sys.stdout, sys.stderr  # what the peer prints is no answer
    print(json.dumps(side.facts()), file=answers, flush=True)
    for line in sys.stdin:
        name, argument = json.loads(line)
        print(json.dumps(getattr(side, name)(argument)), file=answers, flush=True)


def facts_of(model: Any) -> dict[str, Any]:
    """PyTorch's version, and the weights of a model whose blocks are `transformer.h`."""
    return {
        "torch": torch.__version__,
        "parameters": sum(p.numel() for p in model.parameters()),
        "in_blocks": sum(p.numel() for p in model.transformer.h.parameters()),
    }
