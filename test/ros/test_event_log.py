"""What a node logs, replayed, gives the same bytes."""

import json

import numpy as np
import pytest
from estimating import (
    MS,
    SECOND,
    START,
    UPRIGHT,
    command,
    fix,
    imu,
    mask,
    odometry,
    pose,
    twist,
)
from rosbags.typesys import Stores, get_typestore
from typed import for_input, serialized

from ebm_mpc_ros.__main__ import main
from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.estimation.frames import Transform, UnknownFrameError
from ebm_mpc_ros.learning.bags import BagError, BagWriter, open_bag
from ebm_mpc_ros.ros.estimator_parameters import estimator_parameters
from ebm_mpc_ros.ros.event_log import LoggedEstimator, is_event_log, replay_events
from ebm_mpc_ros.ros.parameters import read
from ebm_mpc_ros.tools.replay_output import odometry_message, same_message

TYPES = get_typestore(Stores.ROS2_JAZZY).types
INPUTS = {
    "odom0": "/odom",
    "odom0_config": mask("vx", "vyaw"),
    "pose0": "/pose",
    "pose0_config": mask("x", "y", "yaw"),
    "pose0_relative": True,
    "twist0": "/twist",
    "twist0_config": mask("vy"),
    "imu0": "/imu",
    "imu0_config": mask("roll", "pitch", "vyaw", "ax"),
    "imu0_remove_gravitational_acceleration": True,
    "navsat0": "/fix",
    "static_transforms": [UPRIGHT],
}


class Slam:
    """A tf2 in which map drifts in odom, and is lost at times."""

    def __init__(self):
        self.now, self.poses = START, {}

    def __call__(self, target, source, stamp):
        if source != "map" or stamp > self.now or (self.now // SECOND) % 7 == 3:
            raise UnknownFrameError(f"no transform from {source!r} to {target!r}")
        second = (stamp or self.now) // (200 * MS)
        return self.poses.setdefault(second, Transform.from_rpy([second % 11, 0, 0, 0, 0, 0.1]))


class Live:
    """Drives an estimator as the node does, and logs."""

    def __init__(self, path, lookup=None, **parameters):
        given = INPUTS | parameters
        values, unknown = read(estimator_parameters(given), given)
        assert not unknown
        self.lookup = lookup or Slam()
        self.made = LoggedEstimator(values, self.lookup, path, serialized)
        self.published = []

    def receive(self, name, plain, now):
        self.lookup.now = now
        message = for_input(name, plain)
        if name == "cmd_vel":
            self.made.command(message, now)
        elif name == "set_pose":
            self.made.set_pose(message, now)
        else:
            self.made.receive(name, message, now)

    def tick(self, now):
        self.lookup.now = now
        out = self.made.to_publish(now)
        if out is not None:
            self.made.log.published(now, odometry_message(TYPES, self.made, out))
            self.published.append(out)

    def change(self, **parameters):
        values, _ = read(estimator_parameters(self.made.values), {**self.made.values, **parameters})
        self.made.change(values)()

    def drive(self, rng, start, seconds):
        """Messages of every kind with noise, some bad, some in one nanosecond, and ticks."""
        for k in range(round(seconds * 100)):
            now = start + k * 10 * MS
            turn = (0, 0, np.sin(0.5 * k * 0.01), np.cos(0.5 * k * 0.01))
            numbers = rng.normal(size=3)
            if k % 2 == 0:
                self.receive("odom0", odometry(now, linear=1 + 0.1 * numbers), now)
                self.receive("twist0", twist(now - 5 * MS, linear=0.1 * numbers), now)
            self.receive("imu0", imu(now, angular=0.1 * numbers, orientation=turn), now)
            if k % 5 == 0:
                frame = "map" if k % 10 else "odom"
                message = pose(now, position=(0.01 * k, 0, 0), orientation=turn, frame=frame)
                self.receive("pose0", message, now)
                self.receive("cmd_vel", command(0.5, 0.1 * numbers[0]), now)
            if k % 20 == 0:
                self.receive("navsat0", fix(now, (48 + 1e-6 * k, 11.0, 500.0)), now)
                self.receive("odom0", odometry(now, linear=(np.nan, 0, 0)), now)
            if k % 3 == 0:
                self.tick(now)


def replayed(path):
    """The estimates of a log and how many are not the same bytes."""
    found, differing = [], 0
    with open_bag(path) as bag:
        assert is_event_log(bag)
        for estimator, _, out, published in replay_events(bag):
            differing += not same_message(estimator, out, published)
            if out is not None:
                found.append(out)
    return found, differing


def assert_same(live, path):
    live.made.log.close()
    found, differing = replayed(path)
    assert differing == 0
    assert len(found) == len(live.published) > 50
    for one, other in zip(found, live.published, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"transform_timeout": 0.15},
        {"smooth_lagged_data": True, "history_length": 0.5, "predict_to_current_time": True},
        {"use_control": True, "control_config": [True, False, False, False, False, True]},
        {"imu0_estimate_gyro_bias": True, "imu0_calibrate_at_rest": True, "two_d_mode": True},
        {"model": "diff_drive", "use_control": True, "permit_corrected_publication": True},
    ],
    ids=lambda parameters: "-".join(parameters) or "plain",
)
def test_a_drive_replayed_is_the_same_to_the_bit(tmp_path, parameters):
    live = Live(tmp_path / "log", **parameters)
    live.drive(np.random.default_rng(1), START, 3.0)
    assert_same(live, tmp_path / "log")


