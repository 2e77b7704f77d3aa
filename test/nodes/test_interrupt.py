"""Ctrl-C while a node is still importing, and so being configured."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Stands in for torch: it says that it is being imported, and takes its time within C code, which
# runs Python as torch's does.
SLOW = """
import ctypes
print("importing", flush=True)
run, names = ctypes.pythonapi.PyRun_StringFlags, ctypes.py_object(globals())
run.restype = ctypes.py_object
run(b"import time; time.sleep(60.0)", 257, names, names, None)
"""


@pytest.mark.parametrize("command", [["-m", "ebm_mpc_ros.nodes.policy"], ["policy_node"]])
def test_it_ends_the_process_without_a_traceback(tmp_path, command):
    (tmp_path / "torch.py").write_text(SLOW)
    (tmp_path / "policy_node").write_text("from ebm_mpc_ros.nodes.policy import main\nmain()\n")
    paths = os.pathsep.join([str(tmp_path), str(ROOT), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "importing\n", process.stderr.read()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30.0)
    finally:
        process.kill()
    assert process.returncode == 0
    assert said == ""
