"""The tracking problem of bench/control.py, its plant, and the peers that solve it.

CasADi and do-mpc bound the states hard, ours softly: they have fewer variables.
"""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

import casadi as ca
import numpy as np

from ebm_mpc_ros.control import ControlProblem
from ebm_mpc_ros.models import load_model

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # about the extras of do-mpc that are not installed
    import do_mpc

ca.GlobalOptions.setNumpyMode(-1)  # as do-mpc expects, without a warning at each first use

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Vector = NDArray[np.float64]

DT = 0.05
START = np.array([0.3, -0.3, 0.2, 0.0, 0.0])
_Q = np.array([20.0, 20.0, 2.0, 0.5, 0.1])
_R = np.array([0.1, 0.05])
_Q_N = 5.0 * _Q
_INPUT = np.array([1.0, 2.0])
_LOWER = np.array([-np.inf, -np.inf, -np.inf, -0.2, -1.7])
_UPPER = np.array([np.inf, np.inf, np.inf, 1.15, 1.7])
_SUBSTEPS = 5
_COLD = 5


def tracking(horizon: int) -> ControlProblem:
    """Return the problem as ours takes it."""
    return ControlProblem(
        model=load_model("diff_drive"),
        dt=DT,
        horizon=horizon,
        state_weights=_Q,
        input_weights=_R,
        terminal_weights=_Q_N,
        input_lower=-_INPUT,
        input_upper=_INPUT,
        state_lower=_LOWER,
        state_upper=_UPPER,
        slack_weight=1e3,
    )


def figure_eight(ticks: int) -> Vector:
    """Return states (ticks, 5) of x = 3 sin s, y = 1.5 sin 2s, driven at 1 m/s."""
    s = np.linspace(0.0, 4.0 * np.pi, 200_001)
    steps = np.hypot(np.diff(3.0 * np.sin(s)), np.diff(1.5 * np.sin(2.0 * s)))
    arc = np.concatenate([[0.0], np.cumsum(steps)])
    at = np.interp(np.arange(ticks) * DT, arc, s)
    dx, dy = 3.0 * np.cos(at), 3.0 * np.cos(2.0 * at)
    ddx, ddy = -3.0 * np.sin(at), -6.0 * np.sin(2.0 * at)
    bend = (dx * ddy - dy * ddx) / np.hypot(dx, dy) ** 3
    heading = np.unwrap(np.arctan2(dy, dx))
    columns = [3.0 * np.sin(at), 1.5 * np.sin(2.0 * at), heading, np.ones_like(at), bend]
    return np.column_stack(columns)


def drive(state: Vector, u: Vector) -> Vector:
    """Return the plant's state (5,) a period later: RK4 on the second-order unicycle."""
    h = DT / _SUBSTEPS

    def rate(x: Vector) -> Vector:
        return np.array([x[3] * np.cos(x[2]), x[3] * np.sin(x[2]), x[4], u[0], u[1]])

    for _ in range(_SUBSTEPS):
        a = rate(state)
        b = rate(state + 0.5 * h * a)
        c = rate(state + 0.5 * h * b)
        state = state + h / 6.0 * (a + 2.0 * b + 2.0 * c + rate(state + h * c))
    return state


def _step(x: Any, u: Any) -> Any:
    """Return CasADi's expression of the model's step."""
    step = (x[3] + 0.5 * DT * u[0]) * DT
    turn = (x[4] + 0.5 * DT * u[1]) * DT
    middle = x[2] + 0.5 * turn
    return ca.vertcat(
        x[0] + step * ca.cos(middle),
        x[1] + step * ca.sin(middle),
        x[2] + turn,
        x[3] + u[0] * DT,
        x[4] + u[1] * DT,
    )


class CasadiRTI:
    """A tick in one CasADi function: shift, linearise, the QP by qrqp, started warm.

    Args:
        horizon: Number of steps N.
    """

    def __init__(self, horizon: int) -> None:
        size = 7 * horizon + 5  # of w = x0, u0, x1, u1, …, xN
        w, dual_w = ca.MX.sym("w", size), ca.MX.sym("dual_w", size)
        dual_g, x0 = ca.MX.sym("dual_g", 5 * horizon), ca.MX.sym("x0", 5)
        reference = ca.MX.sym("reference", 5, horizon + 1)
        symbols = [w, dual_w, dual_g, reference, x0]
        end, u = w[-5:], w[-7:-5]
        later = (
            ca.vertcat(w[7:-5], end, u, _step(end, u)),
            ca.vertcat(dual_w[7:], dual_w[-7:]),
            ca.vertcat(dual_g[5:], dual_g[-5:]),
        )
        solve = _qrqp(horizon)
        self._cold = ca.Function("cold", symbols, solve(*symbols))
        self._warm = ca.Function("warm", symbols, solve(*later, reference, x0))
        self._plan: tuple[Any, ...] = ()

    def tick(self, reference: Vector, state: Vector) -> Vector:
        """Return the input (2,) for a reference (N+1, 5) and a state (5,)."""
        if self._plan:
            self._plan = self._warm(*self._plan, reference.T, state)
        else:
            start = np.column_stack([reference, np.zeros((len(reference), 2))]).ravel()[:-2]
            self._plan = (start, 0, 0)
            for _ in range(_COLD):
                self._plan = self._cold(*self._plan, reference.T, state)
        return np.asarray(self._plan[0][5:7]).ravel()


