"""The demo as a person runs it, and the figures that it prints."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ebm_mpc_ros.__main__ import main
from ebm_mpc_ros.ros.parameter_file import load_parameters
from ebm_mpc_ros.simulation.courses import load_course
from ebm_mpc_ros.tools.demo import last_of_traceback
from ebm_mpc_ros.tools.drive import Drive, Track, summarise
from ebm_mpc_ros.tools.graph import default_params_file

pytest.importorskip("rclpy")
ROOT = Path(__file__).resolve().parents[2]


def demo(out, *arguments):
    return [sys.executable, "-m", "ebm_mpc_ros", "demo", "--out", str(out), *arguments]


@pytest.mark.timeout(150)
@pytest.mark.parametrize("checkpoint", ["shipped", "none"])
def test_the_demo_drives_and_leaves_its_results(tmp_path, checkpoint):
    robot = tmp_path / "robot.yaml"
    robot.write_text("/**/mpc_node: {ros__parameters: {obstacle_clearance: 0.11}}")
    former = tmp_path / "report.html"
    former.write_text("of the former run")
    wanted = ("--seconds", "6", "--course", "slalom", "--checkpoint", checkpoint)
    run = subprocess.run(
        demo(tmp_path, *wanted, "--robot", str(robot)),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    for name in (
        "to the first command",
        "estimate RMSE",
        "MPC tick",
        "sampling",
        "deadline misses",
    ):
        assert name in run.stderr
    assert (tmp_path / "drive.png").stat().st_size > 10_000
    assert (tmp_path / "bag" / "metadata.yaml").is_file()
    assert f"report {tmp_path}" in run.stdout
    ran_with = load_parameters(tmp_path / "params.yaml", "mpc_node")
    shipped = load_parameters(default_params_file(), "mpc_node")
    drive = {"use_sim_time": True, "enabled": True, "cruise_speed": load_course("slalom").speed}
    assert ran_with == {**shipped, "obstacle_clearance": 0.11, **drive}
    assert not former.exists()
    assert (tmp_path / "logs" / "mpc_node.log").is_file()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "robot.yaml: No such file or directory"),
        ("/**/other_node: {ros__parameters: {a: 1}}", "no parameters for node 'ekf_node'"),
    ],
)
def test_a_robots_file_that_has_nothing_for_it_is_told_at_once(tmp_path, capsys, text, words):
    file = tmp_path / "robot.yaml"
    if text:
        file.write_text(text, encoding="utf-8")
    assert main(["demo", "--out", str(tmp_path / "out"), "--robot", str(file)]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def refused(folder, *arguments):
    """Run a demo that finds the modules of a folder, and ends before it drives."""
    run = subprocess.run(
        demo(folder / "out", *arguments),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(folder), str(ROOT)))},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert run.returncode == 2
    return run


@pytest.mark.timeout(120)
def test_a_checkpoint_that_is_none_is_told_at_once(tmp_path):
    strange = tmp_path / "strange.safetensors"
    strange.write_bytes(b"no checkpoint")
    run = refused(tmp_path, "--checkpoint", str(strange))
    assert "can't configure: parameter checkpoint" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.timeout(120)
def test_an_error_of_python_in_a_robots_model_is_told_at_once(tmp_path):
    shutil.copy(ROOT / "examples" / "my_robot.yaml", tmp_path)
    model = (ROOT / "examples" / "my_robot.py").read_text(encoding="utf-8")
    wrong = model.replace("SLIP * dt", "SLIPS * dt")
    assert wrong != model
    (tmp_path / "my_robot.py").write_text(wrong, encoding="utf-8")
    given = ("--controller", "mpc", "--robot", str(tmp_path / "my_robot.yaml"))
    run = refused(tmp_path, *given)
    assert "can't configure: NameError: name 'SLIPS' is not defined" in run.stderr
    words = "".join(run.stderr.split())
    assert any(f"see{tmp_path}/out/logs/{node}.log" in words for node in ("ekf_node", "mpc_node"))
    assert "Traceback" not in run.stderr


@pytest.mark.timeout(120)
def test_where_torch_is_not_installed_it_is_said_in_a_line(tmp_path):
    absent = "raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')"
    (tmp_path / "torch.py").write_text(absent, encoding="utf-8")
    run = refused(tmp_path)
    assert "policy_node can't configure: torch isn't installed: " in run.stderr
    assert "Traceback" not in (tmp_path / "out/logs/policy_node.log").read_text(encoding="utf-8")


TRACE = """
Traceback (most recent call last):
  File "my_robot.py", line 9, in f
    return x + y
           ~~^~~
