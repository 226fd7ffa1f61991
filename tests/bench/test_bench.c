/* SPDX-License-Identifier: MIT */
/* Tests what is pure in the benchmark: medians, percentiles, options, rows. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench_options.h"
#include "bench_report.h"
#include "bench_rows.h"
#include "bench_stats.h"

/* ---- Statistics -------------------------------------------------------- */

START_TEST(median_is_the_middle)
{
    double odd[] = {9, 1, 5}, even[] = {8, 2, 4, 100}, one[] = {7};

    ck_assert(bench_median(odd, 3) == 5);
    ck_assert(odd[0] == 1 && odd[2] == 9);
    ck_assert(bench_median(even, 4) == 6);
    ck_assert(bench_median(one, 1) == 7);
    ck_assert(isnan(bench_median(NULL, 0)));
}
END_TEST

START_TEST(percentile_is_the_nearest_rank)
{
    uint32_t samples[1000];

    for (uint32_t i = 0; i < 1000; i++)
        samples[i] = (i * 7919) % 1000 + 1; /* 1..1000, shuffled */
    bench_sort(samples, 1000);
    for (uint32_t i = 0; i < 1000; i++)
        ck_assert_uint_eq(samples[i], i + 1);
    ck_assert(bench_percentile(samples, 1000, 0.5) == 500);
    ck_assert(bench_percentile(samples, 1000, 0.99) == 990);
    ck_assert(bench_percentile(samples, 1000, 0.999) == 999);
    ck_assert(bench_percentile(samples, 1000, 1) == 1000);
    ck_assert(bench_percentile(samples, 10, 0.999) == 10);
    ck_assert(bench_percentile(samples, 1, 0.5) == 1);
    ck_assert(bench_percentile(samples, 3, 0.5) == 2);
    ck_assert(isnan(bench_percentile(samples, 0, 0.5)));
}
END_TEST

START_TEST(a_result_has_median_least_and_most)
{
    double values[] = {30, 10, 20};
    bench_result r = bench_result_of(values, 3, 4), none;

    ck_assert(r.median_ns == 20 && r.low_ns == 10 && r.high_ns == 30);
    ck_assert_uint_eq(r.repetitions, 3);
    ck_assert_uint_eq(r.redone, 4);
    none = bench_result_of(values, 0, 9);
    ck_assert(isnan(none.median_ns) && isnan(none.low_ns) &&
              isnan(none.high_ns));
    ck_assert_uint_eq(none.redone, 9);
}
END_TEST

/* ---- Options ----------------------------------------------------------- */

#define WORDS_MAX 8

/* Reads words that a blank separates. */
static int read_words(bench_options *o, const char *line, char *error)
{
    static char copy[256];
    char *words[WORDS_MAX];
    int n = 0;

    strcpy(copy, line);
    for (char *w = strtok(copy, " "); w != NULL; w = strtok(NULL, " "))
        words[n++] = w;
    error[0] = '\0';
    return bench_options_read(o, n, words, error);
}

START_TEST(options_have_defaults)
{
    char error[BENCH_ERROR_BYTES];
    bench_options o;

    ck_assert_int_eq(read_words(&o, "", error), 0);
    ck_assert_uint_eq(o.sections, BENCH_ALL);
    ck_assert_uint_eq(o.repetitions, 7);
    ck_assert_uint_eq(o.n_threads, 0);
    ck_assert_uint_eq(o.n_endpoints, 6);
    ck_assert_uint_eq(o.endpoints[0], 2);
    ck_assert_uint_eq(o.endpoints[5], 100000);
    ck_assert(o.csv == NULL && o.count == NULL && !o.gate && !o.help);
}
END_TEST

