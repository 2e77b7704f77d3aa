"""mpc_node without a graph: its callbacks are called, its commands moved by a base."""

import random

import numpy as np
import pytest
import rclpy
from nav_msgs.msg import Odometry
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.signals import SignalHandlerOptions
from visualization_msgs.msg import Marker, MarkerArray

from ebm_mpc_ros.control import Solution, Status
from ebm_mpc_ros.nodes.mpc import MpcNode
from ebm_mpc_ros.ros.diagnosis import Level
from ebm_mpc_ros.ros.messages import to_path, to_time

DT = 0.05
STRAIGHT = [(0.1 * k, 0.0, 0.0) for k in range(200)]


class ClockedNode(MpcNode):
    """Its clocks are the test's."""

    time = 100_000_000_000

    @property
    def now(self):
        return self.time

    steady_now = now


class Robot:
    """The node and a base that does what it is told, a period for each tick."""

    def __init__(self, **parameters):
        given = {"reference_source": "plan", "enabled": True} | parameters
        arguments = [word for name, value in given.items() for word in ("-p", f"{name}:={value}")]
        rclpy.init(
            args=["--ros-args", *arguments],
            domain_id=random.SystemRandom().choice(range(2, 102)),
            signal_handler_options=SignalHandlerOptions.NO,
        )
        self.node = ClockedNode()
        assert self.node.trigger_configure() == TransitionCallbackReturn.SUCCESS
        self.node.trigger_activate()
        self.model = self.node._model
        self.state = np.zeros(self.model.state_size)
        self.track = [self.state]

    def plan(self, poses=STRAIGHT):
        self.node._path._take_plan(to_path(self.node.now, "odom", poses))

    def obstacles(self, discs, kind=Marker.CYLINDER):
        message = MarkerArray()
        for number, (x, y, radius) in enumerate(discs):
            marker = Marker(type=kind, id=number)
            marker.header.frame_id = "odom"
            marker.pose.position.x, marker.pose.position.y = x, y
            marker.scale.x = 2.0 * radius
            message.markers.append(marker)
        self.node._obstacles._take(message)

    def estimate(self):
        outputs = dict(zip(self.model.output_names, self.model.h(self.state).tolist(), strict=True))
        message = Odometry(child_frame_id="base_link")
        message.header.frame_id = "odom"
        message.header.stamp = to_time(self.node.now)
        pose, twist = message.pose.pose, message.twist.twist
        pose.position.x, pose.position.y = outputs["x"], outputs["y"]
        half = 0.5 * outputs["yaw"]
        pose.orientation.z, pose.orientation.w = float(np.sin(half)), float(np.cos(half))
        twist.linear.x, twist.angular.z = outputs["vx"], outputs["vyaw"]
        twist.linear.y = outputs.get("vy", 0.0)
        self.node._estimate._take(message)

    def run(self, ticks):
        for _ in range(ticks):
            self.estimate()
            self.node._tick()
            self.state = self.state.copy()
            self.state[self.node._actuation.indices] = self.node._driver.command
            still = np.zeros(len(self.model.input_names))
            self.state = np.asarray(self.model.f(self.state, still, DT))
            self.track.append(self.state)
            self.node.time += round(DT * 1e9)
        return self

    def pause(self):
        """Deactivate it at once: its clock stands still while it would slow down."""
        self.node._driver.halt = lambda: None
        self.node.trigger_deactivate()
        self.node._driver.command = (0.0,) * len(self.node._driver.command)

    def set(self, **values):
        made = [rclpy.Parameter(name, value=value) for name, value in values.items()]
        return self.node.set_parameters_atomically(made)

    @property
    def speed(self):
        return self.node._driver.command[0]

    def fail(self, monkeypatch):
        def feedback(state):
            return Solution(
                status=Status.INFEASIBLE,
                inputs=np.full((25, 2), np.nan),
                states=np.full((26, 5), np.nan),
                iterations=30,
                primal_residual=1.0,
                reason="OSQP: reported infeasible",
            )

        monkeypatch.setattr(self.node._controller._iteration, "feedback", feedback)


