"""`train`: bags to a checkpoint that says what it is for, interrupted and gone on with."""

import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np
import pytest
import yaml
from driving import SECOND, START, drive
from replaying import CONFIG, ROOT, mask
from safetensors.numpy import load_file
from training import MARKERS, QUICK, TRANSITION, Messages, settings, train, write_bag

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.learning import tasks
from ebm_mpc_ros.learning.architecture import restored
from ebm_mpc_ros.learning.bags import BagWriter, open_bag
from ebm_mpc_ros.learning.checkpoint import CheckpointError, load
from ebm_mpc_ros.models import load_model
from ebm_mpc_ros.tools import train as module
from ebm_mpc_ros.tools.console import command
from ebm_mpc_ros.tools.train_bags import read_recording
from ebm_mpc_ros.tools.train_config import SETTINGS, load_config
from ebm_mpc_ros.tools.train_obstacles import read_obstacles
from ebm_mpc_ros.tools.train_task import make_task

MODEL = load_model("diff_drive")
POSE = "geometry_msgs/PoseStamped"
LEFT = {"checkpoint.safetensors", "training.png"}


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    return write_bag(tmp_path_factory.mktemp("bags") / "bag")


@pytest.fixture
def trained(here, tmp_path):
    """Train in this process and return the checkpoint."""

    def trained(*bags, base=QUICK, **changes):
        config = settings(tmp_path / "train.yaml", base, **changes)
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        done = train(bags, config, tmp_path / "out", run=here)
        assert done.returncode == 0, done.stderr
        path = tmp_path / "out" / "checkpoint.safetensors"
        assert done.stdout == f"checkpoint: {path}\n"
        assert {file.name for file in path.parent.iterdir()} == LEFT
        return load(path)

    return trained


def test_a_policy_is_trained_from_a_bag(trained, bag):
    found = trained(bag)
    contract = found.contract
    found.require(kind="policy", model="diff_drive", dt=0.1, horizon=8, input_names=("ax", "alpha"))
    assert contract.condition_names[:3] == ("vx", "vyaw", "goal_x")
    assert contract.condition_names[-1] == "obstacle0_radius"
    assert contract.units["alpha"] == "rad/s²"
    assert contract.sigmas == (0.05, 6.0)
    assert contract.details == {"sight": {"look_ahead": 0.5, "nearest": 1, "obstacle_range": 3.0}}
    assert len(contract.data_digest) == 64
    # Of 0.3 sin 2t and 0.5 cos 2.5t.
    np.testing.assert_allclose(
        contract.variable_scaling.deviation, [0.6 / 2**0.5, 1.25 / 2**0.5], rtol=0.1
    )
    assert restored(found).variables == 16


def test_the_picture_is_drawn_when_the_checkpoint_is_safe(here, bag, tmp_path, monkeypatch):
    there = []
    monkeypatch.setattr(
        module, "_draw", lambda path, *_: there.extend(file.name for file in path.parent.iterdir())
    )
    train([bag], settings(tmp_path / "train.yaml", QUICK), tmp_path / "out", run=here)
    assert there == ["checkpoint.safetensors"]


def test_a_transition_is_trained_from_a_bag(trained, tmp_path):
    found = trained(write_bag(tmp_path / "long", duration=40.0), base=TRANSITION)
    assert found.contract.kind == "transition"
    assert found.contract.condition_names == ("vx", "vyaw", "ax", "alpha")
    assert len(found.contract.details["noise"]["density"]) == 5
    assert np.array(found.contract.details["support"]["factor"]).shape == (4, 4)
    assert restored(found).variables == len(found.contract.details["learned"])


def test_the_same_call_makes_the_same_bytes(trained, bag):
    first = trained(bag).path.read_bytes()
    assert trained(bag).path.read_bytes() == first


