"""`python -m ebm_mpc_ros report`: what a page says of a run."""

import shutil

import numpy as np
import pytest
from estimating import odometry
from recorded_run import NASTY, SECOND, START, RunWriter, Said, whole_run
from replaying import CONFIG, ROOT, mask, replay
from rosbags.typesys import Stores, get_typestore
from typed import for_input, serialized

from ebm_mpc_ros.ros.estimator_parameters import estimator_parameters
from ebm_mpc_ros.ros.event_log import LoggedEstimator
from ebm_mpc_ros.ros.parameters import read
from ebm_mpc_ros.tools.replay_output import odometry_message

PARAMS = ROOT / "config" / "diff_drive.yaml"


@pytest.fixture
def report(here, tmp_path):
    """Make a report of a run and return its page."""

    def report(source, *arguments):
        out = tmp_path / "page.html"
        done = here("report", source, "--out", out, "--replace", *arguments)
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"report: {out}\n"
        return Said(out)

    return report


@pytest.fixture(scope="module")
def run_bag(tmp_path_factory):
    return whole_run(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="module")
def demo_folder(tmp_path_factory, run_bag):
    folder = tmp_path_factory.mktemp("demos") / "demo"
    shutil.copytree(run_bag, folder / "bag")
    shutil.copyfile(PARAMS, folder / "params.yaml")
    return folder


# Panels


def test_the_main_figures(report, run_bag):
    text = report(run_bag).text
    assert "duration 4.0 s" in text
    assert "driven 4.0 m" in text
    assert "estimate, RMSE 0.100 m" in text
    assert "MPC tick, median / p99 1.5 / 4.5 ms" in text
    assert "2023-11-14 22:13:20 UTC" in text


def test_the_map_has_tracks_ellipses_obstacles_plans_and_forecasts(report, run_bag):
    found = report(run_bag).figure("Map")
    assert [track["name"] for track in found["tracks"]] == ["truth", "estimate", "/wheel/odometry"]
    assert found["tracks"][0]["x"][-1] == pytest.approx(4.0)
    assert found["obstacles"] == [[2.0, 1.0, 0.3, 0.0, 4.0]]
    assert found["plans"][0]["x"] == [0.0, 5.0]
    assert {f["name"].split()[0] for f in found["forecasts"]} == {"MPC's", "policy's"}
    np.testing.assert_allclose(found["ellipses"]["long"], np.sqrt(5.991465 * 0.01), atol=1e-4)


def test_the_estimates_error_with_the_bounds_that_it_claims(report, run_bag):
    page = report(run_bag)
    error = page.series("Error in y", "estimate − truth")
    np.testing.assert_allclose(error["y"], 0.1, atol=1e-4)
    band = page.series("Error in y", "95 % by its covariance")
    np.testing.assert_allclose(band["high"], 0.196, atol=1e-3)


def test_commands_against_the_limits_of_the_parameter_file(report, run_bag):
    page = report(run_bag, "--params", PARAMS)
    assert page.series("Speed", "max_speed")["y"] == [1.15]
    assert page.series("Speed", "commanded")["y"][-1] == pytest.approx(2.0)
    assert "34 of 81 commands are beyond a limit." in page.text
    change = page.series("Commanded acceleration", "commanded")["y"]
    np.testing.assert_allclose(change, 0.5, atol=1e-3)
    assert page.series("Commanded acceleration", "-max_deceleration")["y"] == [-1.0]


def test_predicted_against_driven(report, run_bag):
    page = report(run_bag)
    prediction = page.series("By how far ahead", "MPC's prediction, median")
    assert prediction["x"][-1] == pytest.approx(0.5)
    np.testing.assert_allclose(prediction["y"], 0.0, atol=1e-4)
    plan = page.series("By how far ahead", "policy's plan, median")
    np.testing.assert_allclose(plan["y"], 0.2, atol=1e-4)


def test_what_nodes_said_with_when_and_who(report, run_bag):
    page = report(run_bag)
    assert "2.00 s 1.0 s mpc_node error stopping: no plan" in page.text
    rows = dict(page.figure("Level of each node")["rows"])
    assert [span[2] for span in rows["mpc_node"]] == [0, 2, 0]


def test_a_sentence_said_again_with_other_numbers_is_one_line(report, tmp_path):
    with RunWriter(tmp_path / "run") as bag:
        for k, words in enumerate(["7 % late", "8.5 % late", "12 % late", "late", "late"]):
            bag.status(float(k), "mpc_node", 1, words)
        bag.status(20.0, "mpc_node", 1, "late")
        bag.odometry("odometry/filtered", 0.0)
        bag.odometry("odometry/filtered", 20.0)
    ((_, spans),) = report(tmp_path / "run").figure("Level of each node")["rows"]
    assert [(begin, end, text) for begin, end, _, text in spans] == [
        (0.0, 3.0, "7 % late"),
        (3.0, 4.0, "late"),
        (20.0, 20.0, "late"),
    ]


