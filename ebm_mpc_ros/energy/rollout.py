"""Inputs rolled through a robot's dynamics, all steps of all plans at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ebm_mpc_ros.models.base import Array, Model


def roll(model: Model, states: Array, inputs: Array, dt: float, tolerance: float) -> None:
    """Overwrite a guess of the states 1 … N of `states` (N + 1, K, n) by what they are.

    Picard sweeps X ← x₀ + Σ (f(X, U) - X) over all stages at once until nothing changes. Sweep i is
    exact up to stage i at least, and where states integrate one another (speed, heading, place) a
    sweep settles each next one: a few batched calls of f instead of N.

    Args:
        model: The robot; its states must be plain coordinates.
        states: The first row is where the plans start.
        inputs: (N, K, m).
        dt: Step in seconds.
        tolerance: Change of a state that counts as none.
    """
    before, after = states[:-1], states[1:]
    for _ in range(len(inputs)):
        following = (model.f(before, inputs, dt) - before).cumsum(0)
        following += states[0]
        change = abs(following - after).max()
        after[...] = following
        if change <= tolerance:
            break