def test_two_bags_of_different_rates_go_together(trained, bag, tmp_path):
    other = write_bag(tmp_path / "other", state_rate=25.0, command_rate=50.0, duration=8.0)
    one, both = trained(bag), trained(bag, other)
    assert one.contract.data_digest != both.contract.data_digest
    for scaling in ("variable_scaling", "condition_scaling"):
        np.testing.assert_allclose(
            getattr(both.contract, scaling).deviation[:2],
            getattr(one.contract, scaling).deviation[:2],
            rtol=0.15,
        )


def test_a_robot_that_steers_learns_its_steering_rate(trained, tmp_path):
    car = load_model("ackermann", {"wheelbase": 0.4})
    path = write_bag(tmp_path / "car", model=car)
    given = {"model": "ackermann", "wheelbase": 0.4}
    config = settings(tmp_path / "train.yaml", **given)
    recording = read_recording(path, car, load_config(config), config)
    np.testing.assert_allclose(recording.states.values, drive(model=car).states.values, atol=1e-9)
    longer = write_bag(tmp_path / "long", duration=40.0, model=car)
    transition = trained(longer, base=TRANSITION, **given).contract
    assert transition.condition_names == ("vx", "steering", "ax", "steering_rate")
    assert transition.details["options"] == {"wheelbase": 0.4}
    policy = trained(path, **given)
    policy.require(model="ackermann", input_names=("ax", "steering_rate"))
    with pytest.raises(CheckpointError, match=r"trained for wheelbase 0\.4, but wheelbase is 0\.5"):
        policy.require_options(load_model("ackermann"))
    # Of 0.3 sin 2t and 0.5 cos 2.5t.
    np.testing.assert_allclose(
        policy.contract.variable_scaling.deviation, [0.6 / 2**0.5, 1.25 / 2**0.5], rtol=0.15
    )


def test_what_is_learned_from_and_what_not_is_told_with_what_it_is_worth(here, bag, tmp_path):
    def spoil(states, _):
        states.values[100:103, 2] = np.nan

    other = write_bag(tmp_path / "other", alter=spoil, duration=4.0)
    short = write_bag(tmp_path / "short", duration=0.5)
    changed = QUICK["training"] | {"steps": 200, "check_every": 100}
    config = settings(tmp_path / "train.yaml", bad_samples="drop", training=changed)
    out = tmp_path / "out"
    done = train([bag, other, short], config, out, run=here)
    assert done.returncode == 0, done.stderr
    for words in (
        "3 bags, 14 s: 115 demonstrations of 8 steps, 0.1 s a step\n",
        "left out: 19 with less than 8 steps before a gap or the end\n",
        "left out: 11 across where the held-out part begins\n",
        f"left out: 3 samples not finite of {other}: /ground_truth/odom\n",
        f"warning: {short}: nothing to learn from: no part without a gap lasts a chunk of 8 steps",
        "held-out loss of the mean of all that was driven: ",
        "step 100: held-out loss ",
        "200 steps in ",
        f"  {command('demo', '--checkpoint', str(out / 'checkpoint.safetensors'))}\n",
        f"simulation.launch.py checkpoint:={out}/checkpoint.safetensors\n",
        "where policy_node has model diff_drive, dt 0.1, horizon 8\n",
    ):
        assert words in done.stderr


def test_goals_may_be_where_the_robot_drove_and_obstacles_unseen(trained, tmp_path):
    bare = write_bag(tmp_path / "bare", without=("/plan", "/obstacles"))
    found = trained(bare, goal="driven", nearest=0)
    assert found.contract.condition_names[-1] == "goal_sin"


def test_without_commands_the_twist_tells_the_input(trained, tmp_path):
    bare = write_bag(tmp_path / "bare", without=("/cmd_vel",))
    found = trained(bare, inputs="/ground_truth/odom")
    np.testing.assert_allclose(found.contract.variable_scaling.deviation[0], 0.42, rtol=0.1)


