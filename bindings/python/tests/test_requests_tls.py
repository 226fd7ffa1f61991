# SPDX-License-Identifier: MIT
"""ilb.requests over HTTPS: the certificate is the service's, not the pod's."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

requests = pytest.importorskip("requests")
trustme = pytest.importorskip("trustme")

import ilb  # noqa: E402
import ilb.requests  # noqa: E402
from servers import Pod, pods  # noqa: E402

NAME = "https://billing.prod"


class Tls:
    """A certificate authority, and what servers and clients need of it."""

    def __init__(self, directory: Path) -> None:
        self.authority = trustme.CA()
        self.ca = str(directory / "ca.pem")
        self.authority.cert_pem.write_to_path(self.ca)
        client = self.authority.issue_cert("me@example.org")
        self.client = str(directory / "client.pem")
        client.private_key_and_cert_chain_pem.write_to_path(self.client)

    def context(self, name: str, ask_client: bool = False) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(name).configure_cert(context)
        if ask_client:
            context.verify_mode = ssl.CERT_REQUIRED
            self.authority.configure_trust(context)

        def remember(
            connection: ssl.SSLObject, name: str, _: ssl.SSLContext
        ) -> None:
            connection.sni = name  # type: ignore[attr-defined]

        context.sni_callback = remember  # type: ignore[assignment]
        return context


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return Tls(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def two(tls: Tls) -> Iterator[list[Pod]]:
    with pods(2, tls.context("billing.prod")) as started:
        yield started


def session(pods: list[Pod], name: str = NAME) -> ilb.requests.Session:
    lb = ilb.Balancer("billing", [pod.address for pod in pods],
                      policy="round_robin")
    return ilb.requests.Session({name: lb})


def test_the_name_is_checked_and_sent(two: list[Pod], tls: Tls) -> None:
    with session(two) as http:
        http.verify = tls.ca
        told = [http.get(f"{NAME}/{path}").json()
                for path in ("", "x", "", "x", "redirect", "", "redirect")]
    assert {t["pod"] for t in told} == {pod.address for pod in two}
    assert {t["sni"] for t in told} == {"billing.prod"}
    assert {t["headers"]["host"] for t in told} == {"billing.prod"}
    assert [pod.connections for pod in two] == [1, 1]


def test_another_name_is_refused(two: list[Pod], tls: Tls) -> None:
    with session(two, "https://user.prod") as http:
        with pytest.raises(requests.exceptions.SSLError, match="match"):
            http.post("https://user.prod/", verify=tls.ca)
        (stats,) = (s for s in http.balancer("https://user.prod").snapshot()
                    if sum(s.done.values()))
        assert stats.done["connect_error"] == 1
    assert all(pod.seen == [] for pod in two)


def test_an_unknown_authority_is_refused(two: list[Pod]) -> None:
    with session(two) as http:
        with pytest.raises(requests.exceptions.SSLError):
            http.get(f"{NAME}/", timeout=5)
    assert all(pod.seen == [] for pod in two)


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_verification_can_be_turned_off(two: list[Pod]) -> None:
    with session(two) as http:
        told = http.get(f"{NAME}/", verify=False).json()
        assert told["sni"] == "billing.prod"


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_an_unverified_connection_is_not_used_for_a_verified_request(
    two: list[Pod],
) -> None:
    if tuple(map(int, requests.__version__.split(".")[:2])) < (2, 32):
        pytest.skip("requests before 2.32 shares them (CVE-2024-35195)")
    with session(two[:1]) as http:
        http.get(f"{NAME}/", verify=False)
        with pytest.raises(requests.exceptions.SSLError):
            http.get(f"{NAME}/", verify=True)


def test_a_client_certificate_is_shown(tls: Tls) -> None:
    with pods(1, tls.context("billing.prod", ask_client=True)) as one:
        with session(one) as http:
            http.verify = tls.ca
            with pytest.raises(requests.RequestException):
                http.post(f"{NAME}/", timeout=5)
            http.cert = tls.client
            assert http.post(f"{NAME}/", timeout=5).json()["sni"] == "billing.prod"


def test_two_services_on_one_endpoint_do_not_share_connections(
    tls: Tls,
) -> None:
    with pods(1, tls.context("billing.prod")) as one:
        address = one[0].address
        with ilb.requests.Session(
            {NAME: [address], "https://user.prod": [address]}
        ) as http:
            http.verify = tls.ca
            http.get(f"{NAME}/")
            with pytest.raises(requests.exceptions.SSLError):
                http.post("https://user.prod/")


def test_a_name_with_a_port(two: list[Pod], tls: Tls) -> None:
    name = "https://billing.prod:8443"
    with session(two, name) as http:
        told = http.get(f"{name}/", verify=tls.ca).json()
        assert told["sni"] == "billing.prod"
        assert told["headers"]["host"] == "billing.prod:8443"
