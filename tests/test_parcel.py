"""A packed batch is the batch."""

from __future__ import annotations

import pickle
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
import torch

from opengato.agent import Agent
from opengato.agent.laid import Tensors
from opengato.training.mixture import Mixture, MixtureConfig
from opengato.training.parcel import ALIGNMENT, Parcel

from .test_policy import FLAT, SMALL
from .test_training import tasks


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, Tensors):
        parts = {field.name: getattr(value, field.name) for field in fields(value)}  # type: ignore[arg-type]
    elif isinstance(value, list):
        parts = dict(enumerate(value))
    else:
        return {path: value}
    return {key: leaf for name, part in parts.items() for key, leaf in leaves(part, f"{path}.{name}").items()}


@pytest.mark.parametrize("shape", [SMALL, FLAT], ids=["pooled", "flat"])
def test_what_comes_out_is_what_went_in(shape) -> None:  # type: ignore[no-untyped-def]
    agent = Agent.new(shape, seed=0)
    batch = Mixture(tasks(agent), shape, MixtureConfig(rows=3), seed=0).batch(0)
    parcel = Parcel.pack(batch)
    wanted, found = leaves(batch), leaves(pickle.loads(pickle.dumps(parcel)).open())
    assert list(found) == list(wanted)
    tensors = 0
    for name, value in wanted.items():
        if isinstance(value, torch.Tensor):
            tensors += 1
            assert found[name].dtype == value.dtype, name
            assert torch.equal(found[name], value), name
        else:
            np.testing.assert_equal(found[name], value, name)
    assert tensors > 10
    size = sum(value.numel() * value.element_size() for value in wanted.values() if isinstance(value, torch.Tensor))
    assert size <= len(parcel.buffer) < size + ALIGNMENT * tensors


def test_tensors_of_a_parcel_share_its_memory() -> None:
    agent = Agent.new(SMALL, seed=0)
    parcel = Parcel.pack(Mixture(tasks(agent), SMALL, MixtureConfig(rows=1), seed=0).batch(0))
    opened = parcel.open()
    assert opened.position.untyped_storage().data_ptr() == parcel.buffer.untyped_storage().data_ptr()
