"""Pictures of plans: sampled from a cost at falling temperatures, and from a learned energy."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.patches import Circle
from style import BLUE, GREEN, GREY, ORANGE, WIDTH, legend, save

from ebm_mpc_ros.energy.controlled import Controlled
from ebm_mpc_ros.energy.plan import PlanEnergy
from ebm_mpc_ros.energy.planner import Planner, PlannerSettings
from ebm_mpc_ros.learning.checkpoint import load
from ebm_mpc_ros.learning.policy import LearnedPolicy, PolicySettings, added
from ebm_mpc_ros.models import load_model
from ebm_mpc_ros.ros.parameters import read
from ebm_mpc_ros.ros.policy_choice import plan_cost
from ebm_mpc_ros.ros.policy_parameters import POLICY_PARAMETERS

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from ebm_mpc_ros.energy.cost import PlanCost

    Floats = NDArray[np.float64]

_MODEL = load_model("diff_drive")
_PARAMETERS, _ = read(POLICY_PARAMETERS, {"cruise_speed": 0.8})
_COST = plan_cost(_PARAMETERS, _MODEL)
_N, _DT, _SPEED = 20, 0.1, 0.8
_NONE = np.zeros((0, 3))

_ASIDE = np.array([0.0, 0.5, 0.0, _SPEED, 0.0])
_TEMPERATURES = 10.0, 1.0, 0.1
_PROBED = 1e-4

_AHEAD = np.array([0.0, 0.0, 0.0, _SPEED, 0.0])
_OBSTACLE = np.array([[1.6, 0.0, 0.2]])
_REACH = _OBSTACLE[0, 2] + _PARAMETERS["robot_radius"]
_BESIDE = 1.3


def draw_temperatures(path: Path, *, chains: int) -> None:
    """Draw the MPC's plan and sampled ones at falling T, and the width that T H⁻¹ says."""
    way = np.zeros((_N + 1, 5))
    way[:, 0], way[:, 3] = _SPEED * _DT * np.arange(_N + 1), _SPEED
    cost = _unbounded(_COST)
    inputs = Controlled(_MODEL, cost, _DT, _N).inputs(_ASIDE, way)
    assert inputs is not None  # noqa: S101
    states, sensitivity, covariance = _expanded(cost, way, inputs)

    figure, axes = plt.subplots(
        3, 1, figsize=(WIDTH, 4.9), sharex=True, sharey=True, layout="constrained"
    )
    for one, temperature in zip(axes, _TEMPERATURES, strict=True):
        samples = _sampled(cost, way, temperature, chains)
        variance = np.einsum("kj,jl,kl->k", sensitivity, temperature * covariance, sensitivity)
        for line in samples[:, :, :2]:
            (sampled,) = one.plot(*line.T, color=BLUE, lw=0.7, alpha=0.4)
        for side in (-2.0, 2.0):
            edge = states[:, 1] + side * np.sqrt(variance)
            (band,) = one.plot(states[:, 0], edge, "--", color="black", lw=1.3)
        (plan,) = one.plot(*states[:, :2].T, color=ORANGE, lw=2.4)
        reference = one.axhline(0.0, color=GREEN, lw=1.3, ls=":")
        one.set(ylabel="y (m)", xlim=(-0.05, 2.0), ylim=(-0.55, 0.7))
        one.text(0.02, 0.12, f"T = {temperature:g}", transform=one.transAxes, fontsize=11)
    axes[-1].set_xlabel("x (m)")
    legend(
        figure,
        [plan, sampled, band, reference],
        ["the MPC's plan", "sampled plans", "±2σ by T H⁻¹", "path to follow"],
    )
    save(figure, path)


def _unbounded(cost: PlanCost) -> PlanCost:
    """Return a cost without bounds: those are no part of the limit."""
    states, inputs = (math.inf,) * len(cost.state_weight), (math.inf,) * len(cost.input_weight)
    return replace(
        cost,
        state_lower=tuple(-bound for bound in states),
        state_upper=states,
        input_lower=tuple(-bound for bound in inputs),
        input_upper=inputs,
    )


def _sampled(cost: PlanCost, way: Floats, temperature: float, chains: int) -> Floats:
    """Return the states (chains, N + 1, n) of sampled plans."""
    settings = PlannerSettings(
        horizon=_N,
        dt=_DT,
        chains=chains,
        steps=100,
        adapt_steps=50,
        temperature=temperature,
        fresh_temperature=temperature,
        shown=chains,
    )
    planner = Planner(_MODEL, cost, settings, dtype=torch.float64)
    return planner.plan(_ASIDE, way, _NONE).sample_states


