"""replay.launch.py: a bag goes through the live estimator, and the launch ends with it."""

from pathlib import Path

import launch_pytest
import pytest
from conftest import Listener, described
from nav_msgs.msg import Odometry

BAG = Path(__file__).resolve().parents[1] / "data" / "husky.bag"


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
