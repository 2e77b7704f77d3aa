"""Mistakes that a replay tells in one line."""

import pytest
from replaying import refused, replay, tool


def test_a_missing_bag(tmp_path):
    line = refused(replay(tmp_path / "none.bag", tmp_path / "out"))
    assert line.endswith("none.bag: no such bag")


def test_the_folder_of_a_demo_in_place_of_its_bag(mistaken, tmp_path):
    (tmp_path / "demo" / "bag").mkdir(parents=True)
    (tmp_path / "demo" / "bag" / "metadata.yaml").touch()
    line = mistaken(tmp_path / "demo", tmp_path / "out")
    assert line.endswith(f"no metadata.yaml; its bag is {tmp_path / 'demo' / 'bag'}")


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_a_truncated_bag(mistaken, short, tmp_path, share):
    cut = tmp_path / "cut.bag"
    cut.write_bytes(short.read_bytes()[: int(share * short.stat().st_size)])
    assert "cut.bag: can't be read as a bag" in mistaken(cut, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_missing_topic(mistaken, short, tmp_path, configured):
    line = mistaken(short, tmp_path / "out", params=configured(odom0="/wheels"))
    assert "short.bag: no topic /wheels; it has /fix" in line


def test_a_topic_of_another_type(mistaken, short, tmp_path, configured):
    line = mistaken(short, tmp_path / "out", params=configured(odom0="/imu/data"))
    assert "/imu/data is sensor_msgs/msg/Imu in the bag: must be nav_msgs/msg/Odometry" in line


def test_a_wrong_parameter_value(mistaken, short, tmp_path, configured):
    line = mistaken(short, tmp_path / "out", params=configured(frequency=-30.0))
    assert "parameter frequency = -30.0: must be a number above 0" in line


def test_a_wrong_static_transform_in_the_file(mistaken, short, tmp_path, configured):
    params = configured(static_transforms=["base_link imu_link 0 0"])
    assert "'base_link imu_link 0 0'" in mistaken(short, tmp_path / "out", params=params)


def test_a_missing_parameter_file(mistaken, short, tmp_path):
    line = mistaken(short, tmp_path / "out", params=tmp_path / "none.yaml")
    assert line.endswith("none.yaml: No such file or directory")


def test_a_node_that_is_not_in_the_file(mistaken, short, tmp_path):
    line = mistaken(short, tmp_path / "out", "--node", "ukf_node")
    assert "no parameters for node 'ukf_node'; it has /**/ekf_node" in line


@pytest.mark.parametrize("text", ["base_link imu_link 1 2 3", "a b 0 0 0 0 0 x", ""])
def test_a_bad_static_transform(mistaken, short, tmp_path, text):
    line = mistaken(short, tmp_path / "out", "--static-transform", text)
    assert f"--static-transform: static transform {text!r}: must be 'PARENT CHILD X Y Z" in line


def test_a_folder_that_can_not_be_written_to(mistaken, short, tmp_path):
    (tmp_path / "file").write_text("")
    assert "--out" in mistaken(short, tmp_path / "file")
    assert "--out" in mistaken(short, tmp_path / "file" / "out")


def test_a_bag_of_which_nothing_can_be_used(here, short, tmp_path, configured):
    params = configured(
        odom0=None, odom0_config=None, odom0_queue_size=None, static_transforms=None
    )
    for name in ("differential", "relative"):
        text = params.read_text().replace(f"    odom0_{name}: false\n", "")
        params.write_text(text)
    done = replay(short, tmp_path / "out", params=params, run=here)
    assert done.returncode == 2
    first, last = done.stderr.splitlines()
    assert "no transform from 'imu_link' to 'base_link'" in first
    assert last.endswith("short.bag: no message could be used, so there is no estimate")


def test_no_arguments_and_help():
    nothing = tool()
    assert nothing.returncode == 2
    assert "NAME" in nothing.stderr
    overview, own = tool("--help"), tool("replay", "--help")
    assert overview.returncode == own.returncode == 0
    assert "replay" in overview.stdout
    assert "--static-transform" in own.stdout
    assert tool("nonsense").returncode == 2
    assert tool("replay").returncode == 2
