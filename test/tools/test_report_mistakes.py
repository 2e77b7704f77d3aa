"""Mistakes that a report tells in one line, and what it leaves behind."""

import signal
from pathlib import Path

import pytest
from recorded_run import RunWriter, whole_run
from replaying import refused

from ebm_mpc_ros.tools import report as tool


@pytest.fixture(scope="module")
def run_bag(tmp_path_factory):
    return whole_run(tmp_path_factory.mktemp("runs") / "run", seconds=1.0)


def test_a_missing_bag(here, tmp_path):
    assert refused(here("report", tmp_path / "none")).endswith("none: no such bag or folder")


def test_a_folder_that_holds_no_recording(here, tmp_path):
    line = refused(here("report", tmp_path))
    assert "no recording in it: neither a bag's metadata.yaml nor bag/ of demo" in line


def test_an_empty_bag(here, tmp_path):
    with RunWriter(tmp_path / "run"):
        pass
    assert "run: the bag has no messages" in refused(here("report", tmp_path / "run"))


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_a_damaged_bag(here, short, tmp_path, share):
    cut = tmp_path / "cut.bag"
    cut.write_bytes(short.read_bytes()[: int(share * short.stat().st_size)])
    assert "cut.bag: can't be read as a bag" in refused(here("report", cut))
    assert list(tmp_path.iterdir()) == [cut]


def test_a_damaged_table_of_innovations(here, run_bag, tmp_path):
    (tmp_path / "estimate").symlink_to(run_bag)
    table = tmp_path / "innovations.csv"
    table.write_text("stamp,nis\n1,2\n")
    assert "innovations.csv: its first line must be measurement,stamp" in refused(
        here("report", tmp_path)
    )
    head = "measurement,stamp,source,output,innovation,sigma,nis,accepted\n"
    table.write_text(f"{head}0,1.0,imu0,vyaw,0.1,much,1.0,1\n")
    assert "innovations.csv: line 2: could not convert" in refused(here("report", tmp_path))


def test_a_page_that_exists_is_replaced_only_when_told(here, run_bag, tmp_path):
    out = tmp_path / "page.html"
    mine = "<!doctype html>mine"
    out.write_text(mine)
    line = refused(here("report", run_bag, "--out", out))
    assert line.endswith("page.html: exists already; --replace writes it anew")
    assert out.read_text() == mine
    assert here("report", run_bag, "--out", out, "--replace").returncode == 0
    assert "report-data" in out.read_text()


@pytest.mark.parametrize("name", ["my.bag", "my.report.html"])
def test_a_bag_is_not_replaced_by_its_page(here, short, tmp_path, name):
    bag = tmp_path / name
    bag.write_bytes(short.read_bytes())
    line = refused(here("report", bag, "--out", bag, "--replace"))
    assert line.endswith(f"{name}: is no page, so --replace leaves it alone")
    assert bag.read_bytes() == short.read_bytes()


def test_a_place_that_can_not_be_written_to(here, run_bag, tmp_path):
    assert "no folder" in refused(here("report", run_bag, "--out", tmp_path / "no" / "page.html"))
    assert "is a folder" in refused(here("report", run_bag, "--out", tmp_path, "--replace"))


def test_wrong_topics(here, run_bag):
    assert "must be ROLE=TOPIC" in refused(here("report", run_bag, "--topic", "/odom"))
    line = refused(here("report", run_bag, "--topic", "truth=/gps"))
    assert "--topic truth=/gps: not in the bag; it has /cmd_vel" in line
    line = refused(here("report", run_bag, "--topic", "truth=/cmd_vel"))
    assert "is geometry_msgs/msg/TwistStamped, must be nav_msgs/msg/Odometry" in line


def test_several_robots_without_a_namespace(here, tmp_path):
    with RunWriter(tmp_path / "run") as bag:
        for k in range(20):
            bag.odometry("/a/odometry/filtered", k / 20, k / 20)
            bag.odometry("/b/odometry/filtered", k / 20, k / 20)
    line = refused(here("report", tmp_path / "run"))
    assert "several topics could be the estimate: /a/odometry/filtered, /b/odom" in line
    assert here("report", tmp_path / "run", "--namespace", "b").returncode == 0


def test_a_missing_or_wrong_parameter_file(here, run_bag, tmp_path, configured):
    line = refused(here("report", run_bag, "--params", tmp_path / "none.yaml"))
    assert line.endswith("none.yaml: No such file or directory")
    wrong = configured(frequency=-30.0)
    line = refused(here("report", run_bag, "--params", wrong))
    assert "parameter frequency = -30.0: must be a number above 0" in line


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("step", ["read_run", "render"])
def test_a_signal_leaves_nothing(here, run_bag, tmp_path, monkeypatch, step, number):
    monkeypatch.setattr(tool, step, lambda *_: signal.raise_signal(number))
    assert here("report", run_bag, "--out", tmp_path / "page.html").returncode == 130
    assert list(tmp_path.iterdir()) == []


def test_a_signal_while_writing_leaves_the_page_that_was_there(
    here, run_bag, tmp_path, monkeypatch
):
    out = tmp_path / "page.html"
    mine = "<!doctype html>mine"
    out.write_text(mine)
    monkeypatch.setattr(Path, "replace", lambda *_: signal.raise_signal(signal.SIGINT))
    assert here("report", run_bag, "--out", out, "--replace").returncode == 130
    assert out.read_text() == mine
    assert list(tmp_path.iterdir()) == [out]
