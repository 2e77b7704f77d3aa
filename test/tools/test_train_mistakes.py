"""Mistakes that a training tells in one line, with exit code 2 and no checkpoint."""

import resource

import numpy as np
import pytest
from driving import SECOND, START
from replaying import HUSKY, refused, tool
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from training import MARKERS, ODOMETRY, QUICK, TRANSITION, Messages, settings, train, write_bag

from ebm_mpc_ros.__main__ import main
from ebm_mpc_ros.learning.bags import BagWriter, open_bag
from ebm_mpc_ros.tools import train as module
from ebm_mpc_ros.tools.train_state import STATE

SMALL = QUICK | {"horizon": 4, "held_out": 0.2, "dt": 0.05}


def small_bag(path, **changes):
    return write_bag(path, **({"duration": 5.0, "state_rate": 20.0} | changes))


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    return small_bag(tmp_path_factory.mktemp("bags") / "bag")


@pytest.fixture
def mistaken(here, tmp_path):
    """Train, and return what is said of the mistake; nothing is left behind."""

    def mistaken(*bags, base=SMALL, more=(), **changes):
        config = settings(tmp_path / "train.yaml", base, **changes)
        done = train(bags, config, tmp_path / "out", *more, run=here)
        left = list((tmp_path / "out").iterdir()) if (tmp_path / "out").exists() else []
        assert left == []
        return refused(done)

    return mistaken


def test_a_missing_bag(mistaken, bag, tmp_path):
    assert mistaken(bag, tmp_path / "none").endswith("none: no such bag")


def test_an_empty_bag(mistaken, tmp_path):
    with BagWriter(tmp_path / "empty"):
        pass
    assert "empty: " in mistaken(tmp_path / "empty")


