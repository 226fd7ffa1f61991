/* SPDX-License-Identifier: MIT */
/* The fleets of test_sim_healthy. */
#ifndef TEST_SIM_HEALTHY_H
#define TEST_SIM_HEALTHY_H

#include "sim_policy.h"

#define HEALTHY_NAME "test_sim_healthy"
#define HEALTHY_BYTES 16384 /* the text of one */
#define HEALTHY_LOAD_MAX 0.8
#define HEALTHY_BURSTS 20

typedef struct healthy_fleet {
    uint64_t number;
    uint32_t servers, workers, clients;
    double speeds[100], rate_per_s, service_ms, sigma, errors, load;
    /* Each server stands still for so long, in the mean and so often; 0: none
     * does. */
    uint32_t pause_ms, pause_every_ms;
    bool weighted;
    double weights[100]; /* as requests are to be spread; else all 1 */
    double most_load;    /* of any server, as the weights are; in a burst */
    double burst;        /* so many times the rate, now and then */
    uint32_t n_bursts, burst_at_s[HEALTHY_BURSTS], burst_s[HEALTHY_BURSTS];
    /* Of its hour. */
    double ejections, ratio; /* p99 to that without detectors */
} healthy_fleet;

/* The same number gives the same fleet. */
void healthy_draw(healthy_fleet *f, uint64_t number);

/* As a scenario. */
void healthy_text(const healthy_fleet *f, char text[HEALTHY_BYTES]);

/* Its hour with this policy, and with the detectors off. */
void healthy_run(healthy_fleet *f, const sim_policy *subject, uint64_t jobs);

/* Ends the program with exit status 2. */
void healthy_stop(const char *error);

#endif
