"""bringup.launch.py: the nodes come up, wait for their robot, and say so."""

import launch_pytest
import pytest
from conftest import Listener, described
from diagnostic_msgs.msg import DiagnosticArray


@launch_pytest.fixture
def bringup():
    return described("bringup")


def waits(name, words):
    def check(message):
        return any(s.name == name and words in s.message for s in message.status)

    return check


@pytest.mark.timeout(120)
@pytest.mark.launch(fixture=bringup)
def test_every_node_says_what_it_waits_for():
    with Listener() as listener:
        for name, words in (
            ("ekf_node", "wheel/odometry"),
            ("policy_node", "no estimate"),
            ("mpc_node", "not enabled"),
        ):
            listener.wait_for(DiagnosticArray, "/diagnostics", waits(name, words))
