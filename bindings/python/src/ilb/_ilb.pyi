# SPDX-License-Identifier: MIT
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, ClassVar, Final, Literal, final

from _typeshed import structseq

from ._endpoint import EndpointLike, Readiness
from ._events import Detector, Event, Explanation
from ._outcome import Outcome

_OutcomeName = Literal[
    "success", "failure", "timeout", "connect_error", "overload", "cancelled"
]
_Policy = Literal["peak_ewma", "least_request", "round_robin", "random"]
_State = Literal[
    "warming", "healthy", "ejected", "probing", "not_ready", "draining"
]

VERSION: Final[str]
NEVER: Final[int]
EXCLUDE_MAX: Final[int]

def library_version() -> str: ...
@final
class ManualClock:
    def __new__(cls, now_ns: int = 1000000000) -> ManualClock: ...
    def advance(self, seconds: float, /) -> None: ...
    @property
    def now_ns(self) -> int: ...
    @now_ns.setter
    def now_ns(self, value: int) -> None: ...

@final
class EndpointStats(
    structseq[Any],
    tuple[
        str,
        int,
        _State,
        int,
        int,
        int,
        int,
        int,
        float,
        int,
        dict[_OutcomeName, int],
        Any,
        Detector | None,
        dict[Detector, int],
        dict[Detector, int],
    ],
):
    __match_args__: ClassVar[tuple[str, ...]]
    @property
    def address(self) -> str: ...
    @property
    def weight(self) -> int: ...
    @property
    def state(self) -> _State: ...
    @property
    def in_flight(self) -> int: ...
    @property
    def latency_ns(self) -> int: ...
    @property
    def oldest_ns(self) -> int: ...
    @property
    def ejected_until_ns(self) -> int: ...
    @property
    def failures_in_a_row(self) -> int: ...
    @property
    def failure_share(self) -> float: ...
    @property
    def ejections(self) -> int: ...
    @property
    def done(self) -> dict[_OutcomeName, int]: ...
    @property
    def user(self) -> Any: ...
    @property
    def ejected_by(self) -> Detector | None: ...
    @property
    def detected(self) -> dict[Detector, int]: ...
    @property
    def enforced(self) -> dict[Detector, int]: ...

@final
class Ticket:
    @property
    def address(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int | None: ...
    @property
    def user(self) -> Any: ...
    @property
    def explanation(self) -> Explanation | None: ...
    @property
    def balancer(self) -> Balancer: ...
    @property
    def try_timeout(self) -> float | None: ...
    @property
    def outcome(self) -> Outcome | None: ...
    def done(
        self,
        outcome: Outcome | int | _OutcomeName = Outcome.SUCCESS,
        now_ns: int = 0,
        retry_after: float = 0.0,
    ) -> None: ...
    def success(self) -> None: ...
    def failure(self, retry_after: float = 0.0) -> None: ...
    def timeout(self) -> None: ...
    def connect_error(self) -> None: ...
    def overload(self, retry_after: float = 0.0) -> None: ...
    def cancelled(self) -> None: ...
    def first_byte(self, now_ns: int = 0) -> None: ...
    def __enter__(self) -> Ticket: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> Literal[False]: ...

@final
class Balancer:
    def __new__(
        cls,
        name: str,
        endpoints: Iterable[EndpointLike] = (),
        *,
        policy: _Policy = "peak_ewma",
        capacity: int = 0,
        seed: int = 0,
        consecutive_failures: int = 0,
        max_ejection_percent: int = 0,
        base_ejection_time: float = 0.0,
        max_ejection_time: float = 0.0,
        fail_mode: Literal["open", "closed"] = "open",
        panic_threshold_percent: int = 0,
        min_endpoints: int = 0,
        detectors_off: Iterable[Detector] = (),
        detectors_shadow: Iterable[Detector] = (),
        max_retry_after: float = 0.0,
        unhealthy_threshold: int = 0,
        healthy_threshold: int = 0,
        check_effect: Literal["probes", "unejects"] = "probes",
        slow_start: float = 0.0,
        latency_margin: float = 0.0,
        clock: ManualClock | None = None,
        classify: (
            Callable[[BaseException], Outcome | int | _OutcomeName | None]
            | None
        ) = None,
        event_capacity: int = 0,
        on_event: Callable[[Event], object] | None = None,
    ) -> Balancer: ...
    @property
    def name(self) -> str: ...
    @property
    def policy(self) -> _Policy: ...
    @property
    def updates(self) -> int: ...
    @property
    def probe_due_ns(self) -> int | None: ...
    @property
    def leaked(self) -> int: ...
    def update(self, endpoints: Iterable[EndpointLike], /) -> None: ...
    def set_readiness(self, address: str, readiness: Readiness, /) -> None: ...
    def report_check(
        self, address: str, passed: bool, now_ns: int = 0
    ) -> None: ...
    def addresses(self) -> list[str]: ...
    def pick(
        self,
        exclude: Ticket | Iterable[Ticket] = (),
        now_ns: int = 0,
        explain: bool = False,
        cost: float = 1.0,
    ) -> Ticket: ...
    def probe_next(self, now_ns: int = 0) -> Ticket: ...
    def snapshot(self) -> list[EndpointStats]: ...
    def events(self, after: int = 0) -> list[Event]: ...
    def tick(self, now_ns: int = 0) -> None: ...
