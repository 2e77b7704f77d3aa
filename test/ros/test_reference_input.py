"""Plans and goals to follow."""

import math

import numpy as np
import pytest
from fake_node import SECOND, FakeNode, NoTransforms, Shifted
from geometry_msgs.msg import PoseStamped
from std_msgs.msg import Header

from ebm_mpc_ros.control import FollowerSettings, planar_outputs
from ebm_mpc_ros.models import load_model
from ebm_mpc_ros.ros import reference_input
from ebm_mpc_ros.ros.messages import to_path, to_time, yaw_quaternion
from ebm_mpc_ros.ros.reference_input import ReferenceInput

AT_ORIGIN = np.zeros(5)
MODEL = load_model("diff_drive")


@pytest.fixture
def node():
    return FakeNode()


SETTINGS = FollowerSettings(cruise_speed=1.0)
BOTH_WAYS = FollowerSettings(cruise_speed=1.0, reverse_speed=0.5)


def timed(node, poses, start, step):
    """Return a path whose poses are `step` s apart, the first `start` s from now."""
    path = to_path(0, "odom", poses)
    for k, pose in enumerate(path.poses):
        stamp = to_time(node.now + round((start + k * step) * SECOND))
        pose.header = Header(frame_id="odom", stamp=stamp)
    return path


def pose(x, y=0.0, yaw=0.0):
    """Return a goal in odom."""
    goal = PoseStamped()
    goal.header.frame_id = "odom"
    goal.pose.position.x, goal.pose.position.y = x, y
    goal.pose.orientation = yaw_quaternion(yaw)
    return goal


def line(count=11, yaw=0.0, step=0.1):
    return [(step * k, 0.0, yaw) for k in range(count)]


class TestReferences:
    def follow(self, node, transforms=None):
        return ReferenceInput(node, MODEL, SETTINGS, transforms or NoTransforms(), "odom")

    def test_a_plan_is_followed_from_the_robot_on(self, node):
        reference = self.follow(node)
        assert "no plan" in reference.fault()
        node.callbacks["plan"](to_path(0, "odom", [(0.1 * k, 0.0, 0.0) for k in range(50)]))
        assert reference.fault() == ""
        rows = reference.reference(np.array([1.0, 0.2, 0.0, 1.0, 0.0]), 0.1, 10)
        np.testing.assert_allclose(rows[0, :3], [1.0, 0.0, 0.0], atol=0.02)
        assert rows[-1, 0] > 1.7

    def test_a_leading_slash_means_nothing(self, node):
        reference = self.follow(node)
        node.callbacks["plan"](to_path(0, "/odom", [(0.0, 0.0, 0.0), (1.0, 0.0, 0.0)]))
        assert reference.fault() == ""

    def test_an_unknown_frame_is_refused_with_a_reason(self, node):
        reference = self.follow(node)
        node.callbacks["plan"](to_path(0, "map", [(0.0, 0.0, 0.0), (1.0, 0.0, 0.0)]))
        assert "plan refused" in reference.fault()
        assert "map" in node.warned

    @pytest.mark.parametrize(
        "points",
        [
            [(math.nan, 0.0, 0.0)],
            [(0.0, 0.0, 0.0), (math.nan, 0.0, 0.0)],
            [(0.0, 0.0, 0.0), (1e308, 0.0, 0.0)],
        ],
    )
    def test_a_plan_that_is_none_is_refused(self, node, points):
        reference = self.follow(node)
        node.callbacks["plan"](to_path(0, "odom", points))
        assert "plan refused" in reference.fault()
        assert reference.dropped.total() == 1

    def test_an_empty_plan_cancels(self, node):
        reference = self.follow(node)
        node.callbacks["plan"](to_path(0, "odom", [(0.0, 0.0, 0.0), (1.0, 0.0, 0.0)]))
        node.callbacks["plan"](to_path(1, "odom", []))
        assert "cancelled" in reference.fault()

    def test_a_refused_plan_leaves_the_one_before_in_force_and_says_so(self, node):
        reference = self.follow(node)
        node.callbacks["plan"](to_path(0, "odom", [(0.0, 0.0, 0.0), (1.0, 0.0, 0.0)]))
        node.callbacks["plan"](to_path(0, "map", [(0.0, 0.0, 0.0), (1.0, 0.0, 0.0)]))
        assert reference.fault() == ""
        assert "refused" in reference.refusal

    @pytest.mark.parametrize("x", [math.nan, 1e200])
    def test_an_impossible_goal_is_refused(self, node, x):
        reference = self.follow(node)
        goal = PoseStamped()
        goal.header.frame_id = "odom"
        goal.pose.position.x = x
        goal.pose.orientation.w = 1.0
        node.callbacks["goal_pose"](goal)
        assert "goal_pose refused" in reference.fault()

    def test_a_goal_where_the_robot_stands_ends_the_path_before(self, node):
        reference = self.follow(node)
        node.callbacks["plan"](to_path(0, "odom", [(0.0, 0.0, 0.0), (9.0, 0.0, 0.0)]))
        goal = PoseStamped()
        goal.header.frame_id = "odom"
        goal.pose.position.x = 2.0
        goal.pose.orientation.w = 1.0
        node.callbacks["goal_pose"](goal)
        rows = reference.reference(np.array([2.0, 0.0, 0.0, 0.0, 0.0]), 0.1, 20)
        np.testing.assert_allclose(rows[-1, :2], [2.0, 0.0], atol=0.02)
        assert reference.finished

    def test_a_goal_in_another_frame_is_transformed(self, node):
        reference = self.follow(node, Shifted())
        goal = PoseStamped()
        goal.header.frame_id = "map"
        goal.pose.position.x = 3.0
        goal.pose.orientation.w = 1.0
        node.callbacks["goal_pose"](goal)
        rows = reference.reference(np.array([0.0, 1.0, math.pi / 2, 0.5, 0.0]), 0.1, 80)
        np.testing.assert_allclose(rows[-1, :2], [0.0, 4.0], atol=0.05)

    def test_a_plan_sent_again_goes_on_from_where_the_robot_is(self, node):
        reference = ReferenceInput(node, MODEL, BOTH_WAYS, NoTransforms(), "odom")
        poses = [*line(21, yaw=0.01), *line(21, yaw=0.01)[::-1]]
        node.callbacks["plan"](to_path(0, "odom", poses))
        reference.reference(np.array([1.97, 0.0, 0.0, 0.0, 0.0]), 0.1, 20)
        back = np.array([1.9, 0.0, 0.0, -0.2, 0.0])
        assert np.min(reference.reference(back, 0.1, 20)[:, 3]) < -0.3
        node.callbacks["plan"](to_path(1, "odom", poses))
        assert np.min(reference.reference(back, 0.1, 20)[:, 3]) < -0.3

    def test_a_plan_sent_again_at_its_end_is_a_new_one(self, node):
        reference = self.follow(node)
        node.callbacks["plan"](to_path(0, "odom", line()))
        reference.reference(np.array([0.98, 0.0, 0.0, 0.0, 0.0]), 0.1, 5)
        assert reference.finished
        node.callbacks["plan"](to_path(1, "odom", line()))
        assert reference.reference(AT_ORIGIN, 0.1, 20)[-1, 0] > 0.1
        assert not reference.finished

    def test_a_plan_sent_again_after_a_goal_is_a_new_one(self, node):
        reference = self.follow(node)
        node.callbacks["plan"](to_path(0, "odom", line()))
        goal = PoseStamped()
        goal.header.frame_id = "odom"
        goal.pose.position.y = 5.0
        goal.pose.orientation.w = 1.0
        node.callbacks["goal_pose"](goal)
        reference.reference(AT_ORIGIN, 0.1, 20)
        node.callbacks["plan"](to_path(1, "odom", line()))
        rows = reference.reference(AT_ORIGIN, 0.1, 20)
        np.testing.assert_allclose(rows[:, 1], 0.0, atol=1e-9)

    def test_a_pending_goal_is_not_finished_with_the_path_before(self, node):
        reference = self.follow(node)
        node.callbacks["plan"](to_path(0, "odom", line()))
        reference.reference(np.array([0.98, 0.0, 0.0, 0.0, 0.0]), 0.1, 5)
        assert reference.finished
        goal = PoseStamped()
        goal.header.frame_id = "odom"
        goal.pose.position.x = 5.0
        goal.pose.orientation.w = 1.0
        node.callbacks["goal_pose"](goal)
        assert not reference.finished

    def test_a_path_to_a_goal_keeps_the_turning_radius(self, node):
        settings = FollowerSettings(cruise_speed=1.0, turning_radius=2.0)
        reference = ReferenceInput(node, MODEL, settings, NoTransforms(), "odom")
        goal = PoseStamped()
        goal.header.frame_id = "odom"
        goal.pose.position.y = 5.0
        goal.pose.orientation.w = 0.0
        goal.pose.orientation.z = 1.0
        node.callbacks["goal_pose"](goal)
        rows = reference.reference(np.array([0.0, 0.0, 0.0, 1.0, 0.0]), 0.1, 20)
        assert rows[10, 4] / rows[10, 3] == pytest.approx(0.5, rel=0.05)


