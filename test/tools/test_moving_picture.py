"""The README's moving picture, and the script that draws it from a bag."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from recorded_run import whole_run

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def drawn(tmp_path):
    bag = whole_run(tmp_path / "bag")

    def drawn(name):
        out = tmp_path / name
        command = [sys.executable, ROOT / "docs" / "moving_picture.py", bag, "--out", out]
        options = ["--start", "0.5", "--seconds", "2", "--rate", "2", "--speed", "2"]
        subprocess.run([*command, *options], check=True, capture_output=True, cwd=tmp_path)
        return out

    return drawn


def test_the_same_bag_gives_the_same_pictures_in_which_the_robot_moves(drawn):
    first, again = drawn("first.gif"), drawn("again.gif")
    assert first.read_bytes() == again.read_bytes()
    picture = Image.open(first)
    assert (picture.n_frames, picture.info["loop"], picture.info["duration"]) == (2, 0, 500)
    before = np.asarray(picture.convert("RGB"))
    picture.seek(1)
    assert (before != np.asarray(picture.convert("RGB"))).any()


def test_the_readme_s_is_small_enough_and_repeats():
    file = ROOT / "docs" / "drive.gif"
    assert file.stat().st_size < 1_500_000
    picture = Image.open(file)
    assert picture.info["loop"] == 0
    assert picture.width == 800
    assert 8.0 <= picture.n_frames * picture.info["duration"] / 1000 <= 12.0
    assert "(docs/drive.gif)" in (ROOT / "README.md").read_text(encoding="utf-8")
