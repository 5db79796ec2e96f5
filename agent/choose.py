"""Tokens from scores: how an agent makes up its mind."""

from __future__ import annotations

import numpy as np
import torch

from opengato.agent.config import DECODES
from opengato.agent.layout import Layout
from opengato.agent.model import Model
from opengato.agent.values import BINS, Scale
from opengato.errors import OpengatoError


class Chooser:
    """Picks actions and words.

    Args:
        model: whose scores these are.
        seed: of the sampling.
        decode: "mean", "mode" or "sample" for continuous numbers; None for the model's own.
        temperature: for classes and words; 0 takes the likeliest.
    """

    def __init__(self, model: Model, seed: int = 0, decode: str | None = None, temperature: float = 0.0) -> None:
        self.decode = decode or model.config.decode
        if self.decode not in DECODES:
            raise OpengatoError(f"decode {self.decode!r} is unknown; legal: {', '.join(map(repr, DECODES))}.")
        self.model, self.temperature = model, temperature
        self.device = next(model.parameters()).device
        self._generator = torch.Generator(self.device).manual_seed(seed)

    def action(self, h_nD: torch.Tensor, layout: Layout, scale: Scale) -> np.ndarray:
        """All numbers of an action from one position: bins (fractional when decoding by mean) or classes, [n, A]."""
        out = np.zeros((len(h_nD), scale.size), np.float32)
        slots = torch.as_tensor(layout.slots(0, scale.size, self.model.config.slots, action=True), device=self.device)
        for discrete in (False, True):
            chosen = np.flatnonzero(scale.discrete == discrete)
            if len(chosen):
                out[:, chosen] = self.numbers(h_nD, discrete, scale.classes[chosen], slots[chosen])
        return out

    def numbers(self, h_nD: torch.Tensor, discrete: bool, classes: np.ndarray, slots: torch.Tensor) -> np.ndarray:
        """Numbers of one kind, float32 [n, numbers]. Classes beyond a number's legal range are never chosen."""
        logits = self.model.action_logits(h_nD[:, None], discrete, int(classes.max()), slots).float()
        if discrete:
            legal = np.arange(logits.shape[-1]) < classes[:, None]
            logits = logits.masked_fill(torch.as_tensor(~legal, device=self.device), -torch.inf)
            return self._token(logits, self.temperature).cpu().numpy()
        if self.decode == "mean":
            bins = torch.arange(BINS, device=self.device, dtype=torch.float32)
            return (logits.softmax(-1) @ bins).cpu().numpy()
        return self._token(logits, 1.0 if self.decode == "sample" else 0.0).cpu().numpy()

    def words(self, h_nD: torch.Tensor, known: int) -> list[int]:
        """The next word of each row, of the first `known` of the table."""
        return self._token(self.model.word_logits(h_nD)[:, :known].float(), self.temperature).tolist()

    def _token(self, logits: torch.Tensor, temperature: float) -> torch.Tensor:
        if temperature <= 0:
            return logits.argmax(-1)
        chance = (logits / temperature).softmax(-1)
        return torch.multinomial(chance.flatten(0, -2), 1, generator=self._generator).view(logits.shape[:-1])
