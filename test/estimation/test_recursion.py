"""The filter made of particles: as the EKF where that is right, and the same bits again."""

import numpy as np
import pytest
from filtering import MS, START, fuse, measured, put, settings, twist
from two_beacons import PROCESS_NOISE, TURN, Ranging, drive, prior

from ebm_mpc_ros.estimation.ekf import Belief, Measurement
from ebm_mpc_ros.estimation.filter import Filter
from ebm_mpc_ros.estimation.recursion import Extended, Sampled, Sampling
from ebm_mpc_ros.models import load_model
from ebm_mpc_ros.models.energy_model import EnergyModel
from ebm_mpc_ros.models.transition import GaussianTransition

MODEL = load_model("diff_drive")
Q = np.diag([4e-3, 1e-3, 2e-3, 0.02, 0.05])
SAMPLING, FEW = Sampling(particles=1000), Sampling(particles=100)


def made(recursion=SAMPLING, model=MODEL, **changes):
    small = {"process_noise": Q, "initial_covariance": 0.01 * np.eye(5)}
    return Filter(settings(model, recursion=recursion, **(small | changes)))


def run(one, ticks=20, read=False):
    for k in range(ticks):
        stamp = START + 50 * k * MS
        assert not put(one, measured(stamp, (3, 4), (0.5, 0.2), 0.02), stamp)
        one.advance(stamp)
        if read:
            one.advance(stamp + 150 * MS)
    return one.estimate.belief


@pytest.mark.parametrize("model", [MODEL, EnergyModel(GaussianTransition(MODEL, Q))])
def test_a_filter_of_particles_is_the_ekf_where_that_is_right(model):
    found, wanted = run(made(model=model)), run(made(Extended()))
    assert isinstance(found, Sampled)
    deviation = np.sqrt(wanted.covariance.diagonal())
    error = MODEL.minus(found.state, wanted.state) / deviation
    assert np.abs(error).max() < 0.3
    np.testing.assert_allclose(np.sqrt(found.covariance.diagonal()) / deviation, 1.0, rtol=0.25)


def test_the_same_measurements_give_the_same_bits_and_readers_leave_no_trace():
    first, second = run(made(FEW)), run(made(FEW), read=True)
    np.testing.assert_array_equal(first.state, second.state)
    np.testing.assert_array_equal(first.particles.states, second.particles.states)
    other = run(made(Sampling(particles=100, seed=1)))
    assert (other.state != first.state).any()


def test_a_late_measurement_in_its_place_gives_the_bits_of_the_right_order():
    stamps = [START + 50 * k * MS for k in range(5)]
    ends = []
    for order in ([0, 1, 2, 3, 4], [0, 1, 3, 4, 2]):
        one = made(FEW, history=1.0)
        for k in order:
            assert not put(one, measured(stamps[k], (3, 4), (0.5, 0.1 * k)), stamps[-1])
            one.advance(stamps[max(order[: order.index(k) + 1])])
        ends.append(one.estimate.belief)
    np.testing.assert_array_equal(ends[0].state, ends[1].state)
    np.testing.assert_array_equal(ends[0].particles.states, ends[1].particles.states)


def test_a_filter_keeps_both_sides_of_two_beacons_until_a_turn_decides():
    model = Ranging()
    start = {"process_noise": PROCESS_NOISE, "initial_state": np.zeros(4)}
    one = Filter(settings(model, recursion=SAMPLING, **start))
    one.restart(START, prior(0.0), not_before=0)
    for k, _, place, measurement in drive(1):
        truth, stamp = place, START + (100 * k + 1) * MS
        # What the robot was told at the start of the step, for the commands' change is its input.
        assert one.command(stamp - 100 * MS, twist(place[3], place[4]), stamp)
        rows, z, R = measurement.rows, measurement.values, measurement.covariance
        belief = fuse(one, Measurement(stamp, "ranges", rows, z, R))
        left = belief.particles.weights[belief.particles.states[:, 1] > 0.0].sum()
        if k == TURN - 1:
            assert 0.1 < left < 0.9
            assert belief.covariance[1, 1] > 1.0
    assert left > 0.999
    assert np.linalg.norm((belief.state - truth)[:2]) < 0.2


def test_what_is_beyond_the_threshold_is_counted_and_leaves_the_belief():
    one = made()
    run(one, 3)
    before, stamp = one.estimate.belief, START + 100 * MS
    after = fuse(one, measured(stamp, (3,), 9.0, threshold=5.0))
    assert after is before
    assert one.dropped["odom0", "beyond the rejection threshold"] == 1
    assert fuse(one, measured(stamp, (3,), np.nan)) is before
    assert one.dropped["odom0", "innovation without a finite NIS"] == 1


def test_innovations_are_consistent_where_the_model_is_right():
    rng, one = np.random.default_rng(2), made(FEW)
    truth = np.array([0.0, 0.0, 0.0, 0.5, 0.1])
    for k in range(150):
        truth[3:] += np.sqrt(Q.diagonal()[3:] * 0.05) * rng.standard_normal(2)
        z = truth[3:] + 0.1 * rng.standard_normal(2)
        fuse(one, measured(START + 50 * k * MS, (3, 4), z, 0.01))
    low, high = one.consistency["odom0"].bounds(0.999)
    assert low < one.consistency["odom0"].ratio < high


def test_a_set_belief_is_gaussian_until_something_is_measured():
    one = made()
    run(one, 3)
    belief = Belief(np.array([1.0, 2.0, 0.3, 0.0, 0.0]), 0.01 * np.eye(5))
    one.restart(START + 500 * MS, belief, not_before=START)
    assert not isinstance(one.advance(START + 800 * MS).belief, Sampled)
    assert isinstance(fuse(one, measured(START + 900 * MS, (3,), 0.1)), Sampled)
    nothing = Measurement(START + 950 * MS, "odom0", (), np.zeros(0), np.eye(0))
    assert isinstance(fuse(one, nothing), Sampled)


def test_noise_that_no_energy_can_be_made_of_is_refused_at_once():
    with pytest.raises(ValueError, match="noise_density must be positive definite"):
        made(process_noise=np.diag([0.0, 1.0, 1.0, 1.0, 1.0]))
    made(Extended(), process_noise=np.diag([0.0, 1.0, 1.0, 1.0, 1.0]))
    with pytest.raises(ValueError, match="particles = 1"):
        made(Sampling(particles=1))
