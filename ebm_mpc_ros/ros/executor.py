"""An executor for one node on one thread that keeps its wait sets.

rclpy's own builds a wait set, a handler and a coroutine for every wake-up, with every service and
event in it, which at 100 Hz of /clock costs more than the work. This one uses the same handles
(rclpy 7 and 9). It waits for messages and timers alone, and looks after services, clients and
events ten times a second. It takes all the messages that a subscription holds before it looks at
timers, so that a timer sees everything that has arrived.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rclpy.impl.implementation_singleton import rclpy_implementation

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from rclpy.node import Node

_MOST_TAKEN = 200
_LONGEST_WAIT = 0.1


class NodeExecutor:
    """Waits for and runs a node's callbacks; an exception in one of them comes through."""

    def __init__(self, node: Node) -> None:
        """Serve `node`, whose entities may change between calls."""
        self._node = node
        self._often, self._seldom = _WaitSet(node), _WaitSet(node)
        self._next_look = 0.0

    def spin_once(self, timeout: float) -> None:
        """Wait for at most `timeout` s, then run what is ready."""
        node = self._node
        subscriptions, timers = list(node.subscriptions), list(node.timers)
        often = self._often
        often.fill(subscriptions=subscriptions, timers=timers, guards=list(node.guards))
        often.wait(min(timeout, _LONGEST_WAIT))
        ready = often.ready("subscription")
        if ready:
            for subscription in subscriptions:
                if subscription.handle.pointer in ready:
                    _take_all(subscription)
        ready = often.ready("timer")
        if ready:
            for timer in timers:
                if timer.handle.pointer in ready and timer.handle.is_timer_ready():
                    timer.handle.call_timer()
                    timer.callback()
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + _LONGEST_WAIT
            self._look()

    def _look(self) -> None:
        """Run what is ready of services, clients and events."""
        node = self._node
        clients, services = list(node.clients), list(node.services)
        waitables = list(node.waitables)
        seldom = self._seldom
        seldom.fill(clients=clients, services=services, waitables=waitables)
        seldom.wait(0.0)
        for waitable in [one for one in waitables if one.is_ready(seldom.handle)]:
            _run(waitable.execute(waitable.take_data()))
        ready = seldom.ready("client")
        for client in clients:
            if client.handle.pointer in ready:
                _take_response(client)
        ready = seldom.ready("service")
        for service in services:
            if service.handle.pointer in ready:
                _answer(service)


class _WaitSet:
    """rcl's wait set, built anew only where the numbers of its entities have changed."""

    def __init__(self, node: Node) -> None:
        self.handle: Any = None
        self._context = node.context
        self._sizes: tuple[int, ...] = ()

    def fill(
        self,
        *,
        subscriptions: list[Any] | tuple[()] = (),
        guards: list[Any] | tuple[()] = (),
        timers: list[Any] | tuple[()] = (),
        clients: list[Any] | tuple[()] = (),
        services: list[Any] | tuple[()] = (),
        waitables: list[Any] | tuple[()] = (),
    ) -> None:
        """Put the entities in."""
        kinds = (subscriptions, guards, timers, clients, services)
        sizes = [len(kind) for kind in kinds] + [0]
        for waitable in waitables:
            count = waitable.get_num_entities()
            for i, number in enumerate(
                (
                    count.num_subscriptions,
                    count.num_guard_conditions,
                    count.num_timers,
                    count.num_clients,
                    count.num_services,
                    count.num_events,
                )
            ):
                sizes[i] += number
        if tuple(sizes) != self._sizes:
            self._sizes = tuple(sizes)
            self.handle = rclpy_implementation.WaitSet(*sizes, self._context.handle)
        handle = self.handle
        handle.clear_entities()
        adders = (
            handle.add_subscription,
            handle.add_guard_condition,
            handle.add_timer,
            handle.add_client,
            handle.add_service,
        )
        for add, kind in zip(adders, kinds, strict=True):
            for entity in kind:
                add(entity.handle)
        for waitable in waitables:
            waitable.add_to_wait_set(handle)

    def wait(self, timeout: float) -> None:
        """Wait for at most `timeout` s."""
        self.handle.wait(int(timeout * 1e9))

    def ready(self, kind: str) -> list[int]:
        """Return the pointers of what is ready of a kind."""
        found: list[int] = self.handle.get_ready_entities(kind)
        return found


def _take_all(subscription: Any) -> None:
    for _ in range(_MOST_TAKEN):
        taken = subscription.handle.take_message(subscription.msg_type, subscription.raw)
        if taken is None:
            return
        subscription.callback(taken[0])


def _take_response(client: Any) -> None:
    header, response = client.handle.take_response(client.srv_type.Response)
    if header is not None:
        client.get_pending_request(header.request_id.sequence_number).set_result(response)


def _answer(service: Any) -> None:
    request, header = service.handle.service_take_request(service.srv_type.Request)
    if header is not None:
        response = service.callback(request, service.srv_type.Response())
        service.send_response(response, header)


def _run(coroutine: Coroutine[Any, Any, Any]) -> None:
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise RuntimeError("a waitable wanted to wait")
