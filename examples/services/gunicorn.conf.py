# SPDX-License-Identifier: MIT
"""gunicorn's configuration of a pod; run.py starts gunicorn with it.

One worker process, many threads. One process because readiness, faults and
the requests in flight are the state of the pod, and two workers would each
have their own. gthread because its main thread polls the idle keep-alive
connections, so that these occupy no thread.
"""
import math
import mmap
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from pod.lifecycle import COUNTER, drain_on_sigterm
from pod.settings import Settings

SETTINGS = Settings.from_environment(os.environ)
# Requests in flight, shared by worker and master.
IN_FLIGHT = mmap.mmap(-1, COUNTER.size)

wsgi_app = SETTINGS.service + ":create_app()"
bind = f"{SETTINGS.host}:{SETTINGS.port}"
proc_name = SETTINGS.name
workers = 1
worker_class = "pod.worker.PodWorker"
# Beyond those at work and in the queue, a few for the probes: a pod that is
# full must still be able to say so, in time.
threads = SETTINGS.threads + SETTINGS.queue + 4
worker_connections = 1000 + threads
keepalive = SETTINGS.keep_alive_s
# The master's patience from SIGTERM to SIGKILL: the worker's, and a second.
graceful_timeout = math.ceil(SETTINGS.drain_s) + SETTINGS.grace_s + 1
loglevel = SETTINGS.log_level
control_socket_disable = True
if os.path.isdir("/dev/shm"):  # a heartbeat file on a slow disk may block
    worker_tmp_dir = "/dev/shm"


def on_starting(server):
    """Refuse what GUNICORN_CMD_ARGS may have changed behind our back."""
    given = (server.cfg.workers, server.cfg.settings["worker_class"].get())
    if given != (workers, worker_class):
        sys.exit("a pod has one worker of its own class: GUNICORN_CMD_ARGS "
                 "must not change that, see gunicorn.conf.py")


def when_ready(server):
    host, port = server.LISTENERS[0].sock.getsockname()[:2]
    print(f"{SETTINGS.name}: listening on {host}:{port}", flush=True)


def post_fork(_server, _worker):
    # Until the worker has handlers of its own it has copies of the master's,
    # that would swallow a SIGTERM.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def post_worker_init(worker):
    lifecycle = worker.wsgi.extensions["pod"].lifecycle
    lifecycle.share(IN_FLIGHT)
    # From here on it is the time after the drain, see graceful_timeout.
    worker.cfg.set("graceful_timeout", SETTINGS.grace_s)
    drain_on_sigterm(lifecycle, SETTINGS.drain_s,
                     stop=lambda: worker.handle_exit(signal.SIGTERM, None))


def worker_exit(_server, worker):
    # The grace time is over. Python would still wait for threads at work,
    # for ever if they hang.
    if worker.pid == os.getpid() and COUNTER.unpack_from(IN_FLIGHT)[0]:
        os._exit(1)


def on_exit(_server):
    dropped = COUNTER.unpack_from(IN_FLIGHT)[0]
    if dropped:
        print(f"{SETTINGS.name}: ended with {dropped} requests unanswered",
              file=sys.stderr, flush=True)
        sys.exit(1)
