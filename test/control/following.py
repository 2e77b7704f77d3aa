"""Curves, and a robot that does what it is told, for the tests of paths and followers."""

import numpy as np

from ebm_mpc_ros.control import PathFollower, ReferencePath, split_path

DT = 0.05


def eight(count=400):
    s = np.linspace(0, 2 * np.pi, count)
    return np.column_stack([3 * np.sin(s), 1.5 * np.sin(2 * s)])


def circle(radius, count=400):
    angle = np.linspace(0, 2 * np.pi, count)
    return radius * np.column_stack([np.cos(angle), np.sin(angle)])


def hairpin(gap=0.3, leg=3.0):
    """Return points out along y = 0, half a circle to the left, and back along y = `gap`."""
    out = np.column_stack([np.linspace(0, leg, 60), np.zeros(60)])
    angle = np.linspace(-np.pi / 2, np.pi / 2, 20)[1:-1]
    turn = [leg, gap / 2] + gap / 2 * np.column_stack([np.cos(angle), np.sin(angle)])
    return np.concatenate([out, turn, out[::-1] + np.array([0, gap])])


def out_and_back(length=2.0, count=41):
    out = np.column_stack([np.linspace(0, length, count), np.zeros(count)])
    return np.concatenate([out, out[-2::-1]])


def follower_of(points, settings, headings=None):
    return PathFollower(split_path(points, headings), settings)


def follow(follower, state, ticks):
    """Drive a robot that does what it is told; return its states."""
    states = [np.asarray(state, dtype=float)]
    for _ in range(ticks):
        states.append(follower.reference(states[-1], DT, 20)[1])
    return np.array(states)


def pose_on(path: ReferencePath, arc, speed=0.0):
    """Return the planar state of a robot on the path."""
    position, heading, curvature = path.sample(arc)
    return np.array([*position, heading, speed, 0.0, speed * curvature])
