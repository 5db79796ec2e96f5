"""Which device a model runs on."""

from __future__ import annotations

import torch

from opengato.errors import OpengatoError


def pick_device(name: str = "auto") -> torch.device:
    """The device of a name.

    Args:
        name: "cpu", "cuda", "cuda:1", …; "auto" takes a CUDA GPU where PyTorch sees one.

    Raises:
        OpengatoError: no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise OpengatoError(f"device {name!r} is unknown; legal: auto, cpu, cuda, cuda:0, cuda:1, …") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise OpengatoError(
            f"device {name!r} is not here: PyTorch {torch.__version__} sees {torch.cuda.device_count()} CUDA GPUs. "
            "Next: device=cpu, or install a CUDA build of PyTorch."
        )
    return device


def device_name(device: torch.device) -> str:
    """What a person calls it: "cpu", or the GPU's own name."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def product_type(x: torch.Tensor) -> torch.dtype:
    """The type in which matrices are multiplied with this tensor: autocast's where it is on."""
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype
