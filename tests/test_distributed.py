"""Two processes take the very steps that one takes with all their batches; devices that are not here are refused."""

import socket
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import distributed

from opengato.agent.device import pick_device
from opengato.errors import OpengatoError

from .test_training import CONFIG, trainer

STEPS = 3


def _process(rank: int, port: int, folder: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    out = Path(folder) / "run"
    fit = trainer(CONFIG, out)
    losses = fit.run(stop_after=2)
    distributed.barrier()  # the first process has saved
    again = trainer(CONFIG, out)
    assert again.resume()
    losses += again.run(stop_after=STEPS - 2)
    torch.save((losses, again.agent.model.state_dict()), Path(folder) / f"{rank}.pt")
    distributed.destroy_process_group()


def test_two_processes_learn_what_one_does(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(_process, (port, str(tmp_path)), nprocs=2)
    alone = trainer(replace(CONFIG, accumulate=2))
    losses = alone.run(stop_after=STEPS)
    for rank in range(2):
        found, weights = torch.load(tmp_path / f"{rank}.pt")
        assert found == pytest.approx(losses, rel=1e-5)
        for name, value in alone.agent.model.state_dict().items():
            torch.testing.assert_close(weights[name], value, msg=name)


def test_devices_that_are_not_here_are_refused() -> None:
    assert pick_device("cpu") == torch.device("cpu")
    with pytest.raises(OpengatoError, match="'toaster' is unknown; legal: auto, cpu, cuda"):
        pick_device("toaster")
    with pytest.raises(OpengatoError, match="'cuda:99' is not here"):
        pick_device("cuda:99")
