"""What a benchmark shows: a bar while a person waits, on a terminal alone; a picture if asked."""

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


def test_figures_are_drawn_with_their_bars(tmp_path):
    file = tmp_path / "figures.png"
    figures = "[Figure('a', 1.0, 'x', 2.0), Figure('b', -3.0, 'nats', 0.0), Figure('c', 0.0)]"
    done = run(
        f"import sys; sys.argv += ['--picture', {str(file)!r}]\n"
        "from report import Figure, conclude, options\n"
        f"conclude('title', {figures}, options('x').parse_args())"
    )
    assert done.returncode == 0, done.stderr
    assert file.read_bytes().startswith(b"\x89PNG")
