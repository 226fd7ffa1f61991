# SPDX-License-Identifier: MIT
"""The system under load: pods, the gateway and its configuration."""
from __future__ import annotations

import asyncio
import json
import os
import pathlib
import signal
import sys
from typing import Any

from .client import Client, HttpError
from .options import ROOT
from .processes import Process, Processes, StartError

RUN_PY = ROOT / "examples" / "services" / "run.py"
START_S = 30.0  # for a machine that is busy with something else
RELOAD_S = 3.0
ASK_S = 2.0  # a question to a pod or to the gateway's admin port
SCALE = 0.1  # of the pods' work: a payment takes 5 to 150 ms
THREADS = 8
BILLING_PODS = 5
# Below the client's deadline, so that the gateway's own answer still arrives
# and says which pod it was.
GATEWAY_TIMEOUT_MS = 1900
WARM_UP_REQUESTS = 4  # a pod's first request loads half of Flask


class Pod:
    """One pod that runs."""

    def __init__(self, service: str, name: str, process: Process,
                 port: int) -> None:
        self.service = service
        self.name = name
        self.process = process
        self.address = f"127.0.0.1:{port}"
        self.client = Client("127.0.0.1", port)

    async def fault(self, **fault: Any) -> None:
        """Switch a fault on or, with kind="none", off."""
        response = await self.client.request(
            "POST", "/fault", json.dumps(fault).encode(), ASK_S)
        if response.status != 200:
            raise HttpError(f"{self.name}: fault {fault}: {response.body!r}")

    async def ready(self) -> bool:
        try:
            response = await self.client.request("GET", "/readyz", None, ASK_S)
        except (OSError, HttpError, asyncio.TimeoutError):
            return False
        return response.status == 200


class Fleet:
    """Pods and one gateway under one policy."""

    def __init__(self, processes: Processes, policy: str, seed: int,
                 gateway: pathlib.Path) -> None:
        self._processes = processes
        self._policy = policy
        self._seed = seed
        self._gateway = gateway
        self._gateway_process: Process | None = None
        self._config = processes.logs / f"{policy}-gateway.conf"
        self._in_config: list[Pod] = []
        self.pods: list[Pod] = []
        self.front: Client | None = None
        self._admin: Client | None = None

    async def start(self) -> None:
        """Start everything but the newcomer; returns when all is ready."""
        if not self._gateway.exists():
            raise StartError(f"no gateway at {self._gateway}: ./demo builds "
                             "it, or --gateway names another")
        started = [self._spawn("billing", i + 1)
                   for i in range(BILLING_PODS)]
        started += [self._spawn("user", 1), self._spawn("notification", 1)]
        for args in started:
            await self._await_pod(*args)
        self._in_config = list(self.pods)
        await asyncio.gather(*(self._warm_up(pod) for pod in self.pods))
        self._write_config()
        await self._start_gateway()

    async def start_newcomer(self, cold_s: float) -> Pod:
        """One more Billing pod, ready but not known to the gateway yet."""
        started = self._spawn("billing", BILLING_PODS + 1,
                              "--cold-s", f"{cold_s:g}")
        return await self._await_pod(*started)

    async def admit(self, pod: Pod) -> None:
        """Add a pod to the gateway's configuration while requests run."""
        assert self._gateway_process is not None
        self._in_config.append(pod)
        self._write_config()
        self._gateway_process.signal(signal.SIGHUP)
        for _ in range(int(RELOAD_S / 0.05)):
            if pod.address in await self.snapshot():
                return
            await asyncio.sleep(0.05)
        raise self._gateway_process.error(
            f"did not take {pod.name} on after SIGHUP")

    async def snapshot(self) -> dict[str, dict[str, Any]]:
        """What the gateway knows of each endpoint, by its address."""
        assert self._admin is not None
        response = await self._admin.request("GET", "/snapshot", None, ASK_S)
        return {endpoint["address"]: endpoint
                for service in json.loads(response.body)["services"]
                for endpoint in service["endpoints"]}

    def pod_of(self, address: str) -> str:
        for pod in self.pods:
            if pod.address == address:
                return pod.name
        return ""

    def check(self) -> None:
        """StartError if anything has ended that should run."""
        for process in self._processes.ended():
            raise process.error(f"ended with status {process.status()}")

    # ---- Pods ----

    def _spawn(self, service: str, number: int,
               *args: str) -> tuple[str, str, Process]:
        name = f"{service}-{number}"
        process = self._processes.start(f"{self._policy}-{name}", [
            sys.executable, str(RUN_PY), service, "--port", "0",
            "--name", name, "--faults", "--scale", str(SCALE),
            "--threads", str(THREADS), "--seed", f"{self._seed}-{name}",
            "--drain-s", "0", "--grace-s", "1", *args])
        return service, name, process

    async def _await_pod(self, service: str, name: str,
                         process: Process) -> Pod:
        found = await process.wait_for(
            r"listening on 127\.0\.0\.1:(\d+)\n", START_S)
        pod = Pod(service, name, process, int(found[1]))
        loop = asyncio.get_running_loop()
        end_s = loop.time() + START_S
        while not await pod.ready():
            if loop.time() > end_s or process.status() is not None:
                raise process.error("did not become ready")
            await asyncio.sleep(0.05)
        self.pods.append(pod)
        return pod

    @staticmethod
    async def _warm_up(pod: Pod) -> None:
        for _ in range(WARM_UP_REQUESTS):
            await pod.client.request("GET", "/healthz", None, START_S)

    # ---- The gateway ----

    def _config_text(self) -> str:
        lines = ["listen 127.0.0.1:0", "admin 127.0.0.1:0", "threads 2"]
        for service in ("billing", "user", "notification"):
            lines += ["", f"service {service}", f"    route /{service}",
                      f"    policy {self._policy}",
                      f"    timeout {GATEWAY_TIMEOUT_MS}ms", "    retries 1"]
            if self._policy == "round_robin":
                # The plain kind, as everyone knows it.
                lines.append("    consecutive_failures off")
            lines += [f"    endpoint {pod.address}"
                      for pod in self._in_config if pod.service == service]
        return "\n".join(lines) + "\n"

    def _write_config(self) -> None:
        fresh = self._config.with_suffix(".new")
        fresh.write_text(self._config_text())
        os.replace(fresh, self._config)

    async def _start_gateway(self) -> None:
        self._gateway_process = self._processes.start(
            f"{self._policy}-gateway",
            [str(self._gateway), "-c", str(self._config)])
        found = await self._gateway_process.wait_for(
            r"ready on 127\.0\.0\.1:(\d+), admin 127\.0\.0\.1:(\d+)", START_S)
        self.front = Client("127.0.0.1", int(found[1]))
        self._admin = Client("127.0.0.1", int(found[2]))

    def close(self) -> None:
        """Close this side's connections."""
        for client in [self.front, self._admin,
                       *(pod.client for pod in self.pods)]:
            if client is not None:
                client.close()
