"""rviz:=true: RViz is started with the configuration in the robot's namespace, or is missed."""

import os
from pathlib import Path

import pytest
from ament_index_python.packages import PackageNotFoundError, get_package_prefix

COMMAND = '#!/bin/sh\necho "shown: $*"\nexec sleep 60\n'


@pytest.fixture
def rviz(tmp_path, monkeypatch):
    """A package in RViz's place that says how it was started."""
    prefix = tmp_path / "prefix"
    files = {
        "share/ament_index/resource_index/packages/rviz2": "",
        "share/rviz2/package.xml": "<package/>",
        "lib/rviz2/rviz2": COMMAND,
    }
    for name, text in files.items():
        file = prefix / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (prefix / "lib/rviz2/rviz2").chmod(0o755)
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"{prefix}:{os.environ['AMENT_PREFIX_PATH']}")


@pytest.mark.timeout(90)
@pytest.mark.parametrize("name", ["bringup", "simulation"])
def test_rviz_starts_in_the_namespace_with_the_installed_configuration(launched, rviz, name):
    launch = launched(name, rviz="true", namespace="robot1", controller="mpc")
    words = launch.wait_for_line("shown: ").split()
    file = Path(words[words.index("-d") + 1])
    assert file.is_file()
    assert file.parts[-3:] == ("ebm_mpc_ros", "rviz", "ebm_mpc_ros.rviz")
    assert {"__ns:=/robot1", "/tf:=tf", "/tf_static:=tf_static"} <= set(words)
    assert launch.interrupt() == 0, launch.output


@pytest.mark.timeout(60)
def test_a_missing_rviz_is_one_line(launched):
    try:
        get_package_prefix("rviz2")
    except PackageNotFoundError:
        launch = launched("simulation", rviz="true")
        assert launch.process.wait(40.0) == 1
        assert "rviz:=true: rviz2 is not installed" in launch.output
        assert not launch.started()
    else:
        pytest.skip("rviz2 is installed")