class TestTheSamePlanAgain:
    def follow(self, node, transforms=None):
        return ReferenceInput(node, MODEL, SETTINGS, transforms or NoTransforms(), "odom")

    def arrive(self, reference):
        reference.reference(np.array([1.0, 0.0, 0.0, 0.0, 0.0]), 0.1, 5)
        assert reference.finished

    @pytest.mark.parametrize("stamp", [0, SECOND])
    def test_after_arrival_it_does_not_start_anew(self, node, stamp):
        reference = self.follow(node)
        node.callbacks["plan"](to_path(stamp, "odom", line()))
        self.arrive(reference)
        node.callbacks["plan"](to_path(stamp, "odom", line()))
        reference.reference(AT_ORIGIN, 0.1, 5)
        assert reference.finished

    @pytest.mark.parametrize("stamp", [0, SECOND])
    def test_after_a_goal_it_is_a_new_one(self, node, stamp):
        reference = self.follow(node)
        node.callbacks["plan"](to_path(stamp, "odom", line()))
        node.callbacks["goal_pose"](pose(0.0, 5.0))
        reference.reference(AT_ORIGIN, 0.1, 5)
        node.callbacks["plan"](to_path(stamp, "odom", line()))
        np.testing.assert_allclose(reference.reference(AT_ORIGIN, 0.1, 20)[:, 1], 0.0, atol=1e-9)

    @pytest.mark.parametrize("stamp", [0, SECOND])
    def test_after_a_refusal_it_is_tried_again(self, node, stamp):
        class Late(Shifted):
            known = False

            def lookup(self, target, source):
                return (Shifted if self.known else NoTransforms)().lookup(target, source)

        transforms = Late()
        reference = self.follow(node, transforms)
        node.callbacks["plan"](to_path(stamp, "map", line()))
        assert "refused" in reference.fault()
        transforms.known = True
        node.callbacks["plan"](to_path(stamp, "map", line()))
        assert reference.fault() == reference.refusal == ""

    @pytest.mark.parametrize("stamp", [0, SECOND])
    def test_what_two_subscriptions_hear_counts_once(self, node, stamp):
        reference = self.follow(node)
        latched, volatile = node.listeners["plan"]
        first, second = to_path(stamp, "odom", line()), to_path(stamp, "map", line())
        latched(first)
        node.callbacks["goal_pose"](pose(0.0, 5.0))
        volatile(first)
        assert abs(reference.reference(AT_ORIGIN, 0.1, 80)[-1, 1]) > 1.0
        volatile(second)
        latched(second)
        assert reference.dropped.total() == 1

    def test_it_is_not_read_again_while_it_is_followed(self, node, monkeypatch):
        reference = self.follow(node)
        node.callbacks["plan"](to_path(SECOND, "odom", line()))
        monkeypatch.setattr(reference_input, "from_path", None)
        node.callbacks["plan"](to_path(SECOND, "odom", line()))
        assert reference.fault() == reference.refusal == ""

    def test_one_of_the_same_length_and_ends_is_another(self, node):
        reference = self.follow(node)
        bent = line()
        bent[3] = (0.3, 1.0, 0.0)
        node.callbacks["plan"](to_path(0, "odom", line()))
        reference.reference(AT_ORIGIN, 0.1, 20)
        node.callbacks["plan"](to_path(0, "odom", bent))
        assert np.max(reference.reference(AT_ORIGIN, 0.1, 40)[:, 1]) > 0.1

    def test_plan_is_heard_while_the_node_is_not_active_and_a_goal_is_not(self, node):
        self.follow(node)
        assert node.always == {"plan"}


