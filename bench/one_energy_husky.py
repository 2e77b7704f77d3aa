"""A real robot's transition, learned on the first 70 % of husky.bag and tried on the rest.

No command was recorded. u over a step is the change of the wheels' twist between the messages at
its two ends: it knows the wheels up to the end of the step, and of the gyro nothing. States are
told by stamps up to their own. A step is some of the wheels' messages, so that nothing is
interpolated; one second is ten of them, 0.99 s, predicted from a state and the inputs.

Settings are those, of a few, of which the product of the three errors one second ahead is least
on thirds of the first 70 %, each learned from the other two (`choose`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from report import Figure, shown

# Only `report` puts the package on the path.
# isort: split
import numpy as np
import torch
from fitted_model import MOVING, Commanded, Transitions, fit
from husky_drive import Drive, husky
from numpy.typing import NDArray
from scipy.spatial import KDTree

from ebm_mpc_ros.learning.checkpoint import Checkpoint, options_of
from ebm_mpc_ros.learning.learned_model import learned_model
from ebm_mpc_ros.learning.resampling import Grid
from ebm_mpc_ros.learning.residuals import Noise, residuals
from ebm_mpc_ros.learning.tasks import Robot, transition_task
from ebm_mpc_ros.learning.training import TrainingSettings, train
from ebm_mpc_ros.models import load_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ebm_mpc_ros.models import Model

Floats = NDArray[np.float64]

_MODEL = load_model("diff_drive")
_TRAINED = 0.7
_SECOND = 10
_FOLDS = 3
_ERRORS = (("yaw rate", "rad/s"), ("heading", "rad"), ("place", "m"))
# 5 s, far longer than errors hang together.
_BLOCK = 50
_RESAMPLED = 2000
_NEIGHBOURS = 100


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a transition is learned.

    Attributes:
        published: Whether u, the change of the wheels' twist, is that of the twist they publish,
            and not that of their pose's change.
        wheels: Whether the wheels' twist is in the state, and what is learned stands on the fit
            and is a Gaussian.
        messages: Messages a step.
        smoothing: Noise added to the residuals, in deviations of them.
        hidden: Units of each hidden layer.
        steps: Of the training.
    """

    published: bool
    messages: int
    wheels: bool = False
    smoothing: float = 0.3
    hidden: int = 32
    steps: int = 300

    @property
    def words(self) -> str:
        """What x and u are."""
        of = "published twist" if self.published else "wheels' speeds"
        return f"u of the {of}, which is in x" if self.wheels else f"u of the {of}"

    def drive(self) -> Drive:
        """Return the drive so read."""
        drive = husky(published=self.published)
        return drive.with_wheels() if self.wheels else drive


_CHOSEN = (
    Settings(published=False, messages=5, hidden=16),
    Settings(published=True, messages=10),
    Settings(published=True, messages=10, wheels=True, steps=1000),
)
_SEEDS = 5


_FREE = (
    (5, 1.0, 32, 300),
    (2, 1.0, 32, 300),
    (10, 1.0, 32, 300),
    (5, 0.3, 32, 300),
    (5, 1.0, 16, 300),
    (5, 0.3, 16, 300),
    (5, 1.0, 32, 150),
    (5, 1.0, 32, 600),
    (10, 0.3, 32, 300),
)
_ON_THE_FIT = (
    (2, 0.1, 32, 3000),
    (5, 0.3, 32, 300),
    (5, 0.3, 32, 1000),
    (5, 0.1, 32, 3000),
    (5, 0.1, 64, 6000),
    (10, 0.3, 16, 300),
    (10, 0.3, 32, 1000),
    (10, 0.3, 64, 300),
    (10, 0.1, 32, 3000),
)
_TRIED = [
    Settings(
        published=published,
        wheels=wheels,
        messages=messages,
        smoothing=smoothing,
        hidden=hidden,
        steps=steps,
    )
    for published, wheels, several in (
        (False, False, _FREE),
        (True, False, _FREE),
        (True, True, _ON_THE_FIT),
    )
    for messages, smoothing, hidden, steps in several
]
"""What is chosen from."""


