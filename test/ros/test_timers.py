"""Which clock a node's timers live by."""

import pytest
import rclpy
from rclpy.clock import ClockType

from ebm_mpc_ros.ros.diagnosis import Condition, Level
from ebm_mpc_ros.ros.node import ManagedNode

pytestmark = pytest.mark.usefixtures("ros")


class Ticking(ManagedNode):
    def __init__(self):
        super().__init__("ticking")

    def table(self, given):
        return ()

    def configure(self, values):
        self.every(0.1, lambda: None)
        self.every(0.1, lambda: None, steady=True)

    def condition(self):
        return Condition(Level.OK, "ticking")

    def figures(self):
        return {}


@pytest.mark.parametrize(
    ("simulated", "clocks"),
    [
        (False, {ClockType.STEADY_TIME}),  # a system clock that is set back stops no work
        (True, {ClockType.ROS_TIME, ClockType.STEADY_TIME}),
    ],
)
def test_timers_are_steady_where_time_is_not_simulated(simulated, clocks):
    node = Ticking()
    try:
        node.set_parameters([rclpy.Parameter("use_sim_time", value=simulated)])
        before = set(node.timers)
        node.trigger_configure()
        made = [timer for timer in node.timers if timer not in before]
        assert len(made) == 2
        assert {timer.clock.clock_type for timer in made} == clocks
    finally:
        node.close()
        node.destroy_node()
