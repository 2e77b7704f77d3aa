"""Declaration tables: what is allowed, and what is said of the rest."""

import array
import math

import pytest

from ebm_mpc_ros.ros.parameters import Parameter, ParameterError, read, shown


def row(kind, default=None, **limits):
    return Parameter(name="p", kind=kind, default=default, description="A parameter.", **limits)


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        ("bool", True, True),
        ("int", 3, 3),
        ("float", 2.5, 2.5),
        ("float", 3, 3.0),
        ("str", "a", "a"),
        ("bools", [True, False], [True, False]),
        ("floats", [1, 2.5], [1.0, 2.5]),
        ("floats", (1.0,), [1.0]),
        ("floats", array.array("d", [1.5]), [1.5]),
        ("strs", ["a"], ["a"]),
        ("strs", [], []),
    ],
)
def test_each_kind_takes_its_own(kind, given, value):
    checked = row(kind).check(given)
    assert checked == value
    assert type(checked) is type(value)
    if isinstance(value, list):
        assert [type(item) for item in checked] == [type(item) for item in value]


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        ("bool", 1, "p = 1: must be true or false"),
        ("bool", "true", "p = true: must be true or false"),
        ("int", 3.0, "p = 3.0: must be a whole number"),
        ("int", True, "p = true: must be a whole number"),
        ("int", 2**63, "p = 9223372036854775808: must be a whole number"),
        ("float", True, "p = true: must be a number"),
        ("float", "1.0", "p = 1.0: must be a number"),
        ("float", None, "p = None: must be a number"),
        ("float", math.nan, "p = nan: must be a number"),
        ("float", math.inf, "p = inf: must be a number"),
        ("float", -math.inf, "p = -inf: must be a number"),
        ("float", [1.0], r"p = \[1.0\]: must be a number"),
        ("str", 1, "p = 1: must be text"),
        ("bools", [1], r"p = \[1\]: must be a list of true or false"),
        ("bools", True, "p = true: must be a list of true or false"),
        ("floats", [1.0, math.nan], r"p = \[1.0, nan\]: must be a list of a number"),
        ("floats", [True], r"p = \[True\]: must be a list of a number"),
        ("floats", "12", "p = 12: must be a list of a number"),
        ("strs", "text", "p = text: must be a list of text"),
        ("strs", {"a": 1}, "p = {'a': 1}: must be a list of text"),
    ],
)
def test_another_kind_is_refused_by_name_value_and_what_is_allowed(kind, given, said):
    with pytest.raises(ParameterError, match=f"^parameter {said}$"):
        row(kind).check(given)


@pytest.mark.parametrize(
    ("limits", "inside", "outside", "allowed"),
    [
        ({"minimum": 0.0}, 0.0, -0.1, "a number, at least 0"),
        ({"maximum": 2.0}, 2.0, 2.1, "a number, at most 2"),
        ({"minimum": 0.0, "maximum": 2.0}, 1.0, 3.0, "a number from 0 to 2"),
        ({"above": 0.0}, 1e-9, 0.0, "a number above 0"),
        ({"above": 0.0, "maximum": 5.0}, 5.0, 5.5, "a number above 0, at most 5"),
    ],
)
def test_a_range_is_kept(limits, inside, outside, allowed):
    assert row("float", **limits).check(inside) == inside
    with pytest.raises(ParameterError, match=f"^parameter p = {outside}: must be {allowed}$"):
        row("float", **limits).check(outside)


def test_a_range_holds_for_every_item_of_a_list():
    with pytest.raises(ParameterError, match=r"p = \[1.0, -1.0\]: must be a list of a number, at"):
        row("floats", minimum=0.0).check([1.0, -1.0])


def test_a_list_has_one_of_the_lengths_allowed():
    table = row("floats", lengths=(2, 4))
    assert table.check([1.0, 2.0]) == [1.0, 2.0]
    with pytest.raises(ParameterError, match="p = 3 values: must be a list of 2 or 4 of a number"):
        table.check([1.0, 2.0, 3.0])


def test_only_the_choices_are_taken():
    table = row("str", choices=("ekf", "ukf"))
    assert table.check("ukf") == "ukf"
    with pytest.raises(ParameterError, match=r"^parameter p = pf: must be ekf or ukf$"):
        table.check("pf")
    with pytest.raises(ParameterError, match=r"^parameter p = true: must be false$"):
        row("bool", choices=(False,)).check(True)


def test_a_long_value_is_cut_short():
    with pytest.raises(ParameterError) as caught:
        row("float").check("x" * 1000)
    assert len(str(caught.value)) < 120


def test_a_parameter_is_fixed_unless_it_is_said_to_be_live():
    assert not row("float").live
    assert row("float", live=True).live


def test_a_value_is_shown_as_users_write_it():
    assert shown(True) == "true"
    assert shown([1.0, 2.5]) == "[1.0, 2.5]"


def test_a_table_gives_every_value_and_the_names_it_does_not_know():
    table = [
        Parameter(name="a", kind="float", default=1.0, description="A."),
        Parameter(name="b.c", kind="int", default=2, description="B."),
    ]
    values, unknown = read(table, {"b.c": 5, "zzz": 0, "nope": 1, "use_sim_time": True})
    assert values == {"a": 1.0, "b.c": 5}
    assert unknown == ["nope", "zzz"]


def test_what_every_node_has_by_itself_is_not_unknown():
    given = {"use_sim_time": True, "qos_overrides./tf.publisher.depth": 1}
    assert read([], given) == ({}, [])
