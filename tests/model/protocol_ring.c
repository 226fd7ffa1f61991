/* SPDX-License-Identifier: MIT */
/*
 * The event ring: who writes, reads and tells (observe/events.h, events.c).
 *
 * What is modelled: numbers, entries with a stamp, `lost` and two words that
 * can be torn; asking for the telling and telling. `told` belongs to the
 * teller; it is no atomic, so that nobody may ever be able to read an old one.
 * What is not: what an event says, and the callback, which may write and ask as
 * any other may; who takes over from a process that died (ilb__events_bury):
 * tests/stress/kill_points.c. The ask, events_ask, is one step here.
 *
 * What must hold: an event that is read or told is whole; told events come in
 * order, by one at a time; all are told at the end, but for those that were
 * overwritten, given up, or wait for a writer that died; nobody waits or goes
 * round in a circle (explore.h).
 *
 * A teller that dies takes the telling with it: `asked` stays. All others go
 * on. So where a thread may die it writes, and does not tell.
 */
#include "model.h"

#include <stdio.h>
#include <string.h>

#define RING_ENTRIES 2
#define RING_THREADS 3

enum {
    RING_N_NUMBERED,
    RING_N_THROUGH,
    RING_N_SEEN,
    RING_ASKED,
    RING_TOLD,
    RING_STAMPS,
    RING_LOST = RING_STAMPS + RING_ENTRIES,
    RING_DATA = RING_LOST + RING_ENTRIES, /* two of each entry */
};

/* ---- Cases and mutants ------------------------------------------------- */

enum {
    RING_NOBODY,
    RING_WRITES,
    RING_WRITES_AND_TELLS,
    RING_READS
};

typedef struct ring_case {
    uint8_t capacity;
    uint8_t threads[RING_THREADS];
    uint8_t n_events; /* of each writer */
    uint8_t mortal;
} ring_case;

enum {
    RING_CASE_LAP,
    RING_CASE_MEET,
    RING_CASE_TELL,
    RING_CASE_TELL_MANY,
    RING_CASE_GIVE_UP,
    RING_CASE_DEATH,
    RING_N_CASES
};

static const ring_case ring_cases[RING_N_CASES] = {
    [RING_CASE_LAP] = {1, {RING_WRITES, RING_READS, RING_READS}, 3, 0},
    [RING_CASE_MEET] = {1, {RING_WRITES, RING_WRITES, RING_READS}, 1, 0},
    [RING_CASE_TELL] = {2,
                        {RING_WRITES_AND_TELLS, RING_WRITES_AND_TELLS},
                        1,
                        0},
    [RING_CASE_TELL_MANY] = {2,
                             {RING_WRITES_AND_TELLS, RING_WRITES_AND_TELLS},
                             2,
                             0},
    [RING_CASE_GIVE_UP] = {1,
                           {RING_WRITES_AND_TELLS, RING_WRITES_AND_TELLS},
                           2,
                           0},
    [RING_CASE_DEATH] = {1, {RING_WRITES, RING_WRITES_AND_TELLS}, 2, 1},
};

static const model_case ring_case_names[RING_N_CASES] = {
    [RING_CASE_LAP] = {"lap", "one writes 3 into 1 entry, two read", false},
    [RING_CASE_MEET] = {"meet", "two write into 1 entry, one reads", false},
    [RING_CASE_TELL] = {"tell", "two write 1 each into 2 entries, and tell",
                        false},
    [RING_CASE_TELL_MANY] = {"tell-many",
                             "two write 2 each into 2 entries, and tell",
                             false},
    [RING_CASE_GIVE_UP] = {"give-up", "two write 2 each into 1 entry, and tell",
                           false},
    [RING_CASE_DEATH] = {"ring-death", "one of two dies anywhere as it writes",
                         false},
};

typedef enum ring_mutant {
    RING_AS_IT_IS,
    RING_CLAIM_UNACQUIRED,
    RING_CLAIM_UNRELEASED,
    RING_WRITE_UNFENCED,
    RING_STAMP_RELAXED,
    RING_LOOK_RELAXED,
    RING_LOOK_UNFENCED,
    RING_THROUGH_RELAXED,
    RING_SEEN_RELAXED,
    RING_ASK_UNACQUIRED,
    RING_ASK_UNRELEASED,
    RING_FREE_UNACQUIRED,
    RING_FREE_UNRELEASED,
    RING_FREE_FAILS_RELAXED,
    RING_CLAIM_STORED,
    RING_STAMP_ONCE,
    RING_LOST_FORGOTTEN,
    RING_FREE_STORED,
    RING_N_MUTANTS
} ring_mutant;

