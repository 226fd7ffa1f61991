# SPDX-License-Identifier: MIT
"""The demo's command line. Only the standard library is needed here: the
top-level script checks the arguments before it installs or builds anything."""
from __future__ import annotations

import argparse
import dataclasses
import math
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

SECONDS_MIN = 8  # shorter, and the pods' queues have no time to fill
SECONDS_MAX = 3600
RPS_MIN = 50
RPS_MAX = 400  # more, and Python on a small machine is what is measured
# Finding out that a pod fails, and looking whether it still does, costs up to
# eight requests however many there are: of fewer than these that would be more
# than the promised share.
REQUESTS_MIN = 1600


@dataclasses.dataclass(frozen=True)
class Options:
    """What to do.

    seconds: length of each of the two runs. rps: requests a second, all
    services together. seed: of the arrivals and the pods' work times.
    """

    seconds: float
    rps: float
    seed: int
    out: pathlib.Path
    keep: bool
    gateway: pathlib.Path


def _number(name: str, low: float, high: float, why: str):
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"{text!r} is no number") from None
        if not math.isfinite(value) or not low <= value <= high:
            raise argparse.ArgumentTypeError(
                f"{text} is not within {low:g}..{high:g} {name}: {why}")
        return value
    return parse


def _seed(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no whole number") from None
    if not 0 <= value < 2**63:
        raise argparse.ArgumentTypeError(f"{text} is not within 0..2^63-1")
    return value


def parse(argv: list[str]) -> Options:
    """Read the arguments; a wrong one ends the program with status 2."""
    parser = argparse.ArgumentParser(
        prog="demo", allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Real traffic through a gateway on libilb while one pod "
        "turns ten times slower,\none answers 500 at once and a new one "
        "joins cold; then the same under round robin.")
    parser.add_argument(
        "--seconds", metavar="N", default=40.0,
        type=_number("seconds", SECONDS_MIN, SECONDS_MAX,
                     "the story needs some time"),
        help="length of each of the two runs [40]")
    parser.add_argument(
        "--rps", metavar="N", default=140.0,
        type=_number("requests a second", RPS_MIN, RPS_MAX,
                     "fewer say nothing, more overload a small machine"),
        help="requests a second [140]")
    parser.add_argument("--seed", metavar="N", type=_seed, default=1,
                        help="of the arrivals and of the pods' work [1]")
    parser.add_argument("--out", metavar="DIR", type=pathlib.Path,
                        default=ROOT / "build" / "demo",
                        help="where the plot goes [build/demo]")
    parser.add_argument("--keep", action="store_true",
                        help="keep logs and configuration in DIR/logs")
    parser.add_argument("--gateway", metavar="FILE", type=pathlib.Path,
                        default=ROOT / "build/examples/gateway/ilb-gateway",
                        help="another gateway program than the one built")
    given = parser.parse_args(argv)
    requests = given.seconds * given.rps
    if requests < REQUESTS_MIN:
        parser.error(
            f"{given.seconds:g} s of {given.rps:g} requests a second are "
            f"{requests:.0f} requests: too few for a share of 0.5 % to mean "
            f"something; at least {REQUESTS_MIN} are needed, as with "
            f"--seconds {math.ceil(REQUESTS_MIN / given.rps)}")
    return Options(**{**vars(given), "out": given.out.absolute(),
                      "gateway": given.gateway.absolute()})


if __name__ == "__main__":
    parse(sys.argv[1:])
