"""What a sensor measures beside the model's outputs: lever arms, gravity, biases.

A measurement is z = h_rows(x) + the sum of its terms; each takes its part off the innovation and
adds its derivative in δ to H, at the belief at which the measurement is fused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ebm_mpc_ros.models import rotation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ebm_mpc_ros.models import Model

    Vector = NDArray[np.float64]
    Matrix = NDArray[np.float64]

_ATTITUDE = ("roll", "pitch", "yaw")
_RATES = ("vroll", "vpitch", "vyaw")


class Term(Protocol):
    """A part of a measurement."""

    def add(self, model: Model, x: Vector, outputs: Vector, innovation: Vector, H: Matrix) -> None:
        """Change `innovation` (k,) and `H` (k, n) in place; `outputs` (p,) is h(x)."""


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """M times some of the outputs: the lever arm of a velocity, the bias of a sensor.

    Attributes:
        rows: Indices (m,) into the model's `output_names`.
        matrix: M (k, m).
    """

    rows: tuple[int, ...]
    matrix: Matrix

    def add(self, model: Model, x: Vector, outputs: Vector, innovation: Vector, H: Matrix) -> None:
        """Take M z off and add M H."""
        innovation -= self.matrix @ outputs[list(self.rows)]
        H += self.matrix @ model.residual_jacobian(x, self.rows)


@dataclass(frozen=True, slots=True, eq=False)
class Gravity:
    """The reaction to gravity that an accelerometer feels: M R(q)ᵀ (0, 0, g).

    Attributes:
        matrix: M (k, 3), from base_link's axes to the measured ones.
        gravity: g, m/s².
    """

    matrix: Matrix
    gravity: float

    def add(
        self,
        model: Model,
        x: Vector,  # noqa: ARG002
        outputs: Vector,
        innovation: Vector,
        H: Matrix,
    ) -> None:
        """Take M Rᵀ g off and add M Rᵀ [g]×, the attitude's error being in world axes."""
        R = attitude_matrix(model, outputs)
        innovation -= self.matrix @ R[2] * self.gravity
        if all(name in model.state_names for name in _ATTITUDE):
            columns = [model.state_names.index(name) for name in _ATTITUDE]
            g = self.gravity
            H[:, columns] += self.matrix @ (R.T @ np.array([[0, -g, 0], [g, 0, 0], [0, 0, 0]]))


@dataclass(frozen=True, slots=True, eq=False)
class Centripetal:
    """The acceleration ω × (ω × r) of an accelerometer away from base_link.

    Attributes:
        matrix: M (k, 3), from base_link's axes to the measured ones.
        arm: r (3,), m.
    """

    matrix: Matrix
    arm: Vector

    def add(self, model: Model, x: Vector, outputs: Vector, innovation: Vector, H: Matrix) -> None:
        """Take M (ω (ω·r) - r (ω·ω)) off and add its derivative."""
        rates = [i for i, name in enumerate(_RATES) if name in model.output_names]
        rows = tuple(model.output_names.index(_RATES[i]) for i in rates)
        omega = [0.0, 0.0, 0.0]
        for i, row in zip(rates, rows, strict=True):
            omega[i] = float(outputs[row])
        (wx, wy, wz), (rx, ry, rz) = omega, self.arm.tolist()
        along, squared = wx * rx + wy * ry + wz * rz, wx * wx + wy * wy + wz * wz
        inward = (wx * along - rx * squared, wy * along - ry * squared, wz * along - rz * squared)
        slope = np.array(
            [
                [wx * rx + along - 2 * rx * wx, wx * ry - 2 * rx * wy, wx * rz - 2 * rx * wz],
                [wy * rx - 2 * ry * wx, wy * ry + along - 2 * ry * wy, wy * rz - 2 * ry * wz],
                [wz * rx - 2 * rz * wx, wz * ry - 2 * rz * wy, wz * rz + along - 2 * rz * wz],
            ]
        )
        innovation -= self.matrix.dot(inward)
        H += self.matrix.dot(slope[:, rates]).dot(model.residual_jacobian(x, rows))


@dataclass(frozen=True, slots=True, eq=False)
class Offset:
    """The way R(q) r from base_link to an antenna.

    Attributes:
        axes: Which of the world's axes are measured (k).
        arm: r (3,) in base_link, m.
    """

    axes: tuple[int, ...]
    arm: Vector

    def add(
        self,
        model: Model,
        x: Vector,  # noqa: ARG002
        outputs: Vector,
        innovation: Vector,
        H: Matrix,
    ) -> None:
        """Take R r off and add -[R r]×, the attitude's error being in world axes."""
        names, axes = model.output_names, list(self.axes)
        arm = attitude_matrix(model, outputs) @ self.arm
        innovation -= arm[axes]
        slope = -rotation.skew(arm)
        for k, name in enumerate(_ATTITUDE):
            if name in names and name in model.state_names:
                H[:, model.state_names.index(name)] += slope[axes, k]


def attitude_matrix(model: Model, outputs: Vector) -> Matrix:
    """Return R(q) (3, 3) of outputs; angles that the model lacks are zero."""
    names = model.output_names
    rpy = [float(outputs[names.index(a)]) if a in names else 0.0 for a in _ATTITUDE]
    return np.array(rotation.matrix_columns(rotation.from_rpy_columns(*rpy))).reshape(3, 3)


def lever_arm(model: Model, matrix: Matrix) -> Linear | None:
    """Return the term of velocities that a turn causes: `matrix` (k, 3) times ω.

    None where it is zero.
    """
    rates = [i for i, name in enumerate(_RATES) if name in model.output_names]
    matrix = matrix[:, rates]
    if not matrix.any():
        return None
    return Linear(tuple(model.output_names.index(_RATES[i]) for i in rates), matrix)