class TestOnePose:
    @pytest.mark.parametrize("count", [1, 2])
    def test_a_plan_of_one_pose_is_a_goal(self, node, count):
        reference = ReferenceInput(node, MODEL, SETTINGS, NoTransforms(), "odom")
        node.callbacks["plan"](to_path(0, "odom", [(3.0, 0.0, 0.0)] * count))
        rows = reference.reference(AT_ORIGIN, 0.1, 80)
        np.testing.assert_allclose(rows[-1, :3], [3.0, 0.0, 0.0], atol=0.02)

    def test_sent_again_it_goes_on(self, node):
        reference = ReferenceInput(node, MODEL, SETTINGS, NoTransforms(), "odom")
        node.callbacks["plan"](to_path(0, "odom", [(3.0, 0.0, 0.0)]))
        reference.reference(AT_ORIGIN, 0.1, 5)
        node.callbacks["plan"](to_path(0, "odom", [(3.0, 0.0, 0.0)]))
        rows = reference.reference(np.array([1.0, 0.3, 0.0, 0.5, 0.0]), 0.1, 5)
        assert rows[0, 1] == pytest.approx(0.0, abs=1e-9)

    def test_it_takes_the_place_of_the_plan_before(self, node):
        reference = ReferenceInput(node, MODEL, SETTINGS, NoTransforms(), "odom")
        node.callbacks["plan"](to_path(0, "odom", line()))
        node.callbacks["plan"](to_path(0, "odom", [(0.0, 4.0, 0.0)]))
        assert reference.reference(AT_ORIGIN, 0.1, 90)[-1, 1] == pytest.approx(4.0, abs=0.05)


class TestTheEnd:
    def follow(self, node, robot):
        reference = ReferenceInput(node, MODEL, SETTINGS, NoTransforms(), "odom")
        node.callbacks["plan"](to_path(0, "odom", line(21)))
        reference.reference(np.array(robot), 0.1, 5)
        return reference

    @pytest.mark.parametrize(
        ("robot", "off"),
        [
            ([2.5, 3.0, 0.0, 0.0, 0.0], "3.04 m"),
            ([12.0, 0.0, 0.0, 0.0, 0.0], "10.00 m"),
            ([2.0, -8.0, 1.0, 0.0, 0.0], "8.00 m"),
        ],
    )
    def test_a_robot_that_stands_off_it_has_not_arrived_and_that_is_said(self, node, robot, off):
        reference = self.follow(node, robot)
        for _ in range(25):
            assert not reference.ended
            node.pass_time(0.08)
            reference.reference(np.array(robot), 0.1, 5)
        assert reference.ended == f"passed the end: {off} off, and no nearer for 2 s"
        assert not reference.finished

    def test_it_drives_on_for_as_long_as_it_moves(self, node):
        reference = self.follow(node, [3.0, 0.0, 0.0, 0.0, 0.0])
        for k in range(90):
            node.pass_time(0.1)
            reference.reference(np.array([3.0 - 0.01 * k, 0.0, 0.0, -0.1, 0.0]), 0.1, 5)
            assert not reference.ended
        reference.reference(np.array([2.08, 0.0, 0.0, 0.0, 0.0]), 0.1, 5)
        assert reference.ended == "arrived"

    def test_time_in_which_nobody_asks_does_not_count(self, node):
        reference = self.follow(node, [3.0, 0.0, 0.0, 0.0, 0.0])
        node.pass_time(60.0)
        reference.reference(np.array([3.0, 0.0, 0.0, 0.0, 0.0]), 0.1, 5)
        assert not reference.ended

    def test_once_arrived_it_stays_so(self, node):
        reference = self.follow(node, [2.0, 0.02, 0.0, 0.0, 0.0])
        assert reference.ended == "arrived"
        reference.reference(np.array([1.0, 0.5, 0.0, 0.0, 0.0]), 0.1, 5)
        assert reference.ended == "arrived"

    def test_a_plan_with_times_ends_where_it_ends_too(self, node):
        reference = ReferenceInput(node, MODEL, SETTINGS, NoTransforms(), "odom")
        node.callbacks["plan"](timed(node, line(21), 0.0, 0.1))
        robot = np.array([1.0, 0.0, 0.0, 0.0, 0.0])
        for _ in range(40):
            assert not reference.ended
            node.pass_time(0.1)
            reference.reference(robot, 0.1, 5)
        assert reference.ended.startswith("passed the end: 1.00 m off")


