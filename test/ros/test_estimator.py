"""Messages in, estimates out."""

import numpy as np
import pytest

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.estimation.frames import Transform, UnknownFrameError
from ebm_mpc_ros.models import CANONICAL_STATES, rotation
from ebm_mpc_ros.ros.estimator import Estimator

MS = 1_000_000
START = 50_000 * MS
UPRIGHT = "base_link imu_link 0 0 0 0 0 0"
HUSKY = "base_link imu_link 0 -0.3 0.52 1.5707963 0 -1.5707963"


def mask(*names):
    return [state in names for state in CANONICAL_STATES]


def estimator(lookup=None, **parameters):
    given = {"odom0": "/odom", "odom0_config": mask("vx", "vyaw")} | parameters
    made, unknown = Estimator.from_parameters(given)
    assert not unknown
    made._lookup = lookup
    return made


def with_imu(*names, **parameters):
    parameters = {"static_transforms": [HUSKY]} | parameters
    return estimator(imu0="/imu", imu0_config=mask(*names), **parameters)


def dropped(made):
    return dict(made.filter.dropped)


def queued(made):
    return [entry[2] for entry in made.filter._queue]


# Odometry


def test_an_odometry_starts_the_estimate(messages):
    made = estimator(odom0_config=mask("x", "y", "yaw", "vx", "vyaw"))
    half = np.array([0.0, 0.0, np.sin(0.2), np.cos(0.2)])
    message = messages.odometry(
        START, position=(1, 2, 0), orientation=half, linear=(0.5, 0, 0), angular=(0, 0, 0.1)
    )
    made.receive("odom0", message, START)
    out = made.odometry(made.advance(START))
    assert out.stamp == START
    np.testing.assert_allclose(out.position, [1, 2, 0], atol=1e-9)
    np.testing.assert_allclose(out.quaternion, half, atol=1e-9)
    assert dropped(made) == {}


def test_a_pose_in_another_frame_is_moved_by_its_transform(messages):
    made = estimator(
        odom0_config=mask("x", "y"), static_transforms=["odom map 10 0 0 0 0 1.5707963267948966"]
    )
    made.receive("odom0", messages.odometry(START, position=(1, 2, 0), frame="/map"), START)
    np.testing.assert_allclose(queued(made)[0].values, [8, 1], atol=1e-12)


def test_a_twist_goes_by_the_child_frame(messages):
    made = estimator(
        odom0_config=mask("vx", "vy"), static_transforms=["base_link wheel 1 0 0 0 0 0"]
    )
    message = messages.odometry(START, linear=(1, 0, 0), angular=(0, 0, 2), child="wheel")
    made.receive("odom0", message, START)
    np.testing.assert_allclose(queued(made)[0].values, [1, -2], atol=1e-12)


def test_an_empty_child_frame_is_the_robot(messages):
    made = estimator()
    made.receive("odom0", messages.odometry(START, linear=(1, 0, 0), child=""), START)
    assert len(queued(made)) == 1


def test_a_frame_that_the_mask_has_no_use_for_may_be_unknown(messages):
    made = estimator()
    made.receive("odom0", messages.odometry(START, frame="nowhere"), START)
    assert dropped(made) == {}


def test_a_zero_variance_needs_a_configured_one(messages):
    message = messages.odometry(START, linear=(1, 0, 0), twist_variance=(0,) * 6)
    made = estimator()
    made.receive("odom0", message, START)
    assert dropped(made) == {("odom0", "variance of vx is 0 and odom0_variance not set"): 1}
    made = estimator(odom0_variance=[0.04] * 15)
    made.receive("odom0", message, START)
    np.testing.assert_array_equal(queued(made)[0].covariance, np.eye(2) * 0.04)


# IMU


@pytest.mark.parametrize(
    ("field", "lost"),
    [
        ("orientation_variance", {3, 4, 5}),
        ("angular_variance", {9, 10, 11}),
        ("acceleration_variance", {12, 13, 14}),
    ],
)
def test_a_covariance_that_starts_with_minus_one_leaves_out_that_part(messages, field, lost):
    made = with_imu(*CANONICAL_STATES)
    made.receive("imu0", messages.imu(START, **{field: (-1, 0, 0)}), START)
    rows = {int(row) for part in queued(made) for row in part.rows}
    assert rows == {3, 4, 5, 9, 10, 11, 12, 13, 14} - lost
    assert dropped(made) == {}


