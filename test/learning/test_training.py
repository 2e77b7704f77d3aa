"""The training loop: steps, averages, early stopping, going on, several processes."""

import math
from dataclasses import replace

import pytest
import torch
from sharing import SETTINGS, TRUTH, after, data, module, pairs, share, squared
from torch import nn

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.learning.training import (
    Pairs,
    TrainingData,
    TrainingEnded,
    TrainingSettings,
    train,
)
from ebm_mpc_ros.learning.training_state import TrainingState


def noisy(module, c, y, generator):
    return (module(c + 0.3 * torch.randn(c.shape, generator=generator)) - y).square().mean()


def falling(module, _c, _y, _generator):
    """A loss whose gradient is one everywhere."""
    return module.weight.sum()


def test_a_regression_is_learned_and_its_weights_are_left_in_the_module():
    linear = module()
    trained = train(linear, squared, data(), replace(SETTINGS, learning_rate=0.1))
    assert trained.ended is TrainingEnded.COMPLETE
    assert trained.state.progress.step == 300
    torch.testing.assert_close(linear.weight.detach(), TRUTH.mT, rtol=0, atol=1e-2)
    assert trained.state.progress.best_loss < 1e-3


def test_one_seed_trains_one_module_and_another_another():
    ends = []
    for seed in (0, 0, 1):
        linear = module()
        train(linear, noisy, data(), replace(SETTINGS, steps=20, seed=seed))
        ends.append(linear.weight.detach())
    assert torch.equal(ends[0], ends[1])
    assert not torch.equal(ends[0], ends[2])


def test_the_best_are_those_that_the_judge_finds_best_whatever_is_descended_on():
    def judge(module, _c, _y, _generator):
        return (module.weight - TRUTH.mT / 2.0).square().sum()

    linear = module()
    trained = train(linear, squared, data(), SETTINGS, judge=judge)
    reached = trained.state.progress
    assert 0 < reached.best_step < SETTINGS.steps
    assert reached.best_loss == pytest.approx(judge(linear, *[None] * 3).item())
    assert reached.held_out_loss == pytest.approx(float(TRUTH.square().sum()) / 4.0, rel=0.1)


@pytest.mark.parametrize("stopped_after", [0, 1, 77])
def test_a_training_that_goes_on_ends_as_one_that_never_stopped(stopped_after, tmp_path):
    whole, parts = module(), module()
    train(whole, noisy, data(), SETTINGS)
    first = train(parts, noisy, data(), SETTINGS, stop=after(stopped_after))
    assert first.ended is TrainingEnded.INTERRUPTED
    assert first.state.progress.step == stopped_after
    first.state.save(tmp_path / "state")
    state = TrainingState.load(tmp_path / "state")
    second = train(module(9.0), noisy, data(), SETTINGS, resume=state)
    assert second.ended is TrainingEnded.COMPLETE
    best = {name: weight.detach() for name, weight in whole.named_parameters()}
    torch.testing.assert_close(second.state.part("best"), best, rtol=0, atol=0)


def test_what_is_kept_for_a_power_cut_goes_on_as_if_there_had_been_none():
    whole, parts, kept = module(), module(), []
    train(whole, noisy, data(), SETTINGS, keep=kept.append, keep_every=0.0)
    assert [state.progress.step for state in kept] == list(range(1, 301))
    train(parts, noisy, data(), SETTINGS, resume=kept[76])
    torch.testing.assert_close(parts.weight, whole.weight, rtol=0, atol=0)
    train(module(), noisy, data(), SETTINGS, keep=kept.clear, keep_every=1e9)
    assert kept


def test_the_learning_rate_warms_up():
    linear = module()
    trained = train(linear, falling, data(), SETTINGS, stop=after(1))
    # Adam's first step is the learning rate, a tenth of the highest after one step of ten.
    moved = trained.state.part("weights")["weight"]
    torch.testing.assert_close(moved, torch.full((2, 2), -0.005), rtol=1e-4, atol=0)


def test_the_learning_rate_falls_as_a_cosine():
    settings = replace(SETTINGS, steps=2, warm_up=0)
    trained = train(module(), falling, data(), settings)
    moved = trained.state.part("weights")["weight"]
    torch.testing.assert_close(moved, torch.full((2, 2), -0.05 * 1.5), rtol=1e-4, atol=0)


def test_the_average_follows_the_weights():
    settings = replace(SETTINGS, averaging=0.05)
    state = train(module(), falling, data(), settings, stop=after(1)).state
    torch.testing.assert_close(
        state.part("averaged")["weight"], 0.95 * state.part("weights")["weight"]
    )


