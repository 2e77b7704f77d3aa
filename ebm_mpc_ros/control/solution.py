"""What a tick of the controller answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ebm_mpc_ros.control.solver import Status

Vector = NDArray[np.float64]


class Solution(NamedTuple):
    """The plan of one tick.

    Attributes:
        status: How the solve ended.
        inputs: u (N, m), within the bounds; NaN unless usable.
        states: x (N+1, state_size), the first the state given; NaN unless usable. Like the
            inputs read-only: the next tick starts from them.
        iterations: ADMM iterations of the tick.
        primal_residual: Largest violation of a constraint of the last QP, in scaled coordinates.
        reason: Why the plan is not usable, in words; empty if it is.
    """

    status: Status
    inputs: Vector
    states: Vector
    iterations: int
    primal_residual: float
    reason: str

    @property
    def usable(self) -> bool:
        """Whether the plan may be driven."""
        return not self.reason
