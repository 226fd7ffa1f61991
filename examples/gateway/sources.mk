# SPDX-License-Identifier: MIT
# The gateway's sources, for Makefile.am.
ILB_GATEWAY_SOURCES = \
	examples/gateway/acceptor.c \
	examples/gateway/acceptor.h \
	examples/gateway/admin.c \
	examples/gateway/admin.h \
	examples/gateway/answer.c \
	examples/gateway/balancers.c \
	examples/gateway/balancers.h \
	examples/gateway/client.c \
	examples/gateway/client.h \
	examples/gateway/client_parts.h \
	examples/gateway/client_request.c \
	examples/gateway/events.c \
	examples/gateway/events.h \
	examples/gateway/exchange.c \
	examples/gateway/exchange.h \
	examples/gateway/exchange_parts.h \
	examples/gateway/headers.c \
	examples/gateway/headers.h \
	examples/gateway/http_body.c \
	examples/gateway/http_body.h \
	examples/gateway/http_fields.c \
	examples/gateway/http_head.c \
	examples/gateway/http_head.h \
	examples/gateway/log.c \
	examples/gateway/log.h \
	examples/gateway/main.c \
	examples/gateway/request.c \
	examples/gateway/request.h \
	examples/gateway/retry_after.c \
	examples/gateway/retry_after.h \
	examples/gateway/settings.c \
	examples/gateway/settings.h \
	examples/gateway/settings_balancing.c \
	examples/gateway/settings_load.c \
	examples/gateway/settings_loader.h \
	examples/gateway/settings_words.c \
	examples/gateway/timing.h \
	examples/gateway/try.c \
	examples/gateway/upstream.c \
	examples/gateway/upstream.h \
	examples/gateway/values.c \
	examples/gateway/values.h \
	examples/gateway/worker.c \
	examples/gateway/worker.h
