"""ekf_node over DDS: its topics, its services, what it says of itself."""

import math

import estimating
import numpy as np
import pytest
from ekf_bench import FIVE, WHEELS, real
from estimating import MS, SECOND
from geometry_msgs.msg import AccelWithCovarianceStamped, PoseArray, PoseWithCovarianceStamped
from nav_msgs.msg import Odometry
from rclpy.event_handler import SubscriptionEventCallbacks
from rosgraph_msgs.msg import Clock
from std_srvs.srv import Empty, SetBool

from ebm_mpc_ros.ros.messages import to_time


def test_every_kind_of_input_is_heard_and_the_estimate_published(running):
    bench = running(
        **FIVE,
        publish_acceleration=True,
        predict_to_current_time=True,
        base_link_frame_output="footprint",
    )
    bench.listen(AccelWithCovarianceStamped, "accel/filtered")
    names = ["odom0", "pose0", "twist0", "imu0", "navsat0"]
    for name in names:
        bench.send(name)
    bench.stream(5.0, *names, until=lambda: len(bench.heard["accel/filtered"]) > 20)
    assert {bench.node._estimator.states[name].received > 10 for name in names} == {True}
    message, accelerated = bench.estimates[-1], bench.heard["accel/filtered"][-1]
    assert (message.header.frame_id, message.child_frame_id) == ("odom", "footprint")
    assert accelerated.header.frame_id == "footprint"
    stamps = {(m.header.stamp.sec, m.header.stamp.nanosec) for m in bench.estimates}
    assert (accelerated.header.stamp.sec, accelerated.header.stamp.nanosec) in stamps
    assert accelerated.accel.accel.linear.z > 2.0
    assert np.linalg.eigvalsh(message.pose.covariance.reshape(6, 6)).min() > 0.0
    assert "no transform from 'gps' to 'base_link'" in " ".join(bench.log.lines)


def test_bad_stamps_are_in_the_diagnostics_under_robot_localizations_keys(running):
    bench = running(**FIVE)
    names = ["odom0", "pose0", "twist0", "imu0"]
    bench.stream(0.5, *names)
    for name in names:
        bench.send(name, stamp=0)
    keys = {f"{name}_timestamp" for name in names}
    bench.wait_for(lambda: keys <= set(bench.figures()), "the keys of empty stamps")
    bench.heard["/diagnostics"].clear()
    bench.stream(0.3, *names)
    for name in names:
        bench.send(name, stamp=bench.now - SECOND)
    keys = {
        *("odom0_twist_timestamp", "pose0_timestamp", "twist0_timestamp"),
        *("imu0_pose_timestamp", "imu0_twist_timestamp", "imu0_acceleration_timestamp"),
    }
    bench.wait_for(lambda: keys <= set(bench.figures()), "the keys of stamps before the last")
    assert "odom0_pose_timestamp" not in bench.figures()
    bench.heard["/diagnostics"].clear()
    set_at = bench.now
    publisher = bench.publisher(PoseWithCovarianceStamped, "set_pose")
    publisher.publish(real(PoseWithCovarianceStamped, estimating.pose(set_at, frame="base_link")))
    bench.wait_for(lambda: "going on from set_pose" in bench.log.lines, "the pose to be set")
    for name in names:
        bench.send(name, stamp=set_at - SECOND)
    keys = {f"{name}_timestamp" for name in names}
    bench.wait_for(lambda: keys <= set(bench.figures()), "the keys of stamps before set_pose")


def test_reset_starts_over(running):
    bench = running(**WHEELS, sensor_timeout=1000.0)
    bench.stream(1.0, "odom0", linear=(5, 0, 0))
    assert bench.estimates[-1].pose.pose.position.x > 2.0
    bench.call(Empty, "reset")
    bench.estimates.clear()
    bench.spin(0.3)
    assert bench.estimates == []
    bench.stream(0.3, "odom0", linear=(0, 0, 0))
    assert bench.estimates[-1].pose.pose.position.x == pytest.approx(0.0, abs=1e-6)
    assert "starting over: the service reset was called" in bench.log.lines


def test_nothing_is_estimated_before_it_is_enabled(running):
    bench = running(**WHEELS, disabled_at_startup=True)
    bench.stream(0.3, "odom0")
    assert bench.estimates == []
    bench.wait_for(lambda: "call the service enable" in bench.condition, "the reason")
    bench.call(Empty, "enable")
    bench.stream(5.0, "odom0", until=lambda: bench.estimates)
    assert bench.estimates


