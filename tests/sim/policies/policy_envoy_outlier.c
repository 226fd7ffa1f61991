/* SPDX-License-Identifier: MIT */
/*
 * Consecutive failures: the 5th in a row ejects. Every 10 s: those whose time
 * is over return, others' multipliers fall; then of all that are not ejected
 * and had at least 100 requests in the interval, if they are at least 5, the
 * ones with a success rate below mean - 1.9 x sd are ejected; rates are of
 * this interval alone.
 *
 * Ejected for min(30 s x multiplier, 300 s), seen at the interval's end only;
 * the multiplier is 1 the first time, +1 each time, -1 for each interval spent
 * well. At return counters are cleared; full traffic at once. At most 10 % are
 * out at once, counted with the one to be ejected, but one always may.
 *
 * Units: % for rates, ns for times. Source: envoyproxy/envoy,
 * source/common/upstream/outlier_detection_impl.cc and
 * api/envoy/config/cluster/v3/outlier_detection.proto.
 *
 * Ours differs: always_eject_one_host is true (default false, then clusters
 * below 10 eject nobody; older versions always ejected one); the failure
 * percentage and gateway failures are left out, as they are not enforced by
 * default; ejection is at once, where Envoy passes it to another thread.
 */
#include "policy_envoy_outlier.h"

#include <stdlib.h>

#define OUTLIER_CONSECUTIVE 5
#define OUTLIER_INTERVAL_NS UINT64_C(10000000000)
#define OUTLIER_BASE_NS UINT64_C(30000000000)
#define OUTLIER_MAX_NS UINT64_C(300000000000)
#define OUTLIER_MAX_PERCENT 10
#define OUTLIER_MIN_HOSTS 5
#define OUTLIER_MIN_REQUESTS 100
#define OUTLIER_DEVIATIONS 1.9

double sim_envoy_threshold(const double *rates, uint32_t n)
{
    double mean = 0, variance = 0;

    if (n == 0)
        return 0;
    for (uint32_t i = 0; i < n; i++)
        mean += rates[i] / n;
    for (uint32_t i = 0; i < n; i++)
        variance += (rates[i] - mean) * (rates[i] - mean) / n;
    return mean - OUTLIER_DEVIATIONS * sqrt(variance);
}

bool sim_envoy_count(envoy_monitor *m, bool good)
{
    m->requests++;
    m->good += good;
    if (good) {
        m->consecutive = 0;
        return false;
    }
    m->consecutive++;
    if (m->ejected || m->consecutive != OUTLIER_CONSECUTIVE)
        return false;
    m->consecutive = 0;
    return true;
}

void sim_envoy_eject(envoy_detector *d, envoy_monitor *m, uint32_t n,
                     uint32_t ejected, uint64_t now_ns)
{
    if (ejected > 0 && 100 * (ejected + 1) > OUTLIER_MAX_PERCENT * n)
        return;
    m->ejected = true;
    m->multiplier++;
    m->ejected_ns = now_ns;
    d->ejections++;
}

static void outlier_return(envoy_monitor *m, uint64_t now_ns)
{
    uint64_t time = OUTLIER_BASE_NS * m->multiplier;

    if (time > OUTLIER_MAX_NS)
        time = OUTLIER_MAX_NS;
    if (!m->ejected) {
        if (m->multiplier > 0 && sim_since_ns(now_ns, m->unejected_ns) >=
                                     (double)OUTLIER_INTERVAL_NS)
            m->multiplier--;
        return;
    }
    if (sim_since_ns(now_ns, m->ejected_ns) < (double)time)
        return;
    m->ejected = false;
    m->unejected_ns = now_ns;
    m->consecutive = 0;
}

static void outlier_success_rates(envoy_detector *d,
                                  envoy_monitor *const *monitors, uint32_t n,
                                  uint64_t now_ns)
{
    double *rates = sim_need(n, sizeof *rates);
    uint32_t *who = sim_need(n, sizeof *who);
    uint32_t n_rates = 0, ejected = 0;
    double threshold;

    for (uint32_t i = 0; i < n; i++) {
        const envoy_monitor *m = monitors[i];

        ejected += m->ejected;
        if (m->ejected || m->requests < OUTLIER_MIN_REQUESTS)
            continue;
        who[n_rates] = i;
        rates[n_rates++] = 100.0 * (double)m->good / (double)m->requests;
    }
    threshold = sim_envoy_threshold(rates, n_rates);
    for (uint32_t i = 0; i < n_rates && n_rates >= OUTLIER_MIN_HOSTS; i++) {
        if (rates[i] >= threshold)
            continue;
        sim_envoy_eject(d, monitors[who[i]], n, ejected, now_ns);
        ejected += monitors[who[i]]->ejected;
    }
    free(rates);
    free(who);
}

void sim_envoy_interval(envoy_detector *d, envoy_monitor *const *monitors,
                        uint32_t n, uint64_t now_ns)
{
    double left = sim_since_ns(d->next_ns, now_ns);

    /* The second: the clock has gone back. */
    if (d->next_ns == 0 || left > (double)OUTLIER_INTERVAL_NS) {
        d->next_ns = now_ns + OUTLIER_INTERVAL_NS;
        return;
    }
    if (left > 0)
        return;
    d->next_ns = now_ns + OUTLIER_INTERVAL_NS;
    for (uint32_t i = 0; i < n; i++)
        outlier_return(monitors[i], now_ns);
    outlier_success_rates(d, monitors, n, now_ns);
    for (uint32_t i = 0; i < n; i++) {
        monitors[i]->requests = 0;
        monitors[i]->good = 0;
    }
}
