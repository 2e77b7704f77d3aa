"""A node as a process: its signals, its exit code."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

import rclpy
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.signals import SignalHandlerOptions

from ebm_mpc_ros.errors import CANT_START, UserError
from ebm_mpc_ros.ros.executor import NodeExecutor

if TYPE_CHECKING:
    from collections.abc import Callable

    from ebm_mpc_ros.ros.node import ManagedNode

_LONGEST_WAIT = 0.1


class _CutShortError(BaseException):
    """A signal came. A KeyboardInterrupt within an import that C code runs kills at exit."""


class _Stop:
    """What SIGINT and SIGTERM set, so that the callback under way ends well.

    While `cutting`, the first of them raises.
    """

    def __init__(self) -> None:
        self.told = self.cutting = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._tell)

    def _tell(self, *_: object) -> None:
        self.told = True
        if self.cutting:
            self.cutting = False
            raise _CutShortError


def spin(make: Callable[[], ManagedNode]) -> int:
    """Run a node as a process until Ctrl-C, SIGTERM or its own end; returns its exit code.

    The context is there for the clean-up, however often a launch system sends signals. A
    configuration, which may import for seconds, is cut short by one.
    """
    stop = _Stop()
    try:
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    except rclpy_implementation.RCLError as error:
        # A parameter file or a --ros-args that rcl can't read.
        print(f"can't start: {' '.join(str(error).split())}", file=sys.stderr)  # noqa: T201
        return CANT_START
    node = None
    try:
        node = make()
        _run(node, stop)
    except (_CutShortError, KeyboardInterrupt):
        # OSQP takes SIGINT while it solves, and hands it on as KeyboardInterrupt.
        pass
    except UserError as error:
        rclpy.logging.get_logger("ebm_mpc_ros").fatal(str(error))
        return CANT_START
    finally:
        if node is not None:
            node.close()
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


def _run(node: ManagedNode, stop: _Stop) -> None:
    executor = NodeExecutor(node)
    if node.parameter("autostart"):
        stop.cutting = not stop.told
        configured = node.trigger_configure() == TransitionCallbackReturn.SUCCESS
        stop.cutting = False
        if configured:
            node.trigger_activate()
    while not stop.told and not node.finished:
        executor.spin_once(_LONGEST_WAIT)
