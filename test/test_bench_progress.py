"""What a benchmark shows while a person waits: a bar on a terminal, nothing elsewhere."""

import os
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parents[1] / "bench"
SCRIPT = "from report import shown; print([item * 2 for item in shown(range(3), 'rounds')])"
INTERRUPTED = "from report import options; options('x'); raise KeyboardInterrupt"


def run(script, **environment):
    plain = {k: v for k, v in os.environ.items() if k not in ("FORCE_COLOR", "TTY_COMPATIBLE")}
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=BENCH,
        env={**plain, "COLUMNS": "80", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_terminal_sees_how_far_it_is_and_results_stay_on_stdout():
    done = run(SCRIPT, FORCE_COLOR="1")
    assert "rounds" in done.stderr
    assert done.stdout == "[0, 2, 4]\n"


def test_a_file_gets_the_results_alone():
    done = run(SCRIPT)
    assert (done.stderr, done.stdout) == ("", "[0, 2, 4]\n")


def test_ctrl_c_is_told_in_one_line():
    assert run(INTERRUPTED).stderr == "interrupted\n"
