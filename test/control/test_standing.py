"""Whether a distance stays what it is."""

from ebm_mpc_ros.control import Standing

SECOND = 1_000_000_000


def test_it_stands_after_two_seconds_of_the_same_distance():
    standing = Standing()
    found = [standing.seen(1.0 + 0.01 * (k % 2), k * SECOND // 10) for k in range(22)]
    assert found.index(True) == 20


def test_moving_starts_it_anew():
    standing = Standing()
    assert not any(standing.seen(1.0 - 0.03 * (k // 10), k * SECOND // 10) for k in range(50))


def test_a_gap_or_a_clock_that_jumps_back_starts_it_anew():
    standing = Standing()
    for k in range(15):
        standing.seen(1.0, k * SECOND // 10)
    assert not standing.seen(1.0, 60 * SECOND)
    assert not standing.seen(1.0, 2 * SECOND)
    assert standing.distance == 1.0
