"""Plans for a robot from a learned energy: chunks of inputs as they were demonstrated."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor

from ebm_mpc_ros.control import model_reference, planar_outputs
from ebm_mpc_ros.energy.annealed import NOISE_FREE, Level, anneal, geometric, placed_levels
from ebm_mpc_ros.energy.base import LinearChange
from ebm_mpc_ros.energy.bounds import Bounds
from ebm_mpc_ros.energy.checks import (
    check_least,
    check_not_negative,
    check_positive,
    check_share,
)
from ebm_mpc_ros.energy.chosen import made
from ebm_mpc_ros.energy.correction import Correction, nominal_of
from ebm_mpc_ros.energy.descent import descend
from ebm_mpc_ros.energy.outcome import Plan, check_shapes, refusal, refused
from ebm_mpc_ros.energy.plan import PlanEnergy
from ebm_mpc_ros.energy.sampler import Ended, SamplerSettings, Samples, sample
from ebm_mpc_ros.energy.seam import shifted
from ebm_mpc_ros.energy.total import Total
from ebm_mpc_ros.energy.wells import Wells
from ebm_mpc_ros.learning.architecture import restored
from ebm_mpc_ros.learning.checkpoint import Checkpoint, CheckpointError
from ebm_mpc_ros.learning.conditions import Sight, condition, condition_units

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ebm_mpc_ros.energy.cost import PlanCost
    from ebm_mpc_ros.energy.wells import PlacedWells
    from ebm_mpc_ros.learning.recording import Floats
    from ebm_mpc_ros.models import Model


@dataclass(frozen=True, kw_only=True)
class PolicySettings:
    """Settings of `LearnedPolicy`. σ are in deviations of the inputs demonstrated.

    A σ beyond those that were trained counts as the nearest of them.

    Attributes:
        chains: Langevin chains of a call.
        levels: How many σ, in a geometric sequence from the largest that was trained to the least.
        steps: Langevin steps a level.
        ratio: ε/σ² of those, below 4.
        sampler: `ula`, or `mala`, which corrects each step.
        fresh_share: Share of the chains that a call replaces by uniform draws, oldest first.
        kept_sigma: σ from which the last call's chains go on, and its chunk descends, to what is
            now to be done. Larger than the changes of a chunk from call to call, smaller than
            what sets two ways apart.
        judge: σ at which chunks compare: so large that it is the weights of the wells that tell.
        candidates: Of the chains, how many descend on all energies together.
        free_sigma: σ of the learned energy in that descent: how freely those added move a chunk.
        descent_steps: Steps of that.
        switch_margin: Energy by which another chunk must beat the last to replace it.
        shown: Of how many chains a plan tells the states.
        time_limit: Seconds after which a call returns the best so far.
        seed: Of all noise.

    Raises:
        ValueError: A field is out of its range.
    """

    chains: int = 64
    levels: int = 8
    steps: int = 2
    ratio: float = 0.5
    sampler: Literal["ula", "mala"] = "ula"
    fresh_share: float = 0.25
    kept_sigma: float = 0.5
    judge: float = 3.0
    candidates: int = 4
    free_sigma: float = 0.3
    descent_steps: int = 3
    switch_margin: float = 1.0
    shown: int = 12
    time_limit: float = math.inf
    seed: int = 0

    def __post_init__(self) -> None:
        check_least(self, chains=1, levels=2, steps=1, candidates=1)
        check_least(self, descent_steps=0, shown=0, seed=0)
        if not 0 < self.ratio < 4:
            raise ValueError(f"ratio is {self.ratio}, allowed is above 0 and below 4")
        if self.sampler not in ("ula", "mala"):
            raise ValueError(f"sampler is {self.sampler}, allowed is ula or mala")
        check_positive(self, "kept_sigma", "free_sigma", "judge")
        check_not_negative(self, "switch_margin", "time_limit")
        check_share(self, "fresh_share")
        if self.candidates > self.chains:
            raise ValueError(f"candidates is {self.candidates}, allowed is {self.chains} at most")


def added(cost: PlanCost, model: Model, *, goal: float = 0.0, smoothness: float = 0.01) -> PlanCost:
    """Return what of a plan's cost is added to a learned energy: not the tracking of a reference.

    Bounds and obstacles stay as they are.

    Args:
        cost: The cost of a plan that is not learned.
        model: The robot.
        goal: Weight of the squared distance from the chunk's end to the goal, in 1/m².
        smoothness: Weight of the inputs squared, above 0.
    """
    names = model.state_names
    return replace(
        cost,
        state_weight=(0.0,) * len(names),
        terminal_weight=tuple(goal if name in ("x", "y") else 0.0 for name in names),
        input_weight=(smoothness,) * len(model.input_names),
    )


class LearnedPolicy:
    """Samples chunks of inputs from a learned E(y; c, σ) and plans the best of them under E + J.

    Fresh chains are annealed from uniform draws within the inputs' bounds down all noise levels;
    those of the last call, without the steps that are over, go on at the last levels. The last
    chunk descends these without noise, to what is now to be done that way. The chains lowest in
    E + J and the last chunk then descend on both, J being the energies added, within the bounds.
    Another chunk replaces the last only where it is lower by a margin, and never a mean of chains
    does: between two sides lies the obstacle.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        model: Model,
        cost: PlanCost,
        settings: PolicySettings,
        *,
        name: str,
        dt: float,
        horizon: int,
        device: str = "cpu",
    ) -> None:
        """Restore the network, if it is one for this robot.

        Args:
            checkpoint: What `train` made.
            model: The robot.
            cost: J and the bounds, see `added`.
            settings: How chunks are sampled.
            name: The model's name; of a learned one, that of its nominal model.
            dt: Step of a chunk in s.
            horizon: Steps of a chunk.
            device: Where torch computes.

        Raises:
            CheckpointError: It is for another robot, step or horizon, or is not what it says.
        """
        checkpoint.require(
            kind="policy",
            model=name,
            state_names=tuple(model.state_names),
            input_names=tuple(model.input_names),
            dt=dt,
            horizon=horizon,
        )
        checkpoint.require_options(nominal_of(model))
        self._sight = _sight(checkpoint)
        checkpoint.require(condition_names=tuple(condition_units(model, self._sight)))
        wells = restored(checkpoint).to(device)
        assert isinstance(wells, Wells)  # noqa: S101  no policy is built of anything else
        self._wells, self._model, self._settings = wells, model, settings
        self._contract = checkpoint.contract
        self._device = torch.device(device)
        self._generator = torch.Generator(self._device)
        self._correction = Correction(model, dt, horizon)
        least, largest = wells.sigma_range
        sigmas = geometric(largest, least, settings.levels)
        self._sigmas = sigmas
        self._free = min(max(settings.free_sigma, least), largest)
        self._judge = min(max(settings.judge, least), largest)
        self._kept_from = sum(sigma > settings.kept_sigma for sigma in sigmas[:-1])
        self._sampling = SamplerSettings(
            chains=settings.chains,
            steps=settings.steps,
            method=settings.sampler,
            fresh_share=settings.fresh_share,
            warm_levels=len(sigmas) - self._kept_from,
            diagnose=False,
        )
        scaling = self._contract.variable_scaling
        self._mean = self._tensor(scaling.mean).repeat(horizon)
        deviation = self._tensor(scaling.deviation).repeat(horizon)
        self._factor = torch.diag(1.0 / deviation)
        self._metric = torch.eye(wells.variables, device=self._device) * self._free**2
        self.use(cost)
        self.reset()

    @property
    def look_ahead(self) -> float:
        """How far ahead on the way the goal lies, in m."""
        return self._sight.look_ahead

    def use(self, cost: PlanCost) -> None:
        """Take other added energies and bounds; the last chunk goes on."""
        self._cost = cost
        scaling = self._contract.variable_scaling
        lower, upper = (
            self._tensor(scaling.normalise(np.array(bound))).repeat(self._contract.horizon)
            for bound in (cost.input_lower, cost.input_upper)
        )
        self._bounds = Bounds(lower, upper)

    def reset(self) -> None:
        """Forget the last chunk and all chains; start the noise over."""
        self._generator.manual_seed(self._settings.seed)
        self._correction.reset()
        self._last: Tensor | None = None
        self._chains: Tensor | None = None

    @torch.no_grad()
    def plan(
        self, state: Floats, reference: Floats, obstacles: Floats, elapsed_s: float = 0.0
    ) -> Plan:
        """Return a plan from `state`.

        Args:
            state: Where the robot is, (n,).
            reference: States (k, n) of the way to go, k at least 1, from beside the robot on. The
                goal is the place on it `look_ahead` further on, or its end.
            obstacles: Circles (M, 3) of x, y and radius in m.
            elapsed_s: Seconds since the state of the last plan that was not refused.

        Raises:
            ValueError: An array has another shape.
        """
        settings = self._settings
        deadline = time.monotonic() + settings.time_limit
        check_shapes(state, reference, obstacles, size=self._model.state_size)
        reason = refusal(state, reference, obstacles, elapsed_s)
        if reason:
            return self._refused(state, reason)

        def stop() -> bool:
            return time.monotonic() > deadline

        goal = self._goal(reference)
        levels, free, judge = self._levels(state, goal, obstacles)
        self._shift(elapsed_s / self._contract.dt)
        kept = self._keep(levels)
        samples = self._sample(levels, deadline)
        sampled = samples.ended is Ended.COMPLETE
        if kept is not None:
            about = kept[0]
        elif sampled:
            about = samples.best
        else:
            limit = f"the time limit of {settings.time_limit:g} s passed before the first plan"
            diverged = samples.ended is Ended.DIVERGED
            return self._refused(state, "no chain's energy is finite" if diverged else limit)
        energy = self._energy(state, goal, obstacles, about)
        change = LinearChange(energy, self._mean, self._factor)
        if sampled:
            energies = judge.energy(samples.x) + energy.energy(change.to_original(samples.x))
            best = samples.x[energies.topk(settings.candidates, largest=False).indices]
            candidates = best if kept is None else torch.cat([kept, best])
        else:
            energies, candidates = samples.energy, about[None]
        self._chains = samples.x
        descent = descend(
            Total(free, change),
            candidates,
            metric=self._metric,
            lower=self._bounds.lower,
            upper=self._bounds.upper,
            steps=settings.descent_steps,
            stop=stop,
        )
        # They descended on the free energy, and compare by the judge's.
        value = descent.energy - free.energy(descent.x) + judge.energy(descent.x)
        value = value.nan_to_num(nan=math.inf)
        lowest = int(value.argmin())
        gain = float(value[0] - value[lowest])
        switched = kept is not None and gain > settings.switch_margin
        chosen = lowest if switched or kept is None else 0
        self._last = descent.x[chosen]
        if chosen:
            energy = self._energy(state, goal, obstacles, self._last)
        return made(
            energy,
            change.to_original(self._last[None])[0],
            float(value[chosen]),
            change.to_original(samples.x),
            energies,
            samples,
            shown=settings.shown,
            switched=switched,
            complete=sampled and descent.steps == settings.descent_steps,
            time_limit=settings.time_limit,
        )

    def _goal(self, reference: Floats) -> Floats:
        """Return the planar state (6,) of the goal on the way (k, n)."""
        planar = planar_outputs(self._model, reference)
        steps = np.hypot(*np.diff(planar[:, :2], axis=0).T)
        arc = np.concatenate([[0.0], np.cumsum(steps)])
        return np.array([np.interp(self.look_ahead, arc, column) for column in planar.T])

    def _levels(
        self, state: Floats, goal: Floats, obstacles: Floats
    ) -> tuple[list[Level], PlacedWells, PlacedWells]:
        """Return the learned energy of what is seen: its levels, the free one, the judging one."""
        seen = condition(self._model, self._sight, state[None], goal[None, :3], obstacles)
        c = self._tensor(self._contract.condition_scaling.normalise(seen))
        *placed, free, judge = self._wells.levels(c, [*self._sigmas, self._free, self._judge])
        return placed_levels(placed, self._sigmas, self._settings.ratio), free, judge

    def _energy(self, state: Floats, goal: Floats, obstacles: Floats, about: Tensor) -> PlanEnergy:
        """Return J, with what was learned of the dynamics to first order about a chunk (d,)."""
        there, start = self._tensor(model_reference(self._model, goal)), self._tensor(state)
        inputs = self._mean + about / self._factor.diagonal()
        return PlanEnergy(
            self._correction.about(start, inputs),
            self._cost,
            self._contract.dt,
            state=start,
            reference=there.repeat(self._contract.horizon + 1, 1),
            obstacles=self._tensor(obstacles),
        )

    def _shift(self, steps: float) -> None:
        """Drop the steps that are over from the last chunk and the chains."""
        if self._last is None or self._chains is None:
            return
        if steps >= self._contract.horizon:
            self._last = self._chains = None
            return
        chunks = torch.cat([self._last[None], self._chains])
        moved = shifted(chunks.view(len(chunks), self._contract.horizon, -1), steps).flatten(1)
        self._last, self._chains = moved[0], moved[1:]

    def _keep(self, levels: Sequence[Level]) -> Tensor | None:
        """Return what the last chunk has become (1, d); None where nothing is left of it."""
        if self._last is None:
            return None
        free = placed_levels([level.energy for level in levels], self._sigmas, NOISE_FREE)
        return anneal(
            free[self._kept_from :],
            self._last[None],
            steps=1,
            generator=self._generator,
            temperature=0.0,
        ).x

    def _sample(self, levels: Sequence[Level], deadline: float) -> Samples:
        limited = replace(self._sampling, time_limit=max(0.0, deadline - time.monotonic()))
        return sample(levels, self._bounds, limited, self._generator, warm=self._chains)

    def _refused(self, state: Floats, reason: str) -> Plan:
        horizon, inputs = self._contract.horizon, len(self._contract.input_names)
        return refused(horizon, len(state), inputs, reason)

    def _tensor(self, values: Floats | Sequence[float]) -> Tensor:
        return torch.tensor(values, dtype=torch.float32, device=self._device)


def _sight(checkpoint: Checkpoint) -> Sight:
    try:
        return Sight(**checkpoint.contract.details["sight"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{checkpoint.path}: what it sees is not said: {error}") from error
