"""An agent with more to it than the one it starts from, and everything that one knew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from opengato.agent.agent import Agent
from opengato.errors import OpengatoError

QUIET = 0.3  # scale of a new layer behind copied ones, so that it starts as little more than a way through


def grow(agent: Agent, changes: Mapping[str, Any], seed: int = 0) -> Agent:
    """The agent in another shape: weights that it has stay, a trunk for reading starts as a copy of the one for acting.

    Args:
        agent: stays as it is.
        changes: fields of `ModelConfig`; those that change the size of weights that the agent has are refused.
        seed: of new weights.

    Raises:
        OpengatoError: the agent's weights do not fit.
    """
    config = replace(agent.model.config, **changes)
    if config == agent.model.config:
        return agent
    grown = Agent.new(config, agent.vocabulary, seed)
    weights, known = grown.model.state_dict(), agent.model.state_dict()
    for name, value in weights.items():
        like = known.get(name, known.get(name.replace("reading_trunk", "trunk")))
        weights[name] = QUIET * value if like is None else like
    try:
        grown.model.load_state_dict(weights)
    except RuntimeError as error:
        raise OpengatoError(
            f"an agent cannot grow by {dict(changes)}: {str(error).splitlines()[-1].strip()} "
            "Next: change nothing but horizon, decode and reading_layers, or leave init out."
        ) from None
    return Agent(grown.model, agent.vocabulary, agent.statistics, agent.specs, agent.card)
