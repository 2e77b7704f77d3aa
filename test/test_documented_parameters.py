"""Parameter files in the documents: a node configures with them."""

import re
from pathlib import Path

import pytest

from ebm_mpc_ros.ros.estimator_parameters import estimator_parameters
from ebm_mpc_ros.ros.estimator_settings import estimated_model, filter_settings
from ebm_mpc_ros.ros.mpc_parameters import MPC_PARAMETERS, controller_settings
from ebm_mpc_ros.ros.parameter_file import load_parameters
from ebm_mpc_ros.ros.parameters import read
from ebm_mpc_ros.ros.robot_parameters import command_limits, follower_settings, robot_model_of
from ebm_mpc_ros.tools.graph import default_params_file

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^```yaml\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
# Theirs are files that the page has made before.
ELSEWHERE = ("learned", "my_robot:")
FILES = [
    pytest.param(text, id=f"{page.name}:{number}")
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    for number, text in enumerate(BLOCK.findall(page.read_text(encoding="utf-8")))
    if "ros__parameters" in text and not any(f"model: {name}" in text for name in ELSEWHERE)
]


def parameters(text, node, path):
    """Return a node's parameters in a file, over the defaults where it names no robot."""
    path.write_text(text, encoding="utf-8")
    given = load_parameters(path, node)
    return given if "model" in given else load_parameters(default_params_file(), node) | given


@pytest.mark.parametrize("text", FILES)
def test_a_node_configures_with_a_file_of_the_page(text, tmp_path):
    nodes = re.findall(r"^/\*\*/(\w+):$", text, flags=re.MULTILINE)
    assert nodes
    for node in nodes:
        given = parameters(text, node, tmp_path / "page.yaml")
        if node == "mpc_node":
            values, unknown = read(MPC_PARAMETERS, given)
            model = robot_model_of(values)
            command_limits(values, model)
            follower_settings(values, model)
            controller_settings(values, model)
        else:
            assert node == "ekf_node"
            values, unknown = read(estimator_parameters(given), given)
            filter_settings(values, estimated_model(values))
        assert not unknown