def test_a_rotated_imu_at_rest_feels_no_acceleration_at_any_attitude(messages):
    made = with_imu("ax", "ay", "az", imu0_remove_gravitational_acceleration=True)
    body = rotation.from_rpy(*np.array([0.3, -0.2, 1.0]))
    mounting = made.transforms.lookup("base_link", "imu_link")
    sensor = rotation.multiply(body, mounting.quaternion)
    force = rotation.matrix(sensor).T @ [0, 0, 9.80665]
    made.receive("imu0", messages.imu(START, orientation=sensor, acceleration=force), START)
    np.testing.assert_allclose(queued(made)[0].values, 0.0, atol=1e-12)


def test_without_an_orientation_gravity_goes_by_the_estimate(messages):
    made = with_imu("ax", "ay", "az", imu0_remove_gravitational_acceleration=True)
    made.filter.settings.initial_state[3:6] = [0.3, -0.2, 1.0]
    body = rotation.from_rpy(*np.array([0.3, -0.2, 1.0]))
    mounting = made.transforms.lookup("base_link", "imu_link")
    force = rotation.matrix(rotation.multiply(body, mounting.quaternion)).T @ [0, 0, 9.80665]
    for offset in (0, MS):
        message = messages.imu(START + offset, orientation_variance=(-1, 0, 0), acceleration=force)
        made.receive("imu0", message, START + offset)
        np.testing.assert_allclose(queued(made)[0].values, 0.0, atol=1e-12)
        made.advance(START + offset)


def test_an_orientation_that_nothing_uses_may_be_garbage(messages):
    made = with_imu("vyaw", "ax")
    message = messages.imu(START, orientation=(0, 0, 0, 0), orientation_variance=(np.nan,) * 3)
    made.receive("imu0", message, START)
    assert dropped(made) == {}
    assert len(queued(made)) == 2


def test_gravity_needs_an_orientation_that_is_one(messages):
    made = with_imu("vyaw", "ax", imu0_remove_gravitational_acceleration=True)
    made.receive("imu0", messages.imu(START, orientation=(0, 0, 0, 0)), START)
    assert dropped(made) == {("imu0", "quaternion not of unit length"): 1}
    assert queued(made) == []


def test_the_gyro_has_no_lever_arm(messages):
    made = with_imu("vx", "vyaw")
    mounting = made.transforms.lookup("base_link", "imu_link")
    made.receive("imu0", messages.imu(START, angular=mounting.matrix.T @ [0, 0, 2.0]), START)
    (part,) = [z for z in queued(made) if 11 in z.rows]
    assert part.values[-1] == pytest.approx(2.0)


def test_a_gyro_is_calibrated_while_the_robot_stands(messages):
    bias = np.array([0.01, -0.02, 0.03])
    made = with_imu("vyaw", imu0_calibrate_at_rest=True, static_transforms=[UPRIGHT])

    def run(start, ticks, speed, turn):
        for k in range(ticks):
            now = start + k * 10 * MS
            made.receive("odom0", messages.odometry(now, linear=(speed, 0, 0)), now)
            made.receive("imu0", messages.imu(now, angular=bias + np.array([0, 0, turn])), now)
            last = queued(made)[-1].values[-1]
            made.advance(now)
        return last

    assert run(START, 100, 0.0, 0.0) == pytest.approx(0.0, abs=1e-12)
    assert run(START + 1000 * MS, 10, 1.0, 0.5) == pytest.approx(0.5, abs=1e-12)


def test_the_estimate_waits_for_the_calibration_unless_the_robot_moves(messages):
    made = with_imu("vyaw", imu0_calibrate_at_rest=True, static_transforms=[UPRIGHT])

    def run(start, ticks, speed):
        for k in range(ticks):
            now = start + k * 10 * MS
            made.receive("odom0", messages.odometry(now, linear=(speed, 0, 0)), now)
            made.receive("imu0", messages.imu(now, angular=(0, 0, 0.002)), now)
            made.advance(now)
        return made.held_back(now)

    assert "measuring its gyro's bias" in run(START, 100, 0.0)[0]
    assert run(START + 1000 * MS, 1, 0.5) == []
    assert run(START + 2000 * MS, 150, 0.0) == []