def test_states_may_be_the_smoothed_estimate(short, tmp_path):
    shutil.copy(CONFIG, tmp_path / "ekf.yaml")
    config = settings(
        tmp_path / "train.yaml",
        TRANSITION,
        states="estimate",
        estimator="ekf.yaml",
        inputs="/husky_velocity_controller/odom",
    )
    recording = read_recording(short, MODEL, load_config(config), config)
    span = (recording.states.stamps[-1] - recording.states.stamps[0]) / SECOND
    assert 4.0 < span < 5.1
    assert np.isfinite(recording.states.values).all()
    t = recording.twists.stamps
    inside = (t > recording.states.stamps[0]) & (t < recording.states.stamps[-1])
    speeds = np.interp(t[inside], recording.states.stamps, recording.states.values[:, 3])
    assert np.abs(speeds - recording.twists.values[inside, 0]).max() < 0.1


def test_an_estimate_begins_at_the_pose_that_comes_first_and_not_before_it(tmp_path):
    def far(states, _):
        states.values[:, :2] += [300.0, -200.0]

    whole, late = write_bag(tmp_path / "whole", alter=far, duration=4.0), tmp_path / "late"
    with BagWriter(late) as writer, open_bag(whole) as opened:
        for topic, time, kind, raw in opened.raw_messages(["/ground_truth/odom", "/cmd_vel"]):
            writer.write_raw(topic, kind, time, raw)
            if topic == "/ground_truth/odom" and time > START + SECOND // 2:
                writer.write_raw("/pose", kind, time, raw)
    given = {
        "model": "diff_drive",
        "odom0": "/ground_truth/odom",
        "odom0_config": mask("vx", "vyaw"),
        "odom0_variance": [1e-4] * 15,
        "odom1": "/pose",
        "odom1_config": mask("x", "y", "yaw"),
        "odom1_variance": [1e-4] * 15,
        "odom1_pose_rejection_threshold": 5.0,
    }
    ekf = {"/**/ekf_node": {"ros__parameters": given}}
    (tmp_path / "ekf.yaml").write_text(yaml.safe_dump(ekf))
    config = settings(tmp_path / "train.yaml", TRANSITION, states="estimate", estimator="ekf.yaml")
    stamps, states = read_recording(late, MODEL, load_config(config), config).states
    truth = drive(duration=4.0).states
    assert stamps[0] < START + SECOND // 4
    for column, offset in enumerate((300.0, -200.0, 0.0)):
        expected = offset + np.interp(stamps - START, truth.stamps - START, truth.values[:, column])
        np.testing.assert_allclose(states[:, column], expected, atol=0.05)


def test_what_is_read_of_a_bag_is_what_was_driven(bag, tmp_path):
    config = settings(tmp_path / "train.yaml")
    recording = read_recording(bag, MODEL, load_config(config), config)
    expected = drive()
    np.testing.assert_array_equal(recording.states.stamps, expected.states.stamps)
    np.testing.assert_allclose(recording.states.values, expected.states.values, atol=1e-12)
    np.testing.assert_allclose(recording.commands.values, expected.commands.values)
    assert recording.twists is None
    (goal,), (obstacles,) = recording.goals, recording.obstacles
    assert goal.stamp == obstacles.stamp == START
    np.testing.assert_allclose(goal.headings[:5], expected.states.values[:100:20, 2], atol=1e-12)
    np.testing.assert_allclose(obstacles.circles, [[2.0, 1.0, 0.2]])