static const model_mutant ring_mutants[RING_N_MUTANTS] = {
    [RING_AS_IT_IS] = {"", "", NULL, NULL},
    [RING_CLAIM_UNACQUIRED] = {"acquire of the claim -> relaxed",
                               "events_claim", "meet", NULL},
    [RING_CLAIM_UNRELEASED] =
        {"release of the claim -> relaxed", "events_claim", "give-up",
         "the fence after it is what orders, and nobody acquires an odd stamp"},
    [RING_WRITE_UNFENCED] = {"no release fence before the words",
                             "ilb__events_write", "lap", NULL},
    [RING_STAMP_RELAXED] = {"release of the stamp -> relaxed",
                            "ilb__events_write", "lap", NULL},
    [RING_LOOK_RELAXED] = {"acquire of the stamp -> relaxed", "events_look",
                           "lap", NULL},
    [RING_LOOK_UNFENCED] = {"no acquire fence before the second look",
                            "events_look", "lap", NULL},
    [RING_THROUGH_RELAXED] = {"release of n_through -> relaxed",
                              "ilb__events_write", "tell", NULL},
    [RING_SEEN_RELAXED] = {"acquire of n_through -> relaxed",
                           "ilb__events_tell", "tell", NULL},
    [RING_ASK_UNACQUIRED] = {"acquire of the ask -> relaxed",
                             "ilb__events_tell", "tell", NULL},
    [RING_ASK_UNRELEASED] = {"release of the ask -> relaxed",
                             "ilb__events_tell", "tell", NULL},
    [RING_FREE_UNACQUIRED] = {"acquire of the teller's last CAS -> relaxed",
                              "ilb__events_tell", "give-up",
                              "it is the last that the teller does"},
    [RING_FREE_UNRELEASED] = {"release of the teller's last CAS -> relaxed",
                              "ilb__events_tell", "tell", NULL},
    [RING_FREE_FAILS_RELAXED] =
        {"acquire of the teller's failed CAS -> relaxed", "ilb__events_tell",
         "tell", NULL},
    [RING_CLAIM_STORED] = {"claimed by a load and a store", "events_claim",
                           "meet", NULL},
    [RING_STAMP_ONCE] = {"the stamp is read once", "events_look", "lap", NULL},
    [RING_LOST_FORGOTTEN] = {"what is given up is not noted", "events_give_up",
                             "give-up", NULL},
    [RING_FREE_STORED] = {"the teller ends by a store", "ilb__events_tell",
                          "tell", NULL},
};

typedef struct ring_config {
    const ring_case *a_case;
    ring_mutant mutant;
} ring_config;

/* The order without one part, if the mutant says so. */
static memory_order_name ring_order(const ring_config *c, ring_mutant without,
                                    memory_order_name part,
                                    memory_order_name order)
{
    return (memory_order_name)((unsigned)order &
                               ~(c->mutant == without ? (unsigned)part : 0u));
}

/* ---- Threads ----------------------------------------------------------- */

typedef enum ring_at {
    RING_NUMBER,
    RING_CLAIM_LOAD,
    RING_CLAIM_CAS,
    RING_WORD_0,
    RING_WORD_1,
    RING_STAMP,
    RING_GIVE_UP_LOAD,
    RING_GIVE_UP_CAS,
    RING_THROUGH,
    RING_PENDING_THROUGH,
    RING_PENDING_SEEN,
    RING_TELL_THROUGH,
    RING_TELL_SEEN,
    RING_TELL_ASK,
    RING_LAST,
    RING_LOOK_STAMP,
    RING_LOOK_LOST,
    RING_LOOK_0,
    RING_LOOK_1,
    RING_LOOK_AGAIN,
    RING_FREE,
    RING_STEPS
} ring_at;