def test_toggle_holds_the_estimate_and_lets_it_go(running):
    bench = running(**WHEELS)
    bench.stream(0.5, "odom0", linear=(1, 0, 0))
    answer = bench.call(SetBool, "toggle", data=False)
    assert (answer.success, answer.message) == (True, "processing is now off")
    assert not bench.call(SetBool, "toggle", data=False).success
    bench.spin(0.1)
    bench.estimates.clear()
    bench.stream(0.4, "odom0", linear=(1, 0, 0))
    held = [m.pose.pose.position.x for m in bench.estimates]
    assert len(held) > 3
    assert len(set(held)) == 1
    bench.wait_for(lambda: "toggle has switched processing off" in bench.condition, "the reason")
    assert bench.call(SetBool, "toggle", data=True).success
    bench.stream(0.4, "odom0", linear=(1, 0, 0))
    assert bench.estimates[-1].pose.pose.position.x > held[-1]


def test_a_pose_is_set_by_topic_and_a_bad_one_refused_with_its_reason(running):
    bench = running(**WHEELS)
    bench.stream(0.2, "odom0")
    publisher = bench.publisher(PoseWithCovarianceStamped, "set_pose")
    publisher.publish(
        real(PoseWithCovarianceStamped, estimating.pose(bench.now, position=(7, 8, 9)))
    )
    bench.wait_for(
        lambda: bench.estimates and bench.estimates[-1].pose.pose.position.x == 7.0, "the pose"
    )
    bad = estimating.pose(bench.now, orientation=(0, 0, 0, 0))
    publisher.publish(real(PoseWithCovarianceStamped, bad))
    refused = "set_pose refused: quaternion not of unit length"
    bench.wait_for(lambda: refused in bench.log.lines, "the refusal")


def test_what_is_dropped_is_counted_in_the_diagnostics_and_told_once_in_the_log(running):
    bench = running(**WHEELS)
    bench.stream(0.5, "odom0", linear=(math.nan, 0, 0))
    reason = "odom0 (odom): message dropped: values not finite"
    bench.wait_for(lambda: bench.figures().get("odom0 dropped: values not finite"), "the count")
    assert bench.log.lines.count(reason) == 1
    assert bench.condition == "no estimate: odom0 (odom): values not finite"


def test_a_silent_input_is_named_with_whether_anybody_publishes_it(running):
    bench = running(**WHEELS)
    bench.wait_for(lambda: "odom0 (odom): nobody publishes it" in bench.condition, "the reason")
    bench.publisher(Odometry, "odom")
    bench.wait_for(lambda: "odom0 (odom): no message yet" in bench.condition, "the reason")


def test_a_clock_that_jumps_back_starts_over_and_is_told(running):
    bench = running(**WHEELS, use_sim_time=True)
    clock = bench.publisher(Clock, "/clock")

    def run(start, ticks):
        for k in range(ticks):
            now = start + k * 20 * MS
            clock.publish(Clock(clock=to_time(now)))
            bench.send("odom0", stamp=now, linear=(1, 0, 0))
            bench.spin(0.01)

    run(100 * SECOND, 40)
    bench.wait_for(lambda: bench.estimates, "an estimate")
    bench.estimates.clear()
    run(10 * SECOND, 40)
    bench.wait_for(lambda: bench.estimates, "an estimate after the jump")
    assert all(message.header.stamp.sec == 10 for message in bench.estimates)
    assert bench.log.lines.count("the clock jumped back: starting over") == 1
    bench.wait_for(lambda: "started over: the clock jumped back" in bench.condition, "the reason")


def test_particles_are_published_beside_their_summary(running):
    bench = running(**WHEELS, model="diff_drive", estimator="energy", samples_shown=20)
    bench.listen(PoseArray, "odometry/samples")
    samples = bench.heard["odometry/samples"]
    bench.stream(10.0, "odom0", until=lambda: len(samples) > 3)
    stamps = {(m.header.stamp.sec, m.header.stamp.nanosec) for m in bench.estimates}
    assert (samples[-1].header.stamp.sec, samples[-1].header.stamp.nanosec) in stamps
    assert samples[-1].header.frame_id == "odom"
    assert len(samples[-1].poses) == 20
    assert len({p.position.x for p in samples[-1].poses}) > 10
    assert {abs(p.orientation.w) > 0.1 for p in samples[-1].poses} == {True}


@pytest.mark.parametrize("way", ["deactivate", "reset"])
def test_a_new_start_is_told_to_who_listens(running, way):
    bench = running(**WHEELS)
    told = []
    bench.outside.create_subscription(
        Odometry,
        "odometry/filtered",
        lambda _: None,
        10,
        event_callbacks=SubscriptionEventCallbacks(matched=told.append),
    )
    bench.wait_for(lambda: told, "a publisher")
    if way == "deactivate":
        bench.node.trigger_deactivate()
        bench.node.trigger_activate()
    else:
        bench.call(Empty, "reset")
    bench.wait_for(lambda: told[-1].total_count == 2, "a publisher made anew")
    bench.wait_for(lambda: told[-1].current_count == 1, "one of them")
    bench.heard["odometry/filtered"].clear()
    bench.stream(5.0, "odom0", until=lambda: bench.estimates)
    assert bench.estimates
