"""Where torch computes."""

import pytest
import torch

from ebm_mpc_ros.energy.device import choose_device


def test_auto_takes_a_gpu_where_there_is_one():
    assert choose_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")


def test_a_device_that_torch_has_is_taken_as_it_is():
    assert choose_device("cpu") == "cpu"


@pytest.mark.parametrize("name", ["abacus", "cuda:99", ""])
def test_another_device_is_refused_by_name(name):
    with pytest.raises(ValueError, match="device = "):
        choose_device(name)
