"""From a checkpoint of a transition to the model of the robot that it makes; no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ebm_mpc_ros.learning.checkpoint import Checkpoint, CheckpointError
from ebm_mpc_ros.learning.normaliser import Scaling, is_number
from ebm_mpc_ros.learning.recording import DataError
from ebm_mpc_ros.learning.residuals import Noise, learned_names, transition_units
from ebm_mpc_ros.models import ModelError, load_model
from ebm_mpc_ros.models.gaussian_network import GaussianNetwork
from ebm_mpc_ros.models.learned_model import LearnedModel
from ebm_mpc_ros.models.learned_transition import LearnedTransition, Support
from ebm_mpc_ros.models.silu_network import SiluNetwork

if TYPE_CHECKING:
    from ebm_mpc_ros.learning.contract import Contract
    from ebm_mpc_ros.learning.recording import Floats

_MLP, _GAUSSIAN = "mlp", "gaussian"


def learned_model(
    checkpoint: Checkpoint,
    options: Mapping[str, float] | None = None,
    nominal: str | None = None,
) -> LearnedModel:
    """Return the robot whose transition was learned.

    Args:
        checkpoint: What `train` made of `kind: transition`.
        options: The robot's numbers by name, such as its wheelbase, which must be those that the
            checkpoint was trained for.
        nominal: The name of the model that was learned about; may be left out where it is a short
            one, for no module is imported because a file says so.

    Raises:
        CheckpointError: It is for something else, or is not what it says.
    """
    contract = checkpoint.contract
    checkpoint.require(kind="transition", horizon=1)
    if nominal is not None:
        checkpoint.require(model=nominal)
    elif ":" in contract.model:
        raise CheckpointError(
            f"{checkpoint.path}: it was learned about {contract.model!r}, which is not loaded "
            "because a file says so: the parameter model must name it"
        )
    try:
        model = load_model(contract.model, options)
        conditions = tuple(transition_units(model))
    except (ModelError, DataError) as error:
        raise CheckpointError(f"{checkpoint.path}: {error}") from error
    checkpoint.require(
        state_names=tuple(model.state_names),
        input_names=tuple(model.input_names),
        condition_names=conditions,
        variable_scaling=Scaling.identity(len(model.state_names)),
    )
    checkpoint.require_options(model)
    try:
        network, confinement = _network(checkpoint)
        noise = Noise(**_part(contract, "noise"))
        energy = LearnedTransition(
            model,
            network,
            _support(contract),
            dt=contract.dt,
            variance=np.array(noise.density) * contract.dt + noise.floor,
            smoothing=_smoothing(contract),
            confinement=confinement,
        )
    except (TypeError, ValueError, LookupError) as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{checkpoint.path}: not the transition it says: {reason}") from error
    return LearnedModel(energy)


def _smoothing(contract: Contract) -> Floats:
    """Return σ of each state's residual, 0 where that was not learned.

    Raises:
        ValueError: It has not one σ.
    """
    (sigma,) = contract.sigmas
    learned = learned_names(contract)
    return np.array([sigma if name in learned else 0.0 for name in contract.state_names])


def _network(checkpoint: Checkpoint) -> tuple[SiluNetwork | GaussianNetwork, float]:
    """Return f of y and of conditions that are not normalised, and κ.

    Raises:
        ValueError: It is another network, or arrays are missing or of other sizes.
    """
    sizes = dict(checkpoint.contract.architecture)
    name, hidden = sizes.pop("name", None), sizes.pop("hidden", None)
    if name == _GAUSSIAN and not sizes:
        return _gaussian(checkpoint, hidden), 1.0
    confinement = float(sizes.pop("confinement", 1.0))
    if name != _MLP or sizes:
        raise ValueError(f"no network {name!r} with {', '.join(sizes) or 'nothing more'}")
    return _mlp(checkpoint, hidden), confinement


def _mlp(checkpoint: Checkpoint, hidden: Any) -> SiluNetwork:
    contract = checkpoint.contract
    variables = len(contract.state_names)
    wanted = {
        "first.weight": (hidden, variables + len(contract.condition_names)),
        "first.bias": (hidden,),
        "second.weight": (hidden, hidden),
        "second.bias": (hidden,),
        "last.weight": (1, hidden),
    }
    first, offset, weight, bias, last = _weights(checkpoint, wanted)
    mean, deviation = _scaling(contract)
    given = first[:, variables:] / deviation
    inner = np.ascontiguousarray(first[:, :variables])
    return SiluNetwork(inner, given, offset - given @ mean, weight, bias, last[0])


def _gaussian(checkpoint: Checkpoint, hidden: Any) -> GaussianNetwork:
    """Return the network; of a state that was not learned the centre is 0 and the width 1."""
    contract = checkpoint.contract
    names, conditions = contract.state_names, len(contract.condition_names)
    learned = [names.index(name) for name in learned_names(contract)]
    wanted = {
        "first.weight": (hidden, conditions),
        "first.bias": (hidden,),
        "second.weight": (hidden, hidden),
        "second.bias": (hidden,),
        "last.weight": (2 * len(learned), hidden),
        "skip.weight": (2 * len(learned), conditions),
        "skip.bias": (2 * len(learned),),
    }
    first, offset, weight, bias, last, skip, middle = _weights(checkpoint, wanted)
    mean, deviation = _scaling(contract)
    given, skip = first / deviation, skip / deviation
    rows = learned + [len(names) + i for i in learned]

    def spread(part: Floats) -> Floats:
        whole = np.zeros((2 * len(names), *part.shape[1:]))
        whole[rows] = part
        return whole

    return GaussianNetwork(
        given,
        offset - given @ mean,
        weight,
        bias,
        spread(last),
        spread(skip),
        spread(middle - skip @ mean),
    )


def _weights(checkpoint: Checkpoint, wanted: Mapping[str, tuple[Any, ...]]) -> list[Floats]:
    """Return the weights, in that order.

    Raises:
        ValueError: They are others, or of other sizes.
    """
    arrays, sizes = checkpoint.arrays, checkpoint.contract.architecture
    if {name: array.shape for name, array in arrays.items()} != dict(wanted):
        raise ValueError(
            f"its weights are not those of {sizes['name']} with {sizes.get('hidden')} hidden units"
        )
    given = _scaling(checkpoint.contract)[1]
    with np.errstate(over="ignore", divide="ignore"):
        if not np.isfinite(1.0 / (given * given)).all():
            raise ValueError("its conditions' deviations are too small")
    return [np.asarray(arrays[name], np.float64) for name in wanted]


def _support(contract: Contract) -> Support:
    """Return where there was data, of conditions that are not normalised.

    Raises:
        ValueError, TypeError, KeyError: It is none.
    """
    given = _part(contract, "support")
    factor, reach = np.asarray(given["factor"], np.float64), given["reach"]
    mean, deviation = _scaling(contract)
    if factor.shape != (mean.size, mean.size) or not np.isfinite(factor).all():
        raise ValueError(f"the support's factor must be {mean.size} x {mean.size} finite numbers")
    if not is_number(reach) or not 0.0 < reach < np.inf:
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
