"""The graph on a learned transition, by parameters alone: it drives, or says why it does not."""

import dataclasses

import pytest
from nav_msgs.msg import Odometry, Path
from slipping import DT, checkpoint

from ebm_mpc_ros.tools.graph import default_params_file, simulation_graph

pytestmark = pytest.mark.timeout(150)


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    path = checkpoint(tmp_path_factory.mktemp("learned"))
    return {"model": "learned", "model_checkpoint": str(path)}


def graph(learned, **mpc):
    changes = {"ekf_node": learned, "mpc_node": learned | {"dt": DT, "horizon": 15} | mpc}
    nodes = simulation_graph(
        controller="mpc", course="corridor", seed=0, params_file=default_params_file()
    )
    return [
        dataclasses.replace(node, parameters={**node.parameters, **changes.get(node.name, {})})
        for node in nodes
    ]


def test_the_estimator_and_the_controller_drive_on_it(start, learned):
    processes, observer = start(*graph(learned))
    for kind, topic in (
        (Odometry, "ground_truth/odom"),
        (Odometry, "odometry/filtered"),
        (Path, "mpc/prediction"),
    ):
        observer.listen(kind, topic)
    truth, estimates = (observer.heard[name] for name in ("ground_truth/odom", "odometry/filtered"))
    observer.wait_for_condition("mpc_node", "driving")
    observer.wait_for(
        lambda: truth and truth[-1].twist.twist.linear.x > 0.4, "a speed above 0.4 m/s"
    )
    assert len(observer.wait_for_message("mpc/prediction").poses) == 16
    assert abs(estimates[-1].pose.pose.position.x - truth[-1].pose.pose.position.x) < 0.2
    assert not processes.dead()


def test_a_step_that_it_was_not_trained_for_is_refused_in_words(start, learned):
    _, observer = start(*graph(learned, dt=0.05))
    observer.wait_for_condition("mpc_node", "parameter dt = 0.05: must be 0.1")
