# SPDX-License-Identifier: MIT
"""The demo: real pods behind a real gateway, once with libilb's default
policy and once with plain round robin, and what a client saw of both."""