def test_a_bag_with_topics_and_no_messages(mistaken, tmp_path):
    path, types = tmp_path / "silent", get_typestore(Stores.ROS2_JAZZY)
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        writer.add_connection("/ground_truth/odom", ODOMETRY, typestore=types)
    assert "silent: the bag has no messages" in mistaken(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_bag(mistaken, tmp_path, share):
    (file,) = small_bag(tmp_path / "cut").glob("*.mcap")
    file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    assert "cut: " in mistaken(tmp_path / "cut")


@pytest.mark.parametrize("topic", ["/ground_truth/odom", "/cmd_vel", "/plan", "/obstacles"])
def test_a_missing_topic(mistaken, tmp_path, topic):
    path = small_bag(tmp_path / "bag", without=(topic,))
    assert f"bag: no topic {topic}; it has /" in mistaken(path)


@pytest.mark.parametrize(
    ("setting", "topic", "words"),
    [
        ("states", "/cmd_vel", "must be nav_msgs/msg/Odometry"),
        ("inputs", "/plan", "must be geometry_msgs/msg/TwistStamped or geometry_msgs/msg/Twist or"),
        ("goal", "/cmd_vel", "must be nav_msgs/msg/Path or geometry_msgs/msg/PoseStamped"),
        ("obstacles", "/plan", "must be visualization_msgs/msg/MarkerArray"),
    ],
)
def test_a_topic_of_another_type(mistaken, bag, setting, topic, words):
    line = mistaken(bag, **{setting: topic})
    assert f"{topic} is " in line
    assert words in line


def test_inputs_that_never_change(mistaken, tmp_path):
    def hold(_, commands):
        commands.values[:, 0] = 0.5

    path = small_bag(tmp_path / "bag", alter=hold)
    said = "bag (/cmd_vel): ax never changes before the last 20%, which are held out: there is"
    assert said in mistaken(path)


def test_a_robot_that_stands(mistaken, tmp_path):
    def stand(states, commands):
        states.values[:] = commands.values[:] = 0.0

    path = small_bag(tmp_path / "bag", alter=stand)
    for base in (SMALL, TRANSITION):
        assert "never changes" in mistaken(path, base=base)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("which", ["states", "commands"])
def test_samples_that_are_not_finite(mistaken, tmp_path, which, value):
    def spoil(states, commands):
        {"states": states, "commands": commands}[which].values[20:23, 0] = value

    line = mistaken(small_bag(tmp_path / "bag", alter=spoil))
    topic = {"states": "/ground_truth/odom", "commands": "/cmd_vel"}[which]
    assert f"bag: {topic}: 3 of " in line
    assert "samples not finite" in line
    assert "bad_samples: drop leaves them out" in line


def test_samples_that_are_not_finite_may_be_left_out(here, tmp_path):
    def spoil(states, _):
        states.values[20:23, 2] = np.nan

    path = small_bag(tmp_path / "bag", alter=spoil, duration=10.0)
    config = settings(tmp_path / "train.yaml", SMALL, bad_samples="drop")
    assert train([path], config, tmp_path / "out", run=here).returncode == 0


def test_a_bag_too_slow_beside_one_that_is_not(mistaken, bag, tmp_path):
    slow = small_bag(tmp_path / "slow", state_rate=5.0)
    assert "slow: its states come every 0.2 s, too slow for a dt of 0.05 s" in mistaken(bag, slow)


def test_a_clock_that_jumps_back(mistaken, tmp_path):
    with BagWriter(tmp_path / "bag") as writer:
        make = Messages(writer)
        for k in range(200):
            stamp = START + k * SECOND // 50 - (60 * SECOND if k > 100 else 0)
            message = make.odometry(stamp, np.zeros(5))
            writer.write("/ground_truth/odom", ODOMETRY, START + k, message)
    said = "bag: /ground_truth/odom: stamps jump back by 60.0 s: split the bag there"
    assert said in mistaken(tmp_path / "bag")


def test_plans_and_obstacles_in_another_frame(mistaken, tmp_path):
    path = small_bag(tmp_path / "bag", frame="map")
    assert "/plan is in frame 'map', the states are in 'odom'" in mistaken(path)
    line = mistaken(path, goal="driven")
    assert "/obstacles: a cylinder is in frame 'map', the states are in 'odom'" in line


@pytest.mark.parametrize("value", [np.nan, -1.0])
def test_an_obstacle_that_is_none(mistaken, bag, tmp_path, value):
    with BagWriter(tmp_path / "other") as writer, open_bag(bag) as whole:
        make = Messages(writer)
        circle = make.cylinder(START, 1.0, 0.0, value)
        writer.write("/obstacles", MARKERS, START, make.markers(circle))
        for topic, time, kind, raw in whole.raw_messages(set(whole.topics) - {"/obstacles"}):
            writer.write_raw(topic, kind, time, raw)
    assert "/obstacles: a cylinder is not finite, " in mistaken(tmp_path / "other")


def test_bags_too_short_for_a_chunk(mistaken, tmp_path):
    path = small_bag(tmp_path / "bag", duration=0.4)
    said = "bag: nothing to learn from: no part without a gap lasts a chunk of 4 steps, 0.44 s"
    assert said in mistaken(path, dt=0.11)
    longer = small_bag(tmp_path / "longer", duration=0.6)
    assert "longer (/cmd_vel): too short for anything to be held out: held_out = 0.2" in mistaken(
        longer
    )


def test_bags_of_two_robots(mistaken, bag, tmp_path):
    other = small_bag(tmp_path / "other", base="a/base_footprint")
    assert f"other is of a robot's 'a/base_footprint', {bag} of 'base_link'" in mistaken(bag, other)


def test_a_bag_of_two_robots(mistaken, tmp_path):
    with BagWriter(tmp_path / "bag") as writer:
        make = Messages(writer)
        for k in range(20):
            message = make.odometry(START + k * SECOND // 20, np.zeros(5), base="ab"[k % 2])
            writer.write("/ground_truth/odom", ODOMETRY, START + k, message)
    said = "bag: /ground_truth/odom is the pose of 'a' in 'odom' and 'b' in 'odom': must be of one"
    assert said in mistaken(tmp_path / "bag")


def test_two_robots_of_one_kind_go_together(here, bag, tmp_path):
    other = small_bag(tmp_path / "other", base="a/base_link")
    config = settings(tmp_path / "train.yaml", SMALL)
    assert train([bag, other], config, tmp_path / "out", run=here).returncode == 0


def test_a_bag_given_twice(mistaken, bag):
    (file,) = bag.glob("*.mcap")
    for again in (bag, file, bag / ".." / bag.name):
        assert f"--bag {again}: given twice" in mistaken(bag, again)
    assert f"--bag {bag}: given twice" in mistaken(file, bag)


def test_a_file_or_folder_that_is_no_bag(mistaken, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "notes.bag").write_text("no bag at all")
    for name, words in (("folder", "it has no metadata.yaml"), ("notes.bag", "")):
        assert f"{name}: can't be read as a bag: {words}" in mistaken(tmp_path / name)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dt": 0.0}, "setting dt = 0.0: must be a number above 0"),
        ({"dt": "fast"}, "setting dt = fast"),
        ({"horizon": 2.5}, "setting horizon = 2.5: must be a whole number"),
        ({"kind": "both"}, "setting kind = both: must be policy or transition"),
        ({"model": "tank"}, "model 'tank' is none of"),
        ({"model": "rigid_body"}, "the model has no inputs to learn"),
        ({"model": "ackermann", "wheelbase": 0}, "setting wheelbase = 0: must be a number from"),
        ({"horizont": 3}, "no setting horizont for kind: policy; is it horizon?"),
        ({"training": 5}, "training is a group of settings: steps, batch_size, "),
        ({"hidden": 3}, "no setting hidden for kind: policy; is it network.hidden?"),
        ({"colour": 3}, "no setting colour for kind: policy; docs/training.md has them all"),
        ({"process_noise": [1.0]}, "no setting process_noise for kind: policy"),
        ({"save_every": -1}, "setting save_every = -1: must be a number, at least 0"),
        ({"network": {"hidden": 0}}, "setting network.hidden = 0"),
        ({"network": {"weights": 2}}, "setting network.weights = 2: must be a whole number from 3"),
        ({"network": {"sigma_min": 9.0}}, "network.sigma_min = 9: must be below"),
        ({"training": {"learning_rate": -1}}, "setting training.learning_rate = -1"),
        ({"device": "toaster"}, "device = toaster: must be auto or one that torch has"),
        ({"states": "estimate"}, "`states: estimate` needs `estimator: FILE`"),
        ({"states": "estimate", "estimator": "none.yaml"}, "none.yaml: No such file"),
    ],
)
def test_a_wrong_setting(mistaken, bag, changes, words):
    line = mistaken(bag, **changes)
    assert words in line


