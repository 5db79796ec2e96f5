"""Which bodies a server acts in, and under which prompts: made when first asked for."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from opengato.agent import Agent, Prompt, Spec
from opengato.agent.layout import Layout
from opengato.agent.policy import Body
from opengato.errors import OpengatoError, UnknownNameError
from opengato.evaluation.prompts import PROMPTS, make_prompt
from opengato.tasks import registry
from opengato.tasks.card import Card

LONGEST_INSTRUCTION = 400  # characters


@dataclass(frozen=True, eq=False)
class Offer:
    """A body that can be acted in.

    Args:
        card: its task.
        body: what the policy needs.
        remember: timesteps that the agent may look back, itself included.
        told: what a robot is told when it connects.
    """

    card: Card
    body: Body
    remember: int
    told: dict[str, Any]


class Catalogue:
    """The tasks that are served.

    Args:
        agent: who acts.
        tasks: patterns of their ids.
        data_dir: where demonstrations may be.
    """

    def __init__(self, agent: Agent, tasks: Sequence[str], data_dir: str) -> None:
        self.agent, self.data_dir = agent, data_dir
        self.cards = {card.id: card for card in registry.find(tasks) if card.available}
        if not self.cards:
            raise OpengatoError(f"no task of {list(tasks)} works on this machine. Next: opengato list")
        self._specs: dict[str, Spec] = {}
        self._offers: dict[tuple[str, str], Offer] = {}
        self._making = threading.Lock()

    def offer(self, task: str, prompt: str, instruction: str = "") -> Offer:
        """A task's body under a prompt; takes long where a demonstration has to be made first. Any thread may ask.

        Args:
            task: id; may be left out where one task is served.
            prompt: demonstration, instruction, both or none.
            instruction: in the caller's own words, in place of the task's.

        Raises:
            OpengatoError: no such task or prompt.
        """
        if not task and len(self.cards) == 1:
            task = next(iter(self.cards))
        if task not in self.cards:
            raise UnknownNameError("task", task, sorted(self.cards), "Next: connect to /?task=…")
        legal = [kind for kind in PROMPTS if kind != "wrong"]
        if prompt not in legal:
            raise UnknownNameError("prompt", prompt, legal, "Next: /?prompt=instruction")
        if instruction and prompt != "instruction":
            raise OpengatoError(f"an instruction of one's own goes with prompt=instruction, not {prompt}.")
        if len(instruction) > LONGEST_INSTRUCTION:
            raise OpengatoError(f"the instruction has {len(instruction)} characters; legal: {LONGEST_INSTRUCTION}.")
        with self._making:
            if instruction:
                return self._make(task, Prompt(instruction=instruction))
            if (task, prompt) not in self._offers:
                made = make_prompt(prompt, self.cards[task], self.data_dir)[0]
                self._offers[task, prompt] = self._make(task, made or Prompt())
            return self._offers[task, prompt]

    def _make(self, task: str, prompt: Prompt) -> Offer:
        card = self.cards[task]
        if task not in self._specs:
            env = card.make(evaluation=True)
            try:
                self._specs[task] = Spec.from_env(env)
            finally:
                env.close()
        spec, config = self._specs[task], self.agent.model.config
        remember = config.window // (Layout(spec, config).step_positions or 1) + 1
        told = {
            "agent": str(self.agent.card.get("name", "")), "task": task, "rate_hz": card.rate_hz,
            "remember": remember, **{part: spec.describe()[part] for part in ("observation", "action")},
        }  # fmt: skip
        return Offer(card, Body(self.agent.codec(spec), prompt), remember, told)
