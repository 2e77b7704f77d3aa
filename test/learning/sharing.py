"""A small regression to train, alone or as one of several processes."""

from dataclasses import replace

import torch
from torch import nn

from ebm_mpc_ros.learning.training import Pairs, TrainingData, TrainingSettings, train

TRUTH = torch.tensor([[2.0, -1.0], [0.5, 3.0]])
SETTINGS = TrainingSettings(
    steps=300, batch_size=16, learning_rate=0.05, warm_up=10, averaging=0.9, check_every=50
)


def pairs(rows, seed):
    c = torch.randn(rows, 2, generator=torch.Generator().manual_seed(seed))
    return Pairs(c, c @ TRUTH)


def data(rows=64):
    return TrainingData(pairs(rows, 0), pairs(32, 1))


def module(weight=0.0):
    linear = nn.Linear(2, 2, bias=False)
    nn.init.constant_(linear.weight, weight)
    return linear


def squared(module, c, y, _generator):
    return (module(c) - y).square().mean()


def after(steps):
    """Say stop once that many steps are done."""
    asked = iter(range(10**9))
    return lambda: next(asked) >= steps


def share(rank, folder, workers):
    """Train as one process of several, of which the first is never told to stop."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=workers
    )
    settings = replace(SETTINGS, check_every=10)
    trained = train(
        module(5.0 * rank), squared, data(), settings, stop=after(30 if rank else 10**6)
    )
    weights = {"ended": trained.ended.name, **trained.state.part("weights")}
    torch.save(weights, folder / f"{rank}.pt")
    torch.distributed.destroy_process_group()
