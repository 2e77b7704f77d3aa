"""Networks by what a contract says of them, and back with their weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from ebm_mpc_ros.energy.conditional_gaussian import ConditionalGaussian
from ebm_mpc_ros.energy.mlp import EnergyMLP
from ebm_mpc_ros.energy.networks import DenseNetwork
from ebm_mpc_ros.energy.wells import Wells
from ebm_mpc_ros.learning.checkpoint import Checkpoint, CheckpointError
from ebm_mpc_ros.learning.residuals import learned_names

if TYPE_CHECKING:
    from ebm_mpc_ros.learning.contract import Contract

Network = Wells | EnergyMLP | ConditionalGaussian


def build(contract: Contract) -> Network:
    """Return the network of a contract, with fresh weights.

    Raises:
        ValueError: There is no such network, or its sizes are none.
    """
    sizes: dict[str, Any] = dict(contract.architecture)
    name = sizes.pop("name", None)
    for size, value in sizes.items():
        kind, words = (bool, "true or false") if size == "balanced" else (int, "a whole number")
        if type(value) is not kind:
            raise ValueError(f"{size} is {value!r}, must be {words}")
    conditions = len(contract.condition_names)
    if contract.kind == "policy" and name == "wells":
        if len(contract.sigmas) != 2:
            raise ValueError(f"sigmas are {contract.sigmas}, must be the least and the largest")
        low, high = contract.sigmas
        variables = contract.horizon * len(contract.input_names)
        return Wells(DenseNetwork(conditions, variables, **sizes), (low, high))
    if contract.kind == "transition" and name == "mlp":
        return EnergyMLP(len(contract.state_names), conditions, **sizes)
    if contract.kind == "transition" and name == "gaussian":
        return ConditionalGaussian(len(learned_names(contract)), conditions, **sizes)
    raise ValueError(f"no network {name!r} for a {contract.kind}")


def restored(checkpoint: Checkpoint) -> Network:
    """Return the trained network of a checkpoint.

    Raises:
        CheckpointError: Its weights and its architecture do not go together.
    """
    try:
        # Sizes that are not the weights' would else take any amount of memory first.
        with torch.device("meta"):
            network = build(checkpoint.contract)
        weights = {name: torch.from_numpy(a.copy()) for name, a in checkpoint.arrays.items()}
        network.load_state_dict(weights, assign=True)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{checkpoint.path}: not the network it says: {reason}") from error
    return network.eval()
