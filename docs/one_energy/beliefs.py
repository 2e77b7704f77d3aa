"""Pictures of beliefs: a Kalman filter's, and those of particles under the same energy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib import pyplot as plt
from scipy.special import ndtr
from style import BLUE, GREEN, GREY, ORANGE, PURPLE, WIDTH, legend, save
from two_beacons import BEACONS, DT, PROCESS_NOISE, STEPS, TURN, Ranging, drive, prior

from ebm_mpc_ros.estimation import ekf
from ebm_mpc_ros.estimation.ekf import Belief, Measurement
from ebm_mpc_ros.estimation.energy_filter import EnergyFilterSettings, predict, start, update
from ebm_mpc_ros.estimation.evidence import Evidence
from ebm_mpc_ros.estimation.mala import mala
from ebm_mpc_ros.estimation.posterior import Posterior
from ebm_mpc_ros.estimation.weights import systematic
from ebm_mpc_ros.models import load_model
from ebm_mpc_ros.models.transition import GaussianTransition

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from ebm_mpc_ros.estimation.particles import Particles

    Floats = NDArray[np.float64]

_MODEL = load_model("diff_drive")
_BEGUN = Belief(
    np.array([0.0, 0.0, 0.0, 1.0, 0.0]),
    np.diag([0.0, 0.0, 1e-4, 1e-4, 1e-4]) + np.pad([[0.25, 0.17], [0.17, 0.25]], ((0, 3), (0, 3))),
)
_NOISE = np.diag([0.02, 0.02, 1e-4, 1e-4, 1e-4])
_STILL, _STEP = np.zeros(2), 0.5
_MEASURED = Measurement(0, "pose0", (0,), np.array([1.3]), np.array([[0.15**2]]))
_LANGEVIN_STEPS = 300
# Of a Gaussian on the plane, the ellipse with 95 % inside.
_RADIUS = np.sqrt(-2.0 * np.log(0.05))
# Moments of the map, in steps.
_SHOWN = 0, TURN // 2, TURN, STEPS - 1


def draw_measurement(path: Path, *, particles: int) -> None:
    """Draw a belief before and after a measurement, and what chains without weights make of it."""
    rng = np.random.default_rng(0)
    one = EnergyFilterSettings(energy=GaussianTransition(_MODEL, _NOISE), particles=particles)
    before = predict(one, start(one, _BEGUN, rng), _STILL, _STEP, rng)
    after = update(one, before, _MEASURED, rng).particles
    expected = ekf.predict(_MODEL, _BEGUN, _STILL, _STEP, _NOISE)
    found = ekf.update(_MODEL, expected, _MEASURED).belief

    figure, axes = plt.subplots(
        1, 3, figsize=(WIDTH, 3.45), sharex=True, sharey=True, layout="constrained"
    )
    alone = _unweighted(before, rng)
    _draw_cloud(axes[0], _even(before, rng), expected, BLUE, "before")
    _draw_cloud(axes[1], _even(after, rng), found, BLUE, "after: the energy filter")
    _draw_cloud(axes[2], alone, found, ORANGE, "after: chains without weights")
    for one_of in axes:
        one_of.set(xlabel="x (m)", xlim=(-1.1, 2.1), ylim=(-1.5, 1.6), aspect="equal")
    for one_of in axes[1:]:
        one_of.axvline(float(_MEASURED.values[0]), color=GREEN, lw=1.2)
    axes[0].set_ylabel("y (m)")
    handles = [*axes[0].get_legend_handles_labels()[0], axes[1].lines[-1]]
    legend(figure, handles, ["particles", "Kalman filter, 95 %", "measured x"])
    save(figure, path)


def _even(particles: Particles, rng: np.random.Generator) -> Floats:
    """Return states that all weigh the same."""
    return particles.states[systematic(particles.weights, rng)]


def _unweighted(before: Particles, rng: np.random.Generator) -> Floats:
    """Return where Langevin chains end that each keep their own ancestor."""
    step = before.step
    posterior = Posterior(_MODEL, step.placed, Evidence(_MODEL, (_MEASURED,)))
    y = rng.standard_normal((len(step.weights), len(_MODEL.state_names)))
    walk = mala(posterior.value_and_slope, y, step_size=0.5, steps=_LANGEVIN_STEPS, rng=rng)
    return posterior.state(walk.x)


def _draw_cloud(axes: Axes, states: Floats, belief: Belief, colour: str, title: str) -> None:
    """Draw particles, a Gaussian's ellipse, and how many of them it holds."""
    places = states[:, :2]
    axes.scatter(
        places[:, 0], places[:, 1], s=2.5, color=colour, alpha=0.35, lw=0, label="particles"
    )
    root = np.linalg.cholesky(belief.covariance[:2, :2])
    turn = np.linspace(0.0, 2.0 * np.pi, 100)
    ellipse = belief.state[:2] + _RADIUS * np.column_stack([np.cos(turn), np.sin(turn)]) @ root.T
    axes.plot(*ellipse.T, color="black", lw=1.4, label="Kalman filter, 95 %")
    inside = np.linalg.norm(np.linalg.solve(root, (places - belief.state[:2]).T), axis=0) < _RADIUS
    axes.set_title(title)
    axes.text(
        0.03, 0.97, f"{100.0 * inside.mean():.0f} % inside", transform=axes.transAxes, va="top"
    )


