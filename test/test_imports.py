"""Who may import whom: dependencies go downwards only, and heavy things stay where they belong."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "ebm_mpc_ros"
ANYONE = {"errors", "resources"}
BELOW = {
    "errors": set(),
    "resources": set(),
    "models": set(),
    "estimation": {"models"},
    "control": {"models"},
    "energy": {"control", "models"},
    "simulation": {"models"},
    "learning": {"simulation", "energy", "control", "estimation", "models"},
}
BELOW["ros"] = {"learning", *BELOW["learning"]}
BELOW["nodes"] = {"ros", *BELOW["ros"]}
BELOW["tools"] = {"nodes", *BELOW["nodes"]}
CORE = ("models", "estimation", "control", "energy", "simulation")
ROS = {"rclpy", "tf2_ros"}
LAUNCH = {"launch", "launch_ros"}
WITHOUT_ROS = [
    f"ebm_mpc_ros.{name}"
    for name in (
        "ros.controller",
        "ros.controller_health",
        "ros.conversion",
        "ros.diagnosis",
        "ros.estimator",
        "ros.estimator_parameters",
        "ros.mpc_parameters",
        "ros.obstacle_ledger",
        "ros.parameter_file",
        "ros.parameters",
        "ros.timing",
        "learning.bags",
        "learning.learned_model",
        "tools.replay",
        "tools.report",
        "__main__",
    )
]
FILL_A_NETWORK = """
from ebm_mpc_ros.learning.architecture import restored
from ebm_mpc_ros.learning.checkpoint import load
restored(load(pathlib.Path("checkpoints/two_sided.safetensors")))
"""
FILES = sorted(PACKAGE.rglob("*.py"))


def name_of(file):
    parts = ("ebm_mpc_ros", *file.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts).removesuffix(".__init__")


def room_of(name):
    """Return the room of a module, or its own name where it stands above the rooms."""
    return name.split(".")[1] if "." in name else ""


def imported(node):
    """Return the modules that an import statement names."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    assert node.level == 0, "relative import"
    if node.module == "ebm_mpc_ros":
        return [f"ebm_mpc_ros.{alias.name}" for alias in node.names]
    return [node.module]


def everywhere(file):
    """Return every module that a file imports, anywhere in it."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    statements = [n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)]
    return {name for node in statements for name in imported(node)}


def on_import(file):
    """Return the modules that a file imports when it is itself imported."""
    found, todo = set(), [ast.parse(file.read_text(encoding="utf-8"))]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            todo += node.orelse
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.update(imported(node))
        todo += ast.iter_child_nodes(node)
    return found


def is_ros(name):
    top = name.split(".")[0]
    return top in ROS or top.endswith(("_msgs", "_srvs", "_interfaces"))


def python(code):
    """Run code in a fresh interpreter."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        check=False,
    )


def imports_without(blocked, modules):
    lines = ["import importlib, sys", f"sys.modules.update(dict.fromkeys({blocked!r}))"]
    lines += [f"importlib.import_module({name!r})" for name in modules]
    done = python("\n".join(lines))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_dependencies_go_downwards_only(file):
    room = room_of(name_of(file))
    if room not in BELOW:
        return
    ours = {room_of(name) for name in everywhere(file) if name.startswith("ebm_mpc_ros.")}
    assert ours <= BELOW[room] | ANYONE | {room}


def test_every_room_is_in_the_graph():
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert rooms == set(BELOW) - ANYONE


def test_the_page_on_architecture_says_the_same():
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.*?) ?\| .*\|$", page, flags=re.MULTILINE)
    said = {room: set(re.findall(r"`(\w+)`", cell)) for room, cell in rows}
    assert said == {room: below for room, below in BELOW.items() if room not in ANYONE}


def test_estimation_and_control_do_not_know_each_other():
    for file in FILES:
        room = room_of(name_of(file))
        other = {"estimation": "control", "control": "estimation"}.get(room)
        assert other not in {room_of(name) for name in everywhere(file)}, file


def test_only_the_shell_knows_ros():
    outside = [file for file in FILES if room_of(name_of(file)) not in ("ros", "nodes")]
    knowing = {name_of(f): sorted(filter(is_ros, everywhere(f))) for f in outside}
    assert {name: ros for name, ros in knowing.items() if ros} == {}


def test_the_launch_packages_are_imported_in_one_place():
    knowing = {name_of(f) for f in FILES if LAUNCH & {n.split(".")[0] for n in everywhere(f)}}
    theirs = ("gazebo", "launching", "respawning", "rviz")
    assert knowing <= {f"ebm_mpc_ros.tools.{name}" for name in theirs}


def test_only_energies_and_learning_need_torch():
    others = [file for file in FILES if room_of(name_of(file)) not in ("energy", "learning")]
    needing = [name_of(f) for f in others if any(n.split(".")[0] == "torch" for n in on_import(f))]
    assert needing == []


def test_models_know_numpy_and_the_array_api_only():
    for file in FILES:
        if room_of(name_of(file)) == "models":
            outer = {n.split(".")[0] for n in everywhere(file)} - set(sys.stdlib_module_names)
            assert outer <= {"ebm_mpc_ros", "numpy", "array_api_compat"}, file


def test_the_core_imports_without_ros_and_torch():
    core = [
        name_of(f) for f in FILES if room_of(name_of(f)) in ("", *CORE) and "energy" not in f.parts
    ]
    assert len(core) > 20
    imports_without(["rclpy", "torch"], core)


def test_energies_import_without_ros():
    imports_without(["rclpy"], [name_of(f) for f in FILES if "energy" in f.parts])


def test_the_estimator_and_its_replay_import_without_ros_and_torch():
    imports_without(["rclpy", "torch"], WITHOUT_ROS)


def test_the_package_itself_costs_nothing_to_import():
    done = python("import ebm_mpc_ros, sys; print('numpy' in sys.modules)")
    assert done.stdout == "False\n"


@pytest.mark.parametrize(
    ("heavy", "code"),
    [
        ("scipy", "import ebm_mpc_ros.nodes.simulator, ebm_mpc_ros.nodes.course"),
        ("rosbags", "import ebm_mpc_ros.nodes.ekf"),
        ("sympy", FILL_A_NETWORK),
    ],
)
def test_a_node_starts_without_what_takes_long_to_import(heavy, code):
    pytest.importorskip("rclpy")
    done = python(f"import pathlib, sys\n{code}\nprint({heavy!r} in sys.modules)")
    assert done.stdout == "False\n", done.stderr