static const char *const ring_names[RING_STEPS] = {
    [RING_NUMBER] = "ilb__events_write: takes a number (relaxed)",
    [RING_CLAIM_LOAD] = "events_claim: loads the stamp (relaxed)",
    [RING_CLAIM_CAS] = "events_claim: CAS to an odd stamp (acq_rel)",
    [RING_WORD_0] = "ilb__events_write: fence, stores a word (relaxed)",
    [RING_WORD_1] = "ilb__events_write: stores a word (relaxed)",
    [RING_STAMP] = "ilb__events_write: stores the stamp (release)",
    [RING_GIVE_UP_LOAD] = "events_give_up: loads `lost` (relaxed)",
    [RING_GIVE_UP_CAS] = "events_give_up: CAS of `lost` (relaxed)",
    [RING_THROUGH] = "ilb__events_write: adds to n_through (release)",
    [RING_PENDING_THROUGH] = "ilb__events_pending: loads n_through (relaxed)",
    [RING_PENDING_SEEN] = "ilb__events_pending: loads n_seen (relaxed)",
    [RING_TELL_THROUGH] = "ilb__events_tell: loads n_through (acquire)",
    [RING_TELL_SEEN] = "ilb__events_tell: stores n_seen (relaxed)",
    [RING_TELL_ASK] = "ilb__events_tell: asks (acq_rel)",
    [RING_LAST] = "events_tell_all, ilb__events_read: loads n_numbered",
    [RING_LOOK_STAMP] = "events_look: loads the stamp (acquire)",
    [RING_LOOK_LOST] = "events_look: loads `lost` (relaxed)",
    [RING_LOOK_0] = "events_look: loads a word (relaxed)",
    [RING_LOOK_1] = "events_look: loads a word (relaxed)",
    [RING_LOOK_AGAIN] = "events_look: fence (acquire), loads the stamp",
    [RING_FREE] = "ilb__events_tell: CAS of `asked` to 0 (acq_rel)",
};

typedef struct ring_thread {
    uint16_t seen;  /* the expected of a CAS */
    uint16_t asked; /* of the teller's */
    uint8_t at;     /* a ring_at */
    uint8_t is;     /* RING_WRITES, ... */
    uint8_t n_left; /* events to write */
    uint8_t number, last;
    uint8_t word; /* the first that was read */
    uint8_t through;
} ring_thread;

_Static_assert(sizeof(ring_thread) <= MEMORY_OWN_BYTES, "a thread fits");

static ring_thread ring_thread_of(const memory_state *s, unsigned t)
{
    ring_thread r;

    memcpy(&r, s->own[t], sizeof r);
    return r;
}

static unsigned ring_entry(const ring_config *c, const ring_thread *r)
{
    return r->number % c->a_case->capacity;
}

static void ring_end(memory *m, unsigned t, ring_thread *r)
{
    memset(r, 0, sizeof *r);
    m->s->life[t] = MEMORY_ENDED;
}

static void ring_wrote(memory *m, unsigned t, ring_thread *r)
{
    r->at = RING_NUMBER;
    r->number = r->last = r->word = r->through = 0;
    r->seen = r->asked = 0;
    if (r->n_left == 0)
        ring_end(m, t, r);
}

/* ---- Writing ----------------------------------------------------------- */

static void ring_claimable(ring_thread *r)
{
    r->at = r->seen % 2 == 0 && r->seen < 2 * r->number ? RING_CLAIM_CAS
                                                        : RING_GIVE_UP_LOAD;
}

static void ring_claim(memory *m, const ring_config *c, unsigned t,
                       ring_thread *r)
{
    unsigned stamp = RING_STAMPS + ring_entry(c, r);
    memory_order_name order = MEMORY_ACQ_REL;

    order = ring_order(c, RING_CLAIM_UNACQUIRED, MEMORY_ACQUIRE, order);
    order = ring_order(c, RING_CLAIM_UNRELEASED, MEMORY_RELEASE, order);
    if (c->mutant == RING_CLAIM_STORED)
        memory_store(m, t, stamp, (uint16_t)(2 * r->number + 1), order);
    else if (!memory_cas(m, t, stamp, &r->seen, (uint16_t)(2 * r->number + 1),
                         order, true)) {
        ring_claimable(r);
        return;
    }
    if (c->mutant != RING_WRITE_UNFENCED)
        memory_fence(m, t, MEMORY_RELEASE);
    r->at = RING_WORD_0;
}

