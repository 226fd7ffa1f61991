# SPDX-License-Identifier: MIT
"""gunicorn's threaded worker, with one habit changed."""
from __future__ import annotations

from gunicorn.workers.gthread import ThreadWorker


class PodWorker(ThreadWorker):
    """Close the listening socket as soon as it is not accepted from.

    gunicorn keeps it open until the last request in flight is answered. The
    kernel goes on completing connections in that time, and whoever made one
    waits for an answer that never comes; refused, they go elsewhere at once.
    (gunicorn up to 23 closes it early by itself and calls none of this.)
    """

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled)
        # Not accepting while alive is a pause, for too many connections.
        if not enabled and not self.alive:
            for listener in self.sockets:
                listener.close()  # and closing it again does no harm

    def is_parent_alive(self) -> bool:
        if not super().is_parent_alive():
            self.alive = False  # or the closing above would not be final
            return False
        return True
