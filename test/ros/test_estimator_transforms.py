"""Frames that are looked up: at the message's stamp, with patience, and what is broadcast."""

import numpy as np
import pytest
from estimating import (
    MS,
    SECOND,
    START,
    alone,
    dropped,
    estimator,
    feed,
    fix,
    mask,
    odometry,
    pose,
    queued,
)

from ebm_mpc_ros.estimation.frames import Transform, UnknownFrameError
from ebm_mpc_ros.models import rotation
from ebm_mpc_ros.ros.estimate_output import world_transform
from ebm_mpc_ros.ros.estimator import Estimator

TURNED = Transform.from_rpy([0, 0, 0, 0, 0, np.pi])
UNKNOWN = "no transform from 'wheel' to 'base_link'"


class Script:
    """A tf2 whose frame `source` appears at a time and then moves 1 m/s along x.

    It knows the pose at a stamp once that has come, and the latest from the beginning on.
    """

    def __init__(self, since=0, pose=None):
        self.since, self.pose, self.now = since, pose, START
        self.asked = []

    def __call__(self, target, source, stamp):
        self.asked.append((target, source, stamp))
        if self.now < self.since or stamp > self.now:
            raise UnknownFrameError(f"no transform from {source!r} to {target!r}")
        if self.pose is not None:
            return self.pose
        at = stamp or self.now
        return Transform.from_rpy([(at - START) * 1e-9, 0, 0, 0, 0, 0])


def of(names, lookup, name="pose0", **parameters):
    given = {name: f"/{name}", f"{name}_config": mask(*names)} | parameters
    return Estimator.from_parameters(given, lookup=lookup)[0]


def test_what_the_parameters_do_not_know_is_looked_up():
    lookup = Script(pose=TURNED)
    made = estimator(lookup=lookup)
    made.receive("odom0", odometry(START, linear=(1, 0, 0), child="/wheel"), START)
    np.testing.assert_allclose(queued(made)[0].values, [-1, 0], atol=1e-12)
    assert lookup.asked == [("base_link", "wheel", START)]


def test_what_the_parameters_know_is_not():
    lookup = Script(pose=TURNED)
    made = estimator(lookup=lookup, static_transforms=["base_link wheel 0 0 0 0 0 0"])
    made.receive("odom0", odometry(START, linear=(1, 0, 0), child="wheel"), START)
    np.testing.assert_allclose(queued(made)[0].values, [1, 0], atol=1e-12)
    assert lookup.asked == []


def test_a_moving_frame_counts_as_it_was_at_the_stamp():
    lookup = Script()
    made = of(["x"], lookup)
    lookup.now = START + 2 * SECOND
    made.receive("pose0", pose(START + SECOND, frame="map"), START + SECOND)
    np.testing.assert_allclose(queued(made)[0].values, [1.0])


def test_without_patience_the_latest_pose_of_a_frame_serves():
    lookup = Script()
    made = of(["x"], lookup)
    lookup.now = START + SECOND
    made.receive("pose0", pose(START + 1100 * MS, frame="map"), START + SECOND)
    np.testing.assert_allclose(queued(made)[0].values, [1.0])


def test_a_lookup_that_finds_nothing_drops_the_message():
    made = estimator(lookup=Script(since=START + SECOND))
    made.receive("odom0", odometry(START, child="wheel"), START)
    assert dropped(made) == {("odom0", UNKNOWN): 1}


def test_a_message_waits_for_its_transform_and_is_used_when_it_comes():
    lookup = Script(since=START + 150 * MS, pose=TURNED)
    made = estimator(lookup=lookup, transform_timeout=0.3)
    made.receive("odom0", odometry(START, linear=(1, 0, 0), child="wheel"), START)
    assert queued(made) == []
    for lookup.now in range(START, START + 150 * MS, 50 * MS):
        assert made.to_publish(lookup.now) is None
    assert made.states["odom0"].last_problem == UNKNOWN
    lookup.now = START + 150 * MS
    out = made.to_publish(lookup.now)
    assert out.linear[0] == pytest.approx(-1.0)
    assert dropped(made) == {}
    assert made.states["odom0"].last_problem == ""


def test_a_message_is_dropped_when_its_transform_has_not_come_in_time():
    made = estimator(lookup=Script(since=START + SECOND), transform_timeout=0.1)
    made.receive("odom0", odometry(START, child="wheel"), START)
    made.advance(START + 99 * MS)
    assert dropped(made) == {}
    made.advance(START + 100 * MS)
    assert dropped(made) == {("odom0", UNKNOWN): 1}


def test_with_patience_the_pose_at_the_stamp_is_waited_for_and_in_the_end_the_latest_serves():
    lookup = Script()
    made = of(["x"], lookup, transform_timeout=0.2)
    lookup.now = START + SECOND
    made.receive("pose0", pose(START + 1100 * MS, frame="map"), START + SECOND)
    assert made.advance(START + SECOND) is None
    lookup.now = START + 1100 * MS
    out = made.to_publish(lookup.now)
    np.testing.assert_allclose(out.position, [1.1, 0, 0])
    late = START + 1300 * MS
    made.receive("pose0", pose(late, frame="map", variance=(1e-9,) * 6), START + 1150 * MS)
    out = made.to_publish(START + 1350 * MS)
    assert out.position[0] == pytest.approx(1.1, abs=0.01)