def test_a_calibrated_gyro_starts_its_rest_anew_after_a_reset(messages):
    made = with_imu("vyaw", imu0_calibrate_at_rest=True, static_transforms=[UPRIGHT])
    for k in range(50):
        made.receive("odom0", messages.odometry(START + k * 10 * MS), START + k * 10 * MS)
    made.reset()
    now = START + 500 * MS
    made.receive("imu0", messages.imu(now, angular=(0, 0, 0.05)), now)
    assert queued(made)[-1].values == [0.05]


# What is dropped, and why


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"child": "wheel"}, "no transform from 'wheel' to 'base_link'"),
        ({"linear": (np.nan, 0, 0)}, "values not finite"),
        ({"twist_variance": (np.inf,) * 6}, "covariance not finite"),
        ({"twist_variance": (-1,) * 6}, "covariance not positive definite"),
    ],
)
def test_a_bad_message_is_dropped_and_counted_by_reason(messages, changes, reason):
    made = estimator()
    made.receive("odom0", messages.odometry(START), START)
    before = made.advance(START)
    for k in (1, 2):
        now = START + k * MS
        made.receive("odom0", messages.odometry(now, **changes), now)
    assert dropped(made) == {("odom0", reason): 2}
    assert made.inputs["odom0"].last_problem == reason
    assert made.advance(START + 3 * MS) is before


def test_a_message_without_a_stamp_is_dropped(messages):
    made = estimator()
    made.receive("odom0", messages.odometry(0), 0)
    assert dropped(made) == {("odom0", "stamp is 0"): 1}


@pytest.mark.parametrize(
    ("offset", "reason"), [(-2001, "stamp too old"), (501, "stamp in the future")]
)
def test_a_stamp_out_of_range_is_dropped(messages, offset, reason):
    made = estimator()
    made.receive("odom0", messages.odometry(START + offset * MS), START)
    assert dropped(made) == {("odom0", reason): 1}
    assert made.inputs["odom0"].last_problem == "stamp out of range"


def test_half_a_message_is_never_used(messages):
    made = estimator(odom0_config=mask("x", "vx"))
    made.receive("odom0", messages.odometry(START, linear=(np.nan, 0, 0)), START)
    assert queued(made) == []


# Several inputs, planar models, transforms from elsewhere


def test_two_odometries_and_two_imus_work_together(messages):
    made = with_imu(
        "vyaw", odom1="/odom1", odom1_config=mask("vy"), imu1="/imu1", imu1_config=mask("vroll")
    )
    assert sorted(made.sensors) == ["imu0", "imu1", "odom0", "odom1"]
    for name in ("odom0", "odom1"):
        made.receive(name, messages.odometry(START, linear=(1, 2, 0)), START)
    for name in ("imu0", "imu1"):
        made.receive(name, messages.imu(START), START)
    made.advance(START)
    assert {name: state.received for name, state in made.inputs.items()} == dict.fromkeys(
        made.sensors, 1
    )
    assert dropped(made) == {}
    assert sorted(made.filter.consistency) == ["imu0", "imu1", "odom1"]


def test_a_planar_model_takes_the_same_masks(messages):
    made = with_imu(
        *CANONICAL_STATES,
        model="diff_drive",
        odom0_config=mask(*CANONICAL_STATES),
        initial_estimate_covariance=[1e6] * 15,
    )
    made.receive("odom0", messages.odometry(START, position=(1, 2, 3), linear=(4, 5, 6)), START)
    made.receive("imu0", messages.imu(START, frame="base_link"), START)
    assert dropped(made) == {}
    out = made.odometry(made.advance(START))
    np.testing.assert_allclose(out.position, [1, 2, 0], atol=1e-6)
    np.testing.assert_allclose(out.linear, [4, 0, 0], atol=1e-5)
    covariance = out.pose_covariance
    np.testing.assert_array_equal(np.diagonal(covariance)[[2, 3, 4]], 1e-6)
    assert np.linalg.eigvalsh(covariance).min() > 0.0


def test_what_the_parameters_do_not_know_is_looked_up(messages):
    def lookup(target, source):
        assert (target, source) == ("base_link", "wheel")
        return Transform.from_rpy([0, 0, 0, 0, 0, np.pi])

    made = estimator(lookup)
    made.receive("odom0", messages.odometry(START, linear=(1, 0, 0), child="wheel"), START)
    np.testing.assert_allclose(queued(made)[0].values, [-1, 0], atol=1e-12)


