"""Half-planes about discs: where they touch, whose they are, and that robots pass."""

import numpy as np
import pytest
from exact import tick
from hypothesis import given, settings
from hypothesis import strategies as st

from ebm_mpc_ros.control import ControlProblem, Fallback, RealTimeIteration, around_discs
from ebm_mpc_ros.models import load_model

DT = 0.05
PATH = np.column_stack([0.1 * np.arange(11), np.zeros(11)])


def height(planes, points):
    """Return n·p - b (N, K) of a point for each stage."""
    return np.einsum("ikj,ij->ik", planes.normals, points) - planes.offsets


def test_a_normal_beside_a_disc_points_from_its_centre_and_touches_with_clearance():
    planes = around_discs([[0.5, -1.0, 0.3]], PATH, DT, 1, clearance=0.2)
    np.testing.assert_allclose(planes.normals[4, 0], [0.0, 1.0], atol=1e-12)
    np.testing.assert_allclose(planes.offsets[4, 0], -1.0 + 0.5)


@settings(max_examples=60)
@given(
    st.lists(st.floats(-2, 2), min_size=4, max_size=4),
    st.floats(0.0, 1.0),
    st.floats(0.0, 0.5),
)
def test_every_half_plane_keeps_out_of_its_disc(numbers, radius, clearance):
    centre, velocity = np.array(numbers[:2]), np.array(numbers[2:])
    planes = around_discs(
        [[*centre, radius]], PATH, DT, 1, clearance=clearance, velocities=[velocity]
    )
    np.testing.assert_allclose(np.hypot(*planes.normals[:, 0].T), 1.0)
    centres = centre + DT * np.arange(1, 11)[:, None] * velocity
    # The centre lies as far beyond the line as the disc and the clearance reach.
    reach = max(radius + clearance, 1e-9)
    np.testing.assert_allclose(height(planes, centres)[:, 0], -reach, atol=1e-9)


@pytest.mark.parametrize("offset", [0.1, -0.1])
def test_a_plan_through_a_disc_is_led_out_on_the_side_where_it_passes_the_centre(offset):
    planes = around_discs([[0.5, offset, 0.3]], PATH, DT, 1, clearance=0.0)
    assert np.all(planes.normals[3:5, 0, 1] * offset < 0.0)


def test_a_plan_through_the_centre_is_led_out_to_the_left():
    planes = around_discs([[0.5, 0.0, 0.3]], PATH, DT, 1, clearance=0.0)
    np.testing.assert_allclose(planes.normals[4, 0], [0.0, 1.0], atol=1e-9)


def test_the_side_is_that_of_the_guess():
    disc, left = [[0.5, 0.01, 0.3]], PATH + np.array([0.0, 0.6])
    own = around_discs(disc, PATH, DT, 1, clearance=0.0)
    guessed = around_discs(disc, PATH, DT, 1, clearance=0.0, guess=left)
    assert np.all(own.normals[3:5, 0, 1] < 0.0)
    assert np.all(guessed.normals[3:5, 0, 1] > 0.0)


def test_ahead_of_a_disc_the_normal_leans_to_the_side_taken():
    planes = around_discs([[2.0, -0.1, 0.3]], PATH, DT, 1, clearance=0.0)
    lean = np.degrees(np.arctan2(planes.normals[:, 0, 1], -planes.normals[:, 0, 0]))
    assert np.all((lean > 15.0) & (lean < 30.0))


def test_a_standing_plan_has_half_planes_too():
    planes = around_discs([[1.0, 0.0, 0.3]], np.zeros((11, 2)), DT, 1, clearance=0.0)
    assert np.isfinite(planes.normals).all()
    assert np.all(height(planes, np.zeros((10, 2))) > 0.0)


def test_the_nearest_discs_are_taken_at_each_stage_in_their_order():
    discs = [[5.0, 0.0, 0.1], [0.0, 1.0, 0.1], [1.0, 1.0, 0.1]]
    planes = around_discs(discs, PATH, DT, 2, clearance=0.0)
    # Normals of the second and the third disc, from above the path, point down.
    assert np.all(planes.normals[..., 1] < 0.0)
    alone = around_discs(discs[1:2], PATH, DT, 1, clearance=0.0)
    np.testing.assert_array_equal(planes.normals[:, :1], alone.normals)


