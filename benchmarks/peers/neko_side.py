"""NEKO's side (github.com/ManifoldRG/NEKO): trained and asked by its own functions.

    python neko_side.py SOURCE    # a Python with its dependencies

Its defaults but for the size: six blocks of width 256, eight heads, 1 024 positions. One piece of 42 timesteps an
update, as many as fit, for four took it seven gigabytes and fewer timesteps a second. Actions by `predict_control`, fed
as its evaluation does. Known to run with transformers 4.36.2.
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
POSITIONS = 1024
STEPS = POSITIONS // (OBSERVED + 1 + DONE)
GPT2_WORDS = 50_257


class _Words:
    """In place of GPT-2's tokenizer, which would be downloaded and of which numbers need the size alone."""

    vocab_size = GPT2_WORDS

    @classmethod
    def from_pretrained(cls, _: str) -> _Words:
        return cls()


class NekoSide:
    """One model that trains and acts, in turn.

    Args:
        source: a checkout of NEKO.
    """

    def __init__(self, source: str) -> None:
        sys.path.insert(0, source)
        try:
            import einops  # noqa: F401
        except ImportError:  # for pictures alone
            sys.modules["einops"] = types.SimpleNamespace(rearrange=None)  # type: ignore[assignment]
        import gato.policy.gato_policy as policy
        import transformers
        from gymnasium import spaces

        torch.set_num_threads(1)
        torch.manual_seed(0)
        policy.AutoTokenizer = _Words
        self.version = transformers.__version__
        self.model = policy.GatoPolicy(
            device="cpu", embed_dim=256, layers=6, heads=8, dropout=0.1, resid_mid_channels=128, context_len=POSITIONS
        )
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1)
        self.task = types.SimpleNamespace(action_type=spaces.Box, action_tokens=DONE)
        self.histories: dict[str, dict[str, torch.Tensor]] = {}
        self.rng = np.random.default_rng(0)

    def facts(self) -> dict[str, Any]:
        """What is measured."""
        return {"transformers": self.version, **facts_of(self.model)}

    def update(self, step: int) -> tuple[float, int]:
        """Seconds of one update on random numbers, and its timesteps."""
        batch = [self._random(np.random.default_rng(step), STEPS)]
        self.model.train()
        began = time.perf_counter()
        _, loss = self.model.forward(inputs=batch, compute_loss=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        loss.detach().item()
        return time.perf_counter() - began, STEPS

    def fill(self, _: int) -> int:
        """Begin an episode with a history as long as the window; returns its timesteps."""
        self.histories["full"] = self._random(self.rng, STEPS)
        return STEPS

    def act_full(self, _: int) -> float:
        """Seconds of an action with the window full."""
        return self._act("full")

    def act_empty(self, number: int) -> float:
        """Seconds of an action at the start of an episode; number 0 starts one."""
        if number == 0:
            self.histories["empty"] = self._random(self.rng, 0)
        return self._act("empty")

    def _random(self, rng: np.random.Generator, steps: int) -> dict[str, torch.Tensor]:
        numbers = {
            "continuous_actions": rng.uniform(-1, 0.99, (steps, DONE)),
            "continuous_obs": rng.normal(size=(steps, OBSERVED)),
        }
        return {name: torch.from_numpy(array.astype(np.float32)) for name, array in numbers.items()}

    def _act(self, name: str) -> float:
        history = self.histories[name]
        seen = torch.from_numpy(self.rng.normal(size=(1, OBSERVED)).astype(np.float32))
        self.model.eval()
        began = time.perf_counter()
        history["continuous_obs"] = torch.cat([history["continuous_obs"], seen])[-STEPS:]
        history["continuous_actions"] = torch.cat([history["continuous_actions"], torch.zeros(1, DONE)])[-STEPS:]
        with torch.no_grad():
            history["continuous_actions"][-1] = self.model.predict_control(history, task=self.task, deterministic=True)
        return time.perf_counter() - began


if __name__ == "__main__":
    serve(NekoSide(sys.argv[1]))
