"""What an agent changes in itself before it learns a task from a few demonstrations.

An agent that was made on thousands of demonstrations has habits that few don't bear, so where it tells the actions of
these no better than who only knows how often each occurs, there is nothing to lose, and

- it aims wide: targets are spread over more bins, against learning a handful of actions by heart;
- of a body that it never met, or not like this (a pole that hangs, for one that saw it balanced), and that has no eyes,
  it starts from random weights, and reads numbers by what they are worth and not by waves over bins, which tell apart
  what is nearly the same (`plain_features` and `value_features` of the model's configuration): a warm start that knows
  nothing learns less well than a cold one (Ash and Adams 2020), and half way between them is not as good, either.

What each of them is worth stands in docs/fine-tune.md. An agent that knows something of the task stays as it is, but
for the colours (`recolour.py`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from opengato.agent.agent import Agent
from opengato.agent.config import ModelConfig
from opengato.training.arrays import TaskArrays
from opengato.training.gauge import Gauge
from opengato.training.recolour import COLOURS, SAME, recolour
from opengato.training.train import learn_statistics, outside

if TYPE_CHECKING:
    from opengato.training.finetune import FinetuneConfig

UNMET = 10.0  # standard deviations from what it met of a body, and more, is nothing that it learnt to read
SAYS = {  # of what was changed, to people
    "taken_for": "red, green, blue are taken for {0[0]}, {0[1]}, {0[2]}",
    "target_smoothing": "it knows nothing of the task and aims over {} bins",
    "read_anew": "it never met the body, or not like this, and reads its numbers anew",
    "cold_start": "with nothing to build on it starts from random weights, those of scratch=true",
}


def prepare(agent: Agent, arrays: TaskArrays, config: FinetuneConfig) -> dict[str, Any]:
    """Make an agent ready to be fine-tuned, in place.

    Args:
        agent: to be fine-tuned; one that is to start from random weights has them already.
        arrays: the demonstrations that it will be trained on.
        config: of the fine-tuning: `recolour`, `target_smoothing`, `read_anew`, `mixture`, `scratch`,
            `lora` and `seed`.

    Returns:
        What was changed, for the agent's card: `taken_for`, `target_smoothing`, `cold_start`, `read_anew`;
        nothing where nothing was.
    """
    model, changed = agent.model, dict[str, Any]()
    signature = arrays.spec.signature
    known = agent.statistics.get(signature)
    stranger = known is None or outside(arrays, *known, UNMET)
    learn_statistics(agent, [arrays])
    gauge = Gauge(agent, [arrays], config.mixture)
    if config.recolour and not config.scratch and arrays.spec.images:
        order = recolour(model, gauge)
        if order != SAME:
            changed["taken_for"] = [COLOURS[channel] for channel in order]
    if gauge.loss() <= gauge.ignorant:
        return changed
    # Continuous numbers; how what an agent knows of pictures fares with that was not measured.
    senses = not arrays.codec.observation_scale.discrete.all() and (config.scratch or not arrays.spec.images)
    acts = not arrays.codec.action_scale.discrete.all()
    if acts and model.config.target_smoothing not in (0, config.target_smoothing):
        model.smooth_targets(config.target_smoothing)
        changed["target_smoothing"] = config.target_smoothing
    if config.read_anew and stranger and senses and model.config.value_features:
        del agent.statistics[signature]  # of who met it otherwise: they went with the vectors that it had
        learn_statistics(agent, [arrays])
        with torch.random.fork_rng(devices=[]):
            # Adapters can't learn what chance has taken from the weights beside them, and words are of use anywhere.
            if not (config.scratch or config.lora or arrays.spec.text_action):
                model.load_state_dict(Agent.new(model.config, agent.vocabulary, config.seed).model.state_dict())
                changed["cold_start"] = True
            torch.manual_seed(config.seed)
            model.config = replace(model.config, value_features=0, plain_features=ModelConfig.plain_features)
            model.embedding.numbers.read_anew(model.config)
            changed["read_anew"] = True
    return changed