class TestSettings:
    def test_new_ones_go_on_from_where_the_robot_is(self, node):
        reference = ReferenceInput(node, MODEL, SETTINGS, NoTransforms(), "odom")
        node.callbacks["plan"](to_path(0, "odom", line(100)))
        state = np.array([3.0, 0.0, 0.0, 0.5, 0.0])
        reference.reference(state, 0.1, 5)
        reference.change(FollowerSettings(cruise_speed=0.5))()
        rows = reference.reference(state, 0.1, 20)
        assert rows[0, 0] == pytest.approx(3.0)
        np.testing.assert_allclose(rows[:, 3], 0.5)

    def test_new_ones_count_for_the_next_plan_too(self, node):
        reference = ReferenceInput(node, MODEL, SETTINGS, NoTransforms(), "odom")
        reference.change(FollowerSettings(cruise_speed=0.5))()
        node.callbacks["plan"](to_path(0, "odom", line(100)))
        rows = reference.reference(AT_ORIGIN, 0.1, 40)
        assert np.max(rows[:, 3]) == pytest.approx(0.5)

    def test_those_that_forbid_what_has_been_driven_are_taken(self, node):
        reference = ReferenceInput(node, MODEL, BOTH_WAYS, NoTransforms(), "odom")
        node.callbacks["plan"](to_path(0, "odom", [(-x, y, 0.01) for x, y, _ in line()]))
        reference.reference(np.array([-1.0, 0.0, 0.0, 0.0, 0.0]), 0.1, 5)
        reference.change(SETTINGS)()
        assert reference.finished
        node.callbacks["plan"](to_path(1, "odom", [(-x, y, 0.01) for x, y, _ in line()]))
        assert "backwards" in reference.refusal

    def test_those_that_are_only_prepared_change_nothing(self, node):
        reference = ReferenceInput(node, MODEL, SETTINGS, NoTransforms(), "odom")
        node.callbacks["plan"](to_path(0, "odom", line(100)))
        reference.change(FollowerSettings(cruise_speed=0.5))
        assert np.max(reference.reference(AT_ORIGIN, 0.1, 40)[:, 3]) == pytest.approx(1.0)

    def test_those_that_forbid_what_is_being_driven_change_nothing(self, node):
        reference = ReferenceInput(node, MODEL, BOTH_WAYS, NoTransforms(), "odom")
        node.callbacks["plan"](to_path(0, "odom", [(-x, y, 0.01) for x, y, _ in line()]))
        with pytest.raises(ValueError, match="backwards"):
            reference.change(SETTINGS)
        assert np.min(reference.reference(AT_ORIGIN, 0.1, 20)[:, 3]) < -0.2