def draw_beacons(path: Path, *, particles: int) -> None:
    """Draw a drive between two beacons: the energy filter's two sides, and the EKF's one."""
    model, rng = Ranging(), np.random.default_rng(0)
    one = EnergyFilterSettings(energy=GaussianTransition(model, PROCESS_NOISE), particles=particles)
    cloud, belief = start(one, prior(0.0), rng), prior(-2.0)
    clouds, shares, truths, estimates = [], [], [], []
    for k, u, truth, measurement in drive(0):
        if k:
            cloud = predict(one, cloud, u, DT, rng)
            belief = ekf.predict(model, belief, u, DT, PROCESS_NOISE)
        cloud = update(one, cloud, measurement, rng).particles
        belief = ekf.update(model, belief, measurement).belief
        clouds.append(_even(cloud, rng))
        of_ekf = ndtr(belief.state[1] / np.sqrt(belief.covariance[1, 1]))
        shares.append((cloud.weights[cloud.states[:, 1] > 0.0].sum(), of_ekf))
        truths.append(truth)
        estimates.append(belief.state)

    figure, axes = plt.subplots(
        1, 2, figsize=(WIDTH, 3.7), width_ratios=(1.15, 1.0), layout="constrained"
    )
    _draw_map(axes[0], clouds, np.array(truths), np.array(estimates))
    _draw_shares(axes[1], 100.0 * np.array(shares))
    legend(figure, *axes[0].get_legend_handles_labels())
    save(figure, path)


def _draw_map(axes: Axes, clouds: list[Floats], truth: Floats, estimate: Floats) -> None:
    for k in _SHOWN:
        label = "energy filter" if not k else None
        axes.scatter(
            clouds[k][:, 0], clouds[k][:, 1], s=3, color=BLUE, alpha=0.4, lw=0, label=label
        )
        axes.annotate(
            f"{k * DT:.1f} s",
            (truth[k, 0], truth[k, 1]),
            xytext=(0, 12),
            textcoords="offset points",
            ha="center",
        )
    axes.plot(*estimate[:, :2].T, "--", color=ORANGE, lw=1.6, label="EKF")
    axes.plot(*truth[:, :2].T, color="black", lw=1.2, label="robot")
    axes.plot(*BEACONS.T, "^", ms=4, color=PURPLE, ls="none", label="beacons")
    axes.set(xlabel="x (m)", ylabel="y (m)", xlim=(-0.6, 8.6), ylim=(-3.4, 3.6), aspect="equal")
    axes.set_title("where each believes the robot to be")


def _draw_shares(axes: Axes, shares: Floats) -> None:
    times = DT * np.arange(len(shares))
    axes.plot(times, shares[:, 0], color=BLUE, lw=1.8)
    axes.plot(times, shares[:, 1], "--", color=ORANGE, lw=1.8)
    axes.axvline(TURN * DT, color=GREY, lw=1.2, ls=":")
    axes.text(TURN * DT - 0.06, 90.0, "turns off", ha="right", va="center")
    axes.set(xlabel="time (s)", ylabel="probability of the robot's side (%)", ylim=(-4.0, 104.0))
    axes.set_title("how sure each is of the side")
