"""A robot driven along a known way, as a recording of any rates."""

import numpy as np

from ebm_mpc_ros.learning.recording import Recording, Track
from ebm_mpc_ros.models import load_model

MODEL = load_model("diff_drive")
SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
"""A stamp of today, which as a float has no nanoseconds."""


def commanded(t):
    """Return speed and turn rate (k,) at times (k,) in s."""
    return 0.6 + 0.3 * np.sin(2.0 * t), 0.5 * np.cos(2.5 * t)


def drive(duration=10.0, state_rate=50.0, command_rate=20.0, period=0.002, model=MODEL):
    """Return the states, exact, and commands of a robot that does at once what it is told.

    One that steers has `commanded`'s turn rate for its steering angle.
    """
    t = np.arange(0.0, duration + period / 2, period)
    speed, rate = commanded(t)
    states = np.zeros((len(t), 5))
    states[:, 3], states[:, 4] = speed, rate
    for k in range(len(t) - 1):
        u = np.array([speed[k + 1] - speed[k], rate[k + 1] - rate[k]]) / period
        states[k + 1] = model.f(states[k], u, period)
    kept = np.arange(0, len(t), round(1.0 / state_rate / period))
    sent = np.arange(0.0, duration + 1e-9, 1.0 / command_rate)
    twists = np.zeros((len(sent), 6))
    # What is sent is reached one period later, as the sender integrates.
    reached = np.zeros((len(sent), 5))
    reached[:, 3], reached[:, 4] = commanded(sent + 1.0 / command_rate)
    twists[:, [0, 5]] = model.h(reached)[:, 3:]
    return Recording(
        name="bag",
        states=Track(stamps_of(t[kept]), states[kept]),
        commands=Track(stamps_of(sent), twists),
    )


def stamps_of(times):
    return START + np.round(np.asarray(times) * SECOND).astype(np.int64)
