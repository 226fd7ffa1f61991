# SPDX-License-Identifier: MIT
"""A client-side load balancer.

Your program calls a service that runs on several endpoints. A Balancer sends
each request to one that is ready, healthy and fast now::

    lb = ilb.Balancer("billing", ["10.0.0.1:8080", "10.0.0.2:8080"])
    with lb.pick() as endpoint:
        call(endpoint.host, endpoint.port)

For `requests`, see `ilb.requests`.
"""

from ._endpoint import Endpoint, EndpointLike, Readiness
from ._errors import (
    AbiError,
    AddressError,
    BusyError,
    CapacityError,
    DuplicateError,
    EjectedError,
    EmptyError,
    Error,
    ExcludedError,
    InvalidError,
    NoEndpointError,
    NoMemoryError,
    NotDueError,
    NotFoundError,
    NotReadyError,
    ProcessesError,
    TicketError,
    UnsupportedError,
)
from ._events import Candidate, Event, Explanation, log_event
from ._ilb import (
    EXCLUDE_MAX,
    NEVER,
    Balancer,
    EndpointStats,
    ManualClock,
    Ticket,
    library_version,
)
from ._ilb import VERSION as __version__
from ._outcome import Outcome, classify, classify_status
from ._retry_after import retry_after_seconds

__all__ = [
    "EXCLUDE_MAX",
    "NEVER",
    "AbiError",
    "AddressError",
    "Balancer",
    "BusyError",
    "Candidate",
    "CapacityError",
    "DuplicateError",
    "EjectedError",
    "EmptyError",
    "Endpoint",
    "EndpointLike",
    "EndpointStats",
    "Error",
    "Event",
    "ExcludedError",
    "Explanation",
    "InvalidError",
    "ManualClock",
    "NoEndpointError",
    "NoMemoryError",
    "NotDueError",
    "NotFoundError",
    "NotReadyError",
    "Outcome",
    "ProcessesError",
    "Readiness",
    "Ticket",
    "TicketError",
    "UnsupportedError",
    "__version__",
    "classify",
    "classify_status",
    "library_version",
    "log_event",
    "retry_after_seconds",
]
