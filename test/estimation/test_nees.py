"""The filter is as sure of its estimate as it may be, and isn't with the noise set wrong."""

import numpy as np
import pytest
from nees import MODELS, WRONG, Noise, fraction_inside, interval, nees

SEEDS = {"diff_drive": 25, "rigid_body": 12}
STEPS = 60


@pytest.mark.parametrize("model", MODELS)
def test_with_the_right_noise_the_mean_nees_lies_in_its_interval(model):
    mean = nees(model, SEEDS[model], STEPS)
    assert mean.shape == (STEPS,)
    assert fraction_inside(model, SEEDS[model], mean) >= 0.9


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("factor", [WRONG, 1 / WRONG])
@pytest.mark.parametrize("which", ["process", "measurement"])
def test_with_noise_wrong_by_three_it_does_not(model, factor, which):
    mean = nees(model, SEEDS[model], STEPS, Noise(**{which: factor}))
    assert fraction_inside(model, SEEDS[model], mean) < 0.9
    low, high = interval(model, SEEDS[model])
    middle = 0.5 * (low + high)
    assert (np.mean(mean) < middle) == (factor > 1.0)
