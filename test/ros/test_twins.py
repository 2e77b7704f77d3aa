"""One topic heard by two subscriptions."""

from ebm_mpc_ros.ros.twins import Twins


def test_what_both_hear_is_second_for_the_later_one():
    twins = Twins()
    assert not twins.second(b"a", 0)
    assert twins.second(b"a", 1)
    assert not twins.second(b"a", 1)
    assert twins.second(b"a", 0)


def test_what_one_alone_hears_is_new_every_time():
    twins = Twins()
    assert not any(twins.second(b"a", 1) for _ in range(20))


def test_messages_in_between_do_not_matter():
    twins = Twins()
    twins.second(b"a", 0)
    twins.second(b"b", 0)
    assert twins.second(b"a", 1)
    assert twins.second(b"b", 1)
