"""docs/models.md: its robot is taken from the page, checked, and drives; its words are said."""

import importlib
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from nav_msgs.msg import Odometry

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.models import load_model
from ebm_mpc_ros.ros.estimator import Estimator
from ebm_mpc_ros.ros.parameters import read
from ebm_mpc_ros.ros.robot_parameters import ROBOT_PARAMETERS, robot_model_of
from ebm_mpc_ros.tools.graph import default_params_file, simulation_graph

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "models.md"
EXAMPLES = ROOT / "examples"
NAME = "my_robot:Slipping"
ODOMETRY = {"odom0": "odom", "odom0_config": [i == 6 for i in range(15)]}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A copy of the page's files, where Python finds them."""
    for file in EXAMPLES.glob("my_robot.*"):
        shutil.copy(file, tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.delitem(sys.modules, "my_robot", raising=False)
    yield tmp_path
    sys.modules.pop("my_robot", None)


def test_the_robot_is_a_file_of_forty_lines(folder):
    lines = (folder / "my_robot.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 40
    assert load_model(NAME).state_names == ("x", "y", "yaw", "vx", "vyaw")


@pytest.mark.parametrize(
    ("language", "name"), [("python", "my_robot.py"), ("yaml", "my_robot.yaml")]
)
def test_the_page_shows_the_files(language, name):
    (shown,) = re.findall(
        rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    assert shown == (EXAMPLES / name).read_text(encoding="utf-8")


@pytest.mark.usefixtures("folder")
def test_it_takes_batches_of_numpy_and_of_torch():
    model, rng = load_model(NAME), np.random.default_rng(0)
    x, u, w = (rng.normal(size=(4, 3, size)) for size in (5, 2, 5))
    following, jacobians = model.f(x, u, 0.1, w), model.jacobians(x, u, 0.1)
    np.testing.assert_allclose(following[1, 2], model.f(x[1, 2], u[1, 2], 0.1, w[1, 2]))
    theirs = [torch.from_numpy(array) for array in (x, u, w)]
    np.testing.assert_allclose(model.f(*theirs[:2], 0.1, theirs[2]).numpy(), following)
    for ours, other in zip(jacobians, model.jacobians(*theirs[:2], 0.1), strict=True):
        np.testing.assert_allclose(other.numpy(), ours)


def graph_on_it(folder):
    return simulation_graph(
        controller="mpc",
        course="corridor",
        seed=0,
        params_file=default_params_file(),
        robot_files=(folder / "my_robot.yaml",),
    )


@pytest.mark.timeout(150)
def test_it_drives_with_the_mpc(start, folder):
    processes, observer = start(*graph_on_it(folder))
    for topic in ("ground_truth/odom", "odometry/filtered"):
        observer.listen(Odometry, topic)
    truth, estimates = (observer.heard[name] for name in ("ground_truth/odom", "odometry/filtered"))
    observer.wait_for_condition("mpc_node", "driving")
    observer.wait_for(
        lambda: truth and truth[-1].twist.twist.linear.x > 0.4, "a speed above 0.4 m/s"
    )
    assert abs(estimates[-1].pose.pose.position.x - truth[-1].pose.pose.position.x) < 0.2
    assert not processes.dead()


def driven(name):
    robot_model_of(read(ROBOT_PARAMETERS, {"model": name})[0])


def estimated(name):
    Estimator.from_parameters({"model": name, **ODOMETRY})


EXTRA = '"vyaw", "grip")'
MISTAKES = [
    (driven, "", "", "No module named"),
    (driven, "class Slipping", "class Sliding", "has no attribute"),
    (driven, "class Slipping(Model):", "class Slipping(Model:", "invalid syntax"),
    (driven, "class Slipping(Model)", "class Slipping", "is not a subclass"),
    (driven, "    def ", "    def not_", "lacks f, jacobians"),
    (driven, '"vyaw")', EXTRA, "has the output grip"),
    (
        estimated,
        '"x", "y", "yaw", "vx", "vyaw")',
        '"x", "grip", "yaw", "vx", "vyaw")\n    output_names = ("x", "y", "yaw", "vx", "vyaw")',
        "has no noise",
    ),
    (driven, '"vyaw")', '"vroll")', "has no output vyaw"),
    (driven, '"ax",', '"force",', "has the inputs force, alpha"),
    (driven, '"alpha"', '"steering_rate"', "has the input steering_rate"),
    (driven, "state_size = 5", "state_size = 6", "state_size is 6"),
    (
        driven,
        "    def f(",
        "    def __init__(self, mass):\n        self.mass = mass\n\n    def f(",
        "required argument",
    ),
    (
        driven,
        "    def f(",
        "    def origin(self):\n        return 0, 0, 0\n\n    def f(",
        "origin()",
    ),
    (
        driven,
        "    def f(self, x, u, dt, w=None):\n",
        "    def f(self, x, u, dt, w=None):\n        dt = 0.05\n",
        "in 0.1 s as in",
    ),
    (driven, "following + w", "following + w * float('nan')", "f with noise"),
    (
        driven,
        "    def f(",
        (
            "    def linearize(self, x, u, dt):\n"
            "        f, (A, B, W) = super().linearize(x, u, dt)\n"
            "        return f, Jacobians(A, -B, W)\n\n    def f("
        ),
        "linearize: B",
    ),
    (
        driven,
        "    def f(",
        "    def state(self, outputs):\n        return outputs * [1, 1, 1, -1, 1]\n\n    def f(",
        "state is no inverse",
    ),
    (driven, "A[..., 0, 3] = cos * dt - drift * x[..., 4] * sin", "", "of x by vx, is 0"),
    (
        driven,
        "B = zeros(x, 5, 5) + broadcast_eye(x, 5), zeros(x, 5, 2)",
        "B = zeros(x, 5, 5) + broadcast_eye(x, 5), zeros(x, 5, 3)",
        "B has shape",
    ),
]


@pytest.mark.parametrize(
    ("use", "before", "after", "key"), MISTAKES, ids=[case[3] for case in MISTAKES]
)
def test_the_page_tells_what_is_said_of_mistakes(folder, use, before, after, key):
    rows = re.findall(
        r"^\| `(.+)` \| [^|]+ \|$",
        PAGE.read_text(encoding="utf-8").partition("## What is checked")[2],
        re.MULTILINE,
    )
    assert len(rows) == len(MISTAKES)
    (words,) = [row for row in rows if key in row]
    file = folder / "my_robot.py"
    source = file.read_text(encoding="utf-8")
    if before:
        assert before in source
        file.write_text(source.replace(before, after), encoding="utf-8")
    else:
        file.unlink()
    importlib.invalidate_caches()
    with pytest.raises(UserError) as refused:
        use(NAME)
    said = str(refused.value)
    prefix = f"parameter model = {NAME}: "
    assert said.startswith(prefix)
    line = re.sub(r"line \d+", "line 9", said.removeprefix(prefix))
    assert line.startswith(words.replace("NAME", NAME).rstrip(" …"))


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("following + w", "following + w[..., :3]", "could not be broadcast"),
        ("(rates)]", "(rates, strict=5)]", "strict"),
        ("x[..., 4], u[..., 0]", "x[..., 4], u[..., 9]", "out of bounds"),
    ],
)
@pytest.mark.parametrize("use", [driven, estimated])
def test_what_its_own_code_raises_keeps_its_kind(folder, use, before, after, words):
    file = folder / "my_robot.py"
    source = file.read_text(encoding="utf-8")
    assert before in source
    file.write_text(source.replace(before, after), encoding="utf-8")
    importlib.invalidate_caches()
    with pytest.raises((ValueError, IndexError, TypeError), match=words) as raised:
        use(NAME)
    assert raised.traceback[-1].path == file


def test_a_graph_on_it_says_what_is_wrong(start, folder):
    file = folder / "my_robot.py"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('("ax",', '("force",'), encoding="utf-8")
    _, observer = start(*(spec for spec in graph_on_it(folder) if spec.name == "mpc_node"))
    observer.wait_for_condition("mpc_node", f"parameter model = {NAME}: Slipping has the inputs")
