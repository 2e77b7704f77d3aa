"""The simulated robot driven by inputs."""

import numpy as np
import pytest

from ebm_mpc_ros.simulation.courses import Course
from ebm_mpc_ros.simulation.simulation import GroundTruth
from ebm_mpc_ros.tools.closed_loop import ClosedLoop, push
from ebm_mpc_ros.tools.demonstrator import LIMITS, MODEL

PERIOD = 0.05


@pytest.fixture
def loop():
    course = Course(
        name="wall",
        points=np.column_stack([np.linspace(1.0, 3.0, 41), np.full(41, 2.0)]),
        closed=False,
        obstacles=np.array([[2.0, 2.0, 0.2]]),
        half_width=1.0,
        speed=0.5,
    )
    return ClosedLoop(MODEL, course, LIMITS, period=PERIOD, seed=0)


def test_it_begins_at_rest_on_the_course(loop):
    np.testing.assert_allclose(loop.state, [1.0, 2.0, 0.0, 0.0, 0.0], atol=1e-3)
    assert loop.time == 0.0


def test_an_input_is_integrated_within_the_limits(loop):
    np.testing.assert_allclose(loop.send(np.array([0.5, -9.0])), [0.5, -2.0])
    np.testing.assert_allclose(loop.command, [0.5 * PERIOD, -2.0 * PERIOD])
    samples = loop.advance()
    assert loop.time == pytest.approx(PERIOD)
    assert sum(isinstance(sample, GroundTruth) for sample in samples) == 2


def test_without_an_input_it_slows_down(loop):
    for u in [np.array([1.0, 0.0])] * 4 + [None] * 4:
        loop.send(u)
        loop.advance()
    np.testing.assert_allclose(loop.command, 0.0, atol=1e-12)


def test_it_tells_how_near_it_came_and_whether_it_touched(loop):
    for _ in range(24):
        assert not loop.touched or loop.closest < 0.02
        loop.send(np.array([1.0, 0.0]))
        loop.advance()
    assert loop.touched
    assert loop.closest < 0.02


def test_a_push_brings_it_to_another_speed_and_heading(loop):
    push(loop, np.random.default_rng(0))
    assert 0.4 <= loop.time <= 1.2
    assert np.hypot(*loop.command) > 0.05