class Predictor:
    """x' after a step of so many messages."""

    def __init__(self, step: Callable[[Floats, Floats], Floats], messages: int) -> None:
        """Take (x (k, 5), u (k, 2)) -> x' (k, 5)."""
        self._step, self._messages = step, messages

    def errors(self, drive: Drive, messages: int) -> Floats:
        """Return the errors (k, 3) of yaw rate, heading, place from each start of one second."""
        begin = drive.starts(_SECOND)
        x = drive.states[begin]
        for k in range(0, messages, self._messages):
            x = self._step(x, drive.inputs(begin + k, self._messages))
        delta = _MODEL.minus(x[:, :MOVING], drive.states[begin + messages, :MOVING])
        return np.column_stack((delta[:, 4], delta[:, 2], np.hypot(delta[:, 0], delta[:, 1])))


def nominal(drive: Drive, messages: int) -> Predictor:
    """Return the model as it is."""
    dt, model = messages * drive.period, _nominal([drive])
    return Predictor(lambda x, u: np.asarray(model.f(x, u, dt)), messages)


def fitted(drives: Sequence[Drive], messages: int) -> Predictor:
    """Return the model and what is linear in vx, vyaw, u and 1 of its residuals, least squares.

    And in the wheels' twist, where that is in the state.
    """
    dt, model = messages * drives[0].period, _nominal(drives)
    if model is not _MODEL:
        found = fit(_transitions(drives, messages), dt)
        return Predictor(lambda x, u: np.asarray(found.f(x, u, dt)), messages)
    x, u, following = _transitions(drives, messages)
    unit = Noise(density=(1.0 / dt,) * x.shape[1], floor=0.0)
    left = residuals(_MODEL, unit, dt, x, u, following)
    gain = np.linalg.lstsq(_features(x, u), left, rcond=None)[0]
    return Predictor(lambda x, u: np.asarray(_MODEL.f(x, u, dt, _features(x, u) @ gain)), messages)


def learned(drives: Sequence[Drive], settings: Settings, seed: int = 0) -> Predictor:
    """Return what `train` makes of `kind: transition`."""
    dt = settings.messages * drives[0].period
    torch.manual_seed(seed)
    robot, form = Robot(name="diff_drive", model=_MODEL), "mlp"
    if settings.wheels:
        model = fit(_transitions(drives, settings.messages), dt)
        robot, form = Robot(name="fitted_model:Fitted", model=model), "gaussian"
    task = transition_task(
        robot,
        [one for drive in drives for one in drive.recordings(settings.messages)],
        Grid(dt=round(1e9 * dt) * 1e-9, longest_gap=2.0 * dt),
        held_out=0.2,
        density=(),
        floor=1e-8,
        smoothing=settings.smoothing,
        sizes={"hidden": settings.hidden},
        form=form,
    )
    how = TrainingSettings(steps=settings.steps, averaging=0.99, check_every=50, seed=seed)
    train(task.network, task.loss, task.data, how, judge=task.judge)
    weights = {name: value.numpy() for name, value in task.network.state_dict().items()}
    checkpoint = Checkpoint(Path("husky"), task.contract, weights)
    found = learned_model(checkpoint, options_of(robot.model), robot.name)
    step = task.contract.dt
    return Predictor(lambda x, u: found.f(x, u, step), settings.messages)


def _nominal(drives: Sequence[Drive]) -> Model:
    return _MODEL if drives[0].states.shape[1] == MOVING else Commanded()


def _transitions(drives: Sequence[Drive], messages: int) -> Transitions:
    rows = [drive.transitions(messages) for drive in drives]
    return Transitions(*(np.concatenate(part) for part in zip(*rows, strict=True)))


def _features(x: Floats, u: Floats) -> Floats:
    return np.column_stack((x[:, 3:], u, np.ones(len(x))))


def husky_transition(*, quick: bool) -> list[Figure]:
    """Return the errors on the last 30 % of what was made of the first 70 %."""
    seeds = 1 if quick else _SEEDS
    return [one for settings in _CHOSEN for one in _tried(seeds, settings)]