def test_messages_that_wait_keep_their_order():
    lookup = Script(since=START + 100 * MS, pose=TURNED)
    made = estimator(lookup=lookup, transform_timeout=1.0)
    made.receive("odom0", odometry(START, child="wheel"), START)
    lookup.now = START + 100 * MS
    made.receive("odom0", odometry(START + 100 * MS, child="wheel"), lookup.now)
    made.advance(lookup.now)
    assert dropped(made) == {}
    assert made.filter.estimate.stamp == START + 100 * MS


def test_a_message_that_waits_leaves_no_trace_until_it_is_used():
    lookup = Script(pose=Transform.from_rpy([0] * 6))
    made = of(["x", "vy"], lookup, "odom0", odom0_differential=True, transform_timeout=1.0)
    made.receive("odom0", odometry(START), START)
    lookup.since = START + 1100 * MS
    lookup.now = START + SECOND
    made.receive("odom0", odometry(lookup.now, position=(2, 0, 0), child="wheel"), lookup.now)
    made.advance(lookup.now)
    lookup.now = START + 1100 * MS
    made.advance(lookup.now)
    assert dropped(made) == {}
    assert made.filter.consistency["odom0"].count == 2


def test_no_more_than_a_hundred_messages_of_an_input_wait():
    made = estimator(lookup=Script(since=START + SECOND), transform_timeout=10.0, past_limit=60.0)
    for k in range(130):
        made.receive("odom0", odometry(START + k * MS, child="wheel"), START + k * MS)
    assert dropped(made) == {("odom0", UNKNOWN): 30}


def test_what_waits_is_forgotten_at_a_reset():
    lookup = Script(since=START + 50 * MS, pose=TURNED)
    made = estimator(lookup=lookup, transform_timeout=1.0)
    made.receive("odom0", odometry(START, child="wheel"), START)
    made.reset()
    lookup.now = START + 100 * MS
    assert made.to_publish(lookup.now) is None


def test_a_fix_waits_for_the_transform_of_its_antenna():
    antenna = Transform.from_rpy([1, 2, 0, 0, 0, 0])
    lookup = Script(since=START + 100 * MS, pose=antenna)
    made = of(["x", "y"], lookup, "navsat0", transform_timeout=0.5)
    made.receive("navsat0", fix(START, (48.0, 11.0, 500.0)), START)
    assert made.to_publish(START) is None
    lookup.now = START + 100 * MS
    np.testing.assert_allclose(made.to_publish(lookup.now).position[:2], [-1, -2])
    assert made.warnings == []


def test_an_antenna_whose_transform_comes_late_is_no_longer_warned_about():
    antenna = Transform.from_rpy([1, 2, 0, 0, 0, 0])
    lookup = Script(since=START + 100 * MS, pose=antenna)
    made = of(["x", "y"], lookup, "navsat0")
    made.receive("navsat0", fix(START, (48.0, 11.0, 500.0)), START)
    assert len(made.warnings) == 1
    lookup.now = START + 100 * MS
    made.receive("navsat0", fix(lookup.now, (48.0, 11.0, 500.0)), lookup.now)
    assert made.warnings == []


# What is broadcast


def broadcast(made, lookup=None):
    return world_transform(made.values, made.odometry(made.filter.estimate), lookup)


def placed(**parameters):
    made = alone("pose0", ["x", "y", "yaw"], **parameters)
    frame = made.world_frame
    facing = rotation.from_rpy(*np.array([0, 0, 0.5]))
    feed(made, "pose0", [lambda s: pose(s, position=(3, 4, 0), orientation=facing, frame=frame)])
    return made


def test_the_robots_pose_is_broadcast_from_odom():
    found = broadcast(placed())
    assert (found.parent, found.child, found.stamp) == ("odom", "base_link", START)
    np.testing.assert_allclose(found.pose.translation, [3, 4, 0])
    assert rotation.heading(found.pose.quaternion) == pytest.approx(0.5)


def test_its_stamp_is_moved_and_its_child_renamed_as_the_parameters_say():
    found = broadcast(placed(transform_time_offset=0.1, base_link_frame_output="footprint"))
    assert (found.parent, found.child, found.stamp) == ("odom", "footprint", START + 100 * MS)


@pytest.mark.parametrize("slash", ["", "/"])
def test_in_the_map_it_is_the_pose_of_odom_that_is_broadcast(slash):
    made = placed(world_frame="map", map_frame=f"{slash}map", odom_frame=f"{slash}odom")
    odom_in_base = Transform.from_rpy([1, 0, 0, 0, 0, -0.2])
    asked = []

    def lookup(*names):
        asked.append(names)
        return odom_in_base

    found = broadcast(made, lookup)
    assert asked == [("base_link", "odom", 0)]
    assert (found.parent, found.child) == ("map", "odom")
    np.testing.assert_allclose(found.pose.translation, [3 + np.cos(0.5), 4 + np.sin(0.5), 0])
    assert rotation.heading(found.pose.quaternion) == pytest.approx(0.3)


def test_in_the_map_nothing_is_broadcast_where_odom_is_not_known():
    def lookup(target, source, stamp):
        raise UnknownFrameError("no odom")

    with pytest.raises(UnknownFrameError, match="no odom"):
        broadcast(placed(world_frame="map"), lookup)
