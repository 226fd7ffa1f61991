/* SPDX-License-Identifier: MIT
 *
 * What exchange.c (the request), try.c (one try of it) and answer.c (passing
 * the answer on) share.
 */
#ifndef GW_EXCHANGE_PARTS_H
#define GW_EXCHANGE_PARTS_H

#include "balancers.h"
#include "exchange.h"

/* Trials that failed (see ilb_ticket_try_timeout_ns), beside the retries. */
#define GW_TRIALS_MAX 2u
#define GW_TRIES_MAX (1 + GW_RETRIES_MAX + GW_TRIALS_MAX)

enum gw_phase {
    PHASE_CONNECTING,
    PHASE_WAITING, /* the request is sent; the answer's head is awaited */
    PHASE_PASSING  /* the answer's body is passed on */
};

struct gw_exchange {
    struct gw_client *client;
    struct gw_worker *worker;
    const struct gw_service *service; /* the client holds the settings */
    struct event *timer;
    struct evbuffer *request; /* head and body, as sent on each try */
    uint64_t deadline_ns;     /* moments */
    int is_repeatable;

    /* The try at hand; the tickets of those before it are for `exclude`. */
    ilb_ticket tickets[GW_TRIES_MAX];
    unsigned n_tickets;
    unsigned n_trials;       /* of them, trials that have failed */
    uint64_t try_timeout_ns; /* of a trial, else 0; UINT64_MAX: not known */
    char address[ILB_ADDRESS_MAX + 1];
    struct gw_upstream *up;
    enum gw_phase phase;
    uint64_t try_started_ns;
    int has_had_stale; /* the free retry is used up */
    int has_begun;     /* something of the answer has come */

    /* The answer. */
    struct http_head head;
    uint64_t retry_after_ns; /* what the head asks for; 0: nothing */
    struct http_body body;
    size_t scanned;
    int is_chunked; /* as it goes on to the client */
    int is_paused;  /* until the client has taken what it was sent */
};

/* ---- try.c ---- */

/** Open a connection for the ticket at hand, or use an idle one if allowed,
 * and send the request. */
void gw_try_open(struct gw_exchange *x, int may_reuse);

/** x->timer's callback: the phase has lasted too long. */
void gw_try_on_timer(evutil_socket_t fd, short what, void *arg);

/** Restart the clock of the phase. */
void gw_try_arm(struct gw_exchange *x);

/** Let go of the try at hand: report it, with what the endpoint has asked for
 * if it did not succeed; keep or close its connection. */
void gw_try_end(struct gw_exchange *x, ilb_outcome outcome,
                int keep_connection);

/* ---- exchange.c ---- */

/** Choose another endpoint to try, if that is allowed and there is one; 0 if
 * not. To be followed by gw_exchange_move_on. */
int gw_exchange_pick_elsewhere(struct gw_exchange *x, int was_sent);

/** Is the try at hand a trial that will be made again elsewhere if it takes
 * longer than x->try_timeout_ns? */
int gw_exchange_may_hurry(const struct gw_exchange *x);

/** End the try at hand and begin the one that was chosen. */
void gw_exchange_move_on(struct gw_exchange *x, ilb_outcome outcome,
                         int keep_connection);

/** The try has failed before an answer: elsewhere, or tell the client. */
void gw_exchange_fail_try(struct gw_exchange *x, ilb_outcome outcome,
                          int was_sent, int status, const char *error);

/** Free it; the try has ended. */
void gw_exchange_free(struct gw_exchange *x);

/* ---- answer.c ---- */

/** Go on with what the endpoint has sent. */
void gw_answer_advance(struct gw_exchange *x);

/** The endpoint has closed its side. */
void gw_answer_ended(struct gw_exchange *x);

/** The rest of the answer will not come. */
void gw_answer_broken(struct gw_exchange *x, ilb_outcome outcome);

/** What a status says of an endpoint of this service. */
ilb_outcome gw_outcome_of_status(const struct gw_service *service, int status);

#endif