def _tried(seeds: int, settings: Settings) -> Iterator[Figure]:
    drive = settings.drive()
    known, new = drive.share(0.0, _TRAINED), drive.share(_TRAINED, 1.0)
    messages = settings.messages
    ways = {
        "learned": [learned([known], settings, seed) for seed in shown(range(seeds), "trainings")],
        "fitted": [fitted([known], messages)],
        "nominal": [nominal(known, messages)],
    }
    yield _ceiling(
        known, f"{settings.words}: yaw rate 1 s ahead, 100 nearest neighbours, known part"
    )
    for ahead in sorted({_SECOND, messages}, reverse=True):
        squares = {
            way: np.mean([each.errors(new, ahead) ** 2 for each in several], axis=0)
            for way, several in ways.items()
        }
        ratios = _interval(squares["learned"], squares["fitted"])
        for k, (name, unit) in enumerate(_ERRORS):
            rms = {way: float(np.sqrt(np.mean(one[:, k]))) for way, one in squares.items()}
            low, high = ratios[:, k]
            said = ", ".join(f"{way} {value:.3g}" for way, value in rms.items())
            yield Figure(
                f"{settings.words}: {name} {ahead * drive.period:.1f} s ahead, learned / fitted",
                rms["learned"] / rms["fitted"],
                "x",
                1.0 if ahead == _SECOND else None,
                f"95 %: {low:.2f} to {high:.2f}; {said} {unit}",
            )


def _ceiling(known: Drive, name: str) -> Figure:
    """Return what any function of x and u would leave of the yaw rate's error, about, by thirds.

    Beside it what a linear one leaves, and one that knows u of each message.
    """
    squares: dict[str, list[float]] = {}

    def told(drive: Drive) -> tuple[Floats, Floats, Floats]:
        begin, one = drive.starts(_SECOND), np.ones((len(drive.starts(_SECOND)), 1))
        x = drive.states[begin, 3:]
        each = [drive.inputs(begin + k, 1) for k in range(_SECOND)]
        error = nominal(drive, 1).errors(drive, _SECOND)[:, 0]
        return np.hstack((x, drive.inputs(begin, _SECOND), one)), np.hstack((x, *each, one)), error

    for part, others in _folds(known):
        little, much, error = (
            np.concatenate(rows) for rows in zip(*map(told, others), strict=True)
        )
        new_little, new_much, truth = told(part)
        scale = little[:, :-1].std(axis=0)
        near = KDTree(little[:, :-1] / scale).query(new_little[:, :-1] / scale, k=_NEIGHBOURS)[1]
        for way, guess in (
            ("nominal", 0.0),
            ("neighbours", error[near].mean(axis=1)),
            ("linear", new_little @ np.linalg.lstsq(little, error, rcond=None)[0]),
            ("linear, u of each message", new_much @ np.linalg.lstsq(much, error, rcond=None)[0]),
        ):
            squares.setdefault(way, []).append(float(np.mean((truth - guess) ** 2)))
    rms = {way: float(np.sqrt(np.mean(each))) for way, each in squares.items()}
    value = rms.pop("neighbours")
    said = ", ".join(f"{way} {one:.3g}" for way, one in rms.items())
    return Figure(name, value, "rad/s", beside=said)


def _interval(squares: Floats, others: Floats) -> Floats:
    """Return the 95 % interval (2, 3) of the ratio of rms, by resampled blocks of starts."""
    rng, blocks = np.random.default_rng(0), len(squares) // _BLOCK
    means = [
        one[: blocks * _BLOCK].reshape(blocks, _BLOCK, -1).mean(axis=1) for one in (squares, others)
    ]
    drawn = rng.integers(blocks, size=(_RESAMPLED, blocks))
    ratio = np.sqrt(means[0][drawn].mean(axis=1) / means[1][drawn].mean(axis=1))
    return np.asarray(np.quantile(ratio, (0.025, 0.975), axis=0))


def choose() -> None:
    """Print the errors of settings on parts of the first 70 %, one second ahead."""
    for settings in _TRIED:
        known = settings.drive().share(0.0, _TRAINED)
        found: dict[str, list[Floats]] = {}
        for part, others in _folds(known):
            ways = {
                "nominal": nominal(part, settings.messages),
                "fitted": fitted(others, settings.messages),
                "learned": learned(others, settings),
            }
            for name, way in ways.items():
                square = np.mean(way.errors(part, _SECOND) ** 2, axis=0)
                found.setdefault(name, []).append(square)
        rms = {name: np.sqrt(np.mean(each, axis=0)).round(4) for name, each in found.items()}
        print(settings, rms, flush=True)


def _folds(drive: Drive) -> Iterator[tuple[Drive, list[Drive]]]:
    for k in range(_FOLDS):
        low, high = k / _FOLDS, (k + 1) / _FOLDS
        others = [drive.share(0.0, low), drive.share(high, 1.0)]
        yield drive.share(low, high), [other for other in others if len(other.states)]
