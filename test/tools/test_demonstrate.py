"""`demonstrate`: our controller past obstacles, recorded to a bag that `train` learns from."""

import signal

import numpy as np
import pytest
from replaying import refused
from training import settings

from ebm_mpc_ros.__main__ import main
from ebm_mpc_ros.learning.bags import open_bag
from ebm_mpc_ros.learning.resampling import Grid, segments
from ebm_mpc_ros.simulation.robot import ROBOT_RADIUS
from ebm_mpc_ros.tools import demonstrate as module
from ebm_mpc_ros.tools.demonstrator import MODEL
from ebm_mpc_ros.tools.train_bags import read_recording
from ebm_mpc_ros.tools.train_config import load_config

EPISODES = 2
SEED = "4"


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    path = tmp_path_factory.mktemp("demonstrations") / "bag"
    assert (
        main(["demonstrate", "--episodes", str(EPISODES), "--out", str(path), "--seed", SEED]) == 0
    )
    return path


@pytest.fixture
def recording(bag, tmp_path):
    config = settings(tmp_path / "train.yaml")
    return read_recording(bag, MODEL, load_config(config), config)


def test_the_bag_has_the_topics_that_the_demo_records(bag):
    with open_bag(bag) as opened:
        counts = {topic: kind.messages for topic, kind in opened.topics.items()}
    assert counts["/plan"] == counts["/obstacles"] == EPISODES
    assert counts["/ground_truth/odom"] == pytest.approx(2.5 * counts["/cmd_vel"], rel=0.02)
    assert counts["/wheel/odometry"] == pytest.approx(counts["/ground_truth/odom"], rel=0.02)


def test_every_episode_goes_from_its_plan_s_start_to_its_end_past_its_obstacle(recording):
    assert len(recording.goals) == len(recording.obstacles) == EPISODES
    stamps, states = recording.states
    ends = [*(goal.stamp for goal in recording.goals[1:]), np.inf]
    for goal, obstacles, end in zip(recording.goals, recording.obstacles, ends, strict=True):
        own = states[(stamps >= goal.stamp) & (stamps < end)]
        assert np.hypot(*(own[-1, :2] - goal.places[-1])) < 0.1
        assert abs(own[-1, 3]) < 0.02
        ((x, y, radius),) = obstacles.circles
        gap = np.hypot(own[:, 0] - x, own[:, 1] - y) - radius - ROBOT_RADIUS
        assert 0.05 < gap.min() < 0.5


def test_pushes_and_the_time_between_episodes_are_gaps(recording):
    parts = segments(MODEL, recording, Grid(dt=0.1, longest_gap=0.25))
    assert len(parts) > EPISODES
    for part in parts:
        steps = np.hypot(*np.diff(part.states[:, :2], axis=0).T)
        assert steps.max(initial=0.0) < 0.15
    assert all(np.abs(part.inputs).max() <= 2.0 + 1e-6 for part in parts)


def test_the_inputs_recorded_are_what_the_robot_then_does(recording):
    for part in segments(MODEL, recording, Grid(dt=0.1, longest_gap=0.25)):
        following = MODEL.f(part.states[:-1], part.inputs, 0.1)
        error = np.abs(MODEL.minus(part.states[1:], following))
        assert np.quantile(error[:, :2], 0.9) < 0.02


def test_the_same_seed_records_the_same(bag, tmp_path):
    path = tmp_path / "bag"
    assert main(["demonstrate", "--episodes", "1", "--out", str(path), "--seed", SEED]) == 0
    again = raw(path)
    assert again == raw(bag)[: len(again)]


def raw(path):
    with open_bag(path) as opened:
        return list(opened.raw_messages(list(opened.topics)))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--episodes", "0"], "--episodes is 0, must be 1 or more"),
        (["--seed", "-1"], "--seed is -1, must be 0 or more"),
    ],
)
def test_a_number_out_of_range_is_refused(here, tmp_path, arguments, words):
    said = refused(here("demonstrate", "--out", tmp_path / "bag", *arguments))
    assert words in said
    assert not (tmp_path / "bag").exists()


def test_a_bag_that_exists_is_not_written_over(here, bag):
    before = sorted(bag.iterdir())
    assert "exists already" in refused(here("demonstrate", "--out", bag))
    assert sorted(bag.iterdir()) == before


def test_interrupted_it_leaves_nothing(here, tmp_path, monkeypatch):
    def interrupted(rng, recorder):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_episode", interrupted)
    done = here("demonstrate", "--out", tmp_path / "bag")
    assert done.returncode == 130
    assert "interrupted" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_terminated_it_leaves_nothing_and_sigterm_is_as_before(here, tmp_path, monkeypatch):
    def terminated(rng, recorder):
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(module, "_episode", terminated)
    before = signal.getsignal(signal.SIGTERM)
    done = here("demonstrate", "--out", tmp_path / "bag")
    assert done.returncode == 130
    assert "interrupted" in done.stderr
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) is before


def test_where_every_episode_fails_it_says_so(here, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_episode", lambda rng, recorder: 0.0)
    said = refused(here("demonstrate", "--out", tmp_path / "bag"))
    assert "came too close" in said
    assert list(tmp_path.iterdir()) == []
