"""Where torch computes."""

from __future__ import annotations

import torch


def choose_device(name: str) -> str:
    """Return the torch device of a name; auto is CUDA where there is a GPU, else the CPU.

    Raises:
        ValueError: Torch has no such device here.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).split("\n", maxsplit=1)[0]
        message = f"device = {name}: must be auto or one that torch has ({reason})"
        raise ValueError(message) from error
    return name


def use_one_thread() -> None:
    """Keep torch's CPU work on the calling thread: on tensors this small more of them contend."""
    torch.set_num_threads(1)
