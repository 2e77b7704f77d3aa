"""What tools print for a person: a command line that runs where it is copied to."""

import sys

from ebm_mpc_ros.tools.console import command


def test_a_command_names_the_python_that_runs_as_seen_from_here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv/bin/python"))
    assert command("report", "out/a b") == ".venv/bin/python -m ebm_mpc_ros report 'out/a b'"
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")
    assert command("report") == "/usr/bin/python3 -m ebm_mpc_ros report"