@pytest.mark.parametrize("given", [[1.0], [1.0, 2.0, 3.0]])
def test_a_noise_of_another_size(mistaken, bag, tmp_path, given):
    line = mistaken(bag, base=TRANSITION, process_noise=given)
    said = f"setting process_noise = {given}: must be 5 numbers, of x, y, yaw, vx, vyaw, or none"
    assert f"--config {tmp_path / 'train.yaml'}: {said}" in line


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"noise_floor": 1e300}, "setting noise_floor = 1e+300: must be a number above 0"),
        ({"noise_floor": 0.0}, "setting noise_floor = 0.0: must be a number above 0"),
        ({"process_noise": [1e300] * 5}, "setting process_noise = [1e+300, 1e+300, "),
    ],
)
def test_a_noise_out_of_range(mistaken, bag, changes, words):
    line = mistaken(bag, base=TRANSITION, **changes)
    assert words in line
    assert str(bag) not in line


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"kind: [", "not YAML"), (b"- 1", "must map settings"), (b"", "must map"), (b"\xff", "not")],
)
def test_a_settings_file_that_is_none(here, bag, tmp_path, content, words):
    path = tmp_path / "train.yaml"
    path.write_bytes(content)
    assert words in refused(train([bag], path, tmp_path / "out", run=here))


def test_a_settings_file_that_is_not_there(here, bag, tmp_path):
    line = refused(train([bag], tmp_path / "none.yaml", tmp_path / "out", run=here))
    assert "--config" in line
    assert "No such file" in line


def test_a_folder_that_can_not_be_made(here, bag, tmp_path):
    (tmp_path / "file").write_text("")
    config = settings(tmp_path / "train.yaml", SMALL)
    for name, words in (("file", "is a file, must be a folder"), ("file/in", "Not a directory")):
        line = refused(train([bag], config, tmp_path / name, run=here))
        assert f"--out {tmp_path / name}: {words}" in line


def test_a_training_that_diverges(here, bag, tmp_path):
    changed = QUICK["training"] | {"learning_rate": 1e30, "warm_up": 0}
    config = settings(tmp_path / "train.yaml", SMALL, training=changed, save_every=0.0)
    done = train([bag], config, tmp_path / "out", run=here)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.endswith(
        "the loss or its gradient is not finite: lower training.learning_rate\n"
    )
    assert list((tmp_path / "out").iterdir()) == []


def test_a_training_that_learned_nothing_leaves_no_checkpoint(here, bag, tmp_path):
    for rate, steps in ((1e3, 20), (1e-9, 5)):
        changed = QUICK["training"] | {"learning_rate": rate, "steps": steps, "warm_up": 0}
        config = settings(tmp_path / "train.yaml", SMALL, training=changed, save_every=0.0)
        done = train([bag], config, tmp_path / "out", run=here)
        assert done.returncode == 1
        assert done.stdout == ""
        assert "; the mean of all that was driven: " in done.stderr
        assert "that is no better, so no checkpoint is left: " in done.stderr
        assert "drive with it" not in done.stderr
        assert [file.name for file in (tmp_path / "out").iterdir()] == ["training.png"]


def test_few_rows_held_out_are_warned_of(here, bag, tmp_path):
    config = settings(tmp_path / "train.yaml", SMALL, held_out=0.1)
    done = train([bag], config, tmp_path / "out", run=here)
    assert "warning: only 7 held out judge the training: longer bags or a larger" in done.stderr
    config = settings(tmp_path / "train.yaml", SMALL, held_out=0.5)
    done = train([bag], config, tmp_path / "more", run=here)
    assert "held out judge" not in done.stderr


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"WORLD_SIZE": "abc"}, "WORLD_SIZE is 'abc', must be a whole number from 1 up"),
        ({"WORLD_SIZE": "0"}, "WORLD_SIZE is '0', must be a whole number from 1 up"),
        ({"WORLD_SIZE": "2"}, "WORLD_SIZE is 2, and the other processes can't be joined: "),
    ],
)
def test_processes_that_are_told_wrongly(mistaken, bag, monkeypatch, told, words):
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    assert words in mistaken(bag)


