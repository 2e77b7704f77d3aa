"""Plans for a robot: Langevin chains over input sequences, kept from call to call."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ebm_mpc_ros.energy.base import LinearChange
from ebm_mpc_ros.energy.checks import (
    check_least,
    check_not_negative,
    check_positive,
    check_share,
)
from ebm_mpc_ros.energy.chosen import made
from ebm_mpc_ros.energy.controlled import Controlled
from ebm_mpc_ros.energy.correction import Correction
from ebm_mpc_ros.energy.descent import Descent, descend
from ebm_mpc_ros.energy.langevin import mala
from ebm_mpc_ros.energy.outcome import Floats, Plan, check_shapes, refusal, refused
from ebm_mpc_ros.energy.plan import PlanEnergy
from ebm_mpc_ros.energy.seam import shifted

if TYPE_CHECKING:
    from ebm_mpc_ros.energy.cost import PlanCost
    from ebm_mpc_ros.models.base import Model


@dataclass(frozen=True)
class PlannerSettings:
    """Settings of `Planner`.

    Attributes:
        horizon: Steps N of a plan.
        dt: Length of a step in s.
        chains: Number of chains.
        adapt_steps: Steps of a call that adapt the step size.
        steps: Steps of a call after those.
        temperature: T of p(U) ∝ exp(-J(U) / T).
        fresh_temperature: T of the tracking cost alone, from which fresh chains are drawn.
        fresh_share: Share of the chains that a call replaces by fresh ones, oldest first.
        fresh_steps: Descent steps of the fresh chains before they join.
        descent_candidates: How many plans descend without noise: the last plan and the lowest
            chains.
        descent_steps: Steps of the descent.
        switch_margin: Energy by which a chain must beat the last plan to replace it.
        shown: Of how many chains a plan tells the states.
        time_limit: Seconds after which a call returns the best so far.
        seed: Of all noise.

    Raises:
        ValueError: A field is out of its range.
    """

    horizon: int = 20
    dt: float = 0.1
    chains: int = 128
    adapt_steps: int = 1
    steps: int = 6
    temperature: float = 0.1
    fresh_temperature: float = 20.0
    fresh_share: float = 0.1
    fresh_steps: int = 3
    descent_candidates: int = 4
    descent_steps: int = 6
    switch_margin: float = 0.5
    shown: int = 12
    time_limit: float = math.inf
    seed: int = 0

    def __post_init__(self) -> None:
        """Check every field."""
        check_least(self, horizon=1, chains=1, adapt_steps=0, steps=0, fresh_steps=0)
        check_least(self, descent_candidates=1, descent_steps=0, shown=0, seed=0)
        check_positive(self, "dt", "temperature", "fresh_temperature")
        check_not_negative(self, "switch_margin", "time_limit")
        check_share(self, "fresh_share")
        if self.descent_candidates > self.chains + 1:
            raise ValueError(
                f"descent_candidates is {self.descent_candidates}, allowed is chains + 1 at most"
            )


class Planner:
    """Samples p(U) ∝ exp(-J(U) / T) by MALA and plans by descent from the lowest samples.

    The chains run in whitened coordinates y, U = U_last + √T y L⁻¹ (rows), with L Lᵀ the
    Gauss-Newton Hessian of the tracking cost about the last plan: constant over a call, so exact.
    They persist over calls, shifted by the time elapsed; a share is replaced each time by fresh
    draws from the Gaussian of the tracking cost alone at a high temperature about the MPC's
    solution, which lie on all sides of an obstacle, and by that solution itself. The last plan and
    the lowest chains then descend within the bounds of the inputs, and another replaces the last
    only where it is lower by a margin. Never a mean of chains: between two sides lies the obstacle.
    """

    def __init__(
        self,
        model: Model,
        cost: PlanCost,
        settings: PlannerSettings,
        *,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """Take the robot, its costs and the settings."""
        self._model, self._settings = model, settings
        self._device, self._dtype = torch.device(device), dtype
        self._generator = torch.Generator(self._device)
        self._correction = Correction(model, settings.dt, settings.horizon)
        self.use(cost)
        self.reset()

    def use(self, cost: PlanCost) -> None:
        """Take other costs; the last plan and the chains go on."""
        self._cost = cost
        settings = self._settings
        self._controller = Controlled(self._model, cost, settings.dt, settings.horizon)
        self._bounds = (
            self._tensor(cost.input_lower).repeat(self._settings.horizon),
            self._tensor(cost.input_upper).repeat(self._settings.horizon),
        )

    def reset(self) -> None:
        """Forget the last plan and all chains; start the noise over."""
        self._generator.manual_seed(self._settings.seed)
        self._controller.reset()
        self._correction.reset()
        self._last: Tensor | None = None
        self._chains = self._bounds[0].new_zeros(self._settings.chains, len(self._bounds[0]))
        self._oldest = 0
        self._step_size = 1.0

    @torch.no_grad()
    def plan(
        self, state: Floats, reference: Floats, obstacles: Floats, elapsed_s: float = 0.0
    ) -> Plan:
        """Return a plan from `state`.

        Args:
            state: Where the robot is, (n,).
            reference: The states to track from now on, (N + 1, n).
            obstacles: Circles (M, 3) of x, y and radius in m.
            elapsed_s: Seconds since the state of the last plan that was not refused.

        Raises:
            ValueError: An array has another shape.
        """
        deadline = time.monotonic() + self._settings.time_limit
        check_shapes(
            state,
            reference,
            obstacles,
            size=self._model.state_size,
            rows=self._settings.horizon + 1,
        )
        reason = refusal(state, reference, obstacles, elapsed_s)
        if reason:
            return self._refused(state, reason)

        def stop() -> bool:
            return time.monotonic() > deadline

        settings, T = self._settings, self._settings.temperature

        def energy_about(inputs: Tensor) -> PlanEnergy:
            start = self._tensor(state)
            return PlanEnergy(
                self._correction.about(start, inputs),
                self._cost,
                settings.dt,
                state=start,
                reference=self._tensor(reference),
                obstacles=self._tensor(obstacles),
            )

        begins = self._last is None or elapsed_s >= settings.horizon * settings.dt
        found = self._controlled(state, reference)
        if begins:
            still = torch.zeros_like(self._bounds[0])
            energy = energy_about(still if found is None else found)
            last = self._first(energy, found)
        else:
            last = self._shift(elapsed_s)
            energy = energy_about(last)
        expansion = energy.expand(last)
        factor, failed = torch.linalg.cholesky_ex(expansion.hessian)
        if int(failed):
            return self._refused(state, "the tracking cost about the last plan is not convex")
        metric = torch.cholesky_inverse(factor)

        def settle(plans: Tensor, steps: int) -> Descent:
            lower, upper = self._bounds
            return descend(
                energy, plans, metric=metric, lower=lower, upper=upper, steps=steps, stop=stop
            )

        change = LinearChange(energy, last, factor / math.sqrt(T), T)
        center = last - metric @ expansion.gradient if found is None else found
        index, fresh = self._draw(change, center, begins)
        if found is not None and not begins and len(fresh):
            fresh[0] = found
        # Where an obstacle is steep, the settled chains' step size would pin a fresh one down.
        if len(fresh):
            self._chains[index] = settle(fresh, settings.fresh_steps).x
        chains = mala(
            change,
            change.from_original(self._chains),
            step_size=self._step_size,
            steps=settings.steps,
            adapt=settings.adapt_steps,
            generator=self._generator,
            stop=stop,
        )
        self._step_size, self._chains = chains.step_size, change.to_original(chains.x)
        lowest = chains.energy.topk(settings.descent_candidates - 1, largest=False).indices
        descent = settle(torch.cat([last[None], self._chains[lowest]]), settings.descent_steps)
        best = int(descent.energy.argmin())
        gain = float(descent.energy[0] - descent.energy[best])
        switched = gain > (0.0 if begins else settings.switch_margin)
        chosen = best if switched else 0
        self._last = descent.x[chosen]
        if switched:
            energy = energy_about(self._last)
        complete = chains.steps == settings.steps and descent.steps == settings.descent_steps
        return made(
            energy,
            self._last,
            float(descent.energy[chosen]),
            self._chains,
            chains.energy * T,
            chains,
            shown=settings.shown,
            switched=switched and not begins,
            complete=complete,
            time_limit=settings.time_limit,
        )

    def _controlled(self, state: Floats, reference: Floats) -> Tensor | None:
        inputs = self._controller.inputs(state, reference)
        return None if inputs is None else self._tensor(inputs).view(-1)

    def _first(self, energy: PlanEnergy, found: Tensor | None) -> Tensor:
        """Return the best plan to begin with: no input, a Newton step from it, or the MPC's."""
        still = torch.zeros_like(self._bounds[0])
        expansion = energy.expand(still)
        optimum = -torch.linalg.solve(expansion.hessian, expansion.gradient)
        plans = [still, optimum.clamp(*self._bounds), *([] if found is None else [found])]
        stacked = torch.stack(plans)
        return stacked[energy.energy_and_score(stacked)[0].argmin()]

    def _shift(self, elapsed_s: float) -> Tensor:
        """Shift the chains and return the last plan shifted, the last input held."""
        assert self._last is not None  # noqa: S101
        plans = torch.cat([self._last[None], self._chains])
        plans = plans.view(len(plans), self._settings.horizon, -1)
        moved = shifted(plans, elapsed_s / self._settings.dt).flatten(1)
        self._chains = moved[1:]
        return moved[0]

    def _draw(self, change: LinearChange, center: Tensor, every: bool) -> tuple[Tensor, Tensor]:
        """Return the places of the oldest chains, or of all, and draws from N(center, T_f H⁻¹)."""
        settings, count = self._settings, len(self._chains)
        fresh = count if every else round(settings.fresh_share * count)
        noise = torch.randn(
            (fresh, len(center)), generator=self._generator, dtype=self._dtype, device=self._device
        )
        heat = math.sqrt(settings.fresh_temperature / settings.temperature)
        drawn = change.to_original(change.from_original(center[None]) + heat * noise)
        index = (self._oldest + torch.arange(fresh, device=self._device)) % count
        self._oldest = (self._oldest + fresh) % count
        return index, drawn

    def _refused(self, state: Floats, reason: str) -> Plan:
        horizon, inputs = self._settings.horizon, len(self._cost.input_weight)
        return refused(horizon, len(state), inputs, reason, step_size=self._step_size)

    def _tensor(self, values: Floats | tuple[float, ...]) -> Tensor:
        return torch.tensor(values, dtype=self._dtype, device=self._device)
