"""Parameters of a running node: which sets it takes, and what they do to it."""

import array
import time

import pytest
import rclpy
from rcl_interfaces.msg import ParameterEvent, SetParametersResult
from rcl_interfaces.srv import SetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import TransitionCallbackReturn

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.ros.diagnosis import Condition, Level
from ebm_mpc_ros.ros.executor import NodeExecutor
from ebm_mpc_ros.ros.node import ManagedNode
from ebm_mpc_ros.ros.parameters import Parameter

pytestmark = pytest.mark.usefixtures("ros")

PATIENCE = 20.0
REFUSED = SetParametersResult(successful=False, reason="no")
TABLE = (
    Parameter(name="rate", kind="float", default=10.0, description="Fixed.", above=0.0),
    Parameter(name="gain", kind="float", default=1.0, description="Live.", minimum=0.0, live=True),
    Parameter(name="limit", kind="float", default=5.0, description="Live.", live=True),
    Parameter(name="noise", kind="floats", default=[1.0, 1.0], description="Live.", live=True),
    Parameter(name="mode", kind="str", default="a", description="Live.", live=True),
)


class Recorder:
    """Stands in for the node's logger."""

    def __init__(self):
        self.lines = []

    def info(self, text):
        self.lines.append(text)

    error = warning = info


class Tuned(ManagedNode):
    """Its gain may not be above its limit; `last_word` is what a last callback says of a set."""

    last_word = SetParametersResult(successful=True)

    def __init__(self):
        super().__init__("tuned")
        self.log = Recorder()
        self.used = None
        self.asked = []
        self.taken = []

    def get_logger(self):
        return getattr(self, "log", None) or super().get_logger()

    def table(self, given):
        # rclpy asks the callback added last first, and this one comes before ManagedNode's.
        self.add_on_set_parameters_callback(lambda _: self.last_word)
        return TABLE

    def configure(self, values):
        self.used = values

    def change(self, values):
        self.asked.append(values)
        if values["gain"] > values["limit"]:
            raise UserError("gain above limit")
        return lambda: self._take(values)

    def _take(self, values):
        self.used = values
        self.taken.append(values)

    def condition(self):
        return Condition(Level.OK, "running")

    def figures(self):
        return {}

    def try_set(self, **values):
        """Set all in one call."""
        return self.set_parameters_atomically(
            [rclpy.Parameter(name, value=value) for name, value in values.items()]
        )

    def stored(self, name):
        return self.get_parameter(name).value


@pytest.fixture
def fresh():
    node = Tuned()
    yield node
    node.close()
    node.destroy_node()


@pytest.fixture
def node(fresh):
    """Configured, not active."""
    assert fresh.trigger_configure() == TransitionCallbackReturn.SUCCESS
    return fresh


@pytest.mark.parametrize("active", [False, True])
def test_a_live_parameter_changes_while_configured(node, active):
    if active:
        node.trigger_activate()
    assert node.try_set(gain=2.0).successful
    assert node.used["gain"] == node.parameter("gain") == 2.0


def test_the_hook_gets_the_whole_table_with_the_changes(node):
    node.try_set(limit=7.0)
    node.try_set(gain=6.0, mode="b")
    assert node.asked[-1] == {
        "autostart": True,
        "rate": 10.0,
        "gain": 6.0,
        "limit": 7.0,
        "noise": [1.0, 1.0],
        "mode": "b",
    }


def test_the_values_of_one_call_are_checked_together_and_taken_once(node):
    assert not node.try_set(gain=6.0).successful
    assert node.try_set(gain=6.0, limit=8.0).successful
    assert [(values["gain"], values["limit"]) for values in node.taken] == [(6.0, 8.0)]


def test_what_the_hook_refuses_changes_nothing_and_gives_its_reason(node):
    result = node.try_set(mode="b", gain=9.0)
    assert (result.successful, result.reason) == (False, "gain above limit")
    assert (node.stored("gain"), node.stored("mode")) == (1.0, "a")
    assert node.taken == node.log.lines == []


def test_a_value_out_of_range_is_refused_before_the_hook(node):
    result = node.try_set(mode="b", gain=-1.0)
    assert result.reason == "parameter gain = -1.0: must be a number, at least 0"
    assert node.stored("mode") == "a"
    assert node.asked == []


def test_nothing_is_in_force_before_rclpy_has_stored_it(node, monkeypatch):
    stored = []
    monkeypatch.setattr(node, "_take", lambda _: stored.append(node.stored("gain")))
    node.try_set(gain=2.0)
    assert stored == [2.0]


@pytest.mark.parametrize("order", [("gain", "rate"), ("rate", "gain")])
def test_live_and_fixed_together_are_refused_whole_naming_the_fixed_one(node, order):
    values = {"gain": -1.0, "rate": 20.0}
    result = node.try_set(**{name: values[name] for name in order})
    assert not result.successful
    assert result.reason == "rate is fixed while the node is configured: clean up first"
    assert (node.stored("gain"), node.stored("rate")) == (1.0, 10.0)
    assert node.asked == []