def test_every_row_is_seen_once_an_epoch_in_an_order_of_its_own():
    seen = []

    def watch(module, c, y, generator):
        if torch.is_same_size(c, c.new_empty(8, 2)):
            seen.extend(c[:, 0].tolist())
        return squared(module, c, y, generator)

    rows = data(rows=32)
    train(module(), watch, rows, replace(SETTINGS, steps=8, batch_size=8, check_every=8))
    first, second = seen[:32], seen[32:64]
    assert sorted(first) == sorted(second) == sorted(rows.train.c[:, 0].tolist())
    assert first != second


def test_training_stops_where_the_held_out_loss_does_not_fall():
    rows = data()
    away = TrainingData(rows.train, Pairs(rows.held_out.c, -rows.held_out.y))
    linear = module()
    trained = train(linear, squared, away, replace(SETTINGS, patience=2))
    assert trained.ended is TrainingEnded.EARLY_STOP
    progress = trained.state.progress
    assert progress.step == progress.best_step + 100
    assert progress.best_loss < progress.held_out_loss
    torch.testing.assert_close(linear.weight.detach(), trained.state.part("best")["weight"])


def test_a_loss_that_is_not_finite_ends_the_training_with_finite_weights():
    steps = iter(range(1000))

    def breaks(module, c, y, generator):
        bad = module.training and next(steps) == 5
        return squared(module, c, y, generator) * (math.nan if bad else 1.0)

    linear = module()
    trained = train(linear, breaks, data(), SETTINGS)
    assert trained.ended is TrainingEnded.DIVERGED
    assert trained.state.progress.step == 5
    assert bool(linear.weight.isfinite().all())
    assert bool((linear.weight != 0).any())


def test_the_numbers_are_reported_at_every_look():
    reports = []
    train(module(), squared, data(), replace(SETTINGS, steps=120), report=reports.append)
    assert [progress.step for progress in reports] == [50, 100, 120]
    assert reports[-1].held_out_loss < reports[0].held_out_loss
    assert reports[-1].train_loss < reports[0].train_loss


def test_data_that_are_none_or_not_finite_are_refused():
    nothing = Pairs(torch.zeros(0, 2), torch.zeros(0, 2))
    with pytest.raises(ValueError, match="0 c"):
        train(module(), squared, TrainingData(nothing, pairs(3, 0)), SETTINGS)
    broken = Pairs(torch.full((3, 2), math.nan), torch.zeros(3, 2))
    with pytest.raises(ValueError, match="finite"):
        train(module(), squared, TrainingData(pairs(3, 0), broken), SETTINGS)


def test_a_state_of_another_module_is_refused():
    state = train(module(), squared, data(), SETTINGS, stop=after(1)).state
    with pytest.raises(ValueError, match="another shape"):
        train(nn.Linear(2, 3), squared, data(), SETTINGS, resume=state)


@pytest.mark.parametrize("damage", [b"", b"not a state", None])
def test_a_file_that_is_no_state_is_named(damage, tmp_path):
    path = tmp_path / "state"
    if damage is not None:
        path.write_bytes(damage)
    with pytest.raises(UserError, match=str(path)):
        TrainingState.load(path)


def test_a_truncated_state_is_refused(tmp_path):
    path = tmp_path / "state"
    train(module(), squared, data(), SETTINGS, stop=after(1)).state.save(path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(UserError, match="truncated"):
        TrainingState.load(path)


def test_a_state_is_written_over_another_or_not_at_all(tmp_path):
    path = tmp_path / "state"
    for steps in (1, 2):
        train(module(), squared, data(), SETTINGS, stop=after(steps)).state.save(path)
    assert TrainingState.load(path).progress.step == 2
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "value"),
    [("steps", 0), ("warm_up", -1), ("learning_rate", math.inf), ("averaging", 1.0)],
)
def test_settings_out_of_range_are_refused(name, value):
    with pytest.raises(ValueError, match=name):
        TrainingSettings(**{name: value})


def test_two_processes_train_as_one_and_stop_together(tmp_path):
    alone = train(module(), squared, data(), SETTINGS, stop=after(30)).state.part("weights")
    torch.multiprocessing.spawn(share, (tmp_path, 2), nprocs=2)
    for rank in range(2):
        weights = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert weights.pop("ended") == "INTERRUPTED"
        torch.testing.assert_close(weights, alone, rtol=0, atol=1e-5)