@pytest.fixture
def robot(monkeypatch):
    """A function that returns a running node with those parameters."""
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF")
    made = []

    def make(**parameters):
        made.append(Robot(**parameters))
        return made[-1]

    yield make
    for each in made:
        monkeypatch.setattr(each.node._driver, "halt", lambda: None)
        each.node.close()
        each.node.destroy_node()
    rclpy.try_shutdown()


@pytest.mark.parametrize(
    "model", ["diff_drive", "ackermann", "omni", "ebm_mpc_ros.models.omni:Omni"]
)
def test_every_model_follows_a_path(robot, model):
    robot = robot(model=model)
    robot.plan([(0.1 * k, 0.5 * np.sin(0.1 * k), 0.0) for k in range(100)])
    robot.run(120)
    assert robot.node.condition().level is Level.OK
    assert robot.state[0] > 4.0
    assert abs(robot.state[1] - 0.5 * np.sin(robot.state[0])) < 0.05


def test_the_steering_of_a_standing_robot_is_what_was_commanded(robot):
    robot = robot(model="ackermann")
    robot.plan()
    robot.run(1)
    robot.state = np.zeros(5)
    robot.node._driver.command = (0.0, 0.3)
    robot.estimate()
    assert robot.node._predicted(robot.node.now)[4] == pytest.approx(0.3)
    robot.state[3:] = 1.0, 0.1
    robot.estimate()
    assert robot.node._predicted(robot.node.now)[4] == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize("model", ["diff_drive", "ackermann", "omni"])
def test_it_passes_an_obstacle_on_its_way(robot, model):
    robot = robot(model=model)
    robot.plan()
    robot.obstacles([(2.5, 0.0, 0.3)])
    robot.run(130)
    away = np.hypot(*(np.array(robot.track)[:, :2] - [2.5, 0.0]).T)
    assert away.min() > 0.3 + 0.2
    assert robot.state[0] > 3.5
    assert robot.node.figures()["obstacles"] == 1


def test_in_front_of_a_wall_it_stands_and_says_why(robot):
    robot = robot()
    robot.plan()
    robot.obstacles([(2.5, y, 0.3) for y in np.arange(-1.5, 1.6, 0.5)])
    robot.run(120)
    assert abs(robot.speed) < 0.1
    assert robot.state[0] < 2.1
    condition = robot.node.condition()
    assert condition.level is Level.WARN
    assert "an obstacle blocks the way" in condition.message[:60]


def test_an_obstacle_that_is_none_is_told(robot):
    robot = robot()
    robot.plan()
    robot.obstacles([(2.5, 0.0, 0.3)], kind=Marker.CUBE)
    robot.run(3)
    assert "an obstacle is ignored: not a cylinder" in robot.node.condition().message


def test_one_bad_marker_is_not_told_for_ever(robot):
    robot = robot()
    robot.plan([(0.2 * k, 0.0, 0.0) for k in range(200)])
    robot.obstacles([(2.5, 0.0, 0.3)], kind=Marker.CUBE)
    robot.run(round(10.5 / DT))
    assert robot.node.condition() == (Level.OK, "driving")


def test_without_half_planes_nobody_listens_to_obstacles(robot):
    robot = robot(half_planes=0)
    robot.plan()
    assert robot.node._obstacles is None
    assert robot.run(20).speed > 0.5


def test_failed_solves_are_told_and_overcome(robot, monkeypatch):
    robot = robot(fallback_ticks=2)
    robot.plan()
    robot.run(40)
    robot.fail(monkeypatch)
    conditions = []
    for _ in range(4):
        robot.run(1)
        conditions.append(robot.node.condition())
    assert [c.level for c in conditions] == [Level.WARN] * 2 + [Level.ERROR] * 2
    assert conditions[0].message.startswith("driving; no solution, driving on along the last plan")
    assert conditions[2].message.startswith("stopping: no solution: OSQP: reported infeasible")
    figures = robot.node.figures()
    assert figures["solver failures"] == figures["after failures: reported infeasible"] == 4
    assert figures["after failures: tail"] == figures["after failures: stop"] == 2
    assert "30 iterations" in figures["last solver failure"]
    monkeypatch.undo()
    robot.run(10)
    assert robot.node.condition().level is Level.OK


def test_parameters_change_while_it_drives(robot):
    robot = robot()
    robot.plan()
    robot.run(60)
    assert robot.speed == pytest.approx(1.0, abs=0.05)
    plan = robot.node._controller._iteration.forecast()
    assert robot.set(
        cruise_speed=0.5, max_speed=0.8, latency=0.1, obstacle_clearance=0.3
    ).successful
    np.testing.assert_array_equal(robot.node._controller._iteration.forecast(), plan)
    before = robot.speed
    robot.run(1)
    assert robot.speed > before - 0.1
    robot.run(80)
    assert robot.speed == pytest.approx(0.5, abs=0.05)
    assert robot.node._controller.ahead > 0.1
    assert robot.node._controller.settings.distance == pytest.approx(0.5)


@pytest.mark.parametrize(
    "values",
    [
        {"state_weights": [10.0, 10.0, 1.0, 1.0, 0.1], "input_weights": [0.5, 0.5]},
        {"slack_weight": 500.0, "slack_weight_l1": 10.0},
        {"input_rate_weights": [0.01, 0.01], "input_rate_limits": [5.0, 10.0]},
        {"max_yaw_acceleration": 1.0, "max_lateral_acceleration": 0.5},
    ],
)
def test_it_drives_on_after_a_change(robot, values):
    robot = robot()
    robot.plan()
    robot.run(40)
    assert robot.set(**values).successful
    robot.run(20)
    assert robot.node.condition().level is Level.OK
    assert robot.speed == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"state_weights": [1.0]}, "state_weights has 1 values: must be one each of x, y, yaw"),
        ({"input_rate_limits": [1.0]}, "input_rate_limits has 1 values"),
        ({"cruise_speed": 2.0}, "cruise_speed = 2: must be at most max_speed"),
        ({"latency": 2.0}, "latency = 2.0: must be a number from 0 to 1"),
        ({"horizon": 30}, "horizon is fixed while the node is configured"),
        ({"dt": 0.02}, "dt is fixed"),
        ({"model": "omni"}, "model is fixed"),
        ({"latency": 0.2, "slack_weight": -1.0}, "slack_weight = -1.0"),
    ],
)
def test_a_bad_value_is_refused_in_words_and_changes_nothing(robot, values, said):
    robot = robot()
    robot.plan()
    robot.run(5)
    controller, settings = robot.node._controller, robot.node._controller.settings
    result = robot.set(**values)
    assert not result.successful
    assert said in result.reason
    assert robot.node._controller is controller
    assert controller.settings is settings


def test_a_change_that_the_present_path_forbids_is_refused(robot):
    robot = robot()
    robot.state[2] = 0.5 * np.pi
    robot.plan([(0.0, -0.1 * k, 0.5 * np.pi) for k in range(100)])
    robot.run(30)
    assert robot.speed < 0.0
    result = robot.set(min_speed=0.0)
    assert not result.successful
    assert robot.run(5).speed < 0.0


def test_it_arrives(robot):
    robot = robot()
    robot.plan([(0.1 * k, 0.0, 0.0) for k in range(20)])
    robot.run(120)
    assert robot.node.condition() == (Level.OK, "arrived")
    assert abs(robot.state[0] - 1.9) < 0.15


def test_late_ticks_are_counted_and_driven_through(robot):
    robot = robot()
    robot.plan()
    robot.run(40)
    for _ in range(10):
        robot.node.time += 100_000_000
        robot.run(2)
    figures = robot.node.figures()
    assert figures["late ticks"] == figures["deadline misses"] == 10
    assert figures["overruns"] == 0
    assert robot.node.condition().level is Level.OK
    assert robot.speed > 0.9


def test_a_stop_of_one_tick_does_not_start_it_anew(robot):
    robot = robot()
    robot.plan()
    robot.run(40)
    plan = robot.node._controller._iteration.forecast()
    robot.node.time += 90_000_000
    robot.node._watch()
    assert "estimate is more than 0.1 s old" in robot.node.condition().message
    np.testing.assert_array_equal(robot.node._controller._iteration.forecast(), plan)
    assert robot.run(1).node.condition().level is Level.OK