def test_times_and_nis_come_from_diagnostics(report, run_bag):
    page = report(run_bag)
    assert page.series("MPC tick", "p99")["y"] == [4.5] * 5
    assert page.series("imu0, by ekf_node", "95 % by χ²")["high"] == [1.2] * 5


def test_innovations_of_a_demo_are_computed_with_the_parameters_it_kept(report, demo_folder, here):
    page = report(demo_folder)
    speed = page.series("odom0 vx", "innovation")
    assert len(speed["x"]) == 81
    assert "Computed anew from the bag's sensors with params.yaml." in page.text
    assert page.series("Speed", "max_speed")["y"] == [1.15]
    done = here("report", demo_folder)
    assert done.stdout == f"report: {demo_folder}/report.html\n"


def test_a_replays_folder_gives_the_same_innovations_as_its_bag(report, here, short, tmp_path):
    assert replay(short, tmp_path / "out", run=here).returncode == 0
    kept, computed = report(tmp_path / "out"), report(short, "--params", CONFIG)
    for page in (kept, computed):
        assert len(page.figures("imu0 ", "odom0 ")) == 11
        assert len(page.figures("imu0.", "odom0.")) == 2
    name = "imu0 vyaw" if kept.figures("imu0 vyaw") else "imu0 vroll"
    mine, theirs = (page.series(name, "innovation") for page in (kept, computed))
    np.testing.assert_allclose(mine["y"], theirs["y"], atol=1e-3)
    for page in (kept, computed):
        assert "estimate" in [track["name"] for track in page.figure("Map")["tracks"]]


def test_an_event_log_gives_innovations_without_parameters(report, tmp_path):
    given = {
        "model": "diff_drive",
        "odom0": "/odom",
        "odom0_config": mask("vx", "vyaw"),
    }
    values, _ = read(estimator_parameters(given), given)
    types = get_typestore(Stores.ROS2_JAZZY).types
    live = LoggedEstimator(values, lambda *_: None, tmp_path / "log", serialized)
    for k in range(100):
        now = START + k * SECOND // 50
        live.receive("odom0", for_input("odom0", odometry(now, linear=(1.0, 0, 0))), now)
        estimate = live.to_publish(now)
        if estimate is not None:
            live.log.published(now, odometry_message(types, live, estimate))
    live.log.close()
    page = report(tmp_path / "log")
    assert len(page.series("odom0 vx", "innovation")["x"]) > 90
    assert "From the event log, to the bit." in page.text
    assert "estimate" in [track["name"] for track in page.figure("Map")["tracks"]]


def test_somebodys_bag_gives_a_page_that_says_what_is_missing(report, short):
    page = report(short)
    (track,) = page.figure("Map")["tracks"]
    assert track["name"] == "/husky_velocity_controller/odom"
    for words in (
        "Commands needs cmd_vel (geometry_msgs/msg/TwistStamped or geometry_msgs/msg/Twist).",
        "Error of the estimate needs odometry/filtered (nav_msgs/msg/Odometry) and ground_truth/",
        "Innovations needs the estimator's parameters, given with --params FILE",
        "What the nodes said needs /diagnostics (diagnostic_msgs/msg/DiagnosticArray).",
        "Predicted against driven needs mpc/prediction (nav_msgs/msg/Path)",
        "Solve and sampling times needs /diagnostics",
        "No obstacles: it needs obstacles (visualization_msgs/msg/MarkerArray), in the frame odom.",
    ):
        assert words in page.text
    assert "/fix sensor_msgs/msg/NavSatFix" in page.text


def test_a_bag_without_odometry_still_gives_a_page(report, tmp_path):
    with RunWriter(tmp_path / "quiet") as bag:
        bag.status(0.0, "mpc_node", 2, "stopping: no estimate")
        bag.status(2.0, "mpc_node", 2, "stopping: no estimate")
    page = report(tmp_path / "quiet")
    assert "Missing: it needs odometry/filtered (nav_msgs/msg/Odometry), or any other" in page.text
    assert "stopping: no estimate" in page.text


# Topics


def test_a_robot_in_a_namespace(report, tmp_path):
    page = report(whole_run(tmp_path / "run", space="/robot1", seconds=2.0))
    assert page.series("Speed", "commanded")
    assert "robot1/mpc_node" in page.text
    assert len(page.figure("Map")["tracks"]) == 3


