"""What a base is told: the states that the inputs change, and the velocity that they make."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ebm_mpc_ros.models.inputs import RATES

if TYPE_CHECKING:
    from ebm_mpc_ros.models import Model

Vector = NDArray[np.float64]

_PLANAR = ("x", "y", "yaw", "vx", "vyaw")
_TWIST = ("vx", "vy", "vyaw")


class Actuation:
    """The m states of a robot on a plane that are commanded, one for each of its inputs.

    Inputs are rates of states, by name: `ax` of vx, `ay` of vy, `alpha` of vyaw, `steering_rate`
    of steering. Integrated they are a command (m,), of which a base takes the velocity.

    Args:
        model: The robot.

    Attributes:
        names: The commanded states, in the order of the inputs.
        indices: Their places in a state.
        hidden: Places in a command of what is no output, such as a steering angle.

    Raises:
        ValueError: The model can't be driven so.
    """

    def __init__(self, model: Model) -> None:
        kind, states, outputs = type(model).__name__, model.state_names, model.output_names
        lacking = [name for name in _PLANAR if name not in outputs]
        if lacking:
            raise ValueError(
                f"{kind} has no output {', '.join(lacking)}: {', '.join(_PLANAR)} are wanted"
            )
        if model.state_size != len(states):
            raise ValueError(f"{kind} has {model.state_size} numbers for {len(states)} states")
        inputs = model.input_names
        if not inputs or not set(inputs) <= set(RATES):
            raise ValueError(
                f"{kind} has the inputs {', '.join(inputs) or 'none'}: "
                f"one or more of {', '.join(RATES)} are wanted"
            )
        self.names = tuple(RATES[name] for name in inputs)
        for given, name in zip(inputs, self.names, strict=True):
            if name not in states:
                raise ValueError(f"{kind} has the input {given}, but no state {name}")
        self.indices = [states.index(name) for name in self.names]
        self.hidden = [k for k, name in enumerate(self.names) if name not in outputs]
        self._model = model
        self._origin = np.array(model.origin(), dtype=np.float64)
        self._columns = [outputs.index(name) if name in outputs else None for name in _TWIST]

    def of(self, state: ArrayLike) -> Vector:
        """Return the command (m,) that a state (state_size,) amounts to."""
        command: Vector = np.asarray(state, dtype=np.float64)[self.indices]
        return command

    def turning(self, speed: float, rate: float) -> Vector:
        """Return the command (m,) of a robot at a speed (m/s) that turns at a rate (rad/s)."""
        z = np.array(self._model.h(self._origin), dtype=np.float64)
        z[self._columns[0]], z[self._columns[2]] = speed, rate
        return self.of(self._model.state(z))

    def twist(self, command: ArrayLike) -> tuple[float, float, float]:
        """Return vx and vy (m/s) and vyaw (rad/s) of a command (m,); 0 where there is no vy."""
        state = self._origin.copy()
        state[self.indices] = command
        z = self._model.h(state).tolist()
        vx, vy, vyaw = (0.0 if k is None else z[k] for k in self._columns)
        return vx, vy, vyaw