static void ring_give_up(memory *m, const ring_config *c, unsigned t,
                         ring_thread *r)
{
    unsigned lost = RING_LOST + ring_entry(c, r);

    if (r->at == RING_GIVE_UP_LOAD)
        r->seen = memory_load(m, t, lost, MEMORY_RELAXED);
    else if (memory_cas(m, t, lost, &r->seen, r->number, MEMORY_RELAXED, false))
        r->seen = r->number;
    r->at = r->seen < r->number && c->mutant != RING_LOST_FORGOTTEN
                ? RING_GIVE_UP_CAS
                : RING_THROUGH;
}

static void ring_write_step(memory *m, const ring_config *c, unsigned t,
                            ring_thread *r)
{
    unsigned data = RING_DATA + 2 * ring_entry(c, r);

    switch (r->at) {
    case RING_NUMBER:
        r->n_left--;
        r->number =
            (uint8_t)(memory_add(m, t, RING_N_NUMBERED, 1, MEMORY_RELAXED) + 1);
        r->at = RING_CLAIM_LOAD;
        break;
    case RING_CLAIM_LOAD:
        r->seen =
            memory_load(m, t, RING_STAMPS + ring_entry(c, r), MEMORY_RELAXED);
        ring_claimable(r);
        break;
    case RING_CLAIM_CAS:
        ring_claim(m, c, t, r);
        break;
    case RING_WORD_0:
    case RING_WORD_1:
        memory_store(m, t, data + r->at - RING_WORD_0, r->number,
                     MEMORY_RELAXED);
        r->at++;
        break;
    case RING_STAMP:
        memory_store(
            m, t, RING_STAMPS + ring_entry(c, r), (uint16_t)(2 * r->number),
            ring_order(c, RING_STAMP_RELAXED, MEMORY_RELEASE, MEMORY_RELEASE));
        r->at = RING_THROUGH;
        break;
    case RING_GIVE_UP_LOAD:
    case RING_GIVE_UP_CAS:
        ring_give_up(m, c, t, r);
        break;
    default: /* RING_THROUGH */
        memory_add(m, t, RING_N_THROUGH, 1,
                   ring_order(c, RING_THROUGH_RELAXED, MEMORY_RELEASE,
                              MEMORY_RELEASE));
        r->at = RING_PENDING_THROUGH;
        if (r->is == RING_WRITES)
            ring_wrote(m, t, r);
        break;
    }
}

/* ---- Looking ----------------------------------------------------------- */

/* events_next */
static uint8_t ring_next(const ring_config *c, unsigned after, unsigned last)
{
    unsigned capacity = c->a_case->capacity;

    return (uint8_t)(last > capacity && after < last - capacity
                         ? last - capacity + 1
                         : after + 1);
}

/* `told` is no atomic: nobody may be able to read what it was before. */
static uint8_t ring_told(memory *m, unsigned t)
{
    uint16_t newest = memory_newest(m, RING_TOLD);

    if (memory_could_differ(m, t, RING_TOLD, newest))
        m->wrong = "a teller may not see what the one before has told";
    return (uint8_t)newest;
}

/* One more number is dealt with: on to the next. */
static void ring_looked(memory *m, const ring_config *c, unsigned t,
                        ring_thread *r)
{
    if (r->is == RING_READS) {
        r->at = RING_LOOK_STAMP;
        if (r->number++ == r->last)
            ring_end(m, t, r);
        return;
    }
    (void)c;
    if (ring_told(m, t) >= r->number)
        m->wrong = "told out of order";
    if (m->wrong == NULL)
        memory_store(m, t, RING_TOLD, r->number, MEMORY_RELAXED);
    r->at = RING_LAST;
}

static void ring_unfinished(memory *m, unsigned t, ring_thread *r)
{
    r->at = RING_FREE;
    if (r->is == RING_READS)
        ring_end(m, t, r);
}

