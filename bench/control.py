"""A tick of the controller beside CasADi, do-mpc and an exact solve, and how exact ours is.

The robot of `diff_drive` follows a figure eight for 400 ticks, as in `control_peers`. Times are CPU
times of the calling thread, in which every peer does its work; the controllers take turns of 100
ticks, each driving its own plant. do-mpc, being slow, takes part in the first round only.
"""

from __future__ import annotations

import gc
import sys
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Protocol

import numpy as np
from report import Figure, conclude, options, shown
from scipy.linalg import eigh, solve_discrete_are

# Only `report` puts the package on the path.
# isort: split
from control_exact import ExactRTI, Linear
from control_ours import Checked, Ours, Parted
from control_peers import START, BufferedRTI, CasadiRTI, DoMpc, drive, figure_eight, tracking

from ebm_mpc_ros.control import ControlProblem, RealTimeIteration, SolverSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]

_TICKS = 400
_TURN = 100
_SETTLED = 100
_FAR = np.array([3e5, 4e5, 0.0, 0.0, 0.0])  # 500 km
_HORIZONS = (20, 50)
_GROWTH = 1.2
_TIGHT = SolverSettings(
    eps_abs=1e-9,
    eps_rel=1e-9,
    max_iterations=20_000,
    cold_start_iterations=20_000,
    sqp_iterations=2,
)
_TIGHTLY = "OSQP at 1e-9"


def main() -> int:
    """Measure and print."""
    arguments = options(__doc__.splitlines()[0]).parse_args()
    rounds, problems = (3, 100) if arguments.quick else (10, 1000)
    if arguments.quick:
        print("--quick: 3 rounds in place of 10, do-mpc 100 ticks of 400, 100 random QPs of 1000")
    figures = []
    for horizon in _HORIZONS:
        reference = figure_eight(_TICKS + horizon + 1)
        figures += _times(horizon, reference, rounds, quick=arguments.quick)
        figures += _exactness(horizon, reference)
    figures += [_riccati(), _random(problems)]
    return conclude("the controller", figures, arguments)


class Controller(Protocol):
    """Anything that tracks a reference."""

    def tick(self, reference: Vector, state: Vector) -> Vector:
        """Return the input for a reference (N+1, 5) and a state (5,)."""


class Run:
    """A closed loop of one controller along a reference (400 + N + 1, 5)."""

    def __init__(self, controller: Controller, reference: Vector, start: Vector = START) -> None:
        self._controller = controller
        self._reference = reference
        self._horizon = len(reference) - _TICKS - 1
        self._state = start
        self._errors: list[float] = []
        self.times: list[float] = []

    def drive(self, ticks: int = _TICKS) -> None:
        """Go on for some ticks."""
        for _ in range(ticks):
            k = len(self.times)
            wanted = self._reference[k : k + self._horizon + 1]
            start = time.thread_time()
            u = self._controller.tick(wanted, self._state)
            self.times.append(time.thread_time() - start)
            self._state = drive(self._state, u)
            self._errors.append(np.hypot(*(self._state - self._reference[k + 1])[:2]))

    @property
    def rms(self) -> float:
        """Position error in mm once settled."""
        return float(1e3 * np.sqrt(np.mean(np.square(self._errors[_SETTLED:]))))


