/* SPDX-License-Identifier: MIT */
/*
 * What all endpoints have in common, as one request sees it: the yardsticks
 * that an endpoint is measured against. Worked out by health/pool.h.
 */
#ifndef ILB_SIGNAL_FIGURES_H
#define ILB_SIGNAL_FIGURES_H

#include <string.h>

#include "signal/evidence.h"

typedef struct ilb__figures {
    float median_ns;   /* of the endpoints' latency estimates; 0: unknown */
    float p99_ns;      /* of all good answers of late; 0: unknown */
    float p0;          /* share of requests that healthy endpoints fail */
    float in_flight;   /* to an eligible endpoint, in the mean */
    float room;        /* in flight to one, while those that are left cannot
                          carry everything; 0: no limit */
    float longlived;   /* what a long-lived request counts as, in load */
    float rate_per_s;  /* requests that end, of all endpoints */
    float patience_ns; /* time constant, at most, of trying a slow one again */
    uint64_t suspect_ns; /* how long one failure keeps an endpoint back */
    uint64_t jumped_ns;  /* the clock has jumped, to here; 0: never */
    uint32_t aperture;   /* endpoints to use; UINT32_MAX: all */
    bool overloaded;     /* those that are left suffer from the ejections */
    bool cold;           /* many have not given a good answer yet */
    bool many_on_trial;  /* many fail or are slow */
    ilb__evidence_steps steps;
} ilb__figures;

/* The same as words that any thread reads while one writes. A reader may find
 * some words of before and some of after: all of them are estimates. */
#define ILB_FIGURES_WORDS (sizeof(ilb__figures) / sizeof(uint64_t))

typedef struct ilb__figures_words {
    ilb__a64 words[ILB_FIGURES_WORDS];
} ilb__figures_words;

static inline void ilb__figures_move(const ilb__figures_words *from,
                                     ilb__figures *f, size_t i)
{
    uint64_t word = ilb__load_relaxed(&from->words[i]);

    memcpy((char *)f + i * sizeof word, &word, sizeof word);
}

/* For every request: eight moves. A loop would be one, in most compilers. */
static inline void ilb__figures_read(const ilb__figures_words *from,
                                     ilb__figures *f)
{
    ilb__figures_move(from, f, 0);
    ilb__figures_move(from, f, 1);
    ilb__figures_move(from, f, 2);
    ilb__figures_move(from, f, 3);
    ilb__figures_move(from, f, 4);
    ilb__figures_move(from, f, 5);
    ilb__figures_move(from, f, 6);
    ilb__figures_move(from, f, 7);
}

static inline void ilb__figures_write(ilb__figures_words *to,
                                      const ilb__figures *f)
{
    for (size_t i = 0; i < ILB_FIGURES_WORDS; i++) {
        uint64_t word;

        memcpy(&word, (const char *)f + i * sizeof word, sizeof word);
        ilb__store_relaxed(&to->words[i], word);
    }
}

_Static_assert(sizeof(ilb__figures) == 8 * sizeof(uint64_t),
               "ilb__figures_read moves eight words");

#define ILB_FIGURES_HANG_P99 1.5f
#define ILB_FIGURES_HANG_MEDIAN 3.0f
#define ILB_FIGURES_HANG_MIN_NS 2e6f
#define ILB_FIGURES_NEVER_NS 1e30f

/* Who has not answered by then answers no more in the ordinary way:
 * max(1.5 p99, 3 median, 2 ms); never, while nobody has answered yet. */
static inline float ilb__figures_hang_ns(const ilb__figures *f)
{
    float ns = ILB_FIGURES_HANG_P99 * f->p99_ns;

    if (f->p99_ns == 0)
        return ILB_FIGURES_NEVER_NS;
    if (ns < ILB_FIGURES_HANG_MEDIAN * f->median_ns)
        ns = ILB_FIGURES_HANG_MEDIAN * f->median_ns;
    return ns < ILB_FIGURES_HANG_MIN_NS ? ILB_FIGURES_HANG_MIN_NS : ns;
}

#define ILB_FIGURES_SILENT_FACTOR 4.0f
#define ILB_FIGURES_SILENT_MIN_NS 2e9f

/* Who has been silent for so long, though asked, is not just late:
 * max(4 hang, 2 s). */
static inline float ilb__figures_silent_ns(const ilb__figures *f)
{
    float ns = ILB_FIGURES_SILENT_FACTOR * ilb__figures_hang_ns(f);

    return ns < ILB_FIGURES_SILENT_MIN_NS ? ILB_FIGURES_SILENT_MIN_NS : ns;
}

#define ILB_FIGURES_AGAIN_FACTOR 4.0f

/* After so long another may ask whether it was a long request: 4 hang. */
static inline float ilb__figures_again_ns(const ilb__figures *f)
{
    return ILB_FIGURES_AGAIN_FACTOR * ilb__figures_hang_ns(f);
}

#define ILB_FIGURES_LONGLIVED_MEDIAN 30.0f
#define ILB_FIGURES_LONGLIVED_MIN_NS 1e9f

/* A request that is in flight for so long is long-lived: max(30 median, 1 s).
 * Not by p99: that of endpoints that have to serve what silent ones do not get
 * says nothing. */
static inline float ilb__figures_longlived_ns(const ilb__figures *f)
{
    float ns = ILB_FIGURES_LONGLIVED_MEDIAN * f->median_ns;

    if (f->p99_ns == 0)
        return ILB_FIGURES_NEVER_NS;
    return ns < ILB_FIGURES_LONGLIVED_MIN_NS ? ILB_FIGURES_LONGLIVED_MIN_NS
                                             : ns;
}

/* Many answers take as long as this: min(p99, 3 median). */
static inline float ilb__figures_ordinary_ns(const ilb__figures *f)
{
    float ns = ILB_FIGURES_HANG_MEDIAN * f->median_ns;

    return ns < f->p99_ns ? ns : f->p99_ns;
}

/* Has the time from `from_ns` to `now_ns` passed? Not if the clock jumped in
 * between. */
static inline bool ilb__figures_passed(const ilb__figures *f, uint64_t from_ns,
                                       uint64_t now_ns)
{
    return from_ns <= now_ns &&
           (ILB_LIKELY(f->jumped_ns <= from_ns) || f->jumped_ns > now_ns);
}

#endif
