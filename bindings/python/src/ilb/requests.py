# SPDX-License-Identifier: MIT
"""`requests`, balanced::

    import ilb.requests

    http = ilb.requests.Session({"http://billing": ["10.0.0.1:8080",
                                                    "10.0.0.2:8080"]})
    http.post("http://billing/pay", json={"amount": 100}, timeout=2)

Needs the extra: `pip install libilb[requests]`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, NoReturn, Union
from urllib.parse import urlsplit

import requests
import requests.adapters

from ._endpoint import EndpointLike
from ._ilb import Balancer
from ._requests_adapter import (
    IDEMPOTENT_METHODS,
    Adapter,
    Classify,
    NoEndpointError,
)

__all__ = ["IDEMPOTENT_METHODS", "Adapter", "NoEndpointError", "Session"]

#: "http://billing" -> its endpoints, or a Balancer of them.
Services = Mapping[str, Union[Balancer, Iterable[EndpointLike]]]

_DEFAULT_PORTS = {"http": 80, "https": 443}


class _Service(NamedTuple):
    """What a URL says of the service, with nothing left to defaults."""

    scheme: str
    host: str
    port: int

    @property
    def prefix(self) -> str:
        """What its adapter is mounted at. The slash keeps `http://billing`
        from taking `http://billing.elsewhere` along."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        if self.port == _DEFAULT_PORTS[self.scheme]:
            return f"{self.scheme}://{host}/"
        return f"{self.scheme}://{host}:{self.port}/"


def _service_of(url: str) -> _Service | None:
    """Return the service of a URL; None if it is not of http or https."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS or not host:
        return None
    return _Service(
        scheme, host, _DEFAULT_PORTS[scheme] if port is None else port
    )


def _read_prefix(prefix: str) -> _Service:
    """Return the service of "http://billing"; ValueError if it says more."""
    service = _service_of(prefix)
    parts = urlsplit(prefix)
    if (
        service is None
        or parts.path not in ("", "/")
        or parts.query
        or parts.fragment
        or "@" in parts.netloc
    ):
        raise ValueError(
            f"a service is 'http://name', 'https://name' or with a port, "
            f"not {prefix!r}"
        )
    return service


class Session(requests.Session):
    """A requests.Session that balances some services.

    `services` maps "http://billing" to a list of endpoints, or to a Balancer.
    Requests to these go to an endpoint and see the service's name in all
    else; other URLs go where they always went. With a port in the URL, the
    port is part of the name; 80 and 443 may be left out. `retries`,
    `classify` and `pool_maxsize` are those of `Adapter`.
    """

    def __init__(
        self,
        services: Services = MappingProxyType({}),
        *,
        retries: int = 1,
        classify: Classify | None = None,
        pool_maxsize: int = 10,
    ) -> None:
        super().__init__()
        self._services: dict[_Service, Adapter] = {}
        self._adapter_options: dict[str, Any] = {
            "retries": retries,
            "classify": classify,
            "pool_maxsize": pool_maxsize,
        }
        for prefix, endpoints in services.items():
            self.add(prefix, endpoints)

    def add(
        self, prefix: str, endpoints: Balancer | Iterable[EndpointLike]
    ) -> Balancer:
        """Balance one more service; one of this name is replaced."""
        service = _read_prefix(prefix)
        balancer = (
            endpoints
            if isinstance(endpoints, Balancer)
            else Balancer(service.host, endpoints)
        )
        adapter = Adapter(balancer, **self._adapter_options)
        before = self._services.get(service)
        self._services[service] = adapter
        self.mount(service.prefix, adapter)
        if before is not None:
            before.close()
        return balancer

    def balancer(self, prefix: str) -> Balancer:
        """Return the balancer of "http://billing"; KeyError if it has none."""
        adapter = self._services.get(_read_prefix(prefix))
        if adapter is None:
            raise KeyError(prefix)
        return adapter.balancer

    def get_adapter(self, url: str) -> requests.adapters.BaseAdapter:
        """Return the adapter of a URL, also where the URL writes the service
        in another way: with its default port, a user name, or in capitals."""
        service = _service_of(url)
        if service in self._services:
            parts = urlsplit(url)
            rest = parts.path.lstrip("/")
            url = service.prefix + (f"{rest}?{parts.query}" if parts.query
                                    else rest)
        return super().get_adapter(url)

    def __reduce__(self) -> NoReturn:
        raise TypeError("an ilb.requests.Session cannot be pickled")
