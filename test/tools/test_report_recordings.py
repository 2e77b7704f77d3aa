"""Recordings that are out of the ordinary: other frames, other clocks, more than a page holds."""

import numpy as np
import pytest
from recorded_run import RunWriter, Said, whole_run
from replaying import ROOT

PARAMS = ROOT / "config" / "diff_drive.yaml"


@pytest.fixture
def report(here, tmp_path):
    """Make a report of a run and return its page."""

    def report(*arguments):
        out = tmp_path / "page.html"
        done = here("report", tmp_path / "run", "--out", out, *arguments)
        assert done.returncode == 0, done.stderr
        return Said(out)

    return report


def drive(bag, seconds=4.0):
    for k in range(round(20 * seconds)):
        bag.odometry("odometry/filtered", k / 20, k / 20, speed=1.0)


# Frames


def test_what_is_in_another_frame_than_the_estimate_is_left_out_and_named(report, tmp_path):
    with RunWriter(tmp_path / "run") as bag:
        drive(bag)
        for k in range(80):
            time = k / 20
            bag.odometry("ground_truth/odom", time, 50.0 + time, 7.0, speed=1.0, frame="mocap")
            bag.path("mpc/prediction", time, [(time, 90.0)] * 3, step=0.1, frame="map")
            bag.trajectory(time, [(time, 90.0)] * 3, 0.1, frame="map")
        bag.path("plan", 0.0, [(100.0, 100.0), (105.0, 100.0)], frame="map")
        bag.obstacle(0.0, 90.0, 90.0, 0.3, frame="map")
    page = report()
    found = page.figure("Map")
    assert [track["name"] for track in found["tracks"]] == ["estimate"]
    assert not any(plan["x"] for plan in found["plans"])
    assert found["obstacles"] == found["forecasts"] == []
    for words in (
        "Not in the frame odom and not drawn: /ground_truth/odom (frame mocap).",
        "80 messages of /mpc/prediction are left out: in the frame map, /odometry/filtered is in",
        "80 messages of /policy/plan are left out: in the frame map",
        "1 messages of /plan are left out: in the frame map",
        "1 markers of /obstacles are left out: in the frame map",
        "Error of the estimate needs ground_truth/odom (nav_msgs/msg/Odometry), in the frame odom.",
        "Predicted against driven needs mpc/prediction",
    ):
        assert words in page.text
    assert "RMSE" not in page.text
    assert page.series("Speed", "true")["y"][0] == 1.0


def test_of_odometry_that_changes_its_frame_the_first_counts(report, tmp_path):
    with RunWriter(tmp_path / "run") as bag:
        drive(bag)
        bag.odometry("odometry/filtered", 4.0, 1e6, frame="map")
    page = report()
    assert max(page.figure("Map")["tracks"][0]["x"]) == pytest.approx(3.95)
    assert "left out: in the frame map, the first is in odom." in page.text


# Clocks


def test_in_a_slow_simulation_all_is_placed_by_its_clock(report, tmp_path):
    with RunWriter(tmp_path / "run") as bag:
        for k in range(1201):
            time = k / 20
            bag.arrival_offset = time + 1e6
            bag.odometry("odometry/filtered", time, time, speed=1.0)
            bag.unstamped_command(time, 1.0)
            if k in (400, 800):
                bag.obstacle(time, 1.0, 1.0, 0.3, delete=k == 800)
            if k % 20 == 0:
                amiss = 40.0 < time < 50.0
                bag.status(time, "mpc_node", 2 * amiss, "amiss" if amiss else "driving")
    page = report()
    assert page.data["duration"] == 60.0
    spans = dict(page.figure("Level of each node")["rows"])["mpc_node"]
    assert [(begin, end) for begin, end, *_ in spans] == [(0.0, 41.0), (41.0, 50.0), (50.0, 60.0)]
    assert page.figure("Map")["obstacles"] == [[1.0, 1.0, 0.3, 20.0, 40.0]]
    command = page.series("Speed", "commanded")
    assert (command["x"][0], command["x"][-1]) == pytest.approx((0.0, 60.0), abs=0.01)


def test_a_stamp_that_is_an_hour_off_does_not_stretch_the_run(report, tmp_path):
    with RunWriter(tmp_path / "run") as bag:
        for k in range(400):
            bag.arrival_offset = 3540.0 if k == 100 else 0.0
            bag.odometry("odometry/filtered", k / 20 - bag.arrival_offset, k / 20)
    page = report()
    assert page.data["duration"] == pytest.approx(19.95)
    words = "are placed by their arrival: their stamps are more than 10 s off."
    assert f"1 messages of /odometry/filtered {words}" in page.text


@pytest.fixture
def set_back(tmp_path):
    """20 s along x at 1 m/s; after 8 s the clock is set back by 5 s."""
    with RunWriter(tmp_path / "run") as bag:
        for k in range(400):
            elapsed = k / 20
            bag.arrival_offset = 5.0 if k >= 160 else 0.0
            time = elapsed - bag.arrival_offset
            bag.odometry("odometry/filtered", time, elapsed, speed=1.0)
            bag.odometry("ground_truth/odom", time, elapsed, speed=1.0)
            bag.command(time, 1.0)
            bag.imu(time, 0.1)
            bag.path("mpc/prediction", time, [(elapsed, 0.0), (elapsed + 1.0, 0.0)], step=1.0)
            if k % 20 == 0:
                bag.status(time, "mpc_node", message="earlier" if k < 160 else "later")
    return tmp_path / "run"