def test_a_lookup_that_finds_nothing_drops_the_message(messages):
    def lookup(target, source):
        raise UnknownFrameError(f"no transform from {source!r} to {target!r}")

    made = estimator(lookup)
    made.receive("odom0", messages.odometry(START, child="wheel"), START)
    assert dropped(made) == {("odom0", "no transform from 'wheel' to 'base_link'"): 1}


def test_frames_are_published_without_a_leading_slash():
    made = estimator(odom_frame="/odom", base_link_frame="/base_link")
    assert (made.world_frame, made.base_frame) == ("odom", "base_link")
    assert estimator(world_frame="map").world_frame == "map"


# Commands, silence, starting over


@pytest.mark.parametrize("stamped", [True, False])
def test_commands_come_with_and_without_a_stamp(messages, stamped):
    made = estimator(model="diff_drive")
    made.receive("odom0", messages.odometry(START, twist_variance=(1e-9,) * 6), START)
    made.advance(START)
    for k in range(2):
        now = START + k * 100 * MS
        made.command(messages.command(0.1 * k, 0.2 * k, now if stamped else None), now)
    belief = made.advance(START + 200 * MS).belief
    np.testing.assert_allclose(belief.state[3:], [0.1, 0.2], atol=1e-12)


def test_a_command_stamped_zero_counts_from_its_arrival(messages):
    made = estimator(model="diff_drive")
    made.command(messages.command(0.1, 0.0, 0), START)
    assert dropped(made) == {}


def test_a_bad_command_is_dropped_and_counted(messages):
    made = estimator(model="diff_drive")
    made.command(messages.command(np.nan, 0.0), START)
    assert dropped(made) == {("cmd_vel", "values not finite"): 1}


def test_an_absurd_command_is_dropped_and_counted(messages):
    made = estimator(model="diff_drive")
    made.command(messages.command(1e300, 0.0), START)
    assert dropped(made) == {("cmd_vel", "absurdly fast"): 1}


def test_silent_inputs_are_named(messages):
    made = with_imu("vyaw", input_timeout=0.5)
    made.receive("odom0", messages.odometry(START), START)
    made.advance(START)
    assert made.silent_inputs(START + 500 * MS) == []
    assert made.silent_inputs(START + 501 * MS) == [
        "imu0 (/imu): no message yet for more than 0.5 s",
        "odom0 (/odom): silent for more than 0.5 s",
    ]


def test_an_input_that_sends_only_garbage_counts_as_silent(messages):
    made = estimator(input_timeout=0.5)
    for k in range(10):
        now = START + k * 100 * MS
        values = (1, 0, 0) if k == 0 else (np.nan, 0, 0)
        made.receive("odom0", messages.odometry(now, linear=values), now)
        made.advance(now)
    assert made.silent_inputs(now) == [
        "odom0 (/odom): nothing usable (values not finite) for more than 0.5 s"
    ]
    made.receive("odom0", messages.odometry(now), now)
    assert made.silent_inputs(now) == []


def test_silence_is_no_matter_without_a_timeout(messages):
    made = estimator()
    made.receive("odom0", messages.odometry(START), START)
    made.advance(START)
    assert made.silent_inputs(START + 10**6 * MS) == []


def test_reset_starts_over(messages):
    made = estimator(input_timeout=0.5)
    made.receive("odom0", messages.odometry(START), START)
    made.advance(START)
    made.reset()
    assert made.advance(START + MS) is None
    assert made.inputs["odom0"].received == 0
    early = START - 40_000 * MS
    made.receive("odom0", messages.odometry(early, linear=(3, 0, 0)), early)
    assert made.odometry(made.advance(early)).linear[0] == 3.0


def test_the_attitude_goes_through_gimbal_lock_unharmed(messages):
    made = with_imu("roll", "pitch", "yaw", static_transforms=[UPRIGHT])
    up = rotation.from_rpy(*np.array([0.7, np.pi / 2, 0.0]))
    made.receive("imu0", messages.imu(START, orientation=up), START)
    out = made.odometry(made.advance(START)).quaternion
    apart = rotation.log(rotation.multiply(out, rotation.conjugate(up)))
    np.testing.assert_allclose(apart, 0.0, atol=1e-7)


def test_an_estimator_without_inputs_is_refused():
    with pytest.raises(UserError, match="no input: set odom0 or imu0"):
        Estimator.from_parameters({"frequency": 10.0})
