# SPDX-License-Identifier: MIT
"""The options of a pod.

Each option can be given to run.py or, for containers, as an environment
variable: `--drain-s 5` or SERVICE_DRAIN_S=5. run.py hands them to gunicorn's
worker through the environment, so there is one way in and one check of it.
"""
from __future__ import annotations

import argparse
import dataclasses
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

SERVICES = ("user", "billing", "notification")
ENV_PREFIX = "SERVICE_"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z")
_DEPENDENCY = re.compile(
    r"([A-Za-z0-9_-]{1,32})=([A-Za-z0-9.-]{1,253}):([0-9]{1,5})\Z")


def _integer(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"{text!r} is no whole number") from None
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(
                f"{value} is not within {low}..{high}")
        return value
    return parse


def _number(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"{text!r} is no number") from None
        if not (math.isfinite(value) and low <= value <= high):
            raise argparse.ArgumentTypeError(
                f"{text} is not within {low:g}..{high:g}")
        return value
    return parse


def _flag(text: str) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True,
             "0": False, "false": False, "no": False, "off": False}
    if text.lower() not in words:
        raise argparse.ArgumentTypeError(f"{text!r} is neither on nor off")
    return words[text.lower()]


def _log_level(text: str) -> str:
    levels = ("debug", "info", "warning", "error", "critical")
    if text not in levels:
        raise argparse.ArgumentTypeError(
            f"{text!r} is none of " + ", ".join(levels))
    return text


def _name(text: str) -> str:
    # It goes into a response header, so nothing that could break one.
    if not _NAME.match(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no name (letters, digits, '.', '_', '-')")
    return text


def _host(text: str) -> str:
    if not re.match(r"[A-Za-z0-9.-]{1,253}\Z", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no IPv4 host")
    return text


def _dependencies(text: str) -> tuple[tuple[str, str, int], ...]:
    """Read `ledger=127.0.0.1:5432,mail=mail:25`."""
    found = []
    for item in filter(None, text.split(",")):
        match = _DEPENDENCY.match(item)
        if not match or not 0 < int(match[3]) < 65536:
            raise argparse.ArgumentTypeError(
                f"{item!r} is not NAME=HOST:PORT")
        found.append((match[1], match[2], int(match[3])))
    if len({name for name, _, _ in found}) != len(found):
        raise argparse.ArgumentTypeError("a dependency is named twice")
    return tuple(found)


def _option(default: str, parse: Callable[[str], Any], text: str) -> Any:
    return dataclasses.field(
        metadata={"default": default, "parse": parse, "help": text})


@dataclasses.dataclass(frozen=True)
class Settings:
    """All options of one pod, checked."""

    service: str
    host: str = _option("127.0.0.1", _host, "address to listen on")
    port: int = _option("8000", _integer(0, 65535),
                        "port to listen on; 0 takes a free one")
    name: str = _option("", _name,
                        "name of the pod, sent as X-Pod [SERVICE-PORT]")
    threads: int = _option("8", _integer(1, 256),
                           "pieces of work at a time")
    queue: int = _option("64", _integer(0, 1024),
                         "requests that may wait for a piece; more get 503")
    scale: float = _option("0.1", _number(0.0, 100.0),
                           "factor on the work's time")
    seed: str = _option("", str, "seed of the work's times [random]")
    warmup_s: float = _option("0", _number(0, 3600),
                              "not ready for so long after the start")
    cold_s: float = _option("0", _number(0, 3600),
                            "up to 5x slower for so long after first use")
    ready_share: float = _option(
        "0.5", _number(0, 1),
        "not ready if a smaller share of recent requests succeeded; 0: off")
    ready_min: int = _option("10", _integer(1, 1_000_000),
                             "judge recent requests only from so many on")
    ready_window_s: float = _option("10", _number(0.1, 3600),
                                    "how far back 'recent' reaches")
    depends: tuple = _option("", _dependencies,
                             "NAME=HOST:PORT,... that must accept connections")
    drain_s: float = _option("0.5", _number(0, 3600),
                             "still accept for so long after SIGTERM")
    grace_s: int = _option("10", _integer(1, 3600),
                           "then give requests in flight so long to finish")
    keep_alive_s: int = _option("75", _integer(0, 3600),
                                "close a connection idle for so long; 0: "
                                "one request a connection")
    faults: bool = _option("off", _flag, "allow POST /fault (never in "
                                         "production)")
    log_level: str = _option("warning", _log_level, "gunicorn's log level")

    @classmethod
    def options(cls) -> list[dataclasses.Field]:
        """The fields that are options: all but the service itself."""
        return [f for f in dataclasses.fields(cls) if f.metadata]

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """Read what run.py passed on; ValueError names what is wrong."""
        values = {"service": environ.get(ENV_PREFIX + "KIND", "")}
        if values["service"] not in SERVICES:
            raise ValueError(f"{ENV_PREFIX}KIND is none of "
                             + ", ".join(SERVICES))
        for field in cls.options():
            variable = ENV_PREFIX + field.name.upper()
            text = environ.get(variable, field.metadata["default"])
            if field.name == "name" and not text:
                text = f"{values['service']}-{values['port']}"
            try:
                values[field.name] = field.metadata["parse"](text)
            except argparse.ArgumentTypeError as error:
                raise ValueError(f"{variable}: {error}") from error
        return cls(**values)


def command_line(argv: Sequence[str]) -> dict[str, str]:
    """Turn run.py's arguments into the environment of the worker.

    An argument wins over a variable that is already set. A wrong one ends
    the program with status 2 and a message, as argparse does.
    """
    parser = argparse.ArgumentParser(
        prog="run.py", description="Run one pod of an example service.",
        epilog="Each option can be set by environment too: SERVICE_DRAIN_S=5.")
    parser.add_argument("service", choices=SERVICES)
    for field in Settings.options():
        flag = "--" + field.name.replace("_", "-")
        default = field.metadata["default"]
        text = field.metadata["help"] + (f" [{default}]" if default else "")
        if field.name == "faults":
            parser.add_argument(flag, action="store_const", const="on",
                                help=text)
        else:
            parser.add_argument(flag, metavar="VALUE", help=text)
    given = vars(parser.parse_args(argv))
    environ = dict(os.environ, SERVICE_KIND=given.pop("service"))
    for name, text in given.items():
        if text is not None:
            environ[ENV_PREFIX + name.upper()] = text
    try:
        Settings.from_environment(environ)
    except ValueError as error:
        parser.error(str(error))
    return environ
