"""The agent in its bodies: observe, append, decode, act; many environments, of one body or several, in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from opengato.agent.choose import Chooser
from opengato.agent.codec import Codec, Timesteps
from opengato.agent.layout import Layout
from opengato.agent.model import Model
from opengato.agent.pieces import ROLE_ACTION, Pieces
from opengato.agent.prompt import Prompt, place, prompt_positions, tail
from opengato.agent.stream import Lane, Stream
from opengato.errors import ObservationError, OpengatoError

MAX_REPLY = 96  # tokens the agent writes at most


@dataclass(frozen=True, eq=False)
class Body:
    """Environments of one spec that act under one prompt.

    Args:
        codec: of the embodiment.
        prompt: what comes before every episode.
        rows: how many environments.
        horizon: how many timesteps the agent looks back, itself included; 0 for all in the window, None for the model's
            own. Who writes always sees the whole conversation.
    """

    codec: Codec
    prompt: Prompt
    rows: int = 1
    horizon: int | None = None


class Policy:
    """Acts in many environments at once; those of different bodies share every forward pass.

    Args:
        model: in evaluation mode.
        bodies: whose rows follow one another.
        bare: for a single environment, whose observations and actions then come without a list around them.
        spare: rows behind the bodies' own that stay empty until `settle` gives them a body.
        seed, decode, temperature: as in `Chooser`.
    """

    def __init__(
        self, model: Model, bodies: Sequence[Body], *, bare: bool = False, spare: int = 0, seed: int = 0,
        decode: str | None = None, temperature: float = 0.0,
    ) -> None:  # fmt: skip
        self.model, self.bodies, self._bare = model, list(bodies), bare
        self.layouts = [Layout(body.codec.spec, model.config) for body in self.bodies]
        self.device = next(model.parameters()).device
        self.choose = Chooser(model, seed, decode, temperature)
        counts = [body.rows for body in self.bodies]
        self.owner = np.concatenate([np.repeat(np.arange(len(counts)), counts), np.full(spare, -1)])  # body of each row
        self.rows = len(self.owner)
        self._last: list[np.ndarray | int | None] = [None] * self.rows  # the action token that is not in the stream yet
        self._written = np.zeros(self.rows, np.int64)  # words of the last reply that are in the stream
        self._time = np.zeros(self.rows, np.int64)  # timesteps of each row's episode so far
        lanes = [self._lane(body, layout) for body, layout in zip(self.bodies, self.layouts, strict=True)]
        empty = Lane(torch.zeros(0, model.config.width, device=self.device))
        self.stream = Stream(model, [empty if body < 0 else lanes[body] for body in self.owner])

    def reset(self, rows: Sequence[int] | None = None) -> None:
        """Start new episodes in these rows (all by default); the prompt stays."""
        chosen = np.arange(self.rows) if rows is None else np.asarray(rows, np.int64)
        for row in chosen:
            self._last[row] = None
        self._time[chosen] = 0
        self.stream.clear(chosen)

    def settle(self, row: int, body: Body) -> None:
        """Give a row another body; its episode starts anew. Bodies that no row has any more are forgotten.

        Args:
            row: which; best one of the spare rows, where caches are long enough for any body.
            body: the very same object as another row's shares what is known of it. `rows` does not count.
        """
        self.owner[row] = -1
        if body not in self.bodies:
            self.bodies.append(body)
            self.layouts.append(Layout(body.codec.spec, self.model.config))
        at = self.bodies.index(body)
        self.stream.change(row, self._lane(body, self.layouts[at]))
        self.owner[row] = at
        self.reset([row])
        used = np.unique(self.owner[self.owner >= 0])
        self.owner = np.where(self.owner < 0, -1, np.searchsorted(used, self.owner))
        self.bodies, self.layouts = [self.bodies[i] for i in used], [self.layouts[i] for i in used]

    @torch.inference_mode()
    def recall(self, row: int, observations: Sequence[Any], actions: Sequence[Any]) -> None:
        """Begin a row's episode with what was seen and done before, as if this policy had done it.

        Args:
            row: which.
            observations, actions: T of each, T ≥ 0.

        Raises:
            ObservationError: one of them does not fit the spec; nothing is appended then.
        """
        body, layout = self.bodies[self.owner[row]], self.layouts[self.owner[row]]
        steps = body.codec.episode(observations, actions) if len(observations) else None
        self.reset([row])
        if steps is None:
            return
        sizes = layout.sizes(steps)
        first = self.stream.skip(row, sizes)  # what is before can't be felt any more
        steps, sizes = steps[first:], sizes[first:]
        if len(steps):
            pieces = Pieces(self.model.config.slots)
            pieces.add(layout, body.codec, steps, np.cumsum(sizes) - sizes)
            which, when = np.asarray([row], np.int64), np.repeat(first + np.arange(len(steps)), sizes)
            self._feed(pieces, sizes.sum(keepdims=True), which, when)
        self._time[row] = first + len(steps)

    def act(self, observation: Any) -> Any:
        """One action per environment.

        Args:
            observation: of the one environment; or, with a batch, a list with None where an environment rests.

        Raises:
            ObservationError: an observation does not fit the spec; nothing is appended then.
        """
        observations = [observation] if self._bare else list(observation)
        if len(observations) != self.rows:
            raise ObservationError(f"got {len(observations)} observations for a batch of {self.rows}.")
        rows = np.asarray([row for row, each in enumerate(observations) if each is not None], np.int64)
        if np.any(self.owner[rows] < 0):
            raise ObservationError(f"row {rows[self.owner[rows] < 0][0]} has no body yet. Next: settle one there.")
        actions: list[Any] = [None] * self.rows
        if len(rows):
            for row, action in zip(rows, self._act(rows, observations), strict=True):
                actions[row] = action
        return actions[0] if self._bare else actions

    @torch.inference_mode()
    def _act(self, rows: np.ndarray, observations: list[Any]) -> list[Any]:
        # Per body which of `rows` are its own. All are translated before anything is kept.
        groups = [(body, np.flatnonzero(self.owner[rows] == body)) for body in np.unique(self.owner[rows])]
        steps = [self.bodies[body].codec.observations([observations[rows[i]] for i in at]) for body, at in groups]
        lead = np.asarray([self._last[row] is not None for row in rows], np.int64)
        lengths = lead.copy()
        for (body, at), seen in zip(groups, steps, strict=True):
            lengths[at] += self.layouts[body].lengths(seen)[0].sum(1)
        base = np.cumsum(lengths) - lengths
        pieces = Pieces(self.model.config.slots)
        for (body, at), seen in zip(groups, steps, strict=True):
            self._lead(pieces, body, rows[at], base[at])
            pieces.observe(self.layouts[body], self.bodies[body].codec, seen, base[at] + lead[at])
        when = np.repeat(self._time[rows], lengths)
        when[base] -= lead  # the last action belongs to the timestep before
        self._time[rows] += 1
        last = self._feed(pieces, lengths, rows, when)[torch.as_tensor(base + lengths - 1, device=self.device)]
        actions: list[Any] = [None] * len(rows)
        for body, at in groups:
            found = self._decode(body, rows[at], last[torch.as_tensor(at, device=self.device)])
            for i, action in zip(at, found, strict=True):
                actions[i] = action
        return actions

    def _feed(self, pieces: Pieces, lengths: np.ndarray, rows: np.ndarray, when: np.ndarray) -> torch.Tensor:
        x = self.model.embedding(pieces.done().to(self.device), int(lengths.sum()))
        return self.stream.feed(x, lengths, rows, when)

    def _decode(self, body: int, rows: np.ndarray, h_nD: torch.Tensor) -> list[Any]:
        codec, layout = self.bodies[body].codec, self.layouts[body]
        if codec.spec.text_action:
            return self._write(codec, rows, h_nD)
        if layout.pooled:
            tokens = self.choose.action(h_nD, layout, codec.action_scale)
        else:
            tokens = self._one_by_one(codec, layout, rows, h_nD)
        if layout.action_positions:
            for row, picked in zip(rows, tokens, strict=True):
                self._last[row] = picked
        return [codec.action(picked) for picked in tokens]

    def _lead(self, pieces: Pieces, body: int, rows: np.ndarray, base: np.ndarray) -> None:
        """The last token of each row's last action comes first."""
        codec, layout = self.bodies[body].codec, self.layouts[body]
        for row, at in zip(rows, base, strict=True):
            last = self._last[row]
            if last is None:
                continue
            if codec.spec.text_action:
                one = np.asarray([last], np.int64)
                pieces.words(one, ROLE_ACTION, self._written[row][None], np.asarray([at]))
            else:
                assert isinstance(last, np.ndarray)
                tokens = np.rint(last).astype(np.int16)[None]
                where = slice(None) if layout.pooled else slice(tokens.shape[1] - 1, tokens.shape[1])
                pieces.act(layout, codec, tokens[:, where], np.asarray([[at]]), where=where)

    def _one_by_one(self, codec: Codec, layout: Layout, rows: np.ndarray, h_nD: torch.Tensor) -> np.ndarray:
        """Action tokens one after another, each fed before the next is scored, [n, A]."""
        scale = codec.action_scale
        out = np.zeros((len(rows), scale.size), np.float32)
        one = np.ones(len(rows), np.int64)
        for number in range(scale.size):
            discrete, classes = bool(scale.discrete[number]), scale.classes[number : number + 1]
            slot = torch.zeros(1, dtype=torch.long, device=self.device)  # only a pooled head asks
            out[:, number] = self.choose.numbers(h_nD, discrete, classes, slot)[:, 0]
            if number + 1 < scale.size:
                pieces = Pieces(self.model.config.slots)
                tokens = np.rint(out[:, number : number + 1]).astype(np.int16)
                pieces.act(layout, codec, tokens, np.arange(len(rows))[:, None], where=slice(number, number + 1))
                h_nD = self._feed(pieces, one, rows, self._time[rows] - 1)
        return out

    def _write(self, codec: Codec, rows: np.ndarray, h_nD: torch.Tensor) -> list[Any]:
        """Write a text per row, word by word, until each has ended."""
        texts: list[list[int]] = [[] for _ in rows]
        writing = np.arange(len(rows))
        end, known = codec.vocabulary.end_id, len(codec.vocabulary)
        for step in range(MAX_REPLY):
            picked = self.choose.words(h_nD, known) if step < MAX_REPLY - 1 else [end] * len(writing)
            for at, token in zip(writing, picked, strict=True):
                self._last[rows[at]], self._written[rows[at]] = token, step
                if token != end:
                    texts[at].append(token)
            going = np.flatnonzero(np.asarray(picked) != end)
            if not len(going):
                break
            writing = writing[going]
            count = len(writing)
            pieces = Pieces(self.model.config.slots)
            ids = np.asarray(picked)[going]
            pieces.words(ids, ROLE_ACTION, np.full(count, step), np.arange(count))
            h_nD = self._feed(pieces, np.ones(count, np.int64), rows[writing], self._time[rows[writing]] - 1)
        return [codec.reply(ids) for ids in texts]

    def _lane(self, body: Body, layout: Layout) -> Lane:
        horizon = self.model.config.horizon if body.horizon is None else body.horizon
        if body.codec.spec.text_action:
            horizon = 0
        # An action's last token is fed with the observation after it.
        seen = layout.step_positions - layout.action_positions if layout.action_positions else 0
        return Lane(self._embed_prompt(body, layout), horizon, layout.step_positions, seen)

    @torch.inference_mode()
    def _embed_prompt(self, body: Body, layout: Layout) -> torch.Tensor:
        config, codec, prompt = self.model.config, body.codec, body.prompt
        words = codec.vocabulary.encode(prompt.instruction) if prompt.instruction else []
        steps: Timesteps | None = None
        if prompt.episode is not None:
            whole = codec.episode(prompt.episode.observations, prompt.episode.actions)
            steps = tail(layout, whole, prompt_positions(config))
        pieces = Pieces(config.slots)
        used = place(pieces, layout, codec, 0, words, steps)
        if used >= config.window:
            raise OpengatoError(
                f"the prompt takes {used} positions, and the model's window has {config.window}: nothing else could be "
                "seen. Next: a shorter instruction, or a model with a larger window."
            )
        if not used:
            return torch.zeros(0, config.width, device=self.device)
        return self.model.embedding(pieces.done().to(self.device), used)
