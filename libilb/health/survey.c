/* SPDX-License-Identifier: MIT */
/* See survey.h. */
#include "health/survey.h"

#include "health/sweep.h"

#define SURVEY_HEARD_NS ILB_SECOND_NS

/* Puts `x` in its place among `n` sorted values. */
static void survey_insert(float *sorted, uint32_t n, float x)
{
    uint32_t at = n;

    while (at > 0 && sorted[at - 1] > x) {
        sorted[at] = sorted[at - 1];
        at--;
    }
    sorted[at] = x;
}

static float survey_squared(const ilb__slot *slot, float ended)
{
    return ended * ended / (float)ilb__load32_relaxed(&slot->weight);
}

/* The sweep comes by seldom where there are many: whatever was heard since it
 * did is of late as well. */
static bool survey_heard(const ilb__slot *slot, uint64_t load, uint64_t now_ns)
{
    return ilb__elapsed_ns(ilb__load_relaxed(&slot->heard_ns), now_ns) <
               SURVEY_HEARD_NS ||
           ilb__sweep_signs(slot, load) != ilb__load_relaxed(&slot->heard);
}

static void survey_look_at(ilb__survey *k, ilb__slot *slot,
                           const ilb__window_step *step)
{
    uint64_t failed = ilb__load_relaxed(&slot->done[ILB_FAILURE]) +
                      ilb__load_relaxed(&slot->done[ILB_TIMEOUT]) +
                      ilb__load_relaxed(&slot->done[ILB_CONNECT_ERROR]);
    uint64_t ended = ilb__load_relaxed(&slot->done[ILB_SUCCESS]) + failed;
    uint64_t health = ilb__load_relaxed(&slot->health);
    uint64_t load = ilb__load_relaxed(&slot->load.word);
    uint32_t in_flight = ilb__load_in_flight(load);
    uint32_t longlived = ilb__longlived_n(&slot->longlived, in_flight,
                                          ilb__load_relaxed(&slot->lost.n));
    float x = ilb__latency_estimate_ns(&slot->latency);
    uint32_t more = ilb__window_bring(&slot->window, (uint32_t)ended,
                                      (uint32_t)failed, step);

    k->ended += more;
    k->long_term[k->n] = ilb__window_long(&slot->window);
    k->short_term[k->n] = ilb__window_short(&slot->window);
    k->n++;
    if (!ilb__health_eligible(health))
        return;
    k->n_eligible++;
    k->answered += more;
    k->served += k->short_term[k->n - 1].ended;
    k->failed += k->short_term[k->n - 1].failed;
    k->served_share += survey_squared(slot, k->short_term[k->n - 1].ended);
    k->n_untried += ilb__health_untried(health);
    k->n_on_trial +=
        ilb__latency_level(&slot->latency) >= ILB_LATENCY_TRIAL_LEVEL ||
        ilb__evidence_is_trial(&slot->evidence);
    k->in_flight += in_flight;
    k->overtaken += ilb__overtaken_besides(&slot->overtaken, longlived);
    k->n_heard += survey_heard(slot, load, step->now_ns);
    k->longlived += longlived;
    if (x > 0)
        survey_insert(k->estimates, k->n_estimates++, x);
}

ILB_INTERNAL void ilb__survey_take(ilb__survey *k, ilb__slot *slots,
                                   const ilb__view *view,
                                   const ilb__window_step *step)
{
    uint32_t stride = view->n / ILB_SURVEY_MAX + 1;

    k->n_estimates = k->n = k->n_eligible = k->n_untried = 0;
    k->n_on_trial = 0;
    k->in_flight = k->longlived = k->overtaken = k->ended = k->answered = 0;
    k->n_heard = 0;
    k->served = k->served_share = k->failed = 0;
    for (uint32_t i = 0; i < view->n && k->n < ILB_SURVEY_MAX; i += stride)
        survey_look_at(k, &slots[ilb__endpoint_id_index(ilb__view_id(view, i))],
                       step);
}

ILB_INTERNAL float ilb__survey_longlived(const ilb__survey *k)
{
    return k->n_eligible == 0 ? 1
                              : ilb__longlived_weight((float)k->longlived /
                                                      (float)k->n_eligible);
}

ILB_INTERNAL float ilb__survey_in_flight(const ilb__survey *k)
{
    float less = (float)k->longlived * (1 - ilb__survey_longlived(k));

    return k->n_eligible == 0
               ? 0
               : ((float)k->in_flight - less) / (float)k->n_eligible;
}
