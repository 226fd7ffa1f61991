/* SPDX-License-Identifier: MIT */
/* See overload.h. */
#include "health/overload.h"

#include "base/decay.h"
#include "base/floats.h"

#define OVERLOAD_CALM_TAU_S 10.0
#define OVERLOAD_FACTOR 1.3f
#define OVERLOAD_P0 0.1f
#define OVERLOAD_EJECTED 8
/* In flight above so many times what was usual: this is no calm. */
#define OVERLOAD_ROUGH 2.0f
#define OVERLOAD_ROUGH_TAU_S 100.0
#define OVERLOAD_FAILED 0.05f
#define OVERLOAD_ROOM 3.0f
#define OVERLOAD_LONG 4.0f
#define OVERLOAD_ROOM_MIN 4.0f

static float overload_tau_s(float in_flight, float calm)
{
    return in_flight > OVERLOAD_ROUGH * calm ? (float)OVERLOAD_ROUGH_TAU_S
                                             : (float)OVERLOAD_CALM_TAU_S;
}

ILB_INTERNAL bool ilb__overload_suffer(ilb__a64 *calm, const ilb__crowd *c)
{
    uint64_t word = ilb__load_relaxed(calm);
    float calm_in_flight = ilb__floats_low(word);
    float calm_ns = ilb__floats_high(word);
    float in_flight = ilb__survey_in_flight(c->survey);
    float median_ns = c->median_ns;

    if (c->n_ejected > 0 && c->p0 >= OVERLOAD_P0)
        return true;
    if (c->n_ejected > 0 && c->n_ejected * OVERLOAD_EJECTED > c->n)
        return calm_ns > 0 && in_flight > OVERLOAD_FACTOR * calm_in_flight &&
               median_ns > OVERLOAD_FACTOR * calm_ns;
    if (word != 0) {
        float keep = (float)ilb__decay(
            c->since_s, overload_tau_s(in_flight, calm_in_flight));

        in_flight = calm_in_flight * keep + in_flight * (1 - keep);
        median_ns = calm_ns * keep + median_ns * (1 - keep);
    }
    ilb__store_relaxed(calm, ilb__floats_pair(in_flight, median_ns));
    return false;
}

static ilb__flow overload_flow(const ilb__crowd *c)
{
    const ilb__survey *k = c->survey;
    float n = (float)k->n_eligible;
    ilb__flow f;

    f.in_flight = ilb__survey_in_flight(k) - (float)k->overtaken / n;
    f.ended = (float)k->answered / n;
    f.since_s = (float)c->since_s;
    f.n = k->n_eligible;
    return f;
}

/* Are so many out, and so many of the others heard, that they may be full? */
static bool overload_possible(const ilb__crowd *c)
{
    const ilb__survey *k = c->survey;
    uint32_t silent = k->n_eligible - k->n_heard;
    uint64_t out = c->n_ejected + (uint64_t)silent * c->n / k->n;

    return out * OVERLOAD_EJECTED > c->n && 2 * k->n_heard > k->n_eligible;
}

ILB_INTERNAL bool ilb__overload_full(const ilb__a64 *calm, ilb__queue *queue,
                                     bool was, const ilb__crowd *c)
{
    const ilb__survey *k = c->survey;
    float room = ilb__overload_room(calm);
    ilb__flow f;

    if (ilb__load_relaxed(calm) == 0 || !overload_possible(c)) {
        ilb__queue_forget(queue);
        return false;
    }
    f = overload_flow(c);
    if (was)
        return f.in_flight > room / 2 && !ilb__queue_in_vain(queue, &f);
    if (ilb__queue_grows(queue, &f, room / 2, OVERLOAD_LONG * room))
        return true;
    if (f.in_flight <= room || k->failed < OVERLOAD_FAILED * k->served)
        return false;
    ilb__queue_forget(queue);
    return true;
}

ILB_INTERNAL float ilb__overload_room(const ilb__a64 *calm)
{
    float room = OVERLOAD_ROOM * ilb__floats_low(ilb__load_relaxed(calm));

    return room < OVERLOAD_ROOM_MIN ? OVERLOAD_ROOM_MIN : room;
}
