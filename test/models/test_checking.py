"""A model whose functions disagree is told what is wrong; those that ship agree."""

import re

import numpy as np
import pytest

from ebm_mpc_ros.models import Jacobians, load_model
from ebm_mpc_ros.models.checking import check_model
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