def test_a_pose_told_again_is_driven_to_anew_and_a_path_is_driven_on(bag, tmp_path):
    with BagWriter(tmp_path / "told") as writer, open_bag(bag) as whole:
        make = Messages(writer)
        for topic, time, kind, raw in whole.raw_messages(list(whole.topics)):
            writer.write_raw(topic, kind, time, raw)
            if topic == "/plan":
                for k in range(1, 3):
                    writer.write_raw("/plan", kind, time + k * SECOND, raw)
                    stamp = time + k * SECOND
                    pose = make.of(POSE, make.header(stamp), make.pose(3.0, 1.0, 0.5))
                    writer.write("/goal_pose", "geometry_msgs/msg/PoseStamped", stamp, pose)
    goals = {}
    for topic in ("/plan", "/goal_pose"):
        config = settings(tmp_path / "train.yaml", goal=topic)
        goals[topic] = read_recording(tmp_path / "told", MODEL, load_config(config), config).goals
    assert len(goals["/plan"]) == 1
    assert [goal.stamp - START for goal in goals["/goal_pose"]] == [SECOND, 2 * SECOND]
    for goal in goals["/goal_pose"]:
        np.testing.assert_allclose(goal.places, [[3.0, 1.0, 0.5]])


def test_a_car_turns_towards_a_pose_as_wide_as_its_node_has_it(bag, tmp_path, monkeypatch):
    bends = []

    def told(*_, following, **__):
        bends.append(following.turning_radius)
        raise UserError("enough")

    monkeypatch.setattr(tasks, "policy_task", told)
    for wheelbase in (0.3, 1.0):
        given = {"model": "ackermann", "wheelbase": wheelbase}
        config = settings(tmp_path / "train.yaml", **given)
        with pytest.raises(UserError, match="enough"):
            make_task(load_model("ackermann", given), [], load_config(config), config)
    assert bends[0] == pytest.approx(0.3 / np.tan(0.4))
    assert bends[1] == pytest.approx(1.0 / np.tan(0.4))


def test_obstacles_are_added_deleted_and_expire(tmp_path):
    with BagWriter(tmp_path / "bag") as writer:
        make = Messages(writer)
        sphere = make.cylinder(START, 9, 0, 0.1, number=9)
        sphere.type = 2
        for second, one in (
            (
                0,
                [
                    make.cylinder(START, 1, 0, 0.1),
                    make.cylinder(START, 2, 0, 0.1, number=1),
                    sphere,
                ],
            ),
            (1, [make.cylinder(START + SECOND, 3, 0, 0.1, number=2, lifetime=1.5)]),
            (2, [make.cylinder(START + 2 * SECOND, 0, 0, 0.1, action=2)]),
            (4, [make.cylinder(START + 4 * SECOND, 0, 0, 0.1, action=3)]),
        ):
            writer.write("/obstacles", MARKERS, START + second * SECOND, make.markers(*one))
    with open_bag(tmp_path / "bag") as opened:
        history = read_obstacles(opened, tmp_path, "/obstacles", "odom")
    found = [((h.stamp - START) / SECOND, sorted(h.circles[:, 0].tolist())) for h in history]
    assert found == [(0, [1, 2]), (1, [1, 2, 3]), (2, [2, 3]), (2.5, [2]), (4, [])]


def test_a_training_that_was_interrupted_goes_on_as_if_it_had_not_been(
    here, trained, bag, tmp_path, monkeypatch
):
    whole = trained(bag).path.read_bytes()
    (tmp_path / "out" / "checkpoint.safetensors").unlink()
    config = settings(tmp_path / "train.yaml")
    interruptible = module.interruptible
    calls = iter(range(1000))

    def press_at_the_eighth(*_):
        if next(calls) == 7:
            signal.raise_signal(signal.SIGINT)

    @contextmanager
    def pressed():
        with interruptible() as came:
            yield lambda: press_at_the_eighth() or came()

    monkeypatch.setattr(module, "interruptible", pressed)
    done = train([bag], config, tmp_path / "out", run=here)
    assert done.returncode == 130
    assert done.stdout == ""
    assert "interrupted after 7 steps; --resume goes on from there" in done.stderr
    assert not (tmp_path / "out" / "checkpoint.safetensors").exists()
    monkeypatch.undo()

    done = train([bag], config, tmp_path / "out", "--resume", run=here)
    assert done.returncode == 0, done.stderr
    assert {file.name for file in (tmp_path / "out").iterdir()} == LEFT
    assert (tmp_path / "out" / "checkpoint.safetensors").read_bytes() == whole