@pytest.mark.usefixtures("set_back")
def test_of_a_clock_that_was_set_back_the_longest_stretch_is_shown(report):
    page = report("--params", ROOT / "config/diff_drive.yaml")
    assert page.data["duration"] == pytest.approx(11.95)
    assert "driven 11.9 m" in page.text
    for track in page.figure("Map")["tracks"]:
        np.testing.assert_allclose(np.diff(track["x"]), 0.05, atol=2e-3)
    assert len(page.series("Speed", "commanded")["x"]) == 240
    distances = page.series("Over the run", "MPC's prediction, 1.00 s")["y"]
    assert max(filter(None, distances), default=0.0) < 1e-6
    assert "later" in page.text
    assert "earlier" not in page.text
    assert "648 messages are left out: a clock was set back" in page.text
    assert "needs a recording in which no clock is set back" in page.text


def test_a_cancelled_plan_goes_from_the_map(report, tmp_path):
    with RunWriter(tmp_path / "run") as bag:
        bag.path("plan", 0.0, [(0.0, 0.0), (5.0, 0.0)])
        drive(bag)
        bag.path("plan", 1.0, [], frame="")
        bag.path("plan", 3.0, [(100.0, 0.0)], frame="map")
    plans = report().figure("Map")["plans"]
    assert [(plan["t"], plan["x"]) for plan in plans] == [(0.0, [0.0, 5.0]), (1.0, []), (3.0, [])]


# Limits


def test_limits_of_layers_the_later_wins_and_absent_ones_are_named(report, tmp_path):
    whole_run(tmp_path / "run", seconds=1.0)
    slow, slower = tmp_path / "slow.yaml", tmp_path / "slower.yaml"
    slow.write_text("/**/mpc_node: {ros__parameters: {max_speed: 0.7, min_speed: -0.1}}")
    slower.write_text("/**/mpc_node: {ros__parameters: {max_speed: 0.5}}")
    page = report("--params", f"{slow},{slower}")
    assert page.series("Speed", "max_speed")["y"] == [0.5]
    assert page.series("Speed", "min_speed")["y"] == [-0.1]
    assert page.series("Turn rate", "max_yaw_rate")["y"] == [1.7]
    absent = "max_yaw_rate, max_acceleration, max_deceleration, max_yaw_acceleration"
    words = "Limits are mpc_node's; not among its parameters, so its defaults:"
    assert f"{words} {absent}." in page.text
    layered = report("--replace", "--params", PARAMS, "--params", slower)
    assert layered.series("Speed", "max_speed")["y"] == [0.5]
    assert "Limits are mpc_node's." in layered.text
    assert layered.figures("odom0 vx")


def test_limits_are_those_of_the_policy_where_it_drove(report, tmp_path):
    with RunWriter(tmp_path / "run") as bag:
        drive(bag)
        for k in range(80):
            bag.command(k / 20, 0.5)
        bag.status(1.0, "policy_node", 0, "driving")
    file = tmp_path / "robot.yaml"
    file.write_text(
        "/**/mpc_node: {ros__parameters: {max_speed: 0.7}}\n"
        "/**/policy_node: {ros__parameters: {max_speed: 0.4}}\n"
    )
    page = report("--params", file)
    assert page.series("Speed", "max_speed")["y"] == [0.4]
    assert "80 of 80 commands are beyond a limit." in page.text


def test_a_robot_that_drives_sideways_has_a_figure_of_that(report, tmp_path):
    with RunWriter(tmp_path / "run") as bag:
        drive(bag)
        for k in range(80):
            bag.command(k / 20, 0.5, sideways=0.01 * k)
    file = tmp_path / "omni.yaml"
    file.write_text("/**/mpc_node: {ros__parameters: {model: omni, max_sideways_speed: 0.4}}")
    page = report("--params", file)
    chart = page.series("Sideways speed", "commanded")
    np.testing.assert_allclose(chart["y"], 0.01 * np.arange(80), atol=1e-4)
    assert page.series("Sideways speed", "max_sideways_speed")["y"] == [0.4]
    change = page.series("Commanded sideways acceleration", "commanded")["y"]
    np.testing.assert_allclose(change, 0.2, atol=1e-3)


# Much of it


def test_what_a_node_says_without_end_has_a_budget(report, tmp_path):
    with RunWriter(tmp_path / "run") as bag:
        for k in range(4000):
            if k % 10 == 0:
                bag.odometry("odometry/filtered", k / 20, k / 20)
            words = "no solution: " + "x" * 1000 if k == 1000 else f"{'even' if k % 2 else 'odd'}"
            bag.status(k / 20, "mpc_node", 2 if k == 1000 else k % 2, words)
    page = report()
    ((_, spans),) = page.figure("Level of each node")["rows"]
    assert len(spans) == 1000
    assert [span[2] for span in spans].count(2) == 1
    assert max(len(span[3]) for span in spans) < 330
    assert spans[-1][1] == pytest.approx(200.0, abs=0.1)
    assert "Where a node said more than 1,000, the figure has the worst of a few." in page.text


def test_obstacles_that_move_have_a_budget(report, tmp_path):
    with RunWriter(tmp_path / "run") as bag:
        drive(bag)
        for k in range(4000):
            bag.obstacle(k / 1000, 1.0 + k / 1000, 1.0, 0.3)
    page = report()
    assert len(page.figure("Map")["obstacles"]) <= 3001
    assert "obstacles: every 2nd of 4,000 places." in page.text


def test_touches_and_ages_are_shown(report, tmp_path):
    with RunWriter(tmp_path / "run") as bag:
        drive(bag)
        for k in range(4):
            bag.status(k, "simulator_node", touches=3 * k)
            bag.status(k, "policy_node", state_age_median_ms=5.0, state_age_p99_ms=9.0)
    page = report()
    assert "touches 9" in page.text
    assert page.series("Age of the state that a plan is made from", "p99")["y"] == [9.0] * 4
