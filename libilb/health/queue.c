/* SPDX-License-Identifier: MIT */
/* See queue.h. */
#include "health/queue.h"

#include "base/floats.h"

#define QUEUE_GROWTH 1.2f
#define QUEUE_TIMES 2
/* Squared: four standard deviations of a difference. */
#define QUEUE_CHANCE 32.0f
#define QUEUE_SERVED 0.7f
#define QUEUE_TESTED 100.0f
/* What had been sent before still ends at the old pace. */
#define QUEUE_DRAINED 4.0f
/* In place of q: it was none. */
#define QUEUE_REFUTED (-1.0f)

/* A turn that has just ended. */
typedef struct queue_turn {
    float began;    /* q then; 0: the first */
    float ended, s; /* requests of an endpoint, in so many seconds */
} queue_turn;

static void queue_begin(ilb__queue *q, float in_flight, float pace_s)
{
    ilb__store_relaxed(&q->turn, ilb__floats_pair(in_flight, 0));
    ilb__store_relaxed(&q->pace, ilb__floats_pair(0, pace_s));
}

ILB_INTERNAL void ilb__queue_forget(ilb__queue *q)
{
    ilb__store_relaxed(&q->turn, 0);
    ilb__store_relaxed(&q->pace, 0);
}

/* So many more have ended. */
static void queue_add(ilb__queue *q, const ilb__flow *f, queue_turn *t)
{
    uint64_t turn = ilb__load_relaxed(&q->turn);
    uint64_t pace = ilb__load_relaxed(&q->pace);
    float s = ilb__floats_low(pace) + f->since_s;

    t->began = ilb__floats_low(turn);
    t->ended = ilb__floats_high(turn) + f->ended;
    t->s = s;
    ilb__store_relaxed(&q->turn, ilb__floats_pair(t->began, t->ended));
    ilb__store_relaxed(&q->pace, ilb__floats_pair(s, ilb__floats_high(pace)));
}

static bool queue_has_grown(const queue_turn *t, const ilb__flow *f)
{
    float more = f->in_flight - t->began;

    return t->began > 0 && t->ended >= t->began && t->s > 0 &&
           f->in_flight > QUEUE_GROWTH * t->began &&
           more * more * (float)f->n > QUEUE_CHANCE * t->began;
}

static bool queue_turn_over(const queue_turn *t, const ilb__flow *f, float most)
{
    if (t->began > 0)
        return t->ended >= QUEUE_TIMES * t->began;
    return t->ended >= f->in_flight || t->ended >= QUEUE_TIMES * most;
}

ILB_INTERNAL bool ilb__queue_grows(ilb__queue *q, const ilb__flow *f, float few,
                                   float most)
{
    bool refuted = ilb__floats_low(ilb__load_relaxed(&q->turn)) < 0;
    queue_turn t;

    if (f->in_flight <= (refuted ? few : most)) {
        ilb__queue_forget(q);
        return false;
    }
    if (refuted)
        return false;
    queue_add(q, f, &t);
    if (queue_has_grown(&t, f)) {
        queue_begin(q, 0, t.ended / t.s);
        return true;
    }
    if (queue_turn_over(&t, f, most))
        queue_begin(q, f->in_flight, 0);
    return false;
}

ILB_INTERNAL bool ilb__queue_in_vain(ilb__queue *q, const ilb__flow *f)
{
    float before = ilb__floats_high(ilb__load_relaxed(&q->pace));
    float needed;
    queue_turn t;

    if (before == 0)
        return false;
    queue_add(q, f, &t);
    if (t.began == 0) {
        if (t.ended >= QUEUE_DRAINED * f->in_flight)
            queue_begin(q, f->in_flight, before);
        return false;
    }
    needed = QUEUE_TESTED / (float)f->n;
    if (needed < t.began)
        needed = t.began;
    if (t.s * before < needed)
        return false;
    ilb__queue_forget(q);
    if (t.ended >= QUEUE_SERVED * t.s * before)
        return false;
    queue_begin(q, QUEUE_REFUTED, 0);
    return true;
}