static void ring_look_last(memory *m, const ring_config *c, unsigned t,
                           ring_thread *r)
{
    uint8_t after = r->is == RING_READS ? 0 : ring_told(m, t);

    r->last = (uint8_t)memory_load(m, t, RING_N_NUMBERED, MEMORY_RELAXED);
    r->at = RING_LOOK_STAMP;
    r->number = ring_next(c, after, r->last);
    if (after >= r->last)
        ring_unfinished(m, t, r);
}

static void ring_look_stamp(memory *m, const ring_config *c, unsigned t,
                            ring_thread *r)
{
    uint16_t stamp = memory_load(
        m, t, RING_STAMPS + ring_entry(c, r),
        ring_order(c, RING_LOOK_RELAXED, MEMORY_ACQUIRE, MEMORY_ACQUIRE));

    if (stamp == 2 * r->number)
        r->at = RING_LOOK_0;
    else if (stamp > 2 * r->number + 1)
        ring_looked(m, c, t, r);
    else
        r->at = RING_LOOK_LOST;
}

static void ring_look_again(memory *m, const ring_config *c, unsigned t,
                            ring_thread *r)
{
    uint16_t stamp;

    if (c->mutant != RING_LOOK_UNFENCED)
        memory_fence(m, t, MEMORY_ACQUIRE);
    stamp = memory_load(m, t, RING_STAMPS + ring_entry(c, r), MEMORY_RELAXED);
    if ((stamp == 2 * r->number || c->mutant == RING_STAMP_ONCE) &&
        (r->word != r->number || r->through != r->number))
        m->wrong = "an event that is not whole is used";
    r->word = r->through = 0;
    ring_looked(m, c, t, r);
}

static void ring_look_step(memory *m, const ring_config *c, unsigned t,
                           ring_thread *r)
{
    unsigned data = RING_DATA + 2 * ring_entry(c, r);

    switch (r->at) {
    case RING_LAST:
        ring_look_last(m, c, t, r);
        break;
    case RING_LOOK_STAMP:
        ring_look_stamp(m, c, t, r);
        break;
    case RING_LOOK_LOST:
        if (memory_load(m, t, RING_LOST + ring_entry(c, r), MEMORY_RELAXED) >=
            r->number)
            ring_looked(m, c, t, r);
        else
            ring_unfinished(m, t, r);
        break;
    case RING_LOOK_0:
        r->word = (uint8_t)memory_load(m, t, data, MEMORY_RELAXED);
        r->at++;
        break;
    case RING_LOOK_1: /* `through` is free here */
        r->through = (uint8_t)memory_load(m, t, data + 1, MEMORY_RELAXED);
        r->at++;
        break;
    default: /* RING_LOOK_AGAIN */
        ring_look_again(m, c, t, r);
        break;
    }
}

/* ---- Telling ----------------------------------------------------------- */

static void ring_ask(memory *m, const ring_config *c, unsigned t,
                     ring_thread *r)
{
    memory_order_name order = MEMORY_ACQ_REL;

    order = ring_order(c, RING_ASK_UNACQUIRED, MEMORY_ACQUIRE, order);
    order = ring_order(c, RING_ASK_UNRELEASED, MEMORY_RELEASE, order);
    if (memory_add(m, t, RING_ASKED, 1, order) != 0) {
        ring_wrote(m, t, r);
        return;
    }
    r->asked = 1;
    r->at = RING_LAST;
}

static void ring_free(memory *m, const ring_config *c, unsigned t,
                      ring_thread *r)
{
    memory_order_name order = MEMORY_ACQ_REL;

    order = ring_order(c, RING_FREE_UNACQUIRED, MEMORY_ACQUIRE, order);
    order = ring_order(c, RING_FREE_UNRELEASED, MEMORY_RELEASE, order);
    r->number = r->last = 0;
    if (c->mutant == RING_FREE_STORED) {
        memory_store(m, t, RING_ASKED, 0, order);
        ring_wrote(m, t, r);
    } else if (memory_cas(m, t, RING_ASKED, &r->asked, 0, order,
                          c->mutant != RING_FREE_FAILS_RELAXED)) {
        ring_wrote(m, t, r);
    } else {
        r->at = RING_LAST;
    }
}

