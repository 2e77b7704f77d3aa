"""What a learned transition costs the filter and the controller, beside its nominal model."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING

from report import Figure

# Only `report` puts the package on the path.
# isort: split
import numpy as np

from ebm_mpc_ros.control import ControlProblem, RealTimeIteration
from ebm_mpc_ros.estimation.ekf import Belief, Measurement, predict, update
from ebm_mpc_ros.models import load_model
from ebm_mpc_ros.models.gaussian_network import GaussianNetwork
from ebm_mpc_ros.models.learned_model import LearnedModel
from ebm_mpc_ros.models.learned_transition import LearnedTransition, Support
from ebm_mpc_ros.models.silu_network import SiluNetwork

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from ebm_mpc_ros.models import Model

    Vector = NDArray[np.float64]

_DT, _HORIZON = 0.05, 20
_HIDDEN = 128
"""What `train` makes by default."""
_GAIN = 1.25
"""So the modes lie half a deviation off and take 4 to 6 steps, as after a training."""
_TURN = 20
_LONGEST = 500
_WEIGHTS = np.array([20.0, 20.0, 2.0, 0.5, 0.1])
_DEVIATION = np.array([3e-3, 2e-3, 4e-3, 0.03, 0.06])
_MOST_MS = {"message": 1.0, "tick": 5.0}
_MOST_TIMES = {"message": 16.0, "tick": 30.0}


def times(*, quick: bool) -> list[Figure]:
    """Return the times of a message and of a tick, CPU times of the one thread that works.

    The models take turns of 20 messages or ticks each.
    """
    nominal = load_model("diff_drive")
    models: dict[str, Model] = {
        "nominal": nominal,
        "mlp": learned(nominal, "mlp"),
        "gaussian": learned(nominal, "gaussian"),
    }
    figures = []
    for what, runner in (("message", _messages), ("tick", _ticks)):
        runs = {name: runner(model) for name, model in models.items()}
        spent = _take_turns(runs, turns=5 if quick else 20)
        median = {name: 1e3 * float(np.median(values)) for name, values in spent.items()}
        words = f"EKF, a {what}" if what == "message" else f"MPC at N={_HORIZON}, a {what}"
        for form in ("mlp", "gaussian"):
            p99 = 1e3 * float(np.percentile(spent[form], 99))
            beside = f"p99 {p99:.2f} ms"
            figures.append(Figure(f"{words}, {form}", median[form], "ms", _MOST_MS[what], beside))
            ratio = median[form] / median["nominal"]
            beside = f"nominal {median['nominal']:.3f} ms"
            figures.append(
                Figure(f"{words}, {form} / nominal", ratio, "x", _MOST_TIMES[what], beside)
            )
    return figures


def _take_turns(runs: dict[str, Callable[[], None]], turns: int) -> dict[str, list[float]]:
    spent: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    gc.collect()
    for _ in range(turns):
        for name, run in runs.items():
            for _ in range(_TURN):
                start = time.thread_time()
                run()
                spent[name].append(time.thread_time() - start)
    return spent


def learned(nominal: Model, form: str) -> LearnedModel:
    """Return diff_drive with what a network of random weights says, "mlp" or "gaussian"."""
    network = _mlp() if form == "mlp" else _gaussian()
    support = Support(np.array([0.6, 0.0, 0.0, 0.0]), np.eye(4), 3.0)
    return LearnedModel(
        LearnedTransition(nominal, network, support, dt=_DT, variance=_DEVIATION**2, smoothing=0.1)
    )


def _mlp() -> SiluNetwork:
    """Return a network as large as those that are trained, with random weights."""
    rng = np.random.default_rng(0)

    def random(*shape: int) -> Vector:
        return _GAIN * rng.normal(size=shape) / np.sqrt(shape[-1])

    H = _HIDDEN
    return SiluNetwork(random(H, 5), random(H, 4), random(H), random(H, H), random(H), random(H))


def _gaussian() -> GaussianNetwork:
    """Return the same of a Gaussian."""
    rng = np.random.default_rng(0)

    def random(*shape: int) -> Vector:
        return rng.normal(size=shape) / np.sqrt(shape[-1])

    H = _HIDDEN
    last = random(10, H), 0.1 * random(10, 4), np.zeros(10)
    return GaussianNetwork(random(H, 4), random(H), random(H, H), random(H), *last)


def _messages(model: Model) -> Callable[[], None]:
    """Return what fuses the next message of a wheel odometry, a step after the last."""
    rng = np.random.default_rng(0)
    density, R = np.diag(_DEVIATION**2 / _DT), 1e-4 * np.eye(2)
    belief, count = Belief(np.zeros(5), 1e-2 * np.eye(5)), 0

    def run() -> None:
        nonlocal belief, count
        count += 1
        belief = predict(model, belief, rng.normal(size=2), _DT, density)
        values = np.array([0.6, 0.5 * np.sin(0.1 * count)])
        belief = update(model, belief, Measurement(count, "odom0", (3, 4), values, R)).belief

    return run


def _ticks(model: Model) -> Callable[[], None]:
    """Return what does the next tick along a winding way, in closed loop."""
    controller = RealTimeIteration(
        ControlProblem(
            model=model,
            dt=_DT,
            horizon=_HORIZON,
            state_weights=_WEIGHTS,
            input_weights=[0.1, 0.05],
            terminal_weights=5 * _WEIGHTS,
            input_lower=[-1.0, -2.0],
            input_upper=[1.0, 2.0],
            state_lower=[-np.inf, -np.inf, -np.inf, -0.2, -1.7],
            state_upper=[np.inf, np.inf, np.inf, 1.15, 1.7],
        )
    )
    way = [np.array([0.0, 0.0, 0.0, 0.7, 0.0])]
    for k in range(_LONGEST):
        way.append(model.f(way[-1], np.array([0.0, np.cos(0.1 * k)]), _DT))
    reference = np.array(way)
    state, count = reference[0] + np.array([0.0, 0.1, 0.0, 0.0, 0.0]), 0

    def run() -> None:
        nonlocal state, count
        controller.prepare(reference[count : count + _HORIZON + 1])
        count += 1
        state = controller.feedback(state).states[1]

    return run