def _expanded(cost: PlanCost, way: Floats, inputs: Floats) -> tuple[Floats, Floats, Floats]:
    """Return a plan's states, how its inputs move their y (N + 1, N m), and H⁻¹ (N m, N m)."""
    energy = PlanEnergy(
        _MODEL, cost, _DT, state=torch.from_numpy(_ASIDE), reference=torch.from_numpy(way)
    )
    plan = torch.tensor(inputs).reshape(-1)
    probes = _PROBED * torch.eye(len(plan), dtype=plan.dtype)
    after, before = (energy.rollout(plan + way)[..., 1].numpy() for way in (probes, -probes))
    covariance = np.linalg.inv(energy.expand(plan).hessian.numpy())
    return energy.rollout(plan[None])[0].numpy(), (after - before).T / (2.0 * _PROBED), covariance


class _Passing(NamedTuple):
    """States (N + 1, n) of the plan and of the mean of all inputs, and those sampled (K, …)."""

    plan: Floats
    mean: Floats
    samples: Floats


def draw_sides(path: Path, checkpoint: Path, *, chains: int) -> None:
    """Draw what a learned energy does before an obstacle, and the mean of it."""
    passing = _passing(checkpoint, chains)
    figure, axes = plt.subplots(
        1, 2, figsize=(WIDTH, 3.6), width_ratios=(1.45, 1.0), sharey=True, layout="constrained"
    )
    _draw_plans(axes[0], passing)
    _draw_beside(axes[1], passing)
    legend(figure, *axes[0].get_legend_handles_labels())
    save(figure, path)


def _draw_plans(axes: Axes, passing: _Passing) -> None:
    x, y, radius = _OBSTACLE[0]
    for i, line in enumerate(passing.samples[:, :, :2]):
        label = None if i else "samples"
        axes.plot(*line.T, color=BLUE, lw=0.6, alpha=0.35, label=label)
    axes.plot(*passing.plan[:, :2].T, color="black", lw=2.0, label="plan")
    axes.plot(*passing.mean[:, :2].T, "--", color=ORANGE, lw=2.4, label="mean of the samples")
    axes.add_patch(Circle((x, y), radius, color=GREY, zorder=3, label="obstacle"))
    reach = Circle((x, y), _REACH, fill=False, ls=":", lw=1.4, label="the robot touches it")
    axes.add_patch(reach)
    axes.axvline(_BESIDE, color=GREY, lw=0.8, ymin=0.05, ymax=0.95)
    axes.set(xlabel="x (m)", ylabel="y (m)", xlim=(-0.05, 2.05), ylim=(-0.8, 0.8), aspect="equal")
    axes.set_xticks(np.arange(0.0, 2.1, 0.5))


def _draw_beside(axes: Axes, passing: _Passing) -> None:
    """Draw how many samples are where, on a line short of the obstacle."""
    there = [line for line in passing.samples if line[-1, 0] > _BESIDE]
    *beside, mean = (np.interp(_BESIDE, *line.T[:2]) for line in (*there, passing.mean))
    axes.hist(beside, bins=40, range=(-0.8, 0.8), orientation="horizontal", color=BLUE)
    half = math.sqrt(_REACH**2 - (_OBSTACLE[0, 0] - _BESIDE) ** 2)
    axes.axhspan(-half, half, color=GREY, alpha=0.25, lw=0)
    axes.axhline(mean, color=ORANGE, ls="--", lw=2.4)
    axes.set(xlabel=f"samples that get to x = {_BESIDE:g} m")
    axes.tick_params(labelleft=False)


def _passing(checkpoint: Path, chains: int) -> _Passing:
    # More noise levels and steps than a node has time for, so that chains settle in the valleys.
    policy = LearnedPolicy(
        load(checkpoint),
        _MODEL,
        added(_COST, _MODEL),
        PolicySettings(chains=chains, shown=chains, levels=20, steps=10),
        name="diff_drive",
        dt=_DT,
        horizon=_N,
    )
    way = np.zeros((61, 5))
    way[:, 0] = np.linspace(0.0, 6.0, 61)
    found = policy.plan(_AHEAD, way, _OBSTACLE)
    # Inputs are what the speeds change by.
    mean = (np.diff(found.sample_states[..., 3:5], axis=1) / _DT).mean(axis=0)
    states = [_AHEAD]
    for u in mean:
        states.append(_MODEL.f(states[-1], u, _DT))
    return _Passing(found.states, np.array(states), found.sample_states)
