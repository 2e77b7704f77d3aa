"""Planning over states and inputs at once, which is risk-seeking: noise counts as one's own choice.

Off unless asked for. Inputs rolled through the dynamics, as `Planner` does, are the default.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ebm_mpc_ros.energy.chosen import floats
from ebm_mpc_ros.energy.plan import PlanEnergy
from ebm_mpc_ros.energy.planner import Planner
from ebm_mpc_ros.models.base import Jacobians, Model, array_namespace

if TYPE_CHECKING:
    from ebm_mpc_ros.energy.cost import PlanCost
    from ebm_mpc_ros.energy.outcome import Floats, Plan
    from ebm_mpc_ros.energy.planner import PlannerSettings
    from ebm_mpc_ros.models.base import Array

_QUARTER_TURN = math.pi / 2


class ChosenNoise(Model):
    """x' = f(x, u, w) with w = (Q_w dt)^½ y, and y (q,) inputs behind those of the robot.

    With ½ ‖y‖² as their energy and x' in place of y it is the transition's, E = ½ ‖x' - f‖² in
    (W Q_w Wᵀ dt)⁻¹, norm included: draws of (u, y) are draws of inputs and states.
    """

    def __init__(self, model: Model, noise_density: Floats) -> None:
        """Take a robot and its Q_w per second (q, q).

        Raises:
            ValueError: Q_w is not symmetric positive semidefinite of the model's noises.
        """
        q = len(model.noise_names)
        if noise_density.shape != (q, q) or not np.allclose(noise_density, noise_density.T):
            raise ValueError(f"noise_density must be a symmetric matrix ({q}, {q})")
        values, axes = np.linalg.eigh(noise_density)
        if not values[0] >= -np.finfo(np.float64).eps * q * abs(values[-1]):
            raise ValueError("noise_density must be positive semidefinite")
        self._model = model
        self._root = axes * np.sqrt(values.clip(0.0))
        self._inputs = len(model.input_names)
        self.state_names, self.state_size = model.state_names, model.state_size
        self.input_names = (*model.input_names, *(f"noise_{name}" for name in model.noise_names))
        self.noise_names = model.noise_names

    def f(self, x: Array, u: Array, dt: Any, w: Array | None = None) -> Array:
        """Return the next state (…, state_size)."""
        chosen = self._noise(x, u, dt)
        return self._model.f(x, u[..., : self._inputs], dt, chosen if w is None else chosen + w)

    def jacobians(self, x: Array, u: Array, dt: Any) -> Jacobians:
        """Return A, B and W at the noise chosen."""
        xp = array_namespace(x)
        own = u[..., : self._inputs]
        A, B, W = self._model.jacobians(x, own, dt)
        by_noise = W @ (self._of(x) * math.sqrt(dt))
        if "yaw" in self.state_names:
            # Axes of noise that turn with the robot: W is a first harmonic of yaw, so that the
            # difference over half a turn is its derivative.
            yaw = self.state_names.index("yaw")
            turn = xp.zeros_like(x)
            turn[..., yaw] = _QUARTER_TURN
            after = self._model.jacobians(x + turn, own, dt).W
            before = self._model.jacobians(x - turn, own, dt).W
            noise = self._noise(x, u, dt)
            A = xp.asarray(A, copy=True)
            A[..., yaw] += 0.5 * ((after - before) @ noise[..., None])[..., 0]
        return Jacobians(A, xp.concat([B, by_noise], axis=-1), W)

    def plus(self, x: Array, delta: Array) -> Array:
        """Return x ⊞ δ of the robot."""
        return self._model.plus(x, delta)

    def minus(self, a: Array, b: Array) -> Array:
        """Return a ⊟ b of the robot."""
        return self._model.minus(a, b)

    def _noise(self, x: Array, u: Array, dt: Any) -> Array:
        return u[..., self._inputs :] @ (self._of(x).T * math.sqrt(dt))

    def _of(self, x: Array) -> Array:
        """Return the root of Q_w in the library, type and device of `x`."""
        if isinstance(x, np.ndarray):
            return self._root.astype(x.dtype)
        return torch.as_tensor(self._root, dtype=x.dtype, device=x.device)


def risk_seeking(cost: PlanCost, temperature: float, noises: int) -> PlanCost:
    """Return the cost of inputs and chosen noise: over T it is J / T + ½ Σ ‖y‖²."""
    free = (math.inf,) * noises
    return replace(
        cost,
        input_weight=(*cost.input_weight, *(temperature,) * noises),
        input_lower=(*cost.input_lower, *(-bound for bound in free)),
        input_upper=(*cost.input_upper, *free),
    )


class RiskSeekingPlanner:
    """Samples states and inputs from p ∝ exp(-Σ E_transition - J / T) as `Planner` samples inputs.

    That is not the LQR where all is linear and quadratic but risk-seeking control, whose Riccati
    recursion is P = Q + Aᵀ (P'⁻¹ + B R⁻¹ Bᵀ + Σ_w / T)⁻¹ A with Σ_w = W Q_w Wᵀ (Whittle,
    "Risk-sensitive linear/quadratic/Gaussian control", 1981; Levine, arXiv 1805.00909, 2018): it
    counts on noise that helps. A plan's inputs are the mode's, but the states and the clearance are
    those of these inputs without noise. Sample states have theirs.
    """

    def __init__(
        self,
        model: Model,
        cost: PlanCost,
        settings: PlannerSettings,
        *,
        noise_density: Floats,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """Take the robot, its costs, the settings and Q_w per second (q, q).

        Raises:
            ValueError: Q_w is not symmetric positive semidefinite of the model's noises.
        """
        self._model, self._cost, self._settings = model, cost, settings
        self._device, self._dtype = torch.device(device), dtype
        chosen = ChosenNoise(model, noise_density)
        joint = self._joint(cost)
        self._planner = Planner(chosen, joint, settings, device=device, dtype=dtype)

    def use(self, cost: PlanCost) -> None:
        """Take other costs; the last plan and the chains go on."""
        self._cost = cost
        self._planner.use(self._joint(cost))

    def reset(self) -> None:
        """Forget the last plan and all chains; start the noise over."""
        self._planner.reset()

    def plan(
        self, state: Floats, reference: Floats, obstacles: Floats, elapsed_s: float = 0.0
    ) -> Plan:
        """Return a plan from `state`; arguments and errors are those of `Planner.plan`.

        Its energy is that of the mode, J + T Σ E_transition.
        """
        found = self._planner.plan(state, reference, obstacles, elapsed_s)
        inputs = found.inputs[:, : len(self._cost.input_weight)]
        if not found.usable:
            return replace(found, inputs=inputs)
        energy = PlanEnergy(
            self._model,
            self._cost,
            self._settings.dt,
            state=self._tensor(state),
            reference=self._tensor(reference),
            obstacles=self._tensor(obstacles),
        )
        states = energy.rollout(self._tensor(inputs.reshape(1, -1)))[0]
        clearance = float(energy.clearance(states))
        return replace(found, inputs=inputs, states=floats(states), clearance=clearance)

    def _joint(self, cost: PlanCost) -> PlanCost:
        return risk_seeking(cost, self._settings.temperature, len(self._model.noise_names))

    def _tensor(self, values: Floats) -> torch.Tensor:
        return torch.tensor(values, dtype=self._dtype, device=self._device)
