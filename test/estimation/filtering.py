"""What the tests of the filter share: settings, measurements, a filter that has started."""

import numpy as np

from ebm_mpc_ros.estimation.ekf import Measurement
from ebm_mpc_ros.estimation.filter import Filter, FilterSettings

MS = 1_000_000
SECOND = 1000 * MS
START = 100 * SECOND


def settings(model, **changes):
    n, q = len(model.state_names), len(model.noise_names)
    values = {
        "process_noise": np.eye(q) * 0.1,
        "initial_covariance": np.eye(n) * 0.5,
        "initial_state": np.zeros(n),
        "sensor_timeout": 0.1,
    }
    return FilterSettings(model=model, **(values | changes))


def measured(stamp, row, value, variance=0.1, source="odom0", threshold=np.inf):
    rows = tuple(np.atleast_1d(row))
    values = np.broadcast_to(np.asarray(value, float), len(rows)).copy()
    return Measurement(stamp, source, rows, values, np.eye(len(rows)) * variance, threshold)


def put(one, measurement, now):
    """Queue a measurement, as the estimator does; return why it can't be."""
    problem = one.stamp_problem(measurement.stamp, now)
    if not problem:
        one.put(measurement)
    return problem


def fuse(one, measurement, now=None):
    """Put a measurement and advance to `now`, or to its stamp; return the belief."""
    now = measurement.stamp if now is None else now
    assert not put(one, measurement, now)
    return one.advance(now).belief


def started(model, **changes):
    one = Filter(settings(model, **changes))
    fuse(one, measured(START, 0, 1.0))
    return one


def twist(speed, yaw_rate):
    return (speed, 0.0, 0.0, 0.0, 0.0, yaw_rate)
