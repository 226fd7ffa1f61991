# SPDX-License-Identifier: MIT
"""One endpoint, as the caller or its service discovery knows it."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple, Tuple, Union

if sys.version_info >= (3, 10):
    from typing import Literal, TypeAlias
else:  # pragma: no cover
    from typing import Literal

    TypeAlias = Any

Readiness: TypeAlias = Literal["ready", "not_ready", "draining"]


class Endpoint(NamedTuple):
    """One endpoint, with all that can be said of it."""

    #: Its unique key; handed back as it is: "10.0.0.1:8080".
    address: str
    #: Its share against the others', 1 to 1,000,000.
    weight: int = 1
    #: May it be given requests?
    readiness: Readiness = "ready"
    #: Any object of yours, handed back as `Ticket.user`.
    user: Any = None


#: What is taken for an endpoint: an address, (address, weight), an Endpoint.
EndpointLike: TypeAlias = Union[str, Tuple[str, int], Endpoint]
