"""Training sets: split by time, normalised by the earlier part alone, refused where empty."""

import numpy as np
import pytest

from ebm_mpc_ros.learning.dataset import Drive, before_split, dataset
from ebm_mpc_ros.learning.normaliser import Scaling, constant
from ebm_mpc_ros.learning.recording import DataError


def a_drive(count=100, start=0, horizon=3, later=0.0):
    """Return rows a second apart; the last tenth of them are larger by `later`."""
    k = np.arange(count, dtype=float)
    shift = later * (k >= 0.9 * count)
    conditions = np.column_stack([k, np.sin(k) + shift])
    variables = (np.cos(k) + shift)[:, None, None] + 0.1 * np.arange(horizon)[:, None] + [[0, 1]]
    begin = start + np.arange(count, dtype=np.int64)
    return Drive(conditions, variables, begin, begin + horizon)


def made(*drives, held_out=0.2, scale=True):
    return dataset(
        drives,
        held_out=held_out,
        condition_names=("a", "b"),
        variable_names=("u", "v"),
        scale_variables=scale,
        source="bag",
    )


def test_no_row_of_the_later_part_and_none_over_the_split_is_learned_from():
    found = made(a_drive())
    a = found.condition_scaling.restore(found.train[0].astype(float))[:, 0].round()
    b = found.condition_scaling.restore(found.held_out[0].astype(float))[:, 0].round()
    # The drive ends at 102; the split is at 102 - 20.4.
    assert found.split == 2
    np.testing.assert_array_equal(a, np.arange(80))
    np.testing.assert_array_equal(b, np.arange(82, 100))


def test_the_split_is_in_time_in_every_drive():
    found = made(a_drive(), a_drive(start=10_000))
    assert len(found.train[0]) == 160
    assert len(found.held_out[0]) == 36


def test_which_rows_are_learned_from_can_be_asked():
    drive = a_drive()
    assert before_split(drive.begin, drive.end, 0.2).sum() == 80


def test_normalisers_know_the_earlier_part_alone():
    same, other = made(a_drive()), made(a_drive(later=1e3))
    assert same.condition_scaling == other.condition_scaling
    assert same.variable_scaling == other.variable_scaling
    assert np.abs(other.held_out[1]).max() > 100.0
    np.testing.assert_allclose(same.train[0].mean(axis=0), 0.0, atol=1e-6)
    np.testing.assert_allclose(same.train[0].std(axis=0), 1.0, atol=1e-6)
    steps = same.train[1].reshape(-1, 2)
    np.testing.assert_allclose(steps.mean(axis=0), 0.0, atol=1e-6)
    np.testing.assert_allclose(steps.std(axis=0), 1.0, atol=1e-6)


def test_variables_come_back_in_their_units_step_by_step():
    drive = a_drive()
    found = made(drive)
    chunks = found.train[1].astype(float).reshape(-1, 3, 2)
    np.testing.assert_allclose(
        found.variable_scaling.restore(chunks), drive.variables[:80], atol=1e-6
    )


def test_variables_that_have_their_scale_keep_it():
    drive = a_drive()
    found = made(drive, scale=False)
    np.testing.assert_allclose(found.train[1], drive.variables[:80].reshape(80, -1), rtol=1e-6)


def test_a_constant_variable_is_refused_by_name():
    drive = a_drive()
    drive.variables[..., 1] = 0.3
    with pytest.raises(DataError, match=r"bag: v never changes .* nothing to learn"):
        made(drive)


def test_a_variable_that_changes_only_after_the_split_is_refused():
    drive = a_drive()
    drive.variables[:85, :, 0] = 0.0
    with pytest.raises(DataError, match="u never changes"):
        made(drive)


def test_a_constant_condition_is_only_shifted_and_warned_about():
    drive = a_drive()
    drive.conditions[:, 1] = 5.0
    found = made(drive)
    assert found.warnings == ("bag: b never changes: what it means can't be learned",)
    assert found.condition_scaling.deviation[1] == 1.0
    np.testing.assert_array_equal(found.train[0][:, 1], 0.0)
    assert made(a_drive()).warnings == ()


def test_numbers_that_are_not_finite_are_refused():
    for place in (3, 95):
        drive = a_drive()
        drive.conditions[place, 0] = np.nan
        with pytest.raises(DataError, match="bag: the conditions computed from it are not finite"):
            made(drive)


def test_bags_too_short_are_refused():
    with pytest.raises(DataError, match="bag: too short to learn from"):
        made(a_drive(0))
    with pytest.raises(DataError, match="too short"):
        made(a_drive(2))


def test_the_digest_tells_other_data_apart():
    assert made(a_drive()).digest == made(a_drive()).digest
    assert made(a_drive()).digest != made(a_drive(later=1e-9)).digest
    assert made(a_drive()).digest != made(a_drive(), held_out=0.3).digest


def test_rounding_is_no_change():
    assert constant(np.full((10, 1), 0.1) + 1e-14 * np.arange(10)[:, None]).all()
    assert not constant(1e-6 * np.arange(10.0)[:, None]).any()


@pytest.mark.parametrize(
    ("mean", "deviation"),
    [((0.0,), (0.0,)), ((0.0,), (1.0, 1.0)), ((np.nan,), (1.0,)), ("a", (1.0,)), ((True,), (1.0,))],
)
def test_a_scaling_that_is_none_is_refused(mean, deviation):
    with pytest.raises(ValueError, match=r"deviation|mean"):
        Scaling(mean=mean, deviation=deviation)
