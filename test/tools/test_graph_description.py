"""The one description that launch files and the demo start the graph from."""

import ast
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml

from ebm_mpc_ros.resources import share_directory
from ebm_mpc_ros.simulation.courses import load_course
from ebm_mpc_ros.tools.graph import (
    CONTROLLERS,
    NodeSpec,
    default_params_file,
    discovery,
    replay_graph,
    robot_graph,
    simulation_graph,
)


def names(specs):
    return {spec.name for spec in specs}


@pytest.mark.parametrize(
    ("controller", "expected"),
    [
        ("policy_mpc", {"ekf_node", "policy_node", "mpc_node"}),
        ("mpc", {"ekf_node", "mpc_node"}),
        ("policy", {"ekf_node", "policy_node"}),
    ],
)
def test_the_controller_chooses_the_nodes(controller, expected):
    specs = robot_graph(
        controller=controller, params_file=default_params_file(), use_sim_time=False
    )
    assert names(specs) == expected
    senders = [
        spec
        for spec in specs
        if spec.name == "mpc_node" or spec.parameters.get("send_commands") is True
    ]
    assert len(senders) == 1


def test_a_relay_comes_where_it_is_asked_for_with_the_robots_own_parameters():
    arguments = {"controller": "mpc", "params_file": Path("all.yaml"), "use_sim_time": False}
    assert "relay_node" not in names(robot_graph(**arguments))
    robot = [Path("robot.yaml")]
    relay, *others = robot_graph(relay=True, robot_files=robot, **arguments)
    assert relay.name == "relay_node"
    assert relay.params_files[-1:] == tuple(robot)
    assert relay.vital
    assert not any(spec.vital for spec in others)


def test_an_unknown_controller_is_named():
    with pytest.raises(ValueError, match="joystick"):
        robot_graph(controller="joystick", params_file=default_params_file(), use_sim_time=False)


@pytest.mark.parametrize("controller", ["policy", "policy_mpc"])
def test_a_checkpoint_goes_to_the_policy(controller):
    specs = robot_graph(
        controller=controller,
        params_file=default_params_file(),
        use_sim_time=False,
        checkpoint="a.safetensors",
    )
    given = {spec.name: spec.parameters.get("checkpoint") for spec in specs}
    assert given.pop("policy_node") == "a.safetensors"
    assert set(given.values()) == {None}


def test_a_checkpoint_without_a_policy_is_a_mistake():
    with pytest.raises(ValueError, match="'mpc' has no policy"):
        robot_graph(
            controller="mpc",
            params_file=default_params_file(),
            use_sim_time=False,
            checkpoint="a.safetensors",
        )


def test_a_real_robot_is_not_enabled_and_the_simulated_one_is():
    arguments = {"controller": "policy_mpc", "params_file": default_params_file()}
    real = robot_graph(use_sim_time=False, **arguments)
    simulated = simulation_graph(course="slalom", seed=1, **arguments)
    assert not any(spec.parameters.get("enabled") for spec in real)
    enabled = {spec.name for spec in simulated if spec.parameters.get("enabled")}
    assert enabled == {"policy_node", "mpc_node"}
    content = yaml.safe_load(default_params_file().read_text())
    assert content["/**/mpc_node"]["ros__parameters"]["enabled"] is False


def test_the_estimator_starts_where_the_course_does():
    specs = simulation_graph(
        controller="mpc", course="figure_eight", seed=0, params_file=default_params_file()
    )
    state = next(s for s in specs if s.name == "ekf_node").parameters["initial_state"]
    x, y, yaw = load_course("figure_eight").start
    assert (state[0], state[1], state[5]) == (x, y, yaw)
    assert len(state) == 15


def test_a_replay_has_a_player_only_of_its_own(tmp_path):
    arguments = {
        "bag": tmp_path,
        "topics": {"imu": "/imu"},
        "params_file": default_params_file(),
        "rate": 2.0,
    }
    assert names(replay_graph(with_player=True, **arguments)) == {"ekf_node", "player_node"}
    assert names(replay_graph(with_player=False, **arguments)) == {"ekf_node"}


def test_a_command_line_gives_values_as_yaml():
    spec = NodeSpec(
        name="mpc_node", parameters={"a": True, "b": [0.5, 1.0], "c": "x y", "d": 3, "e": ["p q"]}
    )
    line = spec.command("robot1")
    assert line[1:3] == ["-m", "ebm_mpc_ros.nodes.mpc"]
    given = dict(text.split(":=", 1) for text in line if ":=" in text)
    assert {k: yaml.safe_load(given[k]) for k in "abcde"} == dict(spec.parameters)
    assert given["__ns"] == "/robot1"


def test_a_later_parameter_file_wins_and_frames_follow_the_namespace():
    (estimator, *_) = robot_graph(
        controller="mpc",
        params_file=Path("all.yaml"),
        robot_files=[Path("a.yaml"), Path("b.yaml")],
        use_sim_time=False,
    )
    line = estimator.command("robot1")
    files = [line[k + 1] for k, word in enumerate(line) if word == "--params-file"]
    assert files == ["all.yaml", "a.yaml", "b.yaml"]
    assert {"/tf:=tf", "/tf_static:=tf_static"} <= set(line)


@pytest.mark.parametrize("use_sim_time", [True, False])
def test_only_a_simulation_in_simulated_time_publishes_the_clock(use_sim_time):
    simulator, *others = simulation_graph(
        controller="mpc",
        course="corridor",
        seed=0,
        params_file=default_params_file(),
        use_sim_time=use_sim_time,
    )
    assert simulator.parameters["publish_clock"] is use_sim_time
    assert {spec.parameters["use_sim_time"] for spec in others} == {use_sim_time}


def test_a_simulation_by_the_systems_clock_runs_at_its_rate():
    with pytest.raises(ValueError, match=r"rate 0\.5"):
        simulation_graph(
            controller="mpc",
            course="corridor",
            seed=0,
            params_file=default_params_file(),
            rate=0.5,
            use_sim_time=False,
        )


@pytest.mark.parametrize("file", ["simulation", "bringup", "replay"])
def test_launch_files_name_no_node_themselves(file):
    """Nodes come from the description alone, so demo and launch can't drift apart."""
    source = (share_directory() / "launch" / f"{file}.launch.py").read_text()
    texts = {n.value for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Constant)}
    assert not any(str(text).endswith("_node") for text in texts)


def test_every_controller_is_described():
    assert all(CONTROLLERS.values())


def test_nodes_announce_themselves_more_often_unless_the_user_has_profiles_of_his_own():
    (name, file), *rest = discovery({"FASTRTPS_DEFAULT_PROFILES_FILE": ""}).items()
    assert name == "FASTRTPS_DEFAULT_PROFILES_FILE"
    assert not rest
    profiles = ET.parse(file)  # noqa: S314  our own file
    found = {element.tag.rpartition("}")[2]: element.text for element in profiles.iter()}
    assert int(found["count"]) * int(found["nanosec"]) >= 5e9
    for theirs in (name, "FASTDDS_DEFAULT_PROFILES_FILE"):
        assert discovery({theirs: "theirs.xml"}) == {}