def test_half_planes_that_belong_to_no_disc_bound_nothing():
    planes = around_discs([[0.5, 1.0, 0.1]], PATH, DT, 3, clearance=0.0)
    assert np.all(planes.normals[:, 1:] == 0.0)
    assert np.all(planes.offsets[:, 1:] < 0.0)
    assert np.all(around_discs([], PATH, DT, 2, clearance=0.0).normals == 0.0)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("discs", {"discs": [[0.0, 0.0]]}),
        ("discs", {"discs": [[0.0, np.nan, 1.0]]}),
        ("discs", {"discs": [[0.0, 0.0, -1.0]]}),
        ("positions", {"positions": [[0.0, 0.0]]}),
        ("positions", {"positions": np.full((3, 2), np.inf)}),
        ("guess", {"guess": [[0.0, 0.0], [1.0, 0.0]]}),
        ("velocities", {"velocities": [[0.0, 0.0], [1.0, 0.0]]}),
        ("count", {"count": 0}),
        ("clearance", {"clearance": -0.1}),
        ("dt", {"dt": 0.0}),
    ],
)
def test_a_bad_argument_is_named(name, changes):
    arguments = {"discs": [[0.0, 0.0, 1.0]], "positions": PATH, "dt": DT, "count": 1}
    with pytest.raises(ValueError, match=name):
        around_discs(**({"clearance": 0.0} | arguments | changes))


@pytest.mark.parametrize("velocity", [(0.0, 0.0), (-0.1, 0.1)])
@pytest.mark.parametrize("name", ["diff_drive", "ackermann", "omni"])
def test_a_robot_passes_a_disc_on_its_straight_reference(name, velocity):
    model = load_model(name)
    names = model.state_names
    weight = {"x": 20.0, "y": 20.0, "yaw": 2.0, "vx": 0.5, "vy": 0.5}
    top = {"vx": 1.15, "vy": 0.5, "vyaw": 1.0, "steering": 0.6}
    Q = np.array([weight.get(k, 0.1) for k in names])
    upper = np.array([top.get(k, np.inf) for k in names])
    lower = np.where(np.array(names) == "vx", -0.2, -upper)
    m = len(model.input_names)
    problem = ControlProblem(
        model=model,
        dt=DT,
        horizon=25,
        state_weights=Q,
        input_weights=[0.1] * m,
        terminal_weights=5 * Q,
        input_lower=[-1.0] + [-2.0] * (m - 1),
        input_upper=[1.0] + [2.0] * (m - 1),
        state_lower=lower,
        state_upper=upper,
        half_planes=2,
    )
    controller, fallback = RealTimeIteration(problem), Fallback()
    state = np.zeros(len(names))
    state[3] = 1.0
    centre, radius, clearance = np.array([2.5, -0.05]), 0.4, 0.25
    nearest = np.inf
    for k in range(150):
        reference = np.zeros((26, len(names)))
        reference[:, 0] = np.minimum((k + np.arange(26)) * DT, 5.0)
        reference[:, 3] = reference[:, 0] < 5.0
        plan = controller.forecast()
        planes = around_discs(
            [[*(centre + k * DT * np.array(velocity)), radius]],
            (reference if plan is None else plan)[:, :2],
            *(DT, 2),
            clearance=clearance,
            velocities=[velocity],
            guess=reference[:, :2],
        )
        u = fallback.take(tick(controller, reference, state, half_planes=planes))
        assert u is not None, fallback.reason
        state = model.f(state, u, DT)
        disc = centre + (k + 1) * DT * np.array(velocity)
        nearest = min(nearest, np.hypot(*(state[:2] - disc)) - radius)
    assert nearest > clearance - 0.03
    assert abs(state[0] - 5.0) < 0.1


def test_half_planes_of_a_wrong_number_are_refused(make_problem):
    controller = RealTimeIteration(make_problem(half_planes=2))
    planes = around_discs([], np.zeros((21, 2)), DT, 3, clearance=0.0)
    refused = tick(controller, np.zeros((21, 5)), np.zeros(5), half_planes=planes)
    assert "normals has shape" in refused.reason
    assert tick(controller, np.zeros((21, 5)), np.zeros(5)).usable


def test_half_planes_that_are_not_finite_are_refused(make_problem):
    controller = RealTimeIteration(make_problem(half_planes=1))
    planes = around_discs([], np.zeros((21, 2)), DT, 1, clearance=0.0)
    planes.offsets[3] = np.nan
    refused = tick(controller, np.zeros((21, 5)), np.zeros(5), half_planes=planes)
    assert "offsets is not finite" in refused.reason