def _times(horizon: int, reference: Vector, rounds: int, *, quick: bool) -> list[Figure]:
    times: dict[str, list[float]] = defaultdict(list)
    parts: dict[str, list[float]] = defaultdict(list)
    rms: dict[str, str] = {}
    process, thread = 0.0, 0.0
    for lap in shown(range(rounds), f"N={horizon}, rounds"):
        ours, parted = Ours(tracking(horizon)), Parted(tracking(horizon))
        controllers: dict[str, Controller] = {
            "ours": ours,
            "CasADi": CasadiRTI(horizon),
            "buffered": BufferedRTI(horizon),
            "parted": parted,
        }
        if not lap:
            controllers["do-mpc"] = DoMpc(horizon)
        runs = {name: Run(controller, reference) for name, controller in controllers.items()}
        # The garbage of setting up isn't the ticks' to look through.
        gc.collect()
        gc.freeze()
        process -= time.process_time()
        thread -= time.thread_time()
        for turn in range(_TICKS // _TURN):
            for name, run in runs.items():
                if not (quick and turn and name == "do-mpc"):
                    run.drive(_TURN)
        process += time.process_time()
        thread += time.thread_time()
        gc.unfreeze()
        times["feedback"] += ours.feedback
        for part, values in (*parted.parts.items(), ("iterations", parted.iterations)):
            parts[part] += values
        for name, run in runs.items():
            times[name] += run.times
            if len(run.times) == _TICKS:
                rms[name] = f", RMS {run.rms:.2f} mm"
    median = {name: 1e6 * float(np.median(values)) for name, values in times.items()}
    p99 = {name: 1e6 * float(np.percentile(values, 99)) for name, values in times.items()}
    peer, fed = median["CasADi"], median["feedback"]

    def beside(name: str) -> str:
        return f"{median[name]:.0f} µs, p99 {p99[name]:.0f} µs{rms.get(name, '')}"

    tick = f"N={horizon}: tick"
    return [
        Figure(tick, median["ours"], "µs", None, beside("ours")),
        Figure(f"{tick}, p99 / median", p99["ours"] / median["ours"], "x", 3.0),
        Figure(f"{tick} / CasADi RTI, qrqp", median["ours"] / peer, "x", 0.6, beside("CasADi")),
        Figure(
            f"{tick} / CasADi RTI on buffers",
            median["ours"] / median["buffered"],
            "x",
            None,
            beside("buffered"),
        ),
        Figure(f"{tick} / do-mpc", median["ours"] / median["do-mpc"], "x", 0.05, beside("do-mpc")),
        Figure(f"N={horizon}: feedback / CasADi RTI", fed / peer, "x", 0.35, f"{fed:.0f} µs"),
        Figure(
            f"N={horizon}: CPU outside the timed thread", 1e2 * (1.0 - thread / process), "%", 5
        ),
        *_split(horizon, parts),
    ]


def _split(horizon: int, parts: dict[str, list[float]]) -> list[Figure]:
    median = {part: 1e6 * float(np.median(values)) for part, values in parts.items()}
    iterations = f"bare osqp solve, {np.median(parts['iterations']):.0f} iterations"
    names = ("linearise", "fill", "update", "solve", "rest")
    total = sum(median[name] for name in names)
    return [
        *(
            Figure(f"N={horizon}: {name}", median[name], "µs", None, iterations * (name == "solve"))
            for name in names
        ),
        Figure(f"N={horizon}: parts / solve", total / median["solve"], "x"),
    ]


def _exactness(horizon: int, reference: Vector) -> list[Figure]:
    checked = Checked(tracking(horizon))
    here = Run(checked, reference)
    far = Run(Ours(tracking(horizon)), reference + _FAR, START + _FAR)
    exact = Run(ExactRTI(tracking(horizon)), reference)
    for run in (here, far, exact):
        run.drive()
    figures = [
        Figure(
            f"N={horizon}: RMS{place}, from the exact RTI's",
            abs(run.rms / exact.rms - 1.0),
            "",
            0.01,
            f"{run.rms:.3f} mm, exact {exact.rms:.3f} mm",
        )
        for place, run in (("", here), (" 500 km away", far))
    ]
    error = float(np.percentile(checked.errors, 99))
    median = f"m/s², rad/s²; median {np.median(checked.errors):.2g}"
    return [*figures, Figure(f"N={horizon}: first input's error, p99", error, "", 1e-2, median)]


def _riccati() -> Figure:
    """Compare first gains, in the coordinates in which the Riccati cost is the identity."""
    rng = np.random.default_rng(0)
    unbounded = np.full(4, np.inf)
    worst, systems = 0.0, 20
    for _ in range(systems):
        A, B = np.eye(4) + 0.2 * rng.normal(size=(4, 4)), rng.normal(size=(4, 2))
        Q, R = np.diag(rng.uniform(0.5, 5.0, 4)), np.diag(rng.uniform(0.1, 1.0, 2))
        P = solve_discrete_are(A, B, Q, R)
        gain = np.linalg.solve(R + B.T @ P @ B, B.T @ P @ A)
        weights, T = eigh(Q, P)
        problem = ControlProblem(
            model=Linear(T.T @ P @ A @ T, T.T @ P @ B),
            dt=0.1,
            horizon=10,
            state_weights=weights,
            input_weights=np.diag(R),
            terminal_weights=np.ones(4),
            input_lower=-unbounded[:2],
            input_upper=unbounded[:2],
            state_lower=-unbounded,
            state_upper=unbounded,
        )
        controller = RealTimeIteration(problem, _TIGHT)
        for i, state in enumerate(np.eye(4)):
            controller.reset()
            controller.prepare(np.zeros((11, 4)))
            u = controller.feedback(state).inputs[0]
            worst = max(worst, float(np.abs(u + gain @ T[:, i]).max()))
    return Figure(
        "first gain, from the Riccati gain", worst, "", 1e-6, f"{systems} systems, {_TIGHTLY}"
    )


def _random(problems: int) -> Figure:
    """Compare inputs with PIQP's on bounded linear problems.

    Their modes grow by a fifth a step at most: OSQP does not get to 1e-9 where they grow by half.
    """
    rng = np.random.default_rng(0)
    errors, horizon = [], 10
    for _ in shown(range(problems), "random QPs"):
        A = np.eye(4) + 0.2 * rng.normal(size=(4, 4))
        A *= min(1.0, _GROWTH / np.abs(np.linalg.eigvals(A)).max())
        problem = ControlProblem(
            model=Linear(A, rng.normal(size=(4, 2))),
            dt=0.1,
            horizon=horizon,
            state_weights=rng.uniform(0.5, 5.0, 4),
            input_weights=rng.uniform(0.1, 1.0, 2),
            terminal_weights=rng.uniform(1.0, 10.0, 4),
            input_lower=-rng.uniform(0.1, 0.5, 2),
            input_upper=rng.uniform(0.1, 0.5, 2),
            state_lower=[-np.inf, -0.5, -np.inf, -np.inf],
            state_upper=[np.inf, 0.5, 0.7, np.inf],
            slack_weight=100.0,
        )
        reference, state = rng.normal(size=(horizon + 1, 4)), rng.normal(size=4)
        controller = RealTimeIteration(problem, _TIGHT)
        controller.prepare(reference)
        exact = ExactRTI(problem).solve(reference, np.zeros((horizon, 2)), reference, state)
        errors.append(np.abs(controller.feedback(state).inputs - exact[1]).max())
    beside = f"PIQP at 1e-10, {problems} problems, {_TIGHTLY}"
    # A maximum that is NaN where there is no solution.
    return Figure("random QPs' inputs, largest error", float(np.max(errors)), "", 1e-4, beside)


if __name__ == "__main__":
    sys.exit(main())
