"""What the pages say: links lead somewhere, pictures are drawn, parameters and files are there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from ebm_mpc_ros.ros.estimator_parameters import estimator_parameters
from ebm_mpc_ros.ros.mpc_parameters import MPC_PARAMETERS
from ebm_mpc_ros.ros.parameter_file import load_parameters
from ebm_mpc_ros.ros.parameters import read
from ebm_mpc_ros.ros.policy_parameters import POLICY_PARAMETERS

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGE = ROOT / "docs" / "one_energy.md"
PICTURES = ROOT / "docs" / "one_energy"
SMALLEST, LARGEST = 5_000, 150_000
NODES = {
    "ekf_node": estimator_parameters(()),
    "mpc_node": MPC_PARAMETERS,
    "policy_node": POLICY_PARAMETERS,
}
NODE_NAMES = [
    f"{path.stem}_node"
    for path in (ROOT / "ebm_mpc_ros" / "nodes").glob("*.py")
    if path.stem != "__init__"
]
# GitHub refuses these, for they could change the page.
FORBIDDEN = ("\\operatorname", "\\def", "\\newcommand", "\\href", "\\class", "\\style", "\\require")


@pytest.fixture(scope="module")
def page():
    return PAGE.read_text(encoding="utf-8")


def without_code(text):
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(text):
    """Return the anchors that GitHub gives a page's headings."""
    headings = re.findall(r"^#+ (.+)$", without_code(text), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.name)
def test_links_lead_to_files_and_headings(file):
    for link in re.findall(r"\]\(([^)\s]+)\)", without_code(file.read_text(encoding="utf-8"))):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = file.parent / name if name else file
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), link


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.name)
def test_files_that_are_named_are_there(file):
    """A test's file may be named without its folder, where that was said before."""
    text = file.read_text(encoding="utf-8")
    named = re.findall(r"`((?:bench|test|docs|checkpoints|config)/[\w/]+\.\w+)`", text)
    assert [name for name in named if not (ROOT / name).exists()] == []
    tests = {path.name for path in (ROOT / "test").rglob("test_*.py")}
    assert set(re.findall(r"`(test_\w+\.py)`", text)) <= tests


def test_the_page_of_parameters_is_what_the_nodes_declare():
    command = [sys.executable, ROOT / "docs" / "parameters.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    text = (ROOT / "docs" / "parameters.md").read_text(encoding="utf-8")
    assert set(NODE_NAMES) <= set(re.findall(r"^## (\w+_node)$", text, flags=re.MULTILINE))


def test_the_reasons_on_the_page_of_sensors_are_the_codes():
    text = (ROOT / "docs" / "sensors.md").read_text(encoding="utf-8")
    refused = text.partition("## What is refused")[2]
    cells = re.findall(r"^\| (`.+) \| .+ \|$", refused, flags=re.MULTILINE)
    reasons = [
        *re.findall(r"`([^`]+)`", " ".join(cells)),
        *("nobody publishes it", "no message yet", "silent", "nothing usable (", "no input: "),
        *("is not used: ", "_config selects none of ", "measuring its gyro's bias at rest"),
        *(": its antenna is taken to be at ", " in static_transforms, and no tf2"),
    ]
    assert len(reasons) > 25
    folders = ("ros", "estimation")
    files = [file for room in folders for file in (ROOT / "ebm_mpc_ros" / room).glob("*.py")]
    source = "\n".join(file.read_text(encoding="utf-8") for file in files)
    for reason in reasons:
        # What the code fills in is a name, a number or a frame.
        parts = re.split(r"'\w+'|\bvx\b|odom0|\bbase_link\b|orientation|-1", reason)
        missing = [part for part in parts if part.strip() and part not in source]
        assert not missing, (reason, missing)


def test_the_script_draws_the_pictures_of_the_page(page, tmp_path):
    shown = set(re.findall(r"!\[[^\]]+\]\(one_energy/([^)]+)\)", page))
    (command,) = re.findall(r"^\.venv/bin/python (docs/one_energy/\S+)$", page, flags=re.MULTILINE)
    done = subprocess.run(
        [sys.executable, ROOT / command, "--quick", "--out", tmp_path],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert shown == {path.name for path in tmp_path.iterdir()}
    assert shown == {path.name for path in PICTURES.glob("*.png")}
    for name in shown:
        assert (tmp_path / name).stat().st_size > SMALLEST
        assert SMALLEST < (PICTURES / name).stat().st_size < LARGEST


def test_the_parameters_of_the_page_are_the_nodes(page):
    rows = re.findall(r"^\| `(\w+_node)` \| .+ \| (.+) \|$", page, flags=re.MULTILINE)
    assert {node for node, _ in rows} == set(NODES)
    for node, cell in rows:
        table = {row.name for row in NODES[node]}
        assert {name.partition(":")[0] for name in re.findall(r"`([^`]+)`", cell)} <= table, cell


def test_the_parameter_file_of_the_page_is_one(page, tmp_path):
    (text,) = re.findall(r"^```yaml\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)
    path = tmp_path / "page.yaml"
    path.write_text(text, encoding="utf-8")
    for node in ("ekf_node", "mpc_node"):
        given = load_parameters(path, node)
        values, unknown = read(NODES[node], given)
        assert not unknown
        assert values["model"] == "learned"


def test_formulas_are_as_github_takes_them(page):
    blocks = re.findall(r"^```math\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)
    rest = without_code(page)
    inline = re.findall(r"\$`([^`\n]+)`\$", rest)
    assert "$" not in re.sub(r"\$`[^`\n]+`\$", "", rest)
    for formula in (*blocks, *inline):
        assert not [macro for macro in FORBIDDEN if macro in formula]
        depth = 0
        for brace in re.findall(r"(?<!\\)[{}]", formula):
            depth += 1 if brace == "{" else -1
            assert depth >= 0, formula
        assert depth == 0, formula
        for command, other in (("\\left", "\\right"), ("\\begin", "\\end")):
            assert len(re.findall(rf"\{command}\b", formula)) == len(
                re.findall(rf"\{other}\b", formula)
            )
