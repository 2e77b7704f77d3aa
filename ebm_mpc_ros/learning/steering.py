"""Steering angles of robots that steer, from the twists by which they are told and measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ebm_mpc_ros.models import Model

    Floats = NDArray[np.float64]

STEERING = "steering"
# m/s; a slower robot's turn rate tells too little of its steering angle.
_SLOW = 0.05
_TWIST = {"vx": 0, "vy": 1, "vyaw": 5}


def steered(model: Model, states: Floats) -> Floats:
    """Return states (k, n) in which a robot that is too slow to tell keeps its steering angle.

    Before it first moves that is the angle with which it starts.
    """
    if STEERING not in model.state_names:
        return states
    moving = np.flatnonzero(np.abs(states[:, model.state_names.index("vx")]) > _SLOW)
    if not len(moving):
        return states
    column = model.state_names.index(STEERING)
    last = np.maximum(np.searchsorted(moving, np.arange(len(states)), side="right") - 1, 0)
    held = states.copy()
    held[:, column] = states[moving[last], column]
    return held


def told(model: Model, twists: Floats) -> Floats:
    """Return twists (k, 6), for a robot that steers with the angle in place of the turn rate."""
    if STEERING not in model.state_names:
        return twists
    outputs = np.zeros((len(twists), len(model.output_names)))
    for name, place in _TWIST.items():
        if name in model.output_names:
            outputs[:, model.output_names.index(name)] = twists[:, place]
    states = steered(model, np.asarray(model.state(outputs)))
    angles = states[:, model.state_names.index(STEERING)]
    return np.column_stack([twists[:, :5], angles])
