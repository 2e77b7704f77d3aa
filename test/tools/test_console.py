"""What tools print for a person: a command line that runs where it is copied to."""

import sys

import pytest

from ebm_mpc_ros import __main__ as entry
from ebm_mpc_ros.tools.console import command


def test_a_command_names_the_python_that_runs_as_seen_from_here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv/bin/python"))
    assert command("report", "out/a b") == ".venv/bin/python -m ebm_mpc_ros report 'out/a b'"
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")
    assert command("report") == "/usr/bin/python3 -m ebm_mpc_ros report"


def test_without_a_name_the_tools_are_listed(capsys):
    assert entry.main([]) == 2
    said = capsys.readouterr().err
    assert all(name in said for name in ("demo", "demonstrate", "replay", "report", "train"))


@pytest.mark.parametrize("name", ["demo", "replay"])
def test_ctrl_c_while_a_tool_is_imported_is_told_in_one_line(monkeypatch, capsys, name):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(entry.importlib, "import_module", interrupted)
    assert entry.main([name]) == 130
    assert capsys.readouterr().err == f"python -m ebm_mpc_ros {name}: interrupted\n"
