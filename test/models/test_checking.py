"""A model whose functions disagree is told what is wrong; those that ship agree."""

import re

import numpy as np
import pytest

from ebm_mpc_ros.models import Jacobians, load_model
from ebm_mpc_ros.models.checking import ModelError, check_model
from ebm_mpc_ros.models.diff_drive import DiffDrive


@pytest.mark.parametrize("name", ["ackermann", "diff_drive", "omni", "rigid_body"])
def test_models_that_ship_agree_with_themselves(name):
    check_model(load_model(name))


class Changed(DiffDrive):
    """A diff_drive with one Jacobian's entry off."""

    def __init__(self, which, entry, by):
        self._which, self._entry, self._by = which, entry, by

    def jacobians(self, x, u, dt):
        arrays = {k: v.copy() for k, v in super().jacobians(x, u, dt)._asdict().items()}
        arrays[self._which][..., *self._entry] += self._by
        return Jacobians(**arrays)


@pytest.mark.parametrize(
    ("which", "entry", "words"),
    [
        ("A", (0, 2), "jacobians: A[0, 2], of x by yaw, is "),
        ("B", (4, 1), "jacobians: B[4, 1], of vyaw by alpha, is 0.051 where differences say 0.05"),
        ("W", (3, 3), "jacobians: W[3, 3], of vx by noise of vx, is 1.001 where differences say 1"),
    ],
)
def test_a_wrong_derivative_is_named(which, entry, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        check_model(Changed(which, entry, 1e-3))


def test_rounding_is_no_mistake():
    check_model(Changed("A", (0, 2), 1e-7))


class Misread(DiffDrive):
    def H(self, x):
        H = super().H(x).copy()
        H[..., 1, 1] = -1.0
        return H


class Flat(DiffDrive):
    def f(self, x, u, dt, w=None):
        return super().f(x, u, dt, w)[..., :4]


class Summed(DiffDrive):
    def f(self, x, u, dt, w=None):
        return super().f(x, u, dt, w) + np.mean(x)


class Greedy(DiffDrive):
    def f(self, x, u, dt, w=None):
        following = super().f(x, u, dt, w)
        x[...] = following
        return following


class Singular(DiffDrive):
    def f(self, x, u, dt, w=None):
        return super().f(x, u, dt, w) + np.where(x[..., 3:4] < 0.0, np.nan, 0.0)


class Short(DiffDrive):
    state_size = 6


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Misread, "H[1, 1], of y by y, is -1 where differences say 1"),
        (Flat, "f has shape (20, 4) for 20 states: must be (20, 5)"),
        (Summed, "f of a state and f of a batch that holds it differ"),
        (Greedy, "f writes into the states that it is given"),
        (Singular, "f is not finite near the origin"),
        (Short, "state_size is 6 for 5 states"),
    ],
)
def test_what_does_not_fit_is_said(model, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        check_model(model())


class Timeless(DiffDrive):
    def f(self, x, u, dt, w=None):
        return super().f(x, u, 0.05, w)

    def jacobians(self, x, u, dt):
        return super().jacobians(x, u, 0.05)


class Noisy(DiffDrive):
    def f(self, x, u, dt, w=None):
        following = super().f(x, u, dt)
        return following if w is None else following + np.nan


class Wringing(DiffDrive):
    def f(self, x, u, dt, w=None):
        u *= 0.999
        return super().f(x, u, dt, w)


class Backwards(DiffDrive):
    def state(self, outputs):
        return np.asarray(outputs) * [1.0, 1.0, 1.0, -1.0, 1.0]


class Forwards(DiffDrive):
    def state(self, outputs):
        x = np.array(outputs)
        x[..., 3] = np.abs(x[..., 3])
        return x


class Elsewhere(DiffDrive):
    def linearize(self, x, u, dt):
        following, jacobians = super().linearize(x, u, dt)
        return following * 1.5, jacobians


class Steeper(DiffDrive):
    def linearize(self, x, u, dt):
        following, (A, B, W) = super().linearize(x, u, dt)
        return following, Jacobians(A, -B, W)


class Stale(DiffDrive):
    """Writes what it computed at its first call."""

    def linearizer(self, dt, following, stages):
        write, calls = super().linearizer(dt, following, stages), []

        def once(x, u):
            if not calls:
                write(x, u)
            calls.append(x)

        return once


class Leaning(DiffDrive):
    def linearizer(self, dt, following, stages):
        write = super().linearizer(dt, following, stages)

        def lean(x, u):
            write(x, u)
            stages[:, 0, 2] *= 1.01

        return lean


class Off(DiffDrive):
    def origin(self):
        return (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Timeless, "f moves x by as much in 0.1 s as in 0.05 s: it has to heed dt"),
        (Noisy, "f with noise is not finite near the origin"),
        (Wringing, "f writes into the inputs that it is given"),
        (Backwards, "state is no inverse of h: it takes vx = "),
        (Forwards, "state is no inverse of h: it takes vx = -"),
        (Elsewhere, "linearize: f is another than that of f"),
        (Steeper, "linearize: B is another than that of jacobians"),
        (Stale, "linearizer: f is another than that of f"),
        (Leaning, "linearizer: A is another than that of jacobians"),
        (Off, "origin() has 3 numbers: must be 5, state_size"),
    ],
)
def test_functions_that_disagree_are_named(model, words):
    with pytest.raises(ModelError, match=re.escape(words)):
        check_model(model())


def test_a_nan_among_slopes_is_a_mistake():
    class Blind(DiffDrive):
        def innovation(self, z, x):
            return super().innovation(z, x) * np.nan

    with pytest.raises(ModelError, match=r"H\[0, 0\], of x by x, is 1 where differences say nan"):
        check_model(Blind())


class Single(DiffDrive):
    """Computes in float32; `back` says whether that shows in the type."""

    def __init__(self, *, back):
        self._type = float if back else np.float32

    def f(self, x, u, dt, w=None):
        x, u = np.asarray(x, np.float32), np.asarray(u, np.float32)
        w = None if w is None else np.asarray(w, np.float32)
        return super().f(x, u, np.float32(dt), w).astype(self._type)


@pytest.mark.parametrize("back", [True, False])
def test_a_model_in_single_precision_passes(back):
    check_model(Single(back=back))


def test_in_single_precision_a_wrong_derivative_is_named_too():
    class Wrong(Single):
        def jacobians(self, x, u, dt):
            A, B, W = super().jacobians(x, u, dt)
            return Jacobians(A, 1.2 * B, W)

    with pytest.raises(ModelError, match=r"B\[3, 0\], of vx by ax, is 0.06 where differences say"):
        check_model(Wrong(back=True))


def test_a_model_of_one_step_is_checked_at_it():
    class Stepped(Timeless):
        step = 0.05

    check_model(Stepped())


def test_what_f_itself_raises_is_let_through():
    class Broken(DiffDrive):
        def f(self, x, u, dt, w=None):
            return super().f(x, u, dt, w) + np.ones(3)

    with pytest.raises(ValueError, match="could not be broadcast") as raised:
        check_model(Broken())
    assert not isinstance(raised.value, ModelError)