START_TEST(options_are_read)
{
    char error[BENCH_ERROR_BYTES];
    bench_options o;

    ck_assert_int_eq(read_words(&o,
                                "--csv a.csv --only pairs,memory --threads 1,3 "
                                "--endpoints 2",
                                error),
                     0);
    ck_assert_str_eq(o.csv, "a.csv");
    ck_assert_uint_eq(o.sections, BENCH_PAIRS | BENCH_MEMORY);
    ck_assert_uint_eq(o.n_threads, 2);
    ck_assert_uint_eq(o.threads[1], 3);
    ck_assert_uint_eq(o.n_endpoints, 1);
    ck_assert_uint_eq(o.endpoints[0], 2);
    ck_assert_int_eq(
        read_words(&o, "--repetitions 9 --milliseconds 5 --retries 0 --gate",
                   error),
        0);
    ck_assert_uint_eq(o.repetitions, 9);
    ck_assert_uint_eq(o.milliseconds, 5);
    ck_assert_uint_eq(o.retries, 0);
    ck_assert(o.gate);
    ck_assert_int_eq(read_words(&o, "--count naive:own --pairs 77", error), 0);
    ck_assert_str_eq(o.count, "naive:own");
    ck_assert_uint_eq(o.pairs, 77);
    ck_assert_int_eq(read_words(&o, "--help", error), 0);
    ck_assert(o.help);
}
END_TEST

static const struct {
    const char *line, *error;
} wrong_options[] = {
    {"--what 1", "no option '--what'"},
    {"pairs", "no option 'pairs'"},
    {"--csv", "--csv: '' is no value"},
    {"--only pears", "--only: 'pears' is no value"},
    {"--only pairs,", "--only: 'pairs,' is no value"},
    {"--repetitions 0", "--repetitions: '0' is no value"},
    {"--repetitions 1002", "--repetitions: '1002' is no value"},
    {"--repetitions -1", "--repetitions: '-1' is no value"},
    {"--repetitions 7x", "--repetitions: '7x' is no value"},
    {"--milliseconds 0", "--milliseconds: '0' is no value"},
    {"--retries 99999999999999999999",
     "--retries: '99999999999999999999' is no value"},
    /* 2^64 + 7 */
    {"--retries 18446744073709551623",
     "--retries: '18446744073709551623' is no value"},
    {"--endpoints 1", "--endpoints: '1' is no value"},
    {"--endpoints 2,100001", "--endpoints: '2,100001' is no value"},
    {"--endpoints 2,,3", "--endpoints: '2,,3' is no value"},
    {"--endpoints 2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2",
     "--endpoints: '2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2' is no value"},
    {"--threads 0", "--threads: '0' is no value"},
    {"--threads 65", "--threads: '65' is no value"},
    {"--pairs 0", "--pairs: '0' is no value"},
};

START_TEST(wrong_options_are_refused)
{
    char error[BENCH_ERROR_BYTES];
    bench_options o;

    ck_assert_int_eq(read_words(&o, wrong_options[_i].line, error), -1);
    ck_assert_str_eq(error, wrong_options[_i].error);
}
END_TEST

/* ---- Rows -------------------------------------------------------------- */

static void add_pair(bench_rows *all, const char *subject, const char *clock,
                     int64_t request_us, double ns)
{
    bench_row *r = bench_rows_add(all, "pair", subject);

    r->clock = clock;
    r->request_us = request_us;
    r->threads = 1;
    r->endpoints = 100;
    r->result = bench_result_of(&ns, 1, 2);
}

START_TEST(pairs_are_compared_with_their_like)
{
    bench_rows all = {NULL, 0, 0, 1};

    add_pair(&all, "naive", "own", 0, 100);
    add_pair(&all, "naive", "caller", 0, 50);
    add_pair(&all, "naive", "caller", 1000, 40);
    add_pair(&all, "peak_ewma", "own", 0, 150);
    add_pair(&all, "peak_ewma", "caller", 0, 100);
    add_pair(&all, "peak_ewma", "caller", 1000, 100);
    add_pair(&all, "peak_ewma", "own", 1000, 100);
    bench_rows_compare(&all);
    ck_assert(all.rows[0].ratio == 1);
    ck_assert(all.rows[3].ratio == 1.5);
    ck_assert(all.rows[4].ratio == 2);
    ck_assert(all.rows[5].ratio == 2.5);
    ck_assert(isnan(all.rows[6].ratio)); /* nothing like it */
    bench_rows_free(&all);
}
END_TEST

