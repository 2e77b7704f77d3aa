"""An executor for one node on one thread that keeps its wait set.

rclpy's own builds a wait set, a handler and a coroutine for every wake-up, which at 200 Hz of
/clock costs more than the work. This one uses the same handles (rclpy 7 and 9), fills one wait set
in place, and takes all the messages that a subscription holds before it looks at timers, so that
a timer sees everything that has arrived.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rclpy.impl.implementation_singleton import rclpy_implementation

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from rclpy.node import Node

_MOST_TAKEN = 200


class NodeExecutor:
    """Waits for and runs a node's callbacks; an exception in one of them comes through."""

    def __init__(self, node: Node) -> None:
        """Serve `node`, whose entities may change between calls."""
        self._node = node
        self._context = node.context
        self._wait_set: Any = None
        self._sizes: tuple[int, ...] = ()

    def spin_once(self, timeout: float) -> None:
        """Wait for at most `timeout` s, then run what is ready."""
        node = self._node
        entities = (
            list(node.subscriptions),
            list(node.guards),
            list(node.timers),
            list(node.clients),
            list(node.services),
        )
        waitables = list(node.waitables)
        wait_set = self._prepare(entities, waitables)
        wait_set.wait(int(timeout * 1e9))
        ready = {
            kind: set(wait_set.get_ready_entities(kind))
            for kind in ("subscription", "timer", "client", "service")
        }
        for waitable in [waitable for waitable in waitables if waitable.is_ready(wait_set)]:
            _run(waitable.execute(waitable.take_data()))
        subscriptions, _, timers, clients, services = entities
        for subscription in subscriptions:
            if subscription.handle.pointer in ready["subscription"]:
                _take_all(subscription)
        for timer in timers:
            if timer.handle.pointer in ready["timer"] and timer.handle.is_timer_ready():
                timer.handle.call_timer()
                timer.callback()
        for client in clients:
            if client.handle.pointer in ready["client"]:
                _take_response(client)
        for service in services:
            if service.handle.pointer in ready["service"]:
                _answer(service)

    def _prepare(self, entities: tuple[list[Any], ...], waitables: list[Any]) -> Any:
        """Return the wait set, filled; it is built anew only where the numbers have changed."""
        sizes = [len(kind) for kind in entities] + [0]
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
        if self._wait_set is None or tuple(sizes) != self._sizes:
            self._sizes = tuple(sizes)
            self._wait_set = rclpy_implementation.WaitSet(*sizes, self._context.handle)
        wait_set = self._wait_set
        wait_set.clear_entities()
        adders = (
            wait_set.add_subscription,
            wait_set.add_guard_condition,
            wait_set.add_timer,
            wait_set.add_client,
            wait_set.add_service,
        )
        for add, kind in zip(adders, entities, strict=True):
            for entity in kind:
                add(entity.handle)
        for waitable in waitables:
            waitable.add_to_wait_set(wait_set)
        return wait_set


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
