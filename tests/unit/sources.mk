# SPDX-License-Identifier: MIT
# The unit tests. The public ones include no header of the library but ilb.h,
# so that they run against any build of it, the amalgamated one too.
ILB_PUBLIC_UNIT_SOURCES = \
	tests/unit/main_public.c \
	tests/unit/suites.h \
	tests/unit/suites_public.c \
	tests/unit/util.h \
	tests/unit/util.c \
	tests/unit/ejected.c \
	tests/unit/sim.c \
	tests/unit/test_api_names.c \
	tests/unit/test_api_options.c \
	tests/unit/test_api_sizes.c \
	tests/unit/test_api_memory.c \
	tests/unit/test_api_update.c \
	tests/unit/test_api_drain.c \
	tests/unit/test_api_model.c \
	tests/unit/test_api_ticket.c \
	tests/unit/test_api_exclude.c \
	tests/unit/test_api_policy.c \
	tests/unit/test_api_score.c \
	tests/unit/test_api_newcomer.c \
	tests/unit/test_api_time.c \
	tests/unit/test_api_ejection.c \
	tests/unit/test_api_probe.c \
	tests/unit/test_api_return.c

# All: the above with another main, and those that look inside.
ILB_UNIT_SOURCES = \
	tests/unit/main.c \
	tests/unit/suites.h \
	tests/unit/suites_public.c \
	tests/unit/util.h \
	tests/unit/util.c \
	tests/unit/ejected.c \
	tests/unit/sim.c \
	tests/unit/test_api_names.c \
	tests/unit/test_api_options.c \
	tests/unit/test_api_sizes.c \
	tests/unit/test_api_memory.c \
	tests/unit/test_api_update.c \
	tests/unit/test_api_drain.c \
	tests/unit/test_api_model.c \
	tests/unit/test_api_ticket.c \
	tests/unit/test_api_exclude.c \
	tests/unit/test_api_policy.c \
	tests/unit/test_api_score.c \
	tests/unit/test_api_newcomer.c \
	tests/unit/test_api_time.c \
	tests/unit/test_api_ejection.c \
	tests/unit/test_api_probe.c \
	tests/unit/test_api_return.c \
	tests/unit/suites_internal.h \
	tests/unit/slots.h \
	tests/unit/slots.c \
	tests/unit/test_decay.c \
	tests/unit/test_random.c \
	tests/unit/test_memory.c \
	tests/unit/test_index.c \
	tests/unit/test_table.c \
	tests/unit/test_set.c \
	tests/unit/test_load.c \
	tests/unit/test_latency.c \
	tests/unit/test_health.c \
	tests/unit/test_pool.c \
	tests/unit/test_select.c \
	tests/unit/test_ticket.c
