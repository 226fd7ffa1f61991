# SPDX-License-Identifier: MIT
"""The exceptions: one class for each error code of the library."""

from __future__ import annotations


class Error(Exception):
    """Base of all errors of this package."""

    #: The library's error code, below 0; 0 if there is none.
    code: int = 0
    #: The code's name in the library: "ILB_EEMPTY".
    name: str = ""


class InvalidError(Error, ValueError):
    """An argument is out of its range; nothing was changed."""

    code = -2
    name = "ILB_EINVAL"


class NoMemoryError(Error, MemoryError):
    """The library got no memory."""

    code = -1
    name = "ILB_ENOMEM"


class AbiError(Error, RuntimeError):
    """The installed libilb is not the one that this was compiled for."""

    code = -3
    name = "ILB_EABI"


class NoEndpointError(Error):
    """There is no endpoint to pick."""


class EmptyError(NoEndpointError):
    """The endpoint set is empty."""

    code = -4
    name = "ILB_EEMPTY"


class NotReadyError(NoEndpointError):
    """No endpoint is ready."""

    code = -5
    name = "ILB_ENOTREADY"


class ExcludedError(NoEndpointError):
    """Every endpoint that is ready was excluded by the caller."""

    code = -6
    name = "ILB_EEXCLUDED"


class TicketError(InvalidError):
    """The ticket was done before, or is of another balancer."""

    code = -7
    name = "ILB_ETICKET"


class AddressError(InvalidError):
    """An address is empty, too long or not printable."""

    code = -8
    name = "ILB_EADDRESS"


class DuplicateError(InvalidError):
    """An address is in the list twice."""

    code = -9
    name = "ILB_EDUPLICATE"


class CapacityError(InvalidError):
    """More endpoints than the balancer's capacity."""

    code = -10
    name = "ILB_ECAPACITY"


class NotFoundError(InvalidError, LookupError):
    """No endpoint has this address."""

    code = -11
    name = "ILB_ENOTFOUND"


class BusyError(NoEndpointError):
    """Too many requests are in flight to every endpoint that is ready."""

    code = -12
    name = "ILB_EBUSY"


class EjectedError(NoEndpointError):
    """Every endpoint that is ready is ejected, and the balancer fails closed."""

    code = -13
    name = "ILB_EEJECTED"


class NotDueError(NoEndpointError):
    """No endpoint is due for a probe."""

    code = -14
    name = "ILB_ENOTDUE"


class UnsupportedError(Error, RuntimeError):
    """This system cannot do it."""

    code = -15
    name = "ILB_ENOSYS"


class ProcessesError(Error, RuntimeError):
    """More processes than may share the balancer."""

    code = -16
    name = "ILB_EPROCESSES"


#: The class of each error code; read by the extension module.
BY_CODE: dict[int, type[Error]] = {
    cls.code: cls
    for cls in (
        NoMemoryError,
        InvalidError,
        AbiError,
        EmptyError,
        NotReadyError,
        ExcludedError,
        TicketError,
        AddressError,
        DuplicateError,
        CapacityError,
        NotFoundError,
        BusyError,
        EjectedError,
        NotDueError,
        UnsupportedError,
        ProcessesError,
    )
}
