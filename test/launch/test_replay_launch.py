"""replay.launch.py: a bag goes through the live estimator, and the launch ends with it."""

import os
import shutil
from pathlib import Path

import launch_pytest
import pytest
from conftest import Listener, described
from nav_msgs.msg import Odometry

from ebm_mpc_ros.__main__ import main

BAG = Path(__file__).resolve().parents[1] / "data" / "husky.bag"
# Says what `ros2 bag` is to do, which may not be installed, and is done.
STAND_IN = """#!/bin/sh
if [ "$1" = bag ]; then echo "$@"; exit; fi
exec {ros2} "$@"
"""


@launch_pytest.fixture
def replay():
    return described("replay", bag=str(BAG), rate="5.0")


@pytest.mark.timeout(120)
@pytest.mark.launch(fixture=replay)
def test_the_husky_bag_is_estimated():
    with Listener() as listener:
        estimate = listener.wait_for(
            Odometry, "/odometry/filtered", lambda m: m.pose.pose.position.x > 5.0
        )
    assert estimate.header.frame_id == "odom"


@pytest.mark.timeout(150)
def test_the_event_log_of_a_launch_replays_to_the_bit(launched, tmp_path):
    log = tmp_path / "log"
    launch = launched("replay", bag=BAG, rate="10.0", namespace="site", event_log=log)
    with Listener() as listener:
        listener.wait_for(
            Odometry, "/site/odometry/filtered", lambda m: m.pose.pose.position.x > 1.0
        )
    assert launch.interrupt() == 0, launch.output
    assert main(["replay", str(log), "--out", str(tmp_path / "out")]) == 0


@pytest.mark.timeout(60)
@pytest.mark.parametrize("namespace", ["", "/site"])
def test_ros2_bag_plays_into_the_namespace(launched, tmp_path, monkeypatch, namespace):
    ros2 = tmp_path / "bin" / "ros2"
    ros2.parent.mkdir()
    ros2.write_text(STAND_IN.format(ros2=shutil.which("ros2")))
    ros2.chmod(0o755)
    monkeypatch.setenv("PATH", str(ros2.parent), prepend=os.pathsep)
    within = {"namespace": namespace} if namespace else {}
    launch = launched("replay", bag=BAG, player="ros2", **within)
    line = launch.wait_for_line("bag play")
    for topic in ("/imu/data", "/husky_velocity_controller/odom"):
        assert f"{topic}:={namespace}/replayed{topic}" in line
    assert f"/clock:={namespace}/clock" in line
    assert launch.process.wait(40.0) == 0, launch.output