class TestReversing:
    def plan(self, yaw):
        return to_path(0, "odom", [(-x, y, yaw) for x, y, _ in line(21)])

    def test_a_plan_is_driven_backwards_where_its_orientations_say_so(self, node):
        reference = ReferenceInput(node, MODEL, BOTH_WAYS, NoTransforms(), "odom")
        node.callbacks["plan"](self.plan(0.01))
        rows = reference.reference(AT_ORIGIN, 0.1, 40)
        assert np.min(rows[:, 3]) == pytest.approx(-0.5)
        np.testing.assert_allclose(rows[:, 2], 0.0, atol=1e-9)

    def test_it_is_refused_in_words_where_the_robot_must_not(self, node):
        reference = ReferenceInput(node, MODEL, SETTINGS, NoTransforms(), "odom")
        node.callbacks["plan"](self.plan(0.01))
        assert "plan refused" in reference.fault()
        assert "backwards" in reference.fault()

    def test_orientations_that_nobody_set_tell_nothing(self, node):
        reference = ReferenceInput(node, MODEL, BOTH_WAYS, NoTransforms(), "odom")
        node.callbacks["plan"](self.plan(0.0))
        rows = reference.reference(np.array([0.0, 0.0, math.pi, 0.0, 0.0]), 0.1, 40)
        assert np.max(rows[:, 3]) > 0.9

    def test_quaternions_of_no_length_tell_nothing(self, node):
        reference = ReferenceInput(node, MODEL, BOTH_WAYS, NoTransforms(), "odom")
        message = self.plan(0.01)
        for pose in message.poses[::2]:
            pose.pose.orientation.z = pose.pose.orientation.w = 0.0
        node.callbacks["plan"](message)
        rows = reference.reference(np.array([0.0, 0.0, math.pi, 0.0, 0.0]), 0.1, 40)
        assert np.max(rows[:, 3]) > 0.9

    def test_orientations_turn_with_the_frame(self, node):
        reference = ReferenceInput(node, MODEL, BOTH_WAYS, Shifted(), "odom")
        message = self.plan(0.01)
        message.header.frame_id = "map"
        node.callbacks["plan"](message)
        rows = reference.reference(np.array([0.0, 1.0, math.pi / 2, 0.0, 0.0]), 0.1, 40)
        assert np.min(rows[:, 3]) == pytest.approx(-0.5)
        np.testing.assert_allclose(rows[:, 2], math.pi / 2, atol=1e-9)

    def test_a_turn_on_the_spot_is_refused_for_a_car(self, node):
        there = line(21)
        back = [(x, y, math.pi) for x, y, _ in there[::-1]]
        car = load_model("ackermann")
        reference = ReferenceInput(node, car, BOTH_WAYS, NoTransforms(), "odom")
        node.callbacks["plan"](to_path(0, "odom", there + back))
        assert "on the spot" in reference.fault()


