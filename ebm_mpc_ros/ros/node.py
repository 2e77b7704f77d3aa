"""The lifecycle node that all nodes are."""

from __future__ import annotations

import traceback
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rcl_interfaces.msg import ParameterDescriptor, SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.ros.diagnosis import Condition, Level
from ebm_mpc_ros.ros.parameters import Parameter, ParameterError, Value, read, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rclpy.qos import QoSProfile

COMMON_PARAMETERS = (
    Parameter(
        name="autostart",
        kind="bool",
        default=True,
        description="Configure and activate at start, without a lifecycle manager.",
    ),
)
_RCL_TYPES = {
    "bool": rclpy.Parameter.Type.BOOL,
    "int": rclpy.Parameter.Type.INTEGER,
    "float": rclpy.Parameter.Type.DOUBLE,
    "str": rclpy.Parameter.Type.STRING,
    "bools": rclpy.Parameter.Type.BOOL_ARRAY,
    "floats": rclpy.Parameter.Type.DOUBLE_ARRAY,
    "strs": rclpy.Parameter.Type.STRING_ARRAY,
}
_DIAGNOSTICS_PERIOD = 1.0
_LONGEST_WAIT = 0.1


class ManagedNode(LifecycleNode):
    """A lifecycle node with a parameter table, gated callbacks and diagnostics.

    Subclasses implement `table`, `configure`, `activate`, `deactivate`, `condition` and `figures`,
    and `change` where the table has live rows. What a user can mend is raised as `UserError` from
    `configure`, and stops it with one line in the log. Subscriptions and timers made by `listen`
    and `every` only call while the node is active, unless they say so, and are gone after a
    clean-up.
    """

    def __init__(self, name: str) -> None:
        """Declare the table's parameters, with the values that the user gave."""
        super().__init__(name, automatically_declare_parameters_from_overrides=True)
        self.active = False
        self.finished = False
        """Set by a node that has nothing left to do: its process ends."""
        self.steady_clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._configured = False
        self._inactive_because = "not configured"
        self._said: Condition | None = None
        self._entities: list[Callable[[], Any]] = []
        self._prepared: Callable[[], None] | None = None
        self._rows = {row.name: row for row in (*COMMON_PARAMETERS, *self.table(self._given()))}
        for row in self._rows.values():
            self._declare(row)
        self.add_on_set_parameters_callback(self._on_set)
        self.add_post_set_parameters_callback(self._on_accepted)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._own_timers = (
            self.create_timer(
                _DIAGNOSTICS_PERIOD, self._publish_diagnosis, clock=self.steady_clock
            ),
            # Wakes the executor, so that an idle node sees a signal's flag soon.
            self.create_timer(_LONGEST_WAIT, lambda: None, clock=self.steady_clock),
        )

    @abstractmethod
    def table(self, given: Iterable[str]) -> Iterable[Parameter]:
        """Return the node's parameters; `given` are the names that the user set."""

    @abstractmethod
    def configure(self, values: dict[str, Any]) -> None:
        """Build everything from checked parameter values.

        Raises:
            UserError: A value can't be used.
        """

    @abstractmethod
    def condition(self) -> Condition:
        """Return how the node is while it is active; asked often."""

    @abstractmethod
    def figures(self) -> dict[str, object]:
        """Return the figures that go with it in /diagnostics; asked once a second."""

    def change(self, values: dict[str, Any]) -> Callable[[], None]:
        """Build what a change of live parameters needs; return what puts it in force.

        Called while the node is configured, active or not, where a set changes a live parameter.
        Nothing may change before what it returns is called, and that must not fail: rclpy has
        stored the values by then. Values that only fit together come in one set through
        set_parameters_atomically; set_parameters makes a set of each.

        Args:
            values: The whole table's checked values, with the changes.

        Raises:
            UserError: The values can't be used: the set is refused with this reason.
        """
        raise NotImplementedError

    def activate(self) -> None:
        """Start; called before callbacks are let through."""

    def deactivate(self) -> None:
        """Stop; called after callbacks are held back."""

    def release(self) -> None:
        """Give up what `configure` built, beyond subscriptions, timers and publishers."""

    @property
    def simulated(self) -> bool:
        """Whether the node's clock is that of a simulation or a bag, /clock."""
        return bool(self.get_parameter("use_sim_time").value)

    @property
    def now(self) -> int:
        """The node's clock in ns."""
        return int(self.get_clock().now().nanoseconds)

    @property
    def steady_now(self) -> int:
        """The steady clock in ns."""
        return int(self.steady_clock.now().nanoseconds)

    def at_clean_up(self, action: Callable[[], Any]) -> None:
        """Call `action` at the next clean-up, the last one added first."""
        self._entities.append(action)

    def listen(
        self,
        kind: type,
        topic: str,
        callback: Callable[[Any], None],
        qos: QoSProfile | int,
        *,
        always: bool = False,
        matched: Callable[[Any], None] | None = None,
    ) -> None:
        """Subscribe; messages are let through while the node is active.

        With `always` they are whenever it is configured: for what is told once and then holds,
        such as a latched map, and so has to be known after a pause. `matched` is told of
        publishers that come and go (QoSSubscriptionMatchedInfo).
        """

        def gated(message: Any) -> None:
            if self.active or always:
                callback(message)

        events = SubscriptionEventCallbacks(matched=matched)
        subscription = self.create_subscription(kind, topic, gated, qos, event_callbacks=events)
        self._entities.append(lambda: self.destroy_subscription(subscription))

    def listen_raw(
        self, kind: type, topic: str, callback: Callable[[bytes], None], qos: QoSProfile
    ) -> None:
        """Subscribe to serialised messages, gate or no gate."""
        subscription = self.create_subscription(kind, topic, callback, qos, raw=True)
        self._entities.append(lambda: self.destroy_subscription(subscription))

    def every(self, period: float, callback: Callable[[], None], *, steady: bool = False) -> None:
        """Call back every `period` seconds: simulated ones in a simulation, unless `steady`.

        Timers of the system's clock would wait out what it is set back by.
        """

        def gated() -> None:
            if self.active:
                callback()

        clock = None if self.simulated and not steady else self.steady_clock
        timer = self.create_timer(period, gated, clock=clock)
        self._entities.append(lambda: self.destroy_timer(timer))

    def advertise(self, kind: type, topic: str, qos: QoSProfile | int) -> Any:
        """Return a publisher that lives until the next clean-up."""
        publisher = self.create_publisher(kind, topic, qos)
        self._entities.append(lambda: self.destroy_publisher(publisher))
        return publisher

    def serve(self, kind: type, name: str, callback: Callable[[Any, Any], Any]) -> None:
        """Offer a service until the next clean-up."""
        service = self.create_service(kind, name, callback)
        self._entities.append(lambda: self.destroy_service(service))

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:  # noqa: ARG002
        """Read the parameters and build the node."""
        return self._transition("configure", self._configure)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start."""
        result = self._transition("activate", self._activate)
        super().on_activate(state)
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop."""
        result = self._transition("deactivate", self._deactivate)
        super().on_deactivate(state)
        return result

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:  # noqa: ARG002
        """Give everything up."""
        return self._transition("clean up", self._clean_up)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:  # noqa: ARG002
        """Stop and give everything up."""
        return self._transition("shut down", self.close)

    def close(self) -> None:
        """Stop and give everything up; does nothing a second time."""
        if self.active:
            self._deactivate()
        self._clean_up()

    def report(self) -> None:
        """Publish the condition at once where it has changed."""
        if self._condition() != self._said:
            self._publish_diagnosis()

    def _transition(self, name: str, action: Callable[[], None]) -> TransitionCallbackReturn:
        """Run a transition; rclpy would swallow what it raises."""
        try:
            action()
        except UserError as error:
            self._inactive_because = str(error)
            self.get_logger().error(f"can't {name}: {error}")
            return TransitionCallbackReturn.FAILURE
        except Exception:  # noqa: BLE001  a bug: told with its traceback, not swallowed
            self._inactive_because = f"can't {name}: internal error, see the log"
            self.get_logger().error(f"can't {name}:\n{traceback.format_exc()}")
            return TransitionCallbackReturn.FAILURE
        finally:
            self.report()
        return TransitionCallbackReturn.SUCCESS

    def _configure(self) -> None:
        values, unknown = self._read()
        for name in unknown:
            self.get_logger().warning(f"unknown parameter {name}: it has no effect")
        try:
            self.configure(values)
        except BaseException:
            self._clean_up()
            raise
        self._configured = True
        self._inactive_because = "not active"

    def _activate(self) -> None:
        self.activate()
        self.active = True
        self._inactive_because = ""

    def _deactivate(self) -> None:
        self.active = False
        self._inactive_because = "not active"
        self.deactivate()

    def _clean_up(self) -> None:
        self._configured = False
        self._inactive_because = "not configured"
        self.release()
        while self._entities:
            self._entities.pop()()

    def _read(self) -> tuple[dict[str, Any], list[str]]:
        given = {name: value.value for name, value in self.get_parameters_by_prefix("").items()}
        return read(self._rows.values(), given)

    def _given(self) -> list[str]:
        return list(self.get_parameters_by_prefix(""))

    def _declare(self, row: Parameter) -> None:
        unit = f" ({row.unit})" if row.unit else ""
        when = "changes at run time" if row.live else "fixed while configured"
        descriptor = ParameterDescriptor(
            description=row.description + unit,
            additional_constraints=f"{row.allowed}; {when}",
            dynamic_typing=True,
        )
        if self.has_parameter(row.name):
            self.set_descriptor(row.name, descriptor)
            return
        self.declare_parameter(row.name, descriptor=descriptor)
        default = rclpy.Parameter(row.name, _RCL_TYPES[row.kind], row.default)
        self.set_parameters([default])

    def _on_set(self, parameters: list[rclpy.Parameter]) -> SetParametersResult:
        """Check one set; on a configured node, prepare what `_on_accepted` puts in force.

        Two steps, because callbacks that rclpy asks after this one may still refuse. It stores the
        values and calls `_on_accepted` only once all have agreed, within the same set: what a
        refused set prepared is dropped here by the next one.
        """
        self._prepared = None
        try:
            self._prepare(parameters)
        except UserError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _prepare(self, parameters: list[rclpy.Parameter]) -> None:
        known = [(self._rows[p.name], p.value) for p in parameters if p.name in self._rows]
        for row, _ in known:
            if self._configured and not row.live:
                raise ParameterError(
                    f"{row.name} is fixed while the node is configured: clean up first"
                )
        checked = {row.name: row.check(value) for row, value in known}
        if not self._configured:
            return
        before, _ = self._read()
        changes = {name: value for name, value in checked.items() if value != before[name]}
        if not changes:
            return
        apply = self.change(before | changes)

        def prepared() -> None:
            apply()
            for name, value in changes.items():
                self.get_logger().info(f"{name}: {shown(before[name])} -> {shown(value)}")

        self._prepared = prepared

    def _on_accepted(self, parameters: list[rclpy.Parameter]) -> None:  # noqa: ARG002
        if self._prepared is not None:
            self._prepared()

    def _condition(self) -> Condition:
        if self.active:
            return self.condition()
        level = Level.WARN if self._configured else Level.ERROR
        return Condition(level, self._inactive_because)

    def _publish_diagnosis(self) -> None:
        self._said = self._condition()
        figures = self.figures() if self.active else {}
        status = DiagnosticStatus(
            level=bytes([self._said.level]),
            name=self.get_fully_qualified_name().lstrip("/"),
            message=self._said.message,
            hardware_id=self.get_namespace().strip("/") or "ebm_mpc_ros",
            values=[KeyValue(key=key, value=str(value)) for key, value in figures.items()],
        )
        message = DiagnosticArray(status=[status])
        message.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(message)

    def parameter(self, name: str) -> Value:
        """Return a parameter's value now, checked."""
        return self._rows[name].check(self.get_parameter(name).value)