static void ring_tell_step(memory *m, const ring_config *c, unsigned t,
                           ring_thread *r)
{
    switch (r->at) {
    case RING_PENDING_THROUGH:
        r->through = (uint8_t)memory_load(m, t, RING_N_THROUGH, MEMORY_RELAXED);
        r->at = RING_PENDING_SEEN;
        break;
    case RING_PENDING_SEEN:
        r->at = RING_TELL_THROUGH;
        if (memory_load(m, t, RING_N_SEEN, MEMORY_RELAXED) == r->through)
            ring_wrote(m, t, r);
        r->through = 0;
        break;
    case RING_TELL_THROUGH:
        r->through = (uint8_t)memory_load(
            m, t, RING_N_THROUGH,
            ring_order(c, RING_SEEN_RELAXED, MEMORY_ACQUIRE, MEMORY_ACQUIRE));
        r->at = RING_TELL_SEEN;
        break;
    case RING_TELL_SEEN:
        memory_store(m, t, RING_N_SEEN, r->through, MEMORY_RELAXED);
        r->through = 0;
        r->at = RING_TELL_ASK;
        break;
    case RING_TELL_ASK:
        ring_ask(m, c, t, r);
        break;
    default: /* RING_FREE */
        ring_free(m, c, t, r);
        break;
    }
}

/* ---- The program ------------------------------------------------------- */

static void ring_step(memory *m, unsigned t, const void *config)
{
    const ring_config *c = config;
    ring_thread r = ring_thread_of(m->s, t);

    if (r.at <= RING_THROUGH)
        ring_write_step(m, c, t, &r);
    else if (r.at >= RING_LAST && r.at < RING_FREE)
        ring_look_step(m, c, t, &r);
    else
        ring_tell_step(m, c, t, &r);
    memcpy(m->s->own[t], &r, sizeof r);
}

static void ring_begin(memory *m, const void *config)
{
    const ring_config *c = config;

    for (unsigned t = 0; t < m->n_threads; t++) {
        ring_thread r;

        memset(&r, 0, sizeof r);
        r.is = c->a_case->threads[t];
        r.n_left = c->a_case->n_events;
        r.at = r.is == RING_READS ? RING_LAST : RING_NUMBER;
        memcpy(m->s->own[t], &r, sizeof r);
    }
}

static void ring_check(memory *m, const void *config)
{
    unsigned n_tell = 0;

    (void)config;
    for (unsigned t = 0; t < m->n_threads; t++) {
        ring_thread r = ring_thread_of(m->s, t);

        n_tell += m->s->life[t] == MEMORY_RUNS && r.is != RING_READS &&
                  r.at >= RING_LAST;
    }
    if (n_tell > 1)
        m->wrong = "two tell at the same time";
}

static void ring_check_end(memory *m, const void *config)
{
    const ring_config *c = config;
    uint16_t last = memory_newest(m, RING_N_NUMBERED);
    bool told = false;

    for (unsigned t = 0; t < m->n_threads; t++) {
        if (m->s->life[t] == MEMORY_DIED)
            return;
        told = told || c->a_case->threads[t] == RING_WRITES_AND_TELLS;
    }
    if (memory_newest(m, RING_N_THROUGH) != last)
        m->wrong = "not all writers are through";
    if (!told)
        return;
    if (memory_newest(m, RING_ASKED) != 0)
        m->wrong = "somebody still tells";
    if (memory_newest(m, RING_TOLD) != last && c->a_case->mortal == 0)
        m->wrong = "an event is left behind";
}

static const char *ring_name(const memory_state *s, unsigned t)
{
    return ring_names[ring_thread_of(s, t).at];
}

static explore_program ring_program(unsigned a_case, unsigned mutant)
{
    static ring_config config;
    explore_program p = {0,         0,          &config,        ring_begin,
                         ring_step, ring_check, ring_check_end, ring_name};

    config.a_case = &ring_cases[a_case];
    config.mutant = (ring_mutant)mutant;
    p.mortal = config.a_case->mortal;
    while (p.n_threads < RING_THREADS &&
           config.a_case->threads[p.n_threads] != RING_NOBODY)
        p.n_threads++;
    return p;
}

const model_protocol *ring_protocol(void)
{
    static const model_protocol p = {"ring",         ring_case_names,
                                     RING_N_CASES,   ring_mutants,
                                     RING_N_MUTANTS, ring_program};

    return &p;
}
