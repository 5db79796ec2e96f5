"""Two processes take the very steps that one takes with all their batches; devices that are not here are refused."""

import socket
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import distributed

from opengato.agent import Agent
from opengato.agent.device import pick_device
from opengato.errors import OpengatoError

from .test_training import CONFIG, SMALL, trainer

STEPS = 3
SHAPE = replace(SMALL, stochastic_depth=0.2)  # so that what is random in the model is put to the test


def _process(rank: int, port: int, folder: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    out = Path(folder) / "run"
    fit = trainer(CONFIG, out, SHAPE)
    losses = fit.run(stop_after=2)
    distributed.barrier()  # the first process has saved
    again = trainer(CONFIG, out, SHAPE)
    assert again.resume()
    losses += again.run(stop_after=STEPS - 2)
    torch.save((losses, again.agent.model.state_dict()), Path(folder) / f"{rank}.pt")
    distributed.destroy_process_group()


def assert_alike(weights: dict[str, torch.Tensor], agent: Agent) -> None:
    for name, value in agent.model.state_dict().items():
        # A softmax does not see this bias: its gradient is rounding, which AdamW makes into steps.
        loose = {"atol": 1e-3, "rtol": 0.0} if name == "embedding.pictures.score.bias" else {}
        torch.testing.assert_close(weights[name], value, msg=lambda text, name=name: f"{name}: {text}", **loose)


def test_two_processes_learn_what_one_does(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(_process, (port, str(tmp_path)), nprocs=2)
    alone = trainer(replace(CONFIG, accumulate=2), shape=SHAPE)
    losses = alone.run(stop_after=STEPS)
    for rank in range(2):
        found, weights = torch.load(tmp_path / f"{rank}.pt")
        assert found == pytest.approx(losses, rel=1e-5)
        assert_alike(weights, alone.agent)


def test_devices_that_are_not_here_are_refused() -> None:
    assert pick_device("cpu") == torch.device("cpu")
    with pytest.raises(OpengatoError, match="'toaster' is unknown; legal: auto, cpu, cuda"):
        pick_device("toaster")
    with pytest.raises(OpengatoError, match="'cuda:99' is not here"):
        pick_device("cuda:99")


def _sharded(rank: int, world: int, port: int, folder: str, steps: int, accumulate: int) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=world)
    fit = trainer(replace(CONFIG, shard=True, accumulate=accumulate), Path(folder) / "run")
    kept = sum(p.to_local().numel() for p in fit.agent.model.parameters())  # type: ignore[attr-defined]
    assert kept < 1.2 * fit.agent.model.num_parameters / world  # shares, not copies
    fit.resume()
    losses = fit.run(stop_after=steps)
    agent = fit.trained()
    if rank == 0:
        torch.save((fit.step, losses, agent.model.state_dict()), Path(folder) / f"{world}.pt")
        agent.save(Path(folder) / "agent")
    distributed.destroy_process_group()


def test_shares_learn_what_one_copy_does_and_move_to_more_processes(tmp_path: Path) -> None:
    for world, steps in ((2, 2), (4, STEPS - 2)):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        torch.multiprocessing.spawn(_sharded, (world, port, str(tmp_path), steps, 4 // world), nprocs=world)
    alone = trainer(replace(CONFIG, accumulate=4))
    losses = alone.run(stop_after=STEPS)
    before, after = (torch.load(tmp_path / f"{world}.pt") for world in (2, 4))
    assert (before[0], after[0]) == (2, STEPS)
    assert before[1] + after[1] == pytest.approx(losses, rel=1e-5)
    assert_alike(after[2], alone.agent)
    assert len(list((tmp_path / "run").glob("checkpoint-*"))) == 2
    whole = Agent.load(tmp_path / "agent")
    assert whole.model.num_parameters == alone.agent.model.num_parameters
