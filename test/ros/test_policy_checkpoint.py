"""policy_node on a trained policy: it drives, and refuses to configure on what is none for it."""

from dataclasses import replace

import numpy as np
import pytest
from rclpy.lifecycle import TransitionCallbackReturn
from safetensors.numpy import save_file
from visualization_msgs.msg import Marker, MarkerArray

from ebm_mpc_ros.learning.checkpoint import load, save
from ebm_mpc_ros.resources import share_directory
from ebm_mpc_ros.ros.diagnosis import Level
from ebm_mpc_ros.ros.messages import to_path, to_time
from ebm_mpc_ros.tools.graph import SHIPPED_POLICY

PATH = share_directory() / "checkpoints" / "two_sided.safetensors"
QUICK = {"chains": 32}


def obstacle(node, x, y, radius):
    marker = Marker(type=Marker.CYLINDER)
    marker.header.frame_id = "odom"
    marker.header.stamp = to_time(node.time)
    marker.pose.position.x, marker.pose.position.y = x, y
    marker.pose.orientation.w = 1.0
    marker.scale.x = marker.scale.y = 2.0 * radius
    marker.scale.z = 1.0
    node.callbacks["obstacles"](MarkerArray(markers=[marker]))


def refusal(node):
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert node._condition().level is Level.ERROR
    return node._condition().message


@pytest.mark.parametrize("sampler", ["ula", "mala"])
def test_it_drives_along_a_path_past_an_obstacle(policy_bench, sampler):
    node = policy_bench(checkpoint=SHIPPED_POLICY, sampler=sampler, cruise_speed=0.8, **QUICK)
    node.run()
    node.callbacks["plan"](to_path(0, "odom", [(0.1 * k, 0.0, 0.0) for k in range(60)]))
    obstacle(node, 2.5, 0.0, 0.2)
    gaps, aside = [], []
    for _ in range(110):
        node.step()
        gaps.append(np.hypot(node.state[0] - 2.5, node.state[1]) - 0.4)
        aside.append(abs(node.state[1]))
    assert node.state[0] > 3.5
    assert min(gaps) > 0.05
    assert max(aside) > 0.35
    assert node.condition().level is Level.OK


def test_the_robots_limits_hold_for_a_chunk_that_was_learned_with_others(policy_bench):
    node = policy_bench(
        checkpoint=SHIPPED_POLICY, max_acceleration=0.3, max_yaw_acceleration=0.5, **QUICK
    )
    node.run()
    node.state[1] = 0.3
    for _ in range(5):
        node.step()
    inputs = node._newest[1].inputs
    assert inputs[:, 0].max() <= 0.3 + 1e-5
    assert np.abs(inputs[:, 1]).max() <= 0.5 + 1e-5


def test_a_weight_of_the_goal_draws_the_chunk_towards_it(policy_bench):
    node = policy_bench(checkpoint=SHIPPED_POLICY, switch_margin=1e6, **QUICK)
    node.run()
    node.step()
    ahead = node._newest[1].states[-1, 0]
    assert node.give(goal_weight=50.0).successful
    for _ in range(3):
        node.step()
    assert node._newest[1].states[-1, 0] > ahead + 0.1


def test_the_reference_reaches_as_far_as_the_policy_looks(policy_bench):
    node = policy_bench(checkpoint=SHIPPED_POLICY, cruise_speed=0.2, **QUICK)
    node.run()
    way = node._path.reference(node.state, *node._ahead)
    assert way[-1, 0] > 2.0


def test_there_is_no_such_file(policy_bench, tmp_path):
    words = refusal(policy_bench(checkpoint=str(tmp_path / "none.safetensors")))
    assert words == f"parameter checkpoint: {tmp_path}/none.safetensors: No such file or directory"


def test_there_is_no_such_package(policy_bench):
    words = refusal(policy_bench(checkpoint="package://no_such/policy.safetensors"))
    assert "no_such is not in AMENT_PREFIX_PATH" in words


@pytest.mark.parametrize("length", [0, 7, 1000, -1])
def test_a_file_cut_short_is_refused(policy_bench, tmp_path, length):
    path = tmp_path / "short.safetensors"
    path.write_bytes(PATH.read_bytes()[:length])
    assert "truncated, corrupted or no safetensors file" in refusal(
        policy_bench(checkpoint=str(path))
    )


def test_a_file_with_a_flipped_bit_is_refused(policy_bench, tmp_path):
    content = bytearray(PATH.read_bytes())
    content[-1000] ^= 1
    path = tmp_path / "flipped.safetensors"
    path.write_bytes(content)
    assert "does not match its digest" in refusal(policy_bench(checkpoint=str(path)))


def test_a_foreign_file_is_refused(policy_bench, tmp_path):
    path = tmp_path / "foreign.safetensors"
    save_file({"weight": np.zeros(3)}, path, metadata={"format": "pt"})
    assert "no checkpoint of ebm_mpc_ros" in refusal(policy_bench(checkpoint=str(path)))


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"model": "omni"}, "trained for model diff_drive, but model is omni here"),
        ({"dt": 0.05}, "trained for dt 0.1, but dt is 0.05 here"),
        ({"horizon": 10}, "trained for horizon 20, but horizon is 10 here"),
    ],
)
def test_a_policy_for_something_else_is_refused(policy_bench, parameters, words):
    assert words in refusal(policy_bench(checkpoint=SHIPPED_POLICY, **parameters))


def test_a_policy_of_weights_that_are_no_numbers_is_never_there_to_be_read(tmp_path):
    shipped = load(PATH)
    broken = {name: np.full_like(array, np.nan) for name, array in shipped.arrays.items()}
    with pytest.raises(Exception, match="is not finite"):
        save(tmp_path / "nan.safetensors", broken, shipped.contract)
    assert not list(tmp_path.iterdir())


def test_a_transition_is_no_policy(policy_bench, tmp_path):
    shipped = load(PATH)
    path = tmp_path / "transition.safetensors"
    save(path, shipped.arrays, replace(shipped.contract, kind="transition"))
    words = refusal(policy_bench(checkpoint=str(path)))
    assert "trained for kind transition, but kind is policy here" in words
