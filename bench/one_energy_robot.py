"""A learned transition of a robot that slips, against the nominal model fitted on the same drive.

A trial, all of it drawn by its seed. The robot has slippery wheels (friction 0.15) and 6 kg on
top. The training is 160 s on the figure of eight: the MPC at mpc_node's defaults with cruise
speeds, bends' speeds and pushes drawn, true states and commands, as a bag of the simulation has
them. The test is 40 s on a clover leaf, the nominal MPC at its defaults, noise not seen before.

Both models have the same states and the same training data. The states are those of diff_drive and
the command: without it no function of the state does much better than a linear one, for what slips
is the difference of what is told and what is done. The fit is least squares of a linear map of
speeds, command and input in the robot's axes, its noise what it leaves. The learned is what
`kind: transition` makes of what the fit leaves, as a Gaussian, in 3,000 steps: far from the data it
is the fit.

One-second predictions take the recorded inputs. NLL and NIS are without the command, which both
know exactly. NIS is that of an EKF on wheel speed and gyro, 20 Hz each, with the variances that
the two had in the training. RMSE are ratios to the
fitted model's, means over seeds; intervals are Student's, 95 %.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from report import Figure, shown

# Only `report` puts the package on the path.
# isort: split
import torch
from fitted_model import MOVING, Commanded, Fitted, fit, residual
from scipy.stats import t as student
from slipping_robot import (
    DT,
    Drive,
    drive,
    measured,
    sensor_variances,
    training_course,
    unseen_course,
)

from ebm_mpc_ros.estimation.ekf import Belief, Measurement, predict, update
from ebm_mpc_ros.learning.checkpoint import load, options_of, save
from ebm_mpc_ros.learning.learned_model import learned_model
from ebm_mpc_ros.learning.recording import Recording, Track
from ebm_mpc_ros.learning.resampling import Grid
from ebm_mpc_ros.learning.tasks import Robot, transition_task
from ebm_mpc_ros.learning.training import TrainingSettings, train
from ebm_mpc_ros.models.base import slip_axes
from ebm_mpc_ros.simulation.courses import cross_track

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ebm_mpc_ros.models import Model

    Vector = NDArray[np.float64]

_TRAINING, _TEST = 160.0, 40.0
_SEEDS, _QUICK = 20, 2
_SETTINGS = TrainingSettings(steps=3000, check_every=250)
_SECOND = round(1.0 / DT)
_EVERY = 5
_GROUPS = {
    "position": [0, 1],
    "heading": [2],
    "speed": [3],
    "turn rate": [4],
    "all, in deviations": list(range(MOVING)),
}
_LOWER = 0.8
# Of a test's place among all seeds.
_UNSEEN = 10_000


def robot(*, quick: bool, first: int = 0) -> list[Figure]:
    """Return what 20 seeds say, 2 if quick."""
    torch.set_num_threads(1)
    trials = [_trial(first + seed) for seed in shown(range(_QUICK if quick else _SEEDS), "robots")]
    figures = []
    for span in ("one step", "one second"):
        for group in _GROUPS:
            name = f"{span}, {group}"
            parts = np.array([trial[name] for trial in trials])
            learned, fitted, nominal = parts.T
            figures.append(
                _figure(
                    f"robot: RMSE of {name}: learned / fitted",
                    learned / fitted,
                    _LOWER,
                    f"{learned.mean():.2g} / {fitted.mean():.2g}, nominal {nominal.mean():.2g}",
                )
            )
    for name, words, unit in (
        ("nll", "NLL of a step: learned - fitted", "nats"),
        ("nis", "|NIS/dof - 1|: learned - fitted", ""),
    ):
        learned, fitted = np.array([trial[name] for trial in trials]).T
        beside = f"{learned.mean():.3g}, {fitted.mean():.3g}"
        figures.append(_figure(f"robot: {words}", learned - fitted, 0.0, beside, unit))
    for name, words in (
        ("ekf", "EKF's RMSE of position"),
        ("track", "MPC's cross-track RMS"),
    ):
        learned, fitted = np.array([trial[name] for trial in trials]).T
        beside = f"{learned.mean():.3g} / {fitted.mean():.3g} m"
        figures.append(_figure(f"robot: {words}: learned / fitted", learned / fitted, 1.0, beside))
    return figures


def _figure(name: str, values: Vector, bar: float, beside: str, unit: str = "") -> Figure:
    mean, error = values.mean(), values.std(ddof=1) / np.sqrt(len(values))
    half = float(student.ppf(0.975, len(values) - 1)) * error
    within = f"{mean - half:.3g} to {mean + half:.3g}"
    return Figure(name, float(mean), unit, bar, f"{within}; {beside}")


def _trial(seed: int) -> dict[str, Vector]:
    """Return learned, fitted and, of predictions, nominal figures of a seed."""
    taught = drive(training_course(), seed, _TRAINING, shaken=True)
    nominal, fitted = Commanded(), fit(taught.transitions, DT)
    learned = _learned(taught, fitted, seed)
    course = unseen_course(np.random.default_rng([3, seed]))
    unseen = _UNSEEN + seed
    test = drive(course, unseen, _TEST)
    assert fitted.noise_density is not None  # noqa: S101
    unit = np.sqrt(DT * np.diag(fitted.noise_density))[:MOVING]
    models = (learned, fitted, nominal)
    found = {}
    steps = [residual(model, test.transitions, DT)[:, :MOVING] for model in models]
    seconds = [_second(model, test) for model in models]
    for span, wrong in (("one step", steps), ("one second", seconds)):
        for group, columns in _GROUPS.items():
            scale = unit[columns] if len(columns) == MOVING else 1.0
            found[f"{span}, {group}"] = np.array([_rms(e[:, columns] / scale) for e in wrong])
    found["nll"] = np.array(
        [_nll(model, test, e) for model, e in zip(models[:2], steps[:2], strict=True)]
    )
    R = sensor_variances(taught)
    found["nis"], found["ekf"] = np.array([_filtered(model, test, R) for model in models[:2]]).T
    tracks = [drive(course, unseen, _TEST, model=model) for model in models[:2]]
    offsets = [cross_track(course, track.states[:, :2]) for track in tracks]
    found["track"] = np.array([np.sqrt(np.mean(offset**2)) for offset in offsets])
    return found


def _learned(taught: Drive, fitted: Fitted, seed: int) -> Model:
    """Return what a training makes of a drive, by way of its checkpoint."""
    count = len(taught.inputs)
    stamps = np.round(1e9 * DT * np.arange(1, count + 2)).astype(np.int64)
    twists = np.zeros((count + 1, 6))
    # What is told at a stamp holds from then on; before the first there is nothing.
    twists[1:, [0, 5]] = taught.states[1:, MOVING:]
    begin = stamps - round(1e9 * DT)
    recording = Recording(
        name="figure_eight",
        states=Track(stamps, taught.states),
        commands=Track(begin, twists),
    )
    torch.manual_seed(seed)
    task = transition_task(
        Robot(name="fitted_model:Fitted", model=fitted),
        [recording],
        Grid(dt=DT, longest_gap=0.25),
        held_out=0.1,
        density=(),
        floor=1e-8,
        smoothing=0.1,
        sizes={"hidden": 64},
        form="gaussian",
    )
    train(task.network, task.loss, task.data, _SETTINGS, judge=task.judge)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.safetensors"
        save(path, task.network, task.contract)
        return learned_model(load(path), options_of(fitted), "fitted_model:Fitted")


def _second(model: Model, test: Drive) -> Vector:
    """Return what is wrong (k, 5) after a second along the recorded inputs."""
    starts = np.arange(0, len(test.inputs) - _SECOND + 1, _EVERY)
    x = test.states[starts]
    for step in range(_SECOND):
        x = model.f(x, test.inputs[starts + step], DT)
    return np.asarray(model.minus(test.states[starts + _SECOND], x))[:, :MOVING]


def _nll(model: Model, test: Drive, wrong: Vector) -> float:
    """Return the mean -log p(x' | x, u) without the command, of what is wrong in robot axes."""
    x, u, _ = test.transitions
    W = model.linearize(x, u, DT)[1].W
    turned = np.swapaxes(slip_axes(x), -1, -2) @ W
    assert model.noise_density is not None  # noqa: S101
    covariance = turned @ (model.noise_density * DT) @ np.swapaxes(turned, -1, -2)
    covariance = covariance[:, :MOVING, :MOVING]
    square = (wrong * np.linalg.solve(covariance, wrong[..., None])[..., 0]).sum(-1)
    size = np.linalg.slogdet(covariance)[1] + MOVING * np.log(2.0 * np.pi)
    return float(0.5 * np.mean(square + size))


def _filtered(model: Model, test: Drive, variances: dict[int, float]) -> tuple[float, float]:
    """Return |NIS/dof - 1| and the RMSE of position of an EKF that begins at the true state."""
    belief = Belief(test.states[0].copy(), 1e-8 * np.eye(7))
    density = model.noise_density
    assert density is not None  # noqa: S101
    total, degrees, away = 0.0, 0, []
    for k, (u, samples) in enumerate(zip(test.inputs, test.samples, strict=True)):
        belief = predict(model, belief, u, DT, density)
        for row, value in measured(samples):
            R = np.array([[variances[row]]])
            told = Measurement(k, "sensor", (row,), np.array([value]), R)
            result = update(model, belief, told)
            belief, total, degrees = result.belief, total + result.nis, degrees + 1
        away.append(belief.state[:2] - test.states[k + 1, :2])
    return abs(total / degrees - 1.0), float(np.sqrt(np.mean(np.sum(np.square(away), axis=1))))


def _rms(values: Vector) -> float:
    return float(np.sqrt(np.mean(np.sum(values**2, axis=1))))
