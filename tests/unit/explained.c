/* SPDX-License-Identifier: MIT */
/* See explained.h. */
#include "explained.h"

ilb_explanation test_why;

ilb_ticket test_explained(ilb_balancer *b, const ilb_pick_options *options)
{
    ilb_ticket t;

    memset(&test_why, 0xee, sizeof test_why);
    must_eq(ilb_pick_explained(b, &t, options, &test_why, sizeof test_why),
            ILB_OK);
    must_eq(test_why.size, sizeof test_why);
    must(test_why.n_candidates >= 1 &&
         test_why.n_candidates <= ILB_CANDIDATES_MAX);
    must(test_why.chosen < test_why.n_candidates);
    must(test_why.looks >= test_why.n_candidates ||
         test_why.looks >= ILB_CANDIDATES_MAX);
    must_str(test_why.candidates[test_why.chosen].address,
             ilb_ticket_address(b, &t));
    must_eq(test_why.candidates[test_why.chosen].fate, ILB_FATE_COMPARED);
    for (uint32_t i = 0; i < test_why.n_candidates; i++) {
        const ilb_candidate *c = &test_why.candidates[i];

        /* Who is ejected and may be taken has a reason, and only such have. */
        must_eq(c->admitted != ILB_ADMITTED_NOT,
                c->fate == ILB_FATE_COMPARED &&
                    (c->state == ILB_STATE_EJECTED ||
                     c->state == ILB_STATE_PROBING));
        must(c->admitted != ILB_ADMITTED_PANIC || test_why.panic);
        must(c->admitted != ILB_ADMITTED_ROOM || test_why.room > 0);
        must(c->admitted != ILB_ADMITTED_OVERLOAD || test_why.overloaded);
    }
    must(test_why.room <= 0 || test_why.overloaded);
    return t;
}

const ilb_candidate *test_candidate(uint32_t number)
{
    for (uint32_t i = 0; i < test_why.n_candidates; i++)
        if (strcmp(test_why.candidates[i].address, test_address(number)) == 0)
            return &test_why.candidates[i];
    return NULL;
}

const ilb_candidate *test_choice(void)
{
    return &test_why.candidates[test_why.chosen];
}

void test_chosen_by(ilb_chosen_by by)
{
    must_str(ilb_chosen_by_name(test_why.chosen_by), ilb_chosen_by_name(by));
}

ilb_balancer *test_known_pair(test_clock *clock)
{
    ilb_options o = test_options(clock, ILB_POLICY_DEFAULT, 1);
    ilb_balancer *b = test_new(&o);

    test_update(b, 0, 2);
    for (uint32_t i = 0; i < 100; i++)
        (void)test_request(b, clock, 2 * MS_NS, ILB_SUCCESS);
    return b;
}