def test_ctrl_c_at_the_keyboard_leaves_a_state_and_no_traceback(bag, tmp_path):
    changed = QUICK["training"] | {"steps": 10_000_000, "check_every": 100_000}
    config = settings(tmp_path / "train.yaml", training=changed)
    line = [sys.executable, "-m", "ebm_mpc_ros", "train", "--bag", bag, "--config", config]
    with subprocess.Popen(
        [*map(str, line), "--out", str(tmp_path / "out")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while "held-out loss of" not in process.stderr.readline():
            pass
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert "Traceback" not in err
    names = {file.name for file in (tmp_path / "out").iterdir()}
    assert names == {"training_state.safetensors"}


def test_a_training_that_was_killed_goes_on_as_if_it_had_not_been(here, bag, trained, tmp_path):
    longer = QUICK["training"] | {"steps": 200}
    whole = trained(bag, training=longer).path.read_bytes()
    config, out = (
        settings(tmp_path / "train.yaml", training=longer, save_every=0.0),
        tmp_path / "cut",
    )
    line = [sys.executable, "-m", "ebm_mpc_ros", "train", "--bag", bag, "--config", config]
    with subprocess.Popen([*map(str, line), "--out", str(out)], cwd=ROOT) as process:
        while not (out / "training_state.safetensors").exists():
            assert process.poll() is None
            time.sleep(0.001)
        process.kill()
    assert not (out / "checkpoint.safetensors").exists()

    settings(config, training=longer)
    done = train([bag], config, out, "--resume", run=here)
    assert done.returncode == 0, done.stderr
    assert {file.name for file in out.iterdir()} == LEFT
    assert (out / "checkpoint.safetensors").read_bytes() == whole


def test_two_processes_train_one_network(bag, trained, tmp_path):
    # As few steps as beat the mean: the noise soon tells the weights apart.
    few = QUICK["training"] | {"steps": 40, "check_every": 20, "learning_rate": 0.003}
    config = settings(tmp_path / "train.yaml", training=few)
    launcher = ["torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    line = [*launcher, "-m", "ebm_mpc_ros", "train", "--bag", bag, "--config", config]
    done = subprocess.run(
        [sys.executable, "-m", *map(str, line), "--out", str(tmp_path / "two")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("checkpoint: ") == 1
    assert done.stderr.count("to learn from") == 1
    assert {file.name for file in (tmp_path / "two").iterdir()} == LEFT
    path = tmp_path / "two" / "checkpoint.safetensors"
    alone = trained(bag, training=few)
    assert load(path).contract == alone.contract
    weights, other = load_file(path), load_file(alone.path)
    # The noise differs from process to process, the network and its beginning do not.
    assert weights.keys() == other.keys()
    assert all(np.isfinite(array).all() for array in weights.values())
    moved = [np.abs(weights[name] - other[name]).max() for name in weights]
    assert 0.0 < max(moved) < 0.2


def test_every_setting_is_in_the_documentation():
    told = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    for row in SETTINGS:
        assert f"| `{row.name}` | " in told
        assert f"| {row.description} |\n" in told


def test_settings_are_those_of_the_file_or_their_defaults(tmp_path):
    path = tmp_path / "train.yaml"
    path.write_text("kind: transition\nnoise_floor: 1e-9\nprocess_noise: [1e-4, 1, 2, 3, 4]\n")
    found = load_config(path)
    assert found["noise_floor"] == 1e-9
    assert found["process_noise"] == [1e-4, 1, 2, 3, 4]
    assert found["training.steps"] == 10_000
    assert "horizon" not in found
    assert yaml.safe_load("1e-9") == "1e-9"
