# SPDX-License-Identifier: MIT
"""Connections: to the endpoint that was picked, kept apart by endpoint, and
dropped with it."""

from __future__ import annotations

import queue
import threading
import weakref
from typing import Any

from urllib3.poolmanager import PoolManager

from ._ilb import Balancer, Ticket

_DEFAULT_PORTS = {"http": 80, "https": 443}


class NotDialableError(ValueError):
    """The address of an endpoint is not host:port."""


def _close_idle(connections: Any) -> None:
    """Close the connections that a pool keeps; `connections` is its queue."""
    while True:
        try:
            connection = connections.get_nowait()
        except queue.Empty:
            return
        if connection is not None:
            connection.close()


class DialingPoolManager(PoolManager):
    """Asked for a connection to a service, gives one to an endpoint.

    It stands where an adapter of requests has its PoolManager, and holds one
    real PoolManager for each endpoint. Where to dial is the ticket that the
    calling thread has put into `dial.ticket`; the service's name is only used
    for TLS.
    """

    def __init__(self, balancer: Balancer, **options: Any) -> None:
        super().__init__(**options)
        self.dial = threading.local()
        self._balancer = balancer
        self._options = options
        self._lock = threading.Lock()
        self._seen_updates = -1
        self._known: frozenset[str] = frozenset()
        self._managers: dict[str, PoolManager] = {}

    def addresses(self) -> list[str]:
        """Return the endpoints for which connections are kept."""
        with self._lock:
            return list(self._managers)

    # ---- Endpoints -------------------------------------------------------

    def _take_gone(self) -> list[PoolManager]:
        """Take out the managers of endpoints that left since the last call."""
        updates = self._balancer.updates
        if updates == self._seen_updates:
            return []
        self._seen_updates = updates
        self._known = frozenset(self._balancer.addresses())
        gone = [a for a in self._managers if a not in self._known]
        return [self._managers.pop(address) for address in gone]

    def drop_gone(self) -> None:
        """Close the idle connections to endpoints that have left the set."""
        with self._lock:
            gone = self._take_gone()
        for manager in gone:
            manager.clear()

    def _kept_manager(self, address: str) -> PoolManager | None:
        """Return the manager of an endpoint; None if it has left the set."""
        self.drop_gone()
        with self._lock:
            if address not in self._known:
                return None
            manager = self._managers.get(address)
            if manager is None:
                manager = PoolManager(**self._options)
                self._managers[address] = manager
            return manager

    def clear(self) -> None:
        """Close all idle connections."""
        super().clear()
        with self._lock:
            managers, self._managers = self._managers, {}
        for manager in managers.values():
            manager.clear()

    # ---- Connections -----------------------------------------------------

    def connection_from_host(
        self,
        host: str | None,
        port: int | None = None,
        scheme: str | None = "http",
        pool_kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Return the pool of connections to the ticket's endpoint; called
        with what the URL says."""
        ticket: Ticket = self.dial.ticket
        kind = scheme or "http"
        if not ticket.host or "/" in ticket.host:
            raise NotDialableError(
                f"the address {ticket.address!r} is not host:port"
            )
        pool_kwargs = dict(pool_kwargs or {})
        if kind == "https":
            pool_kwargs["server_hostname"] = host
            pool_kwargs["assert_hostname"] = host
        kept = self._kept_manager(ticket.address)
        manager = kept or PoolManager(**self._options)
        pool = manager.connection_from_host(
            ticket.host, ticket.port or _DEFAULT_PORTS[kind], kind, pool_kwargs
        )
        if kept is None:  # lives as long as its response; urllib3 1.26 then
            weakref.finalize(pool, _close_idle, pool.pool)  # forgets to close
        return pool
