"""Makes what the tests of the ROS side share importable."""

import random
import sys
from pathlib import Path

import pytest

_HERE = Path(__file__).resolve()
sys.path += [str(_HERE.parent), str(_HERE.parents[1] / "learning")]


@pytest.fixture(scope="module")
def ros():
    """A private domain."""
    rclpy = pytest.importorskip("rclpy")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        rclpy.init(
            args=[],
            domain_id=random.SystemRandom().choice(range(2, 102)),
            signal_handler_options=rclpy.signals.SignalHandlerOptions.NO,
        )
        yield
        rclpy.shutdown()


@pytest.fixture
def policy_bench(ros):
    """A function that makes a policy_node with those parameters."""
    from planning import Bench  # noqa: PLC0415  needs rclpy

    made = []

    def make(**parameters):
        made.append(Bench(**parameters))
        return made[-1]

    yield make
    for node in made:
        node.active = False
        node.close()
        node.destroy_node()
