/* SPDX-License-Identifier: MIT */
/*
 * A first client: five pods, of which one turns ten times slower and one
 * answers 500 at once, and what the balancer makes of it.
 *
 * The service is simulated, and so is its time, so that this ends at once and
 * always the same. In a program of your own, leave out clock_ns and seed, and
 * send a real request where this calls service_request.
 */
#include <stdio.h>
#include <string.h>

#include <ilb.h>

#define N_PODS 5
#define N_REQUESTS 5000
#define MS_NS UINT64_C(1000000)

/* ---- The simulated service ---------------------------------------------- */

static uint64_t service_now_ns = 1;

static uint64_t service_clock(void *user)
{
    (void)user;
    return service_now_ns;
}

/* Returns the HTTP status. The pods fall ill after a fifth of the requests. */
static int service_request(const char *address, int i)
{
    int ill = i >= N_REQUESTS / 5;

    if (ill && strcmp(address, "10.0.0.2:8080") == 0) {
        service_now_ns += 200 * MS_NS;
        return 200;
    }
    if (ill && strcmp(address, "10.0.0.3:8080") == 0) {
        service_now_ns += 1 * MS_NS;
        return 500;
    }
    service_now_ns += (uint64_t)(15 + i % 10) * MS_NS;
    return 200;
}

/* ---- The client --------------------------------------------------------- */

/* Sends all requests; returns how many failed, or an ilb_error. */
static int send_all(ilb_balancer *lb)
{
    int failed = 0;

    for (int i = 0; i < N_REQUESTS; i++) {
        ilb_ticket ticket;
        int status, rc = ilb_pick(lb, &ticket, NULL);

        if (rc != ILB_OK)
            return rc;
        status = service_request(ilb_ticket_address(lb, &ticket), i);
        failed += status >= 500;
        rc = ilb_done(lb, &ticket, status < 500 ? ILB_SUCCESS : ILB_FAILURE);
        if (rc != ILB_OK)
            return rc;
    }
    return failed;
}

/* Prints the pods; returns whether the two bad ones were left alone. */
static int report(ilb_balancer *lb)
{
    ilb_endpoint_stats pods[N_PODS];
    uint64_t n_bad = 0;
    size_t n = 0;

    if (ilb_balancer_snapshot(lb, pods, N_PODS, sizeof pods[0], &n) != ILB_OK)
        return 0;
    printf("%-15s %-9s %9s %9s %8s\n", "pod", "state", "requests", "failures",
           "latency");
    for (size_t i = 0; i < n; i++) {
        const ilb_endpoint_stats *pod = &pods[i];
        uint64_t failures = pod->done[ILB_FAILURE];

        printf("%-15s %-9s %9llu %9llu %5.0f ms\n", pod->address,
               ilb_state_name(pod->state),
               (unsigned long long)(pod->done[ILB_SUCCESS] + failures),
               (unsigned long long)failures, (double)pod->latency_ns / 1e6);
        if (i == 1 || i == 2)
            n_bad += pod->done[ILB_SUCCESS] + failures;
    }
    /* A fifth of the first fifth went to each while they were well: 400
     * together. What came afterwards is to be under 2 % for each. */
    return n == N_PODS && n_bad < 400 + N_REQUESTS * 4 / 5 * 4 / 100;
}

int main(void)
{
    ilb_options opts = ILB_OPTIONS_INIT;
    ilb_endpoint pods[N_PODS] = {
        ILB_ENDPOINT("10.0.0.1:8080"), ILB_ENDPOINT("10.0.0.2:8080"),
        ILB_ENDPOINT("10.0.0.3:8080"), ILB_ENDPOINT("10.0.0.4:8080"),
        ILB_ENDPOINT("10.0.0.5:8080")};
    ilb_balancer *lb;
    int rc, failed, ok;

    opts.clock_ns = service_clock;
    opts.seed = 1;
    if ((rc = ilb_balancer_new(&lb, "billing", &opts)) != ILB_OK) {
        fprintf(stderr, "billing: %s\n", ilb_strerror(rc));
        return 1;
    }
    if ((rc = ilb_balancer_update(lb, pods, N_PODS)) != ILB_OK ||
        (rc = failed = send_all(lb)) < 0) {
        fprintf(stderr, "billing: %s\n", ilb_strerror(rc));
        ilb_balancer_free(lb);
        return 1;
    }
    ok = report(lb) && failed < N_REQUESTS / 200;
    printf("%d of %d requests failed: %s\n", failed, N_REQUESTS,
           ok ? "ok" : "FAILED");
    ilb_balancer_free(lb);
    return ok ? 0 : 1;
}