class BufferedRTI(CasadiRTI):
    """The same called through buffers, which spares CasADi's conversions."""

    def __init__(self, horizon: int) -> None:
        super().__init__(horizon)
        self._buffer, self._call = self._warm.buffer()
        self._given = [np.empty(self._warm.numel_in(i)) for i in range(5)]
        self._found = [np.empty(self._warm.numel_out(i)) for i in range(3)]
        for i, array in enumerate(self._given):
            self._buffer.set_arg(i, memoryview(array))
        for i, array in enumerate(self._found):
            self._buffer.set_res(i, memoryview(array))

    def tick(self, reference: Vector, state: Vector) -> Vector:
        """Return the input (2,) for a reference (N+1, 5) and a state (5,)."""
        if self._plan:
            self._given[3][:], self._given[4][:] = reference.ravel(), state
            self._call()
        else:
            super().tick(reference, state)
            for found, value in zip(self._found, self._plan, strict=True):
                found[:] = np.asarray(value).ravel()
        for given, found in zip(self._given, self._found, strict=False):
            given[:] = found
        return self._found[0][5:7].copy()


def _qrqp(horizon: int) -> Callable[..., list[Any]]:
    """Return a function of (w, its duals, reference, x0) that linearises and solves the QP."""
    w, reference = ca.SX.sym("w", 7 * horizon + 5), ca.SX.sym("reference", 5, horizon + 1)
    states = [w[7 * i : 7 * i + 5] for i in range(horizon + 1)]
    inputs = [w[7 * i + 5 : 7 * i + 7] for i in range(horizon)]
    following = map(_step, states[:-1], inputs)
    defects = ca.vertcat(*[a - b for a, b in zip(following, states[1:], strict=True)])
    wanted = [ca.vertcat(reference[:, i], 0, 0) for i in range(horizon)]
    weights = ca.DM(np.concatenate([np.tile([*_Q, *_R], horizon), _Q_N]))
    gradient = weights * (w - ca.vertcat(*wanted, reference[:, horizon]))
    A, H = ca.jacobian(defects, w), ca.diag(weights)
    linearise = ca.Function("linearise", [w, reference], [gradient, A, -defects])
    quiet = dict.fromkeys(("print_header", "print_iter", "print_info", "error_on_fail"), False)
    qp = ca.conic("qp", "qrqp", {"h": H.sparsity(), "a": A.sparsity()}, quiet)
    lower = ca.DM(np.concatenate([np.tile([*_LOWER, *-_INPUT], horizon), _LOWER]))
    upper = ca.DM(np.concatenate([np.tile([*_UPPER, *_INPUT], horizon), _UPPER]))

    def solve(w: Any, dual_w: Any, dual_g: Any, reference: Any, x0: Any) -> list[Any]:
        g, A, b = linearise(w, reference)
        first = x0 - w[:5]
        lbx, ubx = ca.vertcat(first, (lower - w)[5:]), ca.vertcat(first, (upper - w)[5:])
        bounds = {"lbx": lbx, "ubx": ubx, "lba": b, "uba": b}
        found = qp(h=H, g=g, a=A, x0=0, lam_x0=dual_w, lam_a0=dual_g, **bounds)
        return [w + found["x"], found["lam_x"], found["lam_a"]]

    return solve


class DoMpc:
    """do-mpc with IPOPT and MUMPS as it sets them up.

    The model is given in discrete time, as ours is, for its collocation takes longer.

    Args:
        horizon: Number of steps N.
    """

    def __init__(self, horizon: int) -> None:
        model = do_mpc.model.Model("discrete")
        x, u = model.set_variable("_x", "x", (5, 1)), model.set_variable("_u", "u", (2, 1))
        reference = model.set_variable("_tvp", "reference", (5, 1))
        model.set_rhs("x", _step(x, u))
        model.setup()
        self._mpc = mpc = do_mpc.controller.MPC(model)
        mpc.set_param(n_horizon=horizon, t_step=DT, store_full_solution=False)
        mpc.settings.supress_ipopt_output()
        error = x - reference
        lterm = 0.5 * (ca.dot(ca.DM(_Q) * error, error) + ca.dot(ca.DM(_R) * u, u))
        mpc.set_objective(lterm=lterm, mterm=0.5 * ca.dot(ca.DM(_Q_N) * error, error))
        mpc.set_rterm(u=0)
        for side, states, sign in (("lower", _LOWER, -1.0), ("upper", _UPPER, 1.0)):
            mpc.bounds[side, "_x", "x"] = states
            mpc.bounds[side, "_u", "u"] = sign * _INPUT
        self._template = mpc.get_tvp_template()
        mpc.set_tvp_fun(lambda _: self._template)
        mpc.setup()
        self._started = False

    def tick(self, reference: Vector, state: Vector) -> Vector:
        """Return the input (2,) for a reference (N+1, 5) and a state (5,)."""
        if not self._started:
            self._mpc.x0 = state
            self._mpc.set_initial_guess()
            self._started = True
        self._template["_tvp", :, "reference"] = list(reference)
        u: Vector = self._mpc.make_step(state[:, None])
        return u.ravel()