def test_so_is_all_that_can_be_asked_of_a_node(tmp_path):
    live = Live(tmp_path / "log", disabled_at_startup=True)
    rng = np.random.default_rng(2)
    live.drive(rng, START, 0.5)
    live.made.enable()
    live.drive(rng, START + SECOND, 1.0)
    live.change(odom0_config=mask("vx", "vy"), odom0_twist_rejection_threshold=2.0)
    live.drive(rng, START + 2 * SECOND, 1.0)
    live.receive("set_pose", pose(START + 3 * SECOND, position=(5, 6, 0)), START + 3 * SECOND)
    live.drive(rng, START + 3 * SECOND, 1.0)
    live.made.toggle(on=False)
    live.drive(rng, START + 4 * SECOND, 0.5)
    live.made.toggle(on=True)
    live.change(process_noise_covariance=[0.1] * 15)
    live.drive(rng, START + 5 * SECOND, 1.0)
    live.made.reset()
    live.drive(rng, START + 6 * SECOND, 1.0)
    live.drive(rng, START + 2 * SECOND, 1.0)
    assert live.made.time_jumps == 1
    assert_same(live, tmp_path / "log")


def test_answers_of_tf_that_change_within_an_event_are_kept_apart(tmp_path):
    class Drifting(Slam):
        def __call__(self, target, source, stamp):
            if self.now < START + 500 * MS or stamp > self.now:
                raise UnknownFrameError("not yet")
            return Transform.from_rpy([(stamp - START) * 1e-9, 0, 0, 0, 0, 0])

    live = Live(tmp_path / "log", Drifting(), transform_timeout=2.0)
    for k in range(200):
        now = START + k * 10 * MS
        live.receive("pose0", pose(now, frame="map", variance=(0.01,) * 6), now)
        live.tick(now)
    live.made.log.close()
    found, differing = replayed(tmp_path / "log")
    assert differing == 0
    assert len(found) == len(live.published) > 50


def test_a_log_is_not_written_over_another(tmp_path):
    (tmp_path / "log").mkdir()
    with pytest.raises(BagError, match="exists already"):
        Live(tmp_path / "log")


def test_parameters_that_are_refused_leave_no_log(tmp_path):
    with pytest.raises(UserError, match="control_config"):
        Live(tmp_path / "log", use_control=True)
    assert not (tmp_path / "log").exists()


def test_a_full_disk_ends_the_log_and_not_the_estimate(tmp_path, monkeypatch):
    live = Live(tmp_path / "log")
    live.drive(np.random.default_rng(1), START, 0.2)
    before = len(live.published)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(BagWriter, "write_raw", full)
    live.drive(np.random.default_rng(1), START + SECOND, 0.5)
    assert len(live.published) > before
    assert live.made.warnings[-1].endswith("log ends here: No space left on device")
    live.made.log.close()


# The tool


@pytest.fixture
def log(tmp_path):
    live = Live(tmp_path / "log")
    live.drive(np.random.default_rng(1), START, 2.0)
    live.made.log.close()
    return tmp_path / "log", live.published


def test_replay_of_a_log_says_that_all_is_the_same(log, tmp_path, capfd):
    path, published = log
    assert main(["replay", str(path), "--out", str(tmp_path / "out")]) == 0
    said = capfd.readouterr()
    count = len(published)
    assert f"{count} estimates, 0 of them not the same bits as the live node's" in said.err
    x, y, z = published[-1].position
    assert said.out == f"final: {x:.4f} {y:.4f} {z:.4f}\n"
    assert (tmp_path / "out" / "estimate.csv").exists()


def changed(path, new, change):
    """Copy a log with a change to its messages."""
    with open_bag(path) as bag, BagWriter(new) as writer:
        for topic, time, kind, raw in bag.raw_messages(list(bag.topics)):
            message = change(topic, time, writer.types.deserialize_cdr(raw, kind))
            if message is not None:
                writer.write(topic, kind, time, message)


def test_a_log_that_another_estimate_was_published_from_is_told_by_the_exit_code(
    log, tmp_path, capfd
):
    path, published = log
    seen = []

    def change(topic, time, message):
        if topic == "/odometry/filtered":
            seen.append(message)
            if len(seen) == 5:
                message.pose.pose.position.x = np.nextafter(message.pose.pose.position.x, 9.0)
        return message

    changed(path, tmp_path / "changed", change)
    assert main(["replay", str(tmp_path / "changed"), "--out", str(tmp_path / "out")]) == 1
    expected = f"{len(published)} estimates, 1 of them not the same bits as the live node's"
    assert expected in capfd.readouterr().err


def test_a_log_without_its_beginning_is_none(log, tmp_path, capfd):
    def change(topic, time, message):
        first = topic == "/events" and json.loads(message.data)["event"] == "parameters"
        return None if first else message

    changed(log[0], tmp_path / "cut", change)
    assert main(["replay", str(tmp_path / "cut"), "--out", str(tmp_path / "out")]) == 2
    assert "the event log does not begin with parameters" in capfd.readouterr().err


def test_a_log_without_ticks_has_no_estimate(tmp_path, capfd):
    live = Live(tmp_path / "log")
    live.made.log.close()
    assert main(["replay", str(tmp_path / "log"), "--out", str(tmp_path / "out")]) == 2
    assert "the event log has no ticks" in capfd.readouterr().err


@pytest.mark.parametrize("more", [["--params", "x.yaml"], ["--static-transform", UPRIGHT]])
def test_a_log_has_its_own_parameters(log, tmp_path, capfd, more):
    assert main(["replay", str(log[0]), "--out", str(tmp_path / "out"), *more]) == 2
    assert "is an event log: it has its parameters in it" in capfd.readouterr().err
