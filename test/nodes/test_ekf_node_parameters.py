"""ekf_node over DDS: parameters, commands, transforms, the event log."""

import math

import estimating
import pytest
from ekf_bench import FIVE, WHEELS, real
from estimating import mask
from geometry_msgs.msg import PoseWithCovarianceStamped, Twist, TwistStamped
from std_srvs.srv import Empty, SetBool

from ebm_mpc_ros.__main__ import main
from ebm_mpc_ros.estimation.frames import Transform, UnknownFrameError
from ebm_mpc_ros.nodes import ekf


def test_masks_thresholds_and_noise_change_while_it_runs(running):
    bench = running(**WHEELS, imu0="imu", imu0_config=mask())
    bench.stream(0.3, "odom0", linear=(1, 1, 0))
    assert bench.estimates[-1].twist.twist.linear.y == pytest.approx(0.0)
    results = bench.set(
        odom0_config=mask("vx", "vy"),
        imu0_config=mask("vyaw"),
        odom0_twist_rejection_threshold=8.0,
        process_noise_covariance=[0.5] * 15,
    )
    assert all(result.successful for result in results)
    bench.stream(0.5, "odom0", linear=(1, 1, 0))
    bench.stream(0.3, "imu0", angular=(0, 0, 1))
    bench.stream(0.3, "odom0", linear=(1, 1, 0))
    assert bench.estimates[-1].twist.twist.linear.y == pytest.approx(1.0, abs=0.2)
    assert bench.node._estimator.states["imu0"].received > 3
    bench.send("odom0", linear=(90, 0, 0))
    key = "odom0 dropped: beyond the rejection threshold"
    bench.wait_for(lambda: bench.figures().get(key), "the rejection")


def test_a_bad_value_is_refused_with_its_reason_and_the_node_goes_on(running):
    bench = running(**WHEELS)
    for values, reason in (
        ({"odom0_config": [True] * 3}, "parameter odom0_config = 3 values: must be a list of 15"),
        ({"odom0_config": mask()}, "no input: odom0 (odom) is not used"),
        ({"process_noise_covariance": [-1.0] * 15}, "process_noise_covariance must be positive"),
        ({"frequency": 10.0}, "frequency is fixed while the node is configured"),
    ):
        (result,) = bench.set(**values)
        assert not result.successful
        assert reason in result.reason
    bench.stream(5.0, "odom0", until=lambda: bench.estimates)
    assert bench.estimates


@pytest.mark.parametrize("stamped", [False, True])
def test_commands_are_twists_unless_stamped_control(running, stamped):
    control = {"use_control": True, "control_config": [True] * 6, "stamped_control": stamped}
    bench = running(**WHEELS, **control)
    publisher = bench.publisher(TwistStamped if stamped else Twist, "cmd_vel")
    plain = estimating.command(1.0, 0.0, bench.now if stamped else None)
    publisher.publish(real(type(publisher.msg_type()), plain))
    commands = bench.node._estimator.filter._commands
    bench.wait_for(lambda: len(commands), "the command")


def test_the_log_of_a_live_node_replays_to_the_bit(running, tmp_path, capfd):
    log = tmp_path / "events"
    bench = running(**FIVE, event_log=str(log), smooth_lagged_data=True, history_length=1.0)
    names = ["odom0", "pose0", "twist0", "imu0", "navsat0"]
    bench.stream(0.7, *names)
    bench.call(SetBool, "toggle", data=False)
    bench.stream(0.1, *names)
    bench.call(SetBool, "toggle", data=True)
    bench.set(process_noise_covariance=[0.2] * 15)
    publisher = bench.publisher(PoseWithCovarianceStamped, "set_pose")
    publisher.publish(real(PoseWithCovarianceStamped, estimating.pose(bench.now)))
    bench.stream(0.3, *names)
    bench.send("odom0", linear=(math.nan, 0, 0))
    bench.call(Empty, "reset")
    bench.stream(0.3, *names)
    bench.node.close()
    assert main(["replay", str(log), "--out", str(tmp_path / "out")]) == 0
    assert "0 of them not the same bits" in capfd.readouterr().err


class ScriptedTransforms:
    """tf2, played by a script."""

    broadcasts = True

    def __init__(self, node, *, publish):
        self.sent, self.asked, self.cleared = [], [], 0
        self.odom = None

    def lookup(self, target, source, stamp=0):
        self.asked.append((target, source, stamp))
        if source == "odom" and self.odom is not None:
            return self.odom
        raise UnknownFrameError(f"no transform from {source!r} to {target!r}")

    def broadcast(self, message):
        self.sent.append(message)

    def clear(self):
        self.cleared += 1


def test_in_the_map_the_pose_of_odom_is_sent_once_that_is_known(running, monkeypatch):
    monkeypatch.setattr(ekf, "Transforms", ScriptedTransforms)
    bench = running(
        pose0="pose", pose0_config=mask("x", "y", "yaw"), world_frame="map", frequency=50.0
    )
    transforms = bench.node._transforms
    bench.stream(5.0, "pose0", position=(3, 0, 0), frame="map", until=lambda: bench.estimates)
    assert transforms.sent == []
    reason = "map -> odom not sent: no transform from 'odom' to 'base_link'"
    assert bench.log.lines.count(reason) == 1
    transforms.odom = Transform.from_rpy([1, 0, 0, 0, 0, 0])
    bench.stream(5.0, "pose0", position=(3, 0, 0), frame="map", until=lambda: transforms.sent)
    message = transforms.sent[-1]
    assert (message.header.frame_id, message.child_frame_id) == ("map", "odom")
    assert message.transform.translation.x == pytest.approx(4.0, abs=0.05)
    bench.call(Empty, "reset")
    assert transforms.cleared == 1


def test_a_frame_is_looked_up_at_the_messages_stamp(running, monkeypatch):
    monkeypatch.setattr(ekf, "Transforms", ScriptedTransforms)
    bench = running(twist0="twist", twist0_config=mask("vx"), publish_tf=False)
    transforms = bench.node._transforms
    stamp = bench.now
    bench.send("twist0", stamp=stamp, frame="wheel")
    bench.wait_for(lambda: transforms.asked, "a lookup")
    assert transforms.asked == [("base_link", "wheel", stamp), ("base_link", "wheel", 0)]