def test_topics_of_other_names(report, tmp_path):
    with RunWriter(tmp_path / "run") as bag:
        for k in range(20):
            bag.odometry("vicon/odom", k / 20, k / 20)
            bag.odometry("fused", k / 20, k / 20, 0.2)
    page = report(tmp_path / "run", "--topic", "truth=/vicon/odom", "--topic", "estimate=fused")
    assert "estimate, RMSE 0.200 m" in page.text


def test_odometry_in_another_frame_is_not_drawn_and_named(report, tmp_path):
    with RunWriter(tmp_path / "run") as bag:
        for k in range(20):
            bag.odometry("odometry/filtered", k / 20, k / 20)
            bag.odometry("odometry/gps", k / 20, 5e5, 4e6, frame="utm")
    page = report(tmp_path / "run")
    assert [track["name"] for track in page.figure("Map")["tracks"]] == ["estimate"]
    assert "not drawn: /odometry/gps (frame utm)" in page.text


def test_a_clock_of_arrivals_that_is_not_that_of_stamps(report, tmp_path):
    """A simulation recorded by the wall clock, with commands that have no stamp."""
    with RunWriter(tmp_path / "run") as bag:
        bag.arrival_offset = 1e6
        for k in range(40):
            time = k / 20
            bag.odometry("odometry/filtered", time, time)
            bag.unstamped_command(time, 0.5)
    page = report(tmp_path / "run")
    assert page.data["duration"] == pytest.approx(1.95)
    assert page.series("Speed", "commanded")["x"][0] == pytest.approx(0.0, abs=0.1)


def test_a_stamp_of_no_clock_counts_as_its_arrival(report, tmp_path):
    with RunWriter(tmp_path / "run") as bag:
        for k in range(40):
            bag.odometry("odometry/filtered", k / 20, k / 20)
            bag.arrival_offset = 1e9 if k == 20 else 0.0
            bag.command(k / 20 - bag.arrival_offset, 0.5)
            bag.arrival_offset = 0.0
    page = report(tmp_path / "run")
    assert page.data["duration"] == pytest.approx(1.95)
    assert page.series("Speed", "commanded")["x"][20] == pytest.approx(1.0)


def test_of_many_nodes_the_worst_are_shown(report, tmp_path):
    with RunWriter(tmp_path / "run") as bag:
        for k in range(400):
            bag.status(k / 100, f"node_{k:03}", 2 if k == 321 else 0, "words")
    page = report(tmp_path / "run")
    assert "The 300 worst of 400. The figure has the 20 worst of 400 nodes." in page.text
    assert "node_321 error words" in page.text
    assert "node_321" in [name for name, _ in page.figure("Level of each node")["rows"]]


# What a page must not do


def test_nothing_that_a_bag_says_becomes_markup(report, tmp_path):
    page = report(whole_run(tmp_path / "run", seconds=2.5, nasty=NASTY))
    assert page.tags.count("script") == 2
    assert "img" not in page.tags
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert f"stopping: no plan{NASTY}" in page.text
    assert "alert('x')</script>" not in page.html


def test_a_page_fetches_nothing(report, run_bag):
    page = report(run_bag)
    assert not {"link", "img", "iframe", "object", "base"} & set(page.tags)
    for name, value in page.attributes:
        assert name != "src"
        if name == "href":
            assert value.startswith("#")
    assert "default-src 'none'" in page.html
    assert page.html.count("'sha256-") == 2


def test_numbers_that_are_not_finite_are_left_out_and_counted(report, tmp_path):
    with RunWriter(tmp_path / "run") as bag:
        for k in range(20):
            bag.odometry("odometry/filtered", k / 20, float("nan") if k == 7 else k / 20)
            bag.command(k / 20, float("inf") if k == 3 else 0.5)
    page = report(tmp_path / "run")
    assert "1 messages of /odometry/filtered are left out: not finite" in page.text
    assert "1 messages of /cmd_vel are left out: not finite" in page.text


def test_a_long_run_is_drawn_with_fewer_points_and_says_so(report, tmp_path):
    with RunWriter(tmp_path / "run") as bag:
        for k in range(5000):
            bag.odometry("odometry/filtered", k / 50, k / 50, speed=9.0 if k == 1234 else 1.0)
    page = report(tmp_path / "run")
    speed = page.series("Speed", "estimated")
    assert len(speed["y"]) <= 1600
    assert max(speed["y"]) == 9.0
    assert "estimated: the least and the most of every 7 of 5,000 points." in page.text
    assert "estimate: every 2nd of 5,000 points." in page.text
