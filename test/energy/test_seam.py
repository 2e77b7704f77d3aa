"""Chunks shifted by the steps that are over."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from ebm_mpc_ros.energy.seam import shifted

CHUNKS = torch.arange(12.0).view(2, 3, 2) ** 2


def test_no_step_over_changes_nothing():
    assert torch.equal(shifted(CHUNKS, 0.0), CHUNKS)


def test_a_step_over_is_left_out_and_the_last_input_held():
    assert torch.equal(shifted(CHUNKS, 1.0), CHUNKS[:, [1, 2, 2]])


def test_between_two_steps_it_is_linear():
    expected = 0.75 * CHUNKS + 0.25 * CHUNKS[:, [1, 2, 2]]
    torch.testing.assert_close(shifted(CHUNKS, 0.25), expected)


@given(st.floats(0.0, 100.0))
def test_chunks_keep_within_their_extremes(steps):
    found = shifted(CHUNKS, steps)
    assert bool((found >= CHUNKS.amin(1, keepdim=True)).all())
    assert bool((found <= CHUNKS.amax(1, keepdim=True)).all())


def test_a_chunk_of_one_step_is_held():
    assert torch.equal(shifted(CHUNKS[:, :1], 0.5), CHUNKS[:, :1])