def test_what_a_later_callback_refuses_is_never_put_in_force(node, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(node, "last_word", REFUSED)
        assert not node.try_set(gain=2.0).successful
    assert node.asked
    assert node.stored("gain") == 1.0
    assert node.try_set(use_sim_time=False).successful
    assert node.taken == node.log.lines == []


def test_what_an_earlier_callback_refuses_is_never_prepared(node):
    node.add_on_set_parameters_callback(lambda _: REFUSED)
    assert not node.try_set(gain=2.0).successful
    assert node.asked == node.taken == []


def test_each_change_is_logged_once_with_both_values_cut_short(node):
    node.try_set(gain=2.0, mode="b" * 1000)
    assert node.log.lines[0] == "gain: 1.0 -> 2.0"
    assert node.log.lines[1].startswith("mode: a -> bbb")
    assert len(node.log.lines[1]) < 100
    assert len(node.log.lines) == 2


def test_the_same_value_again_is_no_change(node):
    assert node.try_set(gain=1).successful
    assert node.try_set(noise=[1, 1]).successful
    assert node.asked == node.log.lines == []


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("gain", 3, 3.0),
        ("noise", [2, 3], [2.0, 3.0]),
        ("noise", array.array("q", [2, 3]), [2.0, 3.0]),
    ],
)
def test_whole_numbers_reach_the_hook_as_floats(node, name, given, value):
    assert node.try_set(**{name: given}).successful
    used = node.used[name]
    assert used == node.parameter(name) == value
    items = used if isinstance(used, list) else [used]
    assert [type(item) for item in items] == [float] * len(items)


def test_a_live_parameter_can_not_be_deleted(node):
    deletion = rclpy.Parameter("gain", rclpy.Parameter.Type.NOT_SET)
    assert not node.set_parameters([deletion])[0].successful
    assert node.stored("gain") == 1.0
    assert node.asked == []


def test_an_undeclared_name_is_refused_with_the_rest_of_its_set(node):
    with pytest.raises(rclpy.exceptions.ParameterNotDeclaredException):
        node.try_set(gain=2.0, nothing=1.0)
    assert node.stored("gain") == 1.0
    assert node.asked == []


def test_before_configuring_all_may_change_unasked(fresh):
    assert fresh.try_set(gain=2.0, rate=20.0).successful
    assert not fresh.try_set(gain=-1.0).successful
    assert fresh.asked == []
    fresh.trigger_configure()
    assert (fresh.used["gain"], fresh.used["rate"]) == (2.0, 20.0)


def test_after_a_clean_up_all_may_change_unasked(node):
    node.trigger_cleanup()
    assert node.try_set(gain=9.0, rate=20.0).successful
    assert node.asked == []


def test_a_change_outlives_a_pause_and_a_clean_up(node):
    node.try_set(gain=2.0)
    node.trigger_activate()
    node.trigger_deactivate()
    node.trigger_cleanup()
    node.trigger_configure()
    assert node.used["gain"] == 2.0


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gain", "a number, at least 0; changes at run time"),
        ("rate", "a number above 0; fixed while configured"),
        ("autostart", "true or false; fixed while configured"),
    ],
)
def test_a_description_says_when_a_parameter_may_change(node, name, said):
    description = node.describe_parameter(name)
    assert description.additional_constraints == said
    assert not description.read_only


def test_a_set_from_outside_changes_the_node_and_is_told_as_an_event(node):
    outside = rclpy.create_node("outside")
    events = []
    outside.create_subscription(ParameterEvent, "/parameter_events", events.append, 10)
    client = outside.create_client(SetParameters, "tuned/set_parameters")
    theirs, ours = SingleThreadedExecutor(), NodeExecutor(node)
    theirs.add_node(outside)

    def wait_for(condition):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline
            ours.spin_once(0.01)
            theirs.spin_once(timeout_sec=0.01)

    wait_for(lambda: client.service_is_ready() and outside.count_publishers("/parameter_events"))
    parameters = [
        rclpy.Parameter("gain", value=3).to_parameter_msg(),
        rclpy.Parameter("rate", value=20.0).to_parameter_msg(),
    ]
    future = client.call_async(SetParameters.Request(parameters=parameters))
    wait_for(future.done)
    assert [result.successful for result in future.result().results] == [True, False]
    assert node.used["gain"] == 3.0
    wait_for(lambda: any(event.node == "/tuned" for event in events))
    changed = [event.changed_parameters for event in events if event.node == "/tuned"]
    assert [[parameter.name for parameter in each] for each in changed] == [["gain"]]
    theirs.shutdown()
    outside.destroy_node()
