"""From a checkpoint of a transition to the model of the robot that it makes; no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ebm_mpc_ros.learning.checkpoint import Checkpoint, CheckpointError
from ebm_mpc_ros.learning.normaliser import Scaling
from ebm_mpc_ros.learning.recording import DataError
from ebm_mpc_ros.learning.residuals import Noise, transition_units
from ebm_mpc_ros.models import load_model
from ebm_mpc_ros.models.learned_model import LearnedModel
from ebm_mpc_ros.models.learned_transition import LearnedTransition, Support
from ebm_mpc_ros.models.silu_network import SiluNetwork

if TYPE_CHECKING:
    from ebm_mpc_ros.learning.contract import Contract
    from ebm_mpc_ros.learning.recording import Floats

_NETWORK = "mlp"


def learned_model(
    checkpoint: Checkpoint, options: Mapping[str, float] | None = None
) -> LearnedModel:
    """Return the robot whose transition was learned.

    Args:
        checkpoint: What `train` made of `kind: transition`.
        options: The robot's numbers by name, such as its wheelbase, which must be those that the
            checkpoint was trained for.

    Raises:
        CheckpointError: It is for something else, or is not what it says.
    """
    contract = checkpoint.contract
    checkpoint.require(kind="transition", horizon=1)
    try:
        nominal = load_model(contract.model, options)
        conditions = tuple(transition_units(nominal))
    except (ValueError, DataError) as error:
        raise CheckpointError(f"{checkpoint.path}: {error}") from error
    checkpoint.require(
        state_names=tuple(nominal.state_names),
        input_names=tuple(nominal.input_names),
        condition_names=conditions,
        variable_scaling=Scaling.identity(len(nominal.state_names)),
    )
    checkpoint.require_options(nominal)
    try:
        network, confinement = _network(checkpoint)
        noise = Noise(**_part(contract, "noise"))
        energy = LearnedTransition(
            nominal,
            network,
            _support(contract),
            dt=contract.dt,
            variance=np.array(noise.density) * contract.dt + noise.floor,
            smoothing=contract.sigmas[0],
            confinement=confinement,
        )
    except (TypeError, ValueError, LookupError) as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{checkpoint.path}: not the transition it says: {reason}") from error
    return LearnedModel(energy)


def _network(checkpoint: Checkpoint) -> tuple[SiluNetwork, float]:
    """Return f of y and of conditions that are not normalised, and κ.

    Raises:
        ValueError: It is another network, or arrays are missing or of other sizes.
    """
    contract, arrays = checkpoint.contract, dict(checkpoint.arrays)
    sizes = dict(contract.architecture)
    name, hidden = sizes.pop("name", None), sizes.pop("hidden", None)
    confinement = float(sizes.pop("confinement", 1.0))
    if name != _NETWORK or sizes:
        raise ValueError(f"no network {name!r} with {', '.join(sizes) or 'nothing more'}")
    variables = len(contract.state_names)
    wanted = {
        "first.weight": (hidden, variables + len(contract.condition_names)),
        "first.bias": (hidden,),
        "second.weight": (hidden, hidden),
        "second.bias": (hidden,),
        "last.weight": (1, hidden),
    }
    if {name: array.shape for name, array in arrays.items()} != wanted:
        raise ValueError(f"its weights are not those of {_NETWORK} with {hidden} hidden units")
    first, offset, weight, bias, last = (np.asarray(arrays[name], np.float64) for name in wanted)
    mean, deviation = _scaling(contract)
    given = first[:, variables:] / deviation
    inner = np.ascontiguousarray(first[:, :variables])
    return SiluNetwork(inner, given, offset - given @ mean, weight, bias, last[0]), confinement


def _support(contract: Contract) -> Support:
    """Return where there was data, of conditions that are not normalised.

    Raises:
        ValueError, TypeError, KeyError: It is none.
    """
    given = _part(contract, "support")
    factor, reach = np.asarray(given["factor"], np.float64), float(given["reach"])
    mean, deviation = _scaling(contract)
    if factor.shape != (mean.size, mean.size) or not np.isfinite(factor).all():
        raise ValueError(f"the support's factor must be {mean.size} x {mean.size} finite numbers")
    if not 0.0 < reach < np.inf:
        raise ValueError(f"the support's reach is {reach}, must be above 0")
    return Support(mean, factor / deviation[:, None], reach)


def _scaling(contract: Contract) -> tuple[Floats, Floats]:
    scaling = contract.condition_scaling
    return np.array(scaling.mean), np.array(scaling.deviation)


def _part(contract: Contract, name: str) -> Mapping[str, Any]:
    part = contract.details.get(name)
    if not isinstance(part, Mapping):
        raise TypeError(f"its details say nothing of its {name}")
    return part
