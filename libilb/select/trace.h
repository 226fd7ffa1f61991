/* SPDX-License-Identifier: MIT */
/*
 * The trace of one pick: what ilb_pick_explained hands out, filled while the
 * pick is made. It only looks: no draw and no choice depends on it.
 *
 * An address is copied while the view that named its slot may no longer hold;
 * then it is missing, and the pick, and with it the trace, begins again.
 */
#ifndef ILB_SELECT_TRACE_H
#define ILB_SELECT_TRACE_H

#include "select/draw.h"

/* Nothing looked at yet. The caller adds n_ejected and panic. */
ILB_INTERNAL void ilb__trace_begin(ilb_explanation *x, ilb_policy policy,
                                   const ilb__draw *d,
                                   const ilb__score_context *context);

/* An endpoint was looked at. `score` NULL: none was worked out. */
ILB_INTERNAL void ilb__trace_look(ilb_explanation *x, const ilb__candidate *c,
                                  const ilb__score *score,
                                  const ilb__exclusion *exclusion,
                                  const ilb__score_context *context);

/* One that was looked at is the choice; a probe is looked at now. */
ILB_INTERNAL void ilb__trace_choose(ilb_explanation *x, const ilb__candidate *c,
                                    const ilb__score *score, ilb_chosen_by by,
                                    const ilb__score_context *context);

#endif
