# SPDX-License-Identifier: MIT
# Every source of the library, in the order of its rooms: a file may include
# only what stands above it. Read by Makefile.am, build-aux/amalgamate.py and
# tests/check_includes.py.
ILB_HEADER_FILES = \
	libilb/base/internal.h \
	libilb/base/atomics.h \
	libilb/base/memory.h \
	libilb/base/options.h \
	libilb/base/clock.h \
	libilb/base/decay.h \
	libilb/base/hash.h \
	libilb/base/histogram.h \
	libilb/base/random.h \
	libilb/base/line.h \
	libilb/signal/cost.h \
	libilb/signal/evidence.h \
	libilb/signal/figures.h \
	libilb/signal/window.h \
	libilb/signal/load.h \
	libilb/signal/latency.h \
	libilb/signal/failures.h \
	libilb/signal/refusals.h \
	libilb/signal/checks.h \
	libilb/set/slot.h \
	libilb/set/order.h \
	libilb/set/index.h \
	libilb/set/table.h \
	libilb/set/set.h \
	libilb/health/health.h \
	libilb/health/word.h \
	libilb/health/ramp.h \
	libilb/health/cap.h \
	libilb/health/tell.h \
	libilb/health/detectors.h \
	libilb/health/ladder.h \
	libilb/health/probe.h \
	libilb/health/eject.h \
	libilb/health/pool.h \
	libilb/select/score.h \
	libilb/select/draw.h \
	libilb/select/trace.h \
	libilb/select/select.h \
	libilb/select/ticket.h \
	libilb/observe/stats.h \
	libilb/observe/events.h

ILB_SOURCES = \
	libilb/base/error.c \
	libilb/base/memory.c \
	libilb/base/options.c \
	libilb/base/clock.c \
	libilb/base/histogram.c \
	libilb/base/random.c \
	libilb/base/line.c \
	libilb/signal/evidence.c \
	libilb/signal/window.c \
	libilb/signal/load.c \
	libilb/signal/latency.c \
	libilb/signal/failures.c \
	libilb/signal/refusals.c \
	libilb/signal/checks.c \
	libilb/set/slot.c \
	libilb/set/order.c \
	libilb/set/index.c \
	libilb/set/table.c \
	libilb/set/set.c \
	libilb/health/health.c \
	libilb/health/cap.c \
	libilb/health/tell.c \
	libilb/health/detectors.c \
	libilb/health/ladder.c \
	libilb/health/probe.c \
	libilb/health/eject.c \
	libilb/health/pool.c \
	libilb/select/score.c \
	libilb/select/draw.c \
	libilb/select/trace.c \
	libilb/select/select.c \
	libilb/observe/stats.c \
	libilb/observe/events.c \
	libilb/observe/event_text.c \
	libilb/observe/explain.c \
	libilb/names.c \
	libilb/balancer.c
