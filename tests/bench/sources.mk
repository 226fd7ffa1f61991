# SPDX-License-Identifier: MIT
# The benchmark of the hot path: all but its main file.
ILB_BENCH_SOURCES = \
	tests/bench/bench_ejection.c \
	tests/bench/bench_floor.c \
	tests/bench/bench_floor.h \
	tests/bench/bench_goals.c \
	tests/bench/bench_ilb.c \
	tests/bench/bench_measures.h \
	tests/bench/bench_measures_parts.h \
	tests/bench/bench_memory.c \
	tests/bench/bench_naive.c \
	tests/bench/bench_naive.h \
	tests/bench/bench_options.c \
	tests/bench/bench_options.h \
	tests/bench/bench_pairs.c \
	tests/bench/bench_random.h \
	tests/bench/bench_report.c \
	tests/bench/bench_report.h \
	tests/bench/bench_requests.c \
	tests/bench/bench_rest.c \
	tests/bench/bench_rows.c \
	tests/bench/bench_rows.h \
	tests/bench/bench_run.c \
	tests/bench/bench_run.h \
	tests/bench/bench_stats.c \
	tests/bench/bench_stats.h \
	tests/bench/bench_subject_parts.h \
	tests/bench/bench_subjects.c \
	tests/bench/bench_subjects.h \
	tests/bench/bench_transfer.c \
	tests/bench/bench_updates.c
