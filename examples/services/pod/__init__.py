# SPDX-License-Identifier: MIT
"""What User, Billing and Notification share: one module for one topic.

settings   the options of a pod, from the command line or the environment
health     liveness and readiness: may this pod be given traffic?
lifecycle  requests in flight, and draining on SIGTERM
worker     gunicorn's worker, closing its listening socket in time
work       the stand-in for I/O-bound work, and the bound on its queue
faults     faults that can be switched on to see what a balancer does
app        the Flask application that ties them together
"""
