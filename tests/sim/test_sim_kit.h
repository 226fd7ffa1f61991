/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the simulator's engine share: scenarios by hand, and a
 * policy that writes down all it is told and complains when it is told wrong.
 */
#ifndef TEST_SIM_KIT_H
#define TEST_SIM_KIT_H

#include <check.h>

#include "sim_draw.h"
#include "sim_run.h"
#include "sim_world.h"

#define MS UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)
#define KIT_CLOCK SIM_WORLD_CLOCK_NS /* the clients' clock at the beginning */

/* ---- Scenarios ---- */

typedef struct kit {
    sim_scenario s;
    sim_server_spec servers[64];
    sim_happening happenings[32];
    sim_process processes[8];
} kit;

/* 10 s; one request each 10 ms, the first at 5 ms; 1 ms of service, 0.1 ms of
 * network each way; n servers of one worker; a deadline of 1 s. */
void kit_init(kit *k, uint32_t n_servers);

/* They return what was added, for the other figures. Factor 1, errors and
 * rejections always, after 1 ms. */
sim_happening *kit_at(kit *k, uint64_t at_ns, sim_happening_kind kind,
                      uint32_t first, uint32_t last);
sim_process *kit_always(kit *k, sim_process_kind kind, uint32_t first,
                        uint32_t last);
void kit_measure(kit *k, sim_measure_kind kind, uint32_t first, uint32_t last,
                 uint64_t from_ns, uint64_t to_ns);

/* ---- The policy ---- */

typedef struct kit_attempt {
    uint64_t request, picked_ns, done_ns; /* ns of the run, if no jumps */
    uint64_t deadline_ns, retry_after_ns;
    double cost;
    uint32_t number, server, client;
    sim_outcome outcome;
    bool first_byte, done;
} kit_attempt;

typedef enum kit_choice {
    KIT_ROUND_ROBIN = 0, /* of those that are ready and not tried */
    KIT_RANDOM,          /* of those that are ready */
    KIT_ALWAYS,          /* kit_told.always, if it is listed and ready */
    KIT_BLIND            /* that one in any case */
} kit_choice;

typedef struct kit_told {
    kit_choice choice;
    uint32_t always;

    kit_attempt *attempts; /* in the order of the picks */
    size_t n, room;
    size_t updates, ticks;
    sim_member members[64]; /* the last list */
    uint32_t n_members;
    uint64_t last_ns; /* of any call, by the clients' clock */
    bool jumps;       /* that may go back */
    bool fails;       /* the run: it does not end what is in flight */
    /* If not NULL, called in each tick or update. */
    void (*on_tick)(const sim_host *host, uint64_t now_ns);
    void (*on_update)(uint64_t now_ns);
    uint32_t ejected; /* what n_ejected says */
    uint64_t ejections;
} kit_told;

extern kit_told kit_log;
extern const sim_policy kit_policy;  /* passive */
extern const sim_policy kit_knowing; /* the same, but may ask and probe */

/* Answers to probes, for kit_knowing. */
typedef struct kit_answer {
    uint32_t server;
    double in_flight, latency_ns;
    uint64_t now_ns;
} kit_answer;

extern kit_answer kit_answers[1000];
extern size_t kit_n_answers;

/* Runs it with an empty log and the choice; fails the test if that fails. */
sim_result kit_run(kit *k, kit_choice choice, uint64_t seed);
/* The same with the log as it was set up. */
sim_result kit_run_with(kit *k, const sim_policy *policy, uint64_t seed);

/* The run fails with this message, and its result is not touched. */
void kit_fails_with(kit *k, const sim_policy *policy, const char *message);

void kit_clear(void);

/* The attempt picked at this time of the run; fails if there is none. */
const kit_attempt *kit_picked(uint64_t at_ns);

/* From its pick to its end. */
uint64_t kit_took(uint64_t picked_ns);

/* ---- Assertions ---- */

/* As ck_assert, but free of cost when it holds: check's own report each
 * success through a file, too slow for what is asked at each request. */
#define kit_must(cond) ((cond) ? (void)0 : kit_fail(__FILE__, __LINE__, #cond))
#define kit_must_eq(a, b)                                                      \
    kit_must_be_equal(__FILE__, __LINE__, #a " == " #b, (uint64_t)(a),         \
                      (uint64_t)(b))
void kit_fail(const char *file, int line, const char *what);
void kit_must_be_equal(const char *file, int line, const char *what, uint64_t a,
                       uint64_t b);

#define kit_within(x, low, high)                                               \
    kit_must_within(__FILE__, __LINE__, #x, (double)(x), (double)(low),        \
                    (double)(high))
void kit_must_within(const char *file, int line, const char *what, double x,
                     double low, double high);

/* The attempt picked then ended so, after that time. */
#define kit_ended(picked_ns, expected, after_ns)                               \
    do {                                                                       \
        ck_assert_uint_eq(kit_took(picked_ns), (after_ns));                    \
        ck_assert_int_eq((int)kit_picked(picked_ns)->outcome,                  \
                         (int)(expected));                                     \
    } while (0)

Suite *suite_sim_parts(void);
Suite *suite_sim_queues(void);
Suite *suite_sim_faults(void);
Suite *suite_sim_processes(void);
Suite *suite_sim_list(void);
Suite *suite_sim_requests(void);
Suite *suite_sim_chance(void);
Suite *suite_sim_asking(void);
Suite *suite_sim_own(void);
Suite *suite_sim_measures(void);
Suite *suite_sim_contract(void);
Suite *suite_sim_refused(void);

#endif