START_TEST(rows_are_written_as_csv)
{
    bench_rows all = {NULL, 0, 0, 1};
    char text[1024] = "";
    FILE *to = fmemopen(text, sizeof text, "w");
    size_t columns = 1, commas = 0;
    char *second;

    ck_assert(to != NULL);
    add_pair(&all, "naive", "own", 0, 97.25);
    bench_rows_add(&all, "memory", "used")->bytes = 700;
    ck_assert_int_eq(bench_rows_write(&all, to), 0);
    fclose(to);
    second = strchr(text, '\n') + 1;
    ck_assert_str_eq(second,
                     "pair,naive,own,0,1,100,97.2,97.2,97.2,,,,,,,,1,2\n"
                     "memory,used,,,,,,,,,,,,,700.0,,,\n");
    for (const char *c = text; c < second; c++)
        columns += *c == ',';
    for (const char *c = second; *c != '\n'; c++)
        commas += *c == ',';
    ck_assert_uint_eq(columns, commas + 1);
    ck_assert_uint_eq(columns, 18);
    bench_rows_free(&all);
}
END_TEST

/* ---- The gate ---------------------------------------------------------- */

/* How many bounds rows with these times exceed, where naive takes 100. */
static int gated(double own, double caller, double paced)
{
    bench_rows all = {NULL, 0, 0, 1};
    FILE *to = tmpfile();
    int bad;

    ck_assert(to != NULL);
    add_pair(&all, "naive", "own", 0, 100);
    add_pair(&all, "naive", "caller", 0, 100);
    add_pair(&all, "naive", "caller", 1000, 100);
    add_pair(&all, "peak_ewma", "own", 0, own);
    add_pair(&all, "peak_ewma", "caller", 0, caller);
    add_pair(&all, "peak_ewma", "caller", 1000, paced);
    bench_rows_compare(&all);
    bad = bench_gate(&all, to);
    fclose(to);
    bench_rows_free(&all);
    return bad;
}

START_TEST(the_gate_closes_at_its_bounds)
{
    bench_rows none = {NULL, 0, 0, 1};
    FILE *to = tmpfile();

    ck_assert_int_eq(gated(100, 100, 100), 0);
    ck_assert_int_eq(gated(10000, 100, 100), 1);
    ck_assert_int_eq(gated(100, 10000, 100), 1);
    ck_assert_int_eq(gated(100, 100, 10000), 1);
    ck_assert_int_eq(gated(10000, 10000, 10000), 3);
    ck_assert_int_eq(gated((double)NAN, 100, 100), 1);
    ck_assert(to != NULL);
    ck_assert_int_eq(bench_gate(&none, to), 3); /* not measured: not good */
    fclose(to);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("bench");
    TCase *c = tcase_create("pure");
    SRunner *runner;
    int failed;

    tcase_add_test(c, median_is_the_middle);
    tcase_add_test(c, percentile_is_the_nearest_rank);
    tcase_add_test(c, a_result_has_median_least_and_most);
    tcase_add_test(c, options_have_defaults);
    tcase_add_test(c, options_are_read);
    tcase_add_loop_test(c, wrong_options_are_refused, 0,
                        sizeof wrong_options / sizeof wrong_options[0]);
    tcase_add_test(c, pairs_are_compared_with_their_like);
    tcase_add_test(c, rows_are_written_as_csv);
    tcase_add_test(c, the_gate_closes_at_its_bounds);
    suite_add_tcase(s, c);
    runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
