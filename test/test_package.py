"""What the package says of itself: manifest, installed files, commands and dependencies."""

import ast
import runpy
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import pytest
import setuptools
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import ebm_mpc_ros

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def setup_arguments(monkeypatch):
    given = SimpleNamespace()
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(setuptools, "setup", given.__dict__.update)
    runpy.run_path("setup.py")
    return given


def pins():
    for file in sorted((ROOT / "requirements").glob("*.txt")):
        for line in file.read_text().splitlines():
            if text := line.partition("#")[0].strip():
                yield Requirement(text)


def test_manifest_setup_and_module_agree_on_name_and_version(setup_arguments):
    manifest = ET.parse(ROOT / "package.xml").getroot()  # noqa: S314  # our own file
    assert manifest.findtext("name") == setup_arguments.name == ebm_mpc_ros.__name__
    assert manifest.findtext("version") == setup_arguments.version == ebm_mpc_ros.__version__


def test_every_folder_of_modules_is_a_package_that_is_installed(setup_arguments):
    folders = {file.parent.relative_to(ROOT) for file in ROOT.glob("ebm_mpc_ros/**/*.py")}
    assert {".".join(folder.parts) for folder in folders} == set(setup_arguments.packages)


def test_installed_data_files_are_those_of_the_data_folders(setup_arguments):
    listed = {file for _, files in setup_arguments.data_files for file in files}
    there = {
        str(file.relative_to(ROOT))
        for folder in ("launch", "config", "rviz", "worlds", "checkpoints", "resource")
        for file in (ROOT / folder).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert listed == there | {"package.xml"}


def test_files_beside_the_modules_are_installed(setup_arguments):
    listed = {
        file
        for package, patterns in setup_arguments.package_data.items()
        for pattern in patterns
        for file in ROOT.joinpath(*package.split(".")).glob(pattern)
    }
    there = {file for file in (ROOT / "ebm_mpc_ros").rglob("*") if file.is_file()}
    modules = {f for f in there if f.suffix == ".py" or "__pycache__" in f.parts}
    assert there - modules == listed - modules


def test_ament_finds_the_package_in_its_resource_index(setup_arguments):
    index = "share/ament_index/resource_index/packages"
    assert (index, [f"resource/{setup_arguments.name}"]) in setup_arguments.data_files


def test_every_node_has_a_command_that_leads_to_its_function(setup_arguments):
    commands = setup_arguments.entry_points["console_scripts"]
    nodes = {file.stem for file in ROOT.glob("ebm_mpc_ros/nodes/[!_]*.py")}
    assert {command.partition("_node = ")[0] for command in commands} == nodes
    for command in commands:
        module, _, function = command.partition(" = ")[2].partition(":")
        tree = ast.parse((ROOT / module.replace(".", "/")).with_suffix(".py").read_text())
        defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert function in defined, command


def test_every_pin_lies_within_the_range_that_setup_states(setup_arguments):
    stated = [*setup_arguments.install_requires, *setup_arguments.extras_require["test"]]
    ranges = {canonicalize_name(r.name): r.specifier for r in map(Requirement, stated)}
    pinned = {name: [] for name in ranges}
    for pin in pins():
        (version,) = (specifier.version for specifier in pin.specifier)
        pinned.setdefault(canonicalize_name(pin.name), []).append(version)
    assert all(pinned[name] for name in ranges)
    assert not [
        (name, version)
        for name, allowed in ranges.items()
        for version in pinned[name]
        if version not in allowed
    ]


def test_every_pinned_dependency_is_explained():
    text = (ROOT / "docs" / "dependencies.md").read_text()
    assert not [pin.name for pin in pins() if f"`{pin.name}`" not in text]


def test_no_two_test_modules_share_a_name():
    """Where ROS is installed launch_testing's plugin imports each by its name alone."""
    names = Counter(file.stem for file in (ROOT / "test").rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []
