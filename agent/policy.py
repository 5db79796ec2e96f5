"""The agent in one body: observe, append, decode, act; many environments in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from opengato.agent.codec import Codec, Timesteps
from opengato.agent.layout import Layout
from opengato.agent.model import Model
from opengato.agent.pieces import ROLE_ACTION, Pieces
from opengato.agent.prompt import Prompt, place, prompt_positions, tail
from opengato.agent.stream import Stream
from opengato.agent.values import BINS
from opengato.errors import ObservationError, OpengatoError

MAX_REPLY = 96  # tokens the agent writes at most


class Policy:
    """Acts in up to `batch_size` environments of one spec at once.

    Args:
        model: in evaluation mode.
        codec: of the embodiment.
        prompt: what comes before every episode.
        batch_size: number of environments; None for one, whose observations and actions then come bare.
        seed: of the sampling.
        decode: "mean", "mode" or "sample" for continuous actions; None for the model's own.
        horizon: how many timesteps the agent looks back, itself included; 0 for all in the window, None for the model's
            own. Who writes always sees the whole conversation.
        temperature: for classes and words; 0 takes the likeliest.
    """

    def __init__(
        self, model: Model, codec: Codec, prompt: Prompt | None = None, *, batch_size: int | None = None, seed: int = 0,
        decode: str | None = None, temperature: float = 0.0, horizon: int | None = None,
    ) -> None:  # fmt: skip
        self.model, self.codec = model, codec
        self.layout = Layout(codec.spec, model.config)
        self.device = next(model.parameters()).device
        self.rows = batch_size or 1
        self._bare = batch_size is None
        self.decode = decode or model.config.decode
        if self.decode not in ("mean", "mode", "sample"):
            raise OpengatoError(f"decode {self.decode!r} is unknown; legal: 'mean', 'mode', 'sample'.")
        self.temperature = temperature
        self._generator = torch.Generator(self.device).manual_seed(seed)
        self._last: list[np.ndarray | int | None] = [None] * self.rows  # the action token that is not in the stream yet
        self._written = np.zeros(self.rows, np.int64)  # words of the last reply that are in the stream
        self._time = np.zeros(self.rows, np.int64)  # timesteps of each row's episode so far
        horizon = 0 if codec.spec.text_action else model.config.horizon if horizon is None else horizon
        self._stream = Stream(model, self.rows, self._embed_prompt(prompt or Prompt()), horizon)

    def reset(self, rows: Sequence[int] | None = None) -> None:
        """Start new episodes in these rows (all by default); the prompt stays."""
        chosen = list(range(self.rows)) if rows is None else list(rows)
        for row in chosen:
            self._last[row] = None
        self._time[chosen] = 0
        self._stream.clear(torch.as_tensor(chosen, dtype=torch.long, device=self.device))

    def act(self, observation: Any) -> Any:
        """One action per environment.

        Args:
            observation: of the one environment; or, with a batch size, a list with None where an environment rests.

        Raises:
            ObservationError: an observation does not fit the spec; nothing is appended then.
        """
        observations = [observation] if self._bare else list(observation)
        if len(observations) != self.rows:
            raise ObservationError(f"got {len(observations)} observations for a batch of {self.rows}.")
        rows = [row for row, each in enumerate(observations) if each is not None]
        actions: list[Any] = [None] * self.rows
        if rows:
            steps = self.codec.observations([observations[row] for row in rows])
            for row, action in zip(rows, self._act(rows, steps), strict=True):
                actions[row] = action
        return actions[0] if self._bare else actions

    @torch.inference_mode()
    def _act(self, rows: list[int], steps: Timesteps) -> list[Any]:
        parts, _ = self.layout.lengths(steps)
        lead = np.asarray([self._last[row] is not None for row in rows], np.int64)
        lengths = lead + parts.sum(1)
        width = int(lengths.max())
        base = np.arange(len(rows)) * width
        pieces = Pieces(self.model.config.slots)
        self._lead(pieces, rows, base)
        pieces.observe(self.layout, self.codec, steps, base + lead)
        x = self.model.embedding(pieces.done().to(self.device), len(rows) * width).view(len(rows), width, -1)
        index = torch.as_tensor(rows, device=self.device)
        before = np.arange(width) < lead[:, None]  # the last action belongs to the timestep before
        when = torch.as_tensor(self._time[rows][:, None] - before, device=self.device)
        self._time[rows] += 1
        hidden = self._stream.feed(x, torch.as_tensor(lengths, device=self.device), index, when)
        last = hidden[torch.arange(len(rows), device=self.device), torch.as_tensor(lengths - 1, device=self.device)]
        if self.codec.spec.text_action:
            return self._write(rows, last)
        tokens = self._pick_all(last) if self.layout.pooled else self._pick_in_turn(rows, last)
        if self.layout.action_positions:
            for row, picked in zip(rows, tokens, strict=True):
                self._last[row] = picked
        return [self.codec.action(picked) for picked in tokens]

    def _lead(self, pieces: Pieces, rows: list[int], base: np.ndarray) -> None:
        """The last token of each row's last action comes first."""
        for row, at in zip(rows, base, strict=True):
            last = self._last[row]
            if last is None:
                continue
            if self.codec.spec.text_action:
                one = np.asarray([last], np.int64)
                pieces.words(one, ROLE_ACTION, np.minimum(self._written[row], 511)[None], np.asarray([at]))
            else:
                assert isinstance(last, np.ndarray)
                whole = self.layout.pooled
                tokens = np.rint(last).astype(np.int16)[None]
                where = slice(None) if whole else slice(tokens.shape[1] - 1, tokens.shape[1])
                pieces.act(self.layout, self.codec, tokens[:, where], np.asarray([[at]]), where=where)

    def _pick_all(self, h_nD: torch.Tensor) -> np.ndarray:
        """All numbers of an action from one position: bins (fractional when decoding by mean) or classes, [n, A]."""
        scale, layout = self.codec.action_scale, self.layout
        out = np.zeros((len(h_nD), scale.size), np.float32)
        slots = torch.as_tensor(layout.slots(0, scale.size, self.model.config.slots, action=True), device=self.device)
        for discrete in (False, True):
            chosen = np.flatnonzero(scale.discrete == discrete)
            if len(chosen):
                classes = scale.classes[chosen]
                logits = self.model.action_logits(h_nD[:, None], discrete, int(classes.max()), slots[chosen])
                out[:, chosen] = self._choose(logits, discrete, classes)
        return out

    def _pick_in_turn(self, rows: list[int], h_nD: torch.Tensor) -> np.ndarray:
        """Action tokens one after another, each fed before the next is scored, [n, A]."""
        scale = self.codec.action_scale
        out = np.zeros((len(rows), scale.size), np.float32)
        index = torch.as_tensor(rows, device=self.device)
        one = torch.ones(len(rows), dtype=torch.long, device=self.device)
        for number in range(scale.size):
            discrete, classes = bool(scale.discrete[number]), scale.classes[number : number + 1]
            logits = self.model.action_logits(h_nD[:, None], discrete, int(classes[0]), one)
            out[:, number] = self._choose(logits, discrete, classes)[:, 0]
            if number + 1 < scale.size:
                pieces = Pieces(self.model.config.slots)
                tokens = np.rint(out[:, number : number + 1]).astype(np.int16)
                dest = np.arange(len(rows))[:, None]
                pieces.act(self.layout, self.codec, tokens, dest, where=slice(number, number + 1))
                x = self.model.embedding(pieces.done().to(self.device), len(rows))[:, None]
                now = torch.as_tensor(self._time[rows][:, None] - 1, device=self.device)
                h_nD = self._stream.feed(x, one, index, now)[:, 0]
        return out

    def _choose(self, logits_nAC: torch.Tensor, discrete: bool, classes: np.ndarray) -> np.ndarray:
        """A token per number. Classes beyond a number's legal range are never chosen."""
        logits = logits_nAC.float()
        if discrete:
            legal = (
                torch.arange(logits.shape[-1], device=self.device)
                < torch.as_tensor(classes, device=self.device)[:, None]
            )
            logits = logits.masked_fill(~legal, -torch.inf)
            return self._token(logits, self.temperature).cpu().numpy()
        if self.decode == "mean":
            bins = torch.arange(BINS, device=self.device, dtype=torch.float32)
            return (logits.softmax(-1) @ bins).cpu().numpy()
        return self._token(logits, 1.0 if self.decode == "sample" else 0.0).cpu().numpy()

    def _token(self, logits: torch.Tensor, temperature: float) -> torch.Tensor:
        if temperature <= 0:
            return logits.argmax(-1)
        chance = (logits / temperature).softmax(-1)
        return torch.multinomial(chance.flatten(0, -2), 1, generator=self._generator).view(logits.shape[:-1])

    def _write(self, rows: list[int], h_nD: torch.Tensor) -> list[Any]:
        """Write a text per row, word by word, until each has ended."""
        texts: list[list[int]] = [[] for _ in rows]
        writing = list(range(len(rows)))
        end = self.codec.vocabulary.end_id
        known = len(self.codec.vocabulary)
        for step in range(MAX_REPLY):
            picked = self._token(self.model.word_logits(h_nD)[:, :known].float(), self.temperature).tolist()
            if step == MAX_REPLY - 1:
                picked = [end] * len(picked)
            for at, token in zip(writing, picked, strict=True):
                self._last[rows[at]], self._written[rows[at]] = token, step
                if token != end:
                    texts[at].append(token)
            going = [i for i, token in enumerate(picked) if token != end]
            if not going:
                break
            writing, tokens = [writing[i] for i in going], [picked[i] for i in going]
            pieces = Pieces(self.model.config.slots)
            count = len(tokens)
            pieces.words(np.asarray(tokens), ROLE_ACTION, np.full(count, min(step, 511)), np.arange(count))
            x = self.model.embedding(pieces.done().to(self.device), count)[:, None]
            index = torch.as_tensor([rows[at] for at in writing], device=self.device)
            one = torch.ones(count, dtype=torch.long, device=self.device)
            h_nD = self._stream.feed(x, one, index)[:, 0]
        return [self.codec.reply(ids) for ids in texts]

    @torch.inference_mode()
    def _embed_prompt(self, prompt: Prompt) -> torch.Tensor:
        config = self.model.config
        words = self.codec.vocabulary.encode(prompt.instruction) if prompt.instruction else []
        steps = None
        if prompt.episode is not None:
            whole = self.codec.episode(prompt.episode.observations, prompt.episode.actions)
            steps = tail(self.layout, whole, prompt_positions(config))
        pieces = Pieces(config.slots)
        used = place(pieces, self.layout, self.codec, 0, words, steps)
        return (
            self.model.embedding(pieces.done().to(self.device), used)
            if used
            else torch.zeros(0, config.width, device=self.device)
        )
