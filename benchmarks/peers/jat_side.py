"""JAT's side (github.com/huggingface/jat): trained and asked by its own functions.

    python jat_side.py SOURCE    # a Python with its dependencies

Its small configuration but for the size: six blocks of width 256, eight heads. Four pieces of 256 timesteps an update,
as many positions as its window takes; actions by `get_next_action` with the context that its evaluation gives a body of
numbers. Known to run with transformers 4.36.2.
"""

from __future__ import annotations

import sys
import time
import types
from typing import Any

import numpy as np
import torch
from worker import facts_of, serve

OBSERVED, DONE = 17, 6
ROWS, STEPS = 4, 256
CONTEXT = 256  # entries of the cache, two a timestep
GPT2_WORDS = 50_257


class JatSide:
    """One model that trains and one that acts.

    Args:
        source: a checkout of JAT.
    """

    def __init__(self, source: str) -> None:
        sys.path.insert(0, source)
        import transformers  # before the stand-in, for it looks for torchvision itself

        _stand_in_for_torchvision()
        from gymnasium import spaces
        from jat.configuration_jat import JatConfig
        from jat.modeling_jat import JatModel
        from jat.processing_jat import JatProcessor

        self.version = transformers.__version__
        torch.set_num_threads(1)
        torch.manual_seed(0)
        config = JatConfig(
            vocab_size=GPT2_WORDS, max_position_embeddings=2 * STEPS, hidden_size=256, num_layers=6, num_heads=8,
            attention_types=[[["global", "local"], 3]], max_discrete_value=148 + 64,
        )  # fmt: skip
        self.model = JatModel(config)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3)
        self.actors = {name: JatModel(config).eval() for name in ("empty", "full")}
        self.processor = JatProcessor.__new__(JatProcessor)  # numbers pass neither its tokenizer nor its pictures
        self.action_space = spaces.Box(-1, 1, (DONE,))
        self.rng = np.random.default_rng(0)

    def facts(self) -> dict[str, Any]:
        """What is measured."""
        return {"transformers": self.version, **facts_of(self.model)}

    def update(self, step: int) -> tuple[float, int]:
        """Seconds of one update on random numbers, and its timesteps."""
        rng = np.random.default_rng(step)
        batch = {
            "continuous_observations": rng.normal(size=(ROWS, STEPS, OBSERVED)),
            "continuous_actions": rng.uniform(-1, 1, (ROWS, STEPS, DONE)),
            "rewards": rng.normal(size=(ROWS, STEPS)),
        }
        inputs = {name: torch.from_numpy(array.astype(np.float32)) for name, array in batch.items()}
        inputs["attention_mask"] = torch.ones(ROWS, STEPS, dtype=torch.bool)
        self.model.train()
        began = time.perf_counter()
        loss = self.model(**inputs).loss
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        loss.item()
        return time.perf_counter() - began, ROWS * STEPS

    def fill(self, _: int) -> int:
        """Bring one actor to where its cache is as long as it gets; returns the timesteps that took."""
        self.actors["full"].reset_rl()
        for _step in range(CONTEXT // 2 + 2):
            self.act_full(0)
        return CONTEXT // 2 + 2

    def act_full(self, _: int) -> float:
        """Seconds of an action with the window full."""
        return self._act("full")

    def act_empty(self, number: int) -> float:
        """Seconds of an action at the start of an episode; number 0 starts one."""
        if number == 0:
            self.actors["empty"].reset_rl()
        return self._act("empty")

    def _act(self, name: str) -> float:
        seen = self.rng.normal(size=OBSERVED).astype(np.float32)
        began = time.perf_counter()
        self.actors[name].get_next_action(
            self.processor, continuous_observation=seen, reward=0.0, action_space=self.action_space,
            context_window=CONTEXT,
        )  # fmt: skip
        return time.perf_counter() - began


def _stand_in_for_torchvision() -> None:
    """JAT imports it for pictures alone; builds of it beside a CPU's PyTorch often do not import."""
    try:
        import torchvision.transforms.functional  # noqa: F401
    except Exception:
        for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional"):
            sys.modules[name] = types.ModuleType(name)
        sys.modules["torchvision"].transforms = sys.modules["torchvision.transforms"]  # type: ignore[attr-defined]
        sys.modules["torchvision.transforms"].functional = sys.modules[  # type: ignore[attr-defined]
            "torchvision.transforms.functional"
        ]


if __name__ == "__main__":
    serve(JatSide(sys.argv[1]))
