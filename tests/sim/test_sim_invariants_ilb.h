/* SPDX-License-Identifier: MIT */
/* What libilb says of itself: can it be? And faults, which have to be found. */
#ifndef TEST_SIM_INVARIANTS_ILB_H
#define TEST_SIM_INVARIANTS_ILB_H

#include "ilb.h"
#include "test_sim_invariants.h"

typedef enum ilb_view_fault {
    ILB_VIEW_RIGHT = 0,
    ILB_VIEW_LOSES_A_DONE,
    /* It is asked for something else than the script has. */
    ILB_VIEW_NO_FLOOR,
    ILB_VIEW_STAYS_OPEN,
    ILB_VIEW_CLOSES,
    ILB_VIEW_IGNORES_OFF,
    ILB_VIEW_IGNORES_SHADOW,
    ILB_VIEW_IGNORES_POLICY,
    /* What it says is spoilt before it is looked at. */
    ILB_VIEW_FAILS_TOO_OFTEN,
    ILB_VIEW_OLDEST_OF_NONE,
    ILB_VIEW_LATENCY_ABSURD,
    ILB_VIEW_EJECTED_NO_END,
    ILB_VIEW_EVENT_NAN,
    ILB_VIEW_EVENT_BELOW,
    ILB_VIEW_COST_NAN,
    ILB_VIEW_COST_NEGATIVE,
    ILB_VIEW_LOAD_NAN,
    ILB_VIEW_EXPECTS_ABSURD,
    ILB_VIEW_OTHER_CHOSEN,
    ILB_VIEW_COUNT
} ilb_view_fault;

/* NULL, or what is wrong with it; after it was spoilt, if that is the fault. */
const char *watch_ilb_event(ilb_view_fault fault, const ilb_event *event);
const char *watch_ilb_explained(ilb_view_fault fault, const script_options *o,
                                const ilb_explanation *explanation,
                                const char *address);
const char *watch_ilb_stats(ilb_view_fault fault, const script_options *o,
                            ilb_endpoint_stats *e);

#endif