def test_a_bag_without_what_a_transition_needs(mistaken):
    line = mistaken(HUSKY, base=TRANSITION, states="/husky_velocity_controller/odom")
    assert "husky.bag: no topic /cmd_vel" in line


def test_a_folder_with_a_result_is_left_as_it_is(here, bag, tmp_path):
    config, out = settings(tmp_path / "train.yaml", SMALL), tmp_path / "out"
    out.mkdir()
    for name, words in (
        ("training_state.safetensors", "has an interrupted training: go on with --resume, or"),
        ("checkpoint.safetensors", "has a checkpoint.safetensors already: name another folder"),
    ):
        (out / name).write_bytes(b"kept")
        assert f"--out {out}: {words}" in refused(train([bag], config, out, run=here))
        assert (out / name).read_bytes() == b"kept"


def test_nothing_to_resume(here, bag, tmp_path):
    config = settings(tmp_path / "train.yaml", SMALL)
    line = refused(train([bag], config, tmp_path / "out", "--resume", run=here))
    assert f"--resume: no interrupted training in {tmp_path / 'out'}" in line
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def interrupted(bag, tmp_path_factory):
    """The bytes of a state, and the settings of its training."""
    folder = tmp_path_factory.mktemp("interrupted")
    config, kept = settings(folder / "train.yaml", SMALL, save_every=0.0), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "finish", lambda out, _: kept.append(out / STATE))
        patch.setattr(module, "report_use", lambda *_: None)
        arguments = ["train", "--bag", bag, "--config", config, "--out", folder / "out"]
        assert main([str(argument) for argument in arguments]) == 0
    return kept[0].read_bytes(), config


@pytest.fixture
def resumed(here, bag, interrupted, tmp_path):
    """Go on with such a state; returns the one line of the mistake."""

    def resumed(content=interrupted[0], bags=(bag,), **changes):
        out = tmp_path / "out"
        out.mkdir(exist_ok=True)
        (out / STATE).write_bytes(content)
        config = settings(tmp_path / "train.yaml", SMALL, **changes)
        line = refused(train(bags, config, out, "--resume", run=here))
        assert [file.name for file in out.iterdir()] == [STATE]
        return line

    return resumed


def test_a_state_of_other_settings_or_bags(resumed, tmp_path):
    line = resumed(horizon=3, held_out=0.3)
    for words in (
        "the interrupted training had another ",
        "horizon (4, now 3)",
        "held_out (0.2, n",
    ):
        assert words in line
    other = small_bag(tmp_path / "other", duration=4.5)
    assert "--resume: the interrupted training had other bags" in resumed(bags=[other])


def test_a_state_that_is_damaged(resumed, interrupted):
    whole = interrupted[0]
    flipped = whole[:-5] + bytes([whole[-5] ^ 1]) + whole[-4:]
    for content, words in (
        (b"", "truncated, corrupted or no safetensors file"),
        (whole[:-10], "truncated, corrupted or no safetensors file"),
        (b"nothing of the kind" * 9, "truncated, corrupted or no safetensors file"),
        (
            b"\x14" + bytes(7) + b'{"__metadata__": [] }',
            "truncated, corrupted or no safetensors file",
        ),
        (flipped, "corrupted: its content does not match its digest"),
    ):
        line = resumed(content)
        assert f"{STATE}: {words}" in line
        assert "remove it to start anew" in line


def on_a_full_disk(*arguments):
    """Run the tool where no file may grow beyond a few kB; pytest's own may."""
    return tool(*arguments, before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000)))


def test_a_full_disk_leaves_no_half_of_a_file(bag, tmp_path):
    larger = QUICK["network"] | {"hidden": 32}
    config = settings(tmp_path / "train.yaml", SMALL, network=larger, save_every=0.0)
    out = tmp_path / "out"
    done = train([bag], config, out, run=on_a_full_disk)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("warning: no state to go on from: ") == 1
    assert done.stderr.endswith(f"train: {out}/checkpoint.safetensors: File too large\n")
    assert list(out.iterdir()) == []


def test_no_arguments_and_help(capsys):
    for arguments, code in (([], 2), (["--help"], 0)):
        with pytest.raises(SystemExit) as ended:
            main(["train", *arguments])
        assert ended.value.code == code
    assert "--resume" in capsys.readouterr().out