KeyError: 'y'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "my_robot.py", line 11, in f
    raise ValueError("shapes")
ValueError: shapes
"""


@pytest.mark.parametrize("after", ["\n", "\n[INFO] [1.0] [mpc_node]: later\n"])
def test_of_a_traceback_in_a_log_the_last_error_counts(after):
    assert last_of_traceback(TRACE + after) == "ValueError: shapes"


def test_of_a_traceback_that_is_not_all_there_nothing_is_told():
    assert last_of_traceback(TRACE[: TRACE.index("KeyError")]) == ""


@pytest.mark.timeout(120)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_end_every_process(tmp_path, number):
    run = subprocess.Popen(
        demo(tmp_path, "--seconds", "60"),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    log = tmp_path / "logs" / "recorder_node.log"
    deadline = time.monotonic() + 60
    while not (log.is_file() and log.read_text().strip()) and time.monotonic() < deadline:
        time.sleep(0.1)
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    assert len(children) == 6
    os.kill(run.pid, number)
    output, _ = run.communicate(timeout=40)
    assert run.returncode == 130
    assert b"Traceback" not in output
    assert b"interrupted" in output
    for pid in children:
        assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--course", "monaco"],
        ["--controller", "joystick"],
        ["--seconds", "soon"],
        ["--seconds", "0"],
        ["--seed", "-1"],
        ["--checkpoint", "policy.safetensors", "--controller", "mpc"],
    ],
)
def test_a_wrong_argument_exits_with_2(arguments, tmp_path, capsys):
    try:
        code = main(["demo", "--out", str(tmp_path), *arguments])
    except SystemExit as error:
        code = error.code
    assert code == 2
    assert "Traceback" not in capsys.readouterr().err


def drive(offset=0.0, touches=0, course="corridor"):
    """A drive along the corridor at 1 m/s, `offset` to its left, in truth."""
    times = np.arange(0.0, 7.0, 0.02)
    truth = np.zeros((len(times), 5))
    truth[:, 0], truth[:, 1] = times, offset
    estimate, wheels = truth.copy(), truth.copy()
    estimate[:, 1] += 0.03
    wheels[:, 0] += 0.4
    return Drive(
        load_course(course),
        Track(times, truth),
        Track(times, estimate),
        Track(times, wheels),
        np.column_stack([times, np.ones_like(times), np.zeros_like(times)]),
        [],
        {"simulator_node": {"touches": str(touches)}},
        [],
    )


def test_errors_are_against_the_true_position():
    summary = summarise(drive())
    assert summary.estimate_rmse == pytest.approx(0.03)
    assert summary.wheels_rmse == pytest.approx(0.4)
    assert summary.distance == pytest.approx(6.98)


def test_cross_track_leaves_out_the_neighbourhood_of_obstacles():
    near = drive(offset=0.5)
    summary = summarise(near)
    assert summary.cross_track_rms == pytest.approx(0.5, abs=1e-6)
    assert summary.clearance == pytest.approx(0.5 - 0.2 - 0.2, abs=0.01)
    beside = near._replace(truth=Track(near.truth.times[150:250], near.truth.states[150:250]))
    assert summarise(beside).cross_track_rms == 0.0


@pytest.mark.parametrize(("touches", "touched"), [(0, False), (3, True)])
def test_a_touch_counts(touches, touched):
    assert summarise(drive(offset=0.6, touches=touches)).touched is touched


def test_driving_through_an_obstacle_counts_as_a_touch():
    assert summarise(drive()).touched


@pytest.mark.parametrize(("offset", "left"), [(0.7, False), (0.9, True)])
def test_leaving_the_course_counts(offset, left):
    assert summarise(drive(offset=offset)).left_course is left