class TestStamps:
    def follow(self, node, model=MODEL):
        return ReferenceInput(node, model, BOTH_WAYS, NoTransforms(), "odom")

    def test_a_plan_with_times_is_followed_in_time(self, node):
        reference = self.follow(node)
        node.callbacks["plan"](timed(node, line(21), 0.0, 0.4))
        rows = reference.reference(AT_ORIGIN, 0.4, 5)
        np.testing.assert_allclose(rows[:, 0], 0.1 * np.arange(6), atol=1e-6)
        np.testing.assert_allclose(rows[:, 3], 0.25)
        node.pass_time(2.0)
        np.testing.assert_allclose(reference.reference(AT_ORIGIN, 0.4, 5)[0, 0], 0.5, atol=1e-6)

    def test_it_is_followed_where_it_will_be_when_the_input_acts(self, node):
        reference = self.follow(node)
        node.callbacks["plan"](timed(node, line(21), 0.0, 0.4))
        rows = reference.reference(AT_ORIGIN, 0.4, 5, ahead=0.8)
        assert rows[0, 0] == pytest.approx(0.2)

    def test_it_starts_when_its_first_stamp_comes(self, node):
        reference = self.follow(node)
        node.callbacks["plan"](timed(node, line(21), 1.0, 0.4))
        rows = reference.reference(AT_ORIGIN, 0.2, 4)
        np.testing.assert_array_equal(rows[:, 0], 0.0)
        np.testing.assert_array_equal(rows[:, 3], 0.0)
        node.pass_time(1.4)
        assert reference.reference(AT_ORIGIN, 0.2, 4)[0, 0] == pytest.approx(0.1)

    def test_one_that_has_begun_is_joined_where_it_is_now(self, node):
        reference = self.follow(node)
        node.callbacks["plan"](timed(node, line(21), -4.0, 0.4))
        assert reference.reference(AT_ORIGIN, 0.2, 4)[0, 0] == pytest.approx(1.0)

    def test_one_that_is_over_is_refused_in_words(self, node):
        reference = self.follow(node)
        node.callbacks["plan"](timed(node, line(21), -10.0, 0.4))
        assert "plan refused: its last stamp passed 2 s ago" in reference.fault()

    def test_at_its_end_the_robot_stops_at_the_last_pose(self, node):
        reference = self.follow(node)
        node.callbacks["plan"](timed(node, line(21), 0.0, 0.4))
        node.pass_time(8.1)
        rows = reference.reference(np.array([1.97, 0.0, 0.0, 0.1, 0.0]), 0.2, 4)
        np.testing.assert_allclose(rows[:, :4], [[2.0, 0.0, 0.0, 0.0]] * 5)
        assert reference.finished

    def test_the_planners_one_stamp_on_all_poses_tells_no_time(self, node):
        reference = self.follow(node)
        node.callbacks["plan"](timed(node, line(21), -100.0, 0.0))
        assert np.max(reference.reference(AT_ORIGIN, 0.1, 40)[:, 3]) > 0.9
        assert not reference.dropped

    @pytest.mark.parametrize("late", [0.8, 0.4, -1.0])
    def test_stamps_that_do_not_increase_are_left_out_and_that_is_said(self, node, late):
        reference = self.follow(node)
        message = timed(node, line(21), 0.0, 0.4)
        message.poses[3].header.stamp = to_time(node.now + round(late * SECOND))
        node.callbacks["plan"](message)
        assert np.max(reference.reference(AT_ORIGIN, 0.1, 40)[:, 3]) > 0.9
        assert "do not increase" in node.warned
        assert "do not increase" in next(iter(reference.dropped))

    def test_stamps_of_when_each_pose_was_made_are_left_out_and_that_is_said(self, node):
        reference = self.follow(node)
        node.callbacks["plan"](timed(node, line(21), -0.1, 1e-4))
        assert np.max(reference.reference(AT_ORIGIN, 0.1, 40)[:, 3]) > 0.9
        assert "they ask for 1e+03 m/s" in node.warned

    def test_an_omni_robot_goes_sideways_where_a_timed_plan_says_so(self, node):
        reference = self.follow(node, load_model("omni"))
        node.callbacks["plan"](timed(node, line(21, yaw=math.pi / 2), 0.0, 0.4))
        rows = reference.reference(np.zeros(6), 0.4, 5)
        np.testing.assert_allclose(rows[1:, 2:5], [[math.pi / 2, 0.0, -0.25]] * 5, atol=1e-9)

    def test_an_empty_plan_cancels_it(self, node):
        reference = self.follow(node)
        node.callbacks["plan"](timed(node, line(21), 0.0, 0.4))
        node.callbacks["plan"](to_path(1, "odom", []))
        assert "cancelled" in reference.fault()


@pytest.mark.parametrize("name", ["diff_drive", "ackermann", "omni"])
def test_every_model_of_the_plane_follows_a_plan_in_its_own_states(node, name):
    model = load_model(name)
    reference = ReferenceInput(node, model, SETTINGS, NoTransforms(), "odom")
    angle = np.linspace(0, 3, 60)
    arc = np.column_stack([2 * np.sin(angle), 2 - 2 * np.cos(angle), angle])
    node.callbacks["plan"](to_path(0, "odom", arc.tolist()))
    rows = reference.reference(np.zeros(model.state_size), 0.1, 40)
    assert rows.shape == (41, model.state_size)
    planar = planar_outputs(model, rows)
    np.testing.assert_allclose(planar[20, 5], 0.5 * planar[20, 3], rtol=0.05)