def test_what_is_sent_reaches_the_prediction(robot):
    robot = robot(latency=0.2)
    robot.plan()
    robot.run(10)
    robot.estimate()
    predicted = robot.node._predicted(robot.node.now)
    sent = robot.node._controller._delay._sent
    assert len(sent) >= 4
    gained = sum(each.input[0] for each in sent[-4:]) * DT
    assert predicted[3] == pytest.approx(robot.state[3] + gained, abs=0.01)


def test_without_a_path_its_speed_forbids_no_change(robot):
    robot = robot(reference_source="policy", max_speed=0.8)
    assert robot.set(latency=0.1).successful


def test_a_rolling_robot_without_a_plan_is_slowed_down(robot):
    robot = robot()
    robot.state[3] = 2.0
    speeds = [robot.run(1).speed for _ in range(3)]
    assert speeds == pytest.approx([1.95, 1.9, 1.85])


def test_a_rolling_robot_is_driven_on_from_its_speed(robot):
    robot = robot()
    robot.plan()
    robot.state[3] = 2.0
    assert robot.run(1).speed == pytest.approx(1.95)


def test_a_slow_simulation_is_driven_as_a_fast_one(robot, monkeypatch):
    monkeypatch.setattr(ClockedNode, "steady_now", property(lambda node: 10 * node.time))
    robot = robot(use_sim_time=True)
    robot.plan()
    for _ in range(40):
        robot.run(1)
        robot.node._driver._watch()
    assert robot.speed > 0.9
    assert robot.node.figures()["stops"] == 0


def test_a_pause_leaves_the_plan_and_hears_what_is_told_meanwhile(robot):
    robot = robot()
    robot.plan()
    robot.run(20)
    robot.pause()
    robot.obstacles([(5.0, 0.0, 0.3)])
    robot.node.trigger_activate()
    robot.run(20)
    assert robot.speed > 0.5
    assert robot.node.figures()["obstacles"] == 1


def test_a_plan_cancelled_in_a_pause_is_not_driven_after_it(robot):
    robot = robot()
    robot.plan()
    robot.run(20)
    robot.pause()
    robot.plan([])
    robot.node.trigger_activate()
    robot.run(20)
    assert robot.speed == 0.0
    assert "cancelled" in robot.node.condition().message


def test_a_robot_that_cannot_come_to_the_end_is_stopped_and_that_is_said(robot):
    robot = robot(min_speed=0.0)
    robot.plan([(0.1 * k, 0.0, 0.0) for k in range(10)])
    robot.state[:2] = 3.0, 1.0
    robot.run(80)
    assert robot.speed == 0.0
    condition = robot.node.condition()
    assert condition.level is Level.ERROR
    assert condition.message.startswith("stopping: passed the end: 2.")


def test_driving_backwards_may_be_forbidden_once_it_is_done(robot):
    robot = robot()
    robot.state[2] = 0.5 * np.pi
    robot.plan([(0.0, -0.1 * k, 0.5 * np.pi) for k in range(5)])
    robot.run(150)
    assert robot.node.condition() == (Level.OK, "arrived")
    assert robot.set(min_speed=0.0).successful
    robot.run(1)
    assert robot.node.condition() == (Level.OK, "arrived")


@pytest.mark.parametrize("latency", [0.0, 0.2])
def test_a_plan_with_times_is_followed_in_time_whatever_the_latency(robot, latency):
    robot = robot(latency=latency)
    path = to_path(robot.node.now, "odom", [(0.5 * k, 0.0, 0.0) for k in range(20)])
    for k, pose in enumerate(path.poses):
        pose.header = type(pose.header)(stamp=to_time(robot.node.now + k * 10**9))
    robot.node._path._take_plan(path)
    robot.state[3] = 0.5
    robot.run(100)
    wanted = 0.5 * (100 * DT + latency)
    state = robot.node._controller.predict(robot.state, robot.node.now, robot.node.now)
    assert state[0] == pytest.approx(wanted, abs=0.04)
