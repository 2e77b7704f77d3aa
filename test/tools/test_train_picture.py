"""The picture of a training: both losses, the simple answer's, and the weights that were kept."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure

from ebm_mpc_ros.learning.training_state import Progress
from ebm_mpc_ros.tools.train_picture import draw_training

TASK = SimpleNamespace(
    simple="the mean", simple_loss=2.0, contract=SimpleNamespace(kind="transition")
)


@pytest.fixture
def axes(tmp_path, monkeypatch):
    """Draw, and return the axes of what was saved."""
    saved = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda f, *a, **k: (saved.append(f), save(f, *a, **k)))

    def draw(*looks):
        draw_training(tmp_path / "training.png", TASK, [Progress(*look) for look in looks])
        assert (tmp_path / "training.png").stat().st_size > 5_000
        return saved[0].axes[0]

    return draw


def test_it_shows_the_losses_and_what_was_kept(axes):
    drawn = axes((50, math.nan, 3.0, 3.0, 50), (100, 1.5, 1.0, 1.0, 100), (150, 1.2, 1.4, 1.0, 100))
    lines = {line.get_label(): line.get_xydata() for line in drawn.get_lines()}
    np.testing.assert_allclose(lines["held out"], [[50, 3.0], [100, 1.0], [150, 1.4]])
    np.testing.assert_allclose(lines["learned from"][1:], [[100, 1.5], [150, 1.2]])
    np.testing.assert_allclose(lines["kept"], [[100, 1.0]])
    assert lines["the mean"][0, 1] == 2.0


def test_a_loss_far_off_at_the_start_does_not_flatten_the_rest(axes):
    low, high = axes((1, 1e6, 1e6, 1e6, 1), (2, 1.0, 1.0, 1.0, 2)).get_ylim()
    assert low < 1.0
    assert 2.0 < high < 3.0


def test_one_look_is_drawn(axes):
    low, high = axes((50, math.nan, 2.0, 2.0, 50)).get_ylim()
    assert low < 2.0 < high


@pytest.mark.parametrize("last", [math.inf, math.nan])
def test_a_loss_that_is_no_number_leaves_the_limits_to_the_others(axes, last):
    low, high = axes(
        (1, 3.0, 3.0, 3.0, 1), (2, 1.5, 1.5, 1.5, 2), (3, last, last, 1.5, 2)
    ).get_ylim()
    assert 1.0 < low < 1.5
    assert 2.0 < high < 3.0


def test_losses_none_of_which_is_a_number_are_drawn(axes):
    low, high = axes((1, math.nan, math.inf, math.inf, 0)).get_ylim()
    assert low < 2.0 < high
