/* SPDX-License-Identifier: MIT
 *
 * libilb: a client-side load balancer
 * ===================================
 *
 * Your program calls a service that runs on several endpoints. libilb sends
 * each request to one that is ready, healthy and fast now, leaves a bad one
 * alone after a handful of requests, and lets a healed or new one back gently.
 *
 * It opens no socket, starts no thread and, once a balancer is made, allocates
 * nothing. You make the connection and say how it went:
 *
 *     ilb_options opts = ILB_OPTIONS_INIT;
 *     ilb_endpoint pods[] = {ILB_ENDPOINT("10.0.0.1:8080"),
 *                            ILB_ENDPOINT("10.0.0.2:8080")};
 *     ilb_balancer *lb;
 *     ilb_ticket ticket;
 *     int rc;
 *
 *     if ((rc = ilb_balancer_new(&lb, "billing", &opts)) != ILB_OK ||
 *         (rc = ilb_balancer_update(lb, pods, 2)) != ILB_OK)
 *         return fprintf(stderr, "billing: %s\n", ilb_strerror(rc));
 *
 *     if ((rc = ilb_pick(lb, &ticket, NULL)) == ILB_OK) {
 *         int ok = send_request(ilb_ticket_address(lb, &ticket));
 *         ilb_done(lb, &ticket, ok ? ILB_SUCCESS : ILB_FAILURE);
 *     }
 *     ilb_balancer_free(lb);
 *
 * The functions a client needs:
 *
 *     ilb_balancer_new      make a balancer
 *     ilb_balancer_update   give it the whole list of endpoints, at any time
 *     ilb_pick              choose an endpoint for one request: a ticket
 *     ilb_ticket_address    where to send the request
 *     ilb_first_byte        the answer has begun (optional: for streams)
 *     ilb_done              how it went; each ticket is done exactly once
 *     ilb_balancer_free     release everything
 *     ilb_strerror          what an error means
 *
 * The rest follows by subject: errors, time and memory, options, endpoints,
 * requests, looking inside.
 *
 * Rules that hold everywhere
 *   - Functions that can fail return 0 (ILB_OK) or a negative enum ilb_error.
 *     One that fails has changed nothing.
 *   - Times are nanoseconds of a monotonic clock in a uint64_t. A clock that
 *     goes back counts as no time passed.
 *   - Strings are copied; no pointer that you pass in is kept, but for the
 *     `user` pointers and the allocator's.
 *   - ilb_pick, ilb_first_byte and ilb_done may be called from any thread at
 *     any time without locking. They never block and never allocate.
 *   - Structs that you fill begin with their size, so that they can grow: set
 *     them up with their _INIT macro. 0 and NULL always mean "the default".
 */
#ifndef ILB_H
#define ILB_H

#include <stddef.h>
#include <stdint.h>

#define ILB_VERSION_MAJOR 0
#define ILB_VERSION_MINOR 1
#define ILB_VERSION_PATCH 0
#define ILB_VERSION "0.1.0"

#if defined(__GNUC__)
#define ILB_NODISCARD __attribute__((warn_unused_result))
#define ILB_UNUSED __attribute__((unused))
#else
#define ILB_NODISCARD
#define ILB_UNUSED
#endif

/* ILB_STATIC: everything static, for a copy of the library inside one file. */
#if defined(ILB_STATIC)
#define ILB_API static ILB_UNUSED
#elif defined(__GNUC__)
#define ILB_API __attribute__((visibility("default")))
#else
#define ILB_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ==== Errors ============================================================ */

/* The one table of errors: name, value, meaning. */
#define ILB_ERROR_MAP(X)                                                       \
    X(NOMEM, -1, "out of memory")                                              \
    X(INVAL, -2, "invalid argument")                                           \
    X(ABI, -3, "struct is newer than this library, or its size is not set")    \
    X(EMPTY, -4, "the endpoint set is empty")                                  \
    X(NOTREADY, -5, "no endpoint is ready")                                    \
    X(EXCLUDED, -6, "every endpoint that is ready was excluded by the caller") \
    X(TICKET, -7, "ticket is not in flight here: used, stale or foreign")      \
    X(ADDRESS, -8, "address is missing, empty, too long or not printable")     \
    X(DUPLICATE, -9, "an address is in the list twice")                        \
    X(CAPACITY, -10, "more endpoints than the balancer's capacity")            \
    X(NOTFOUND, -11, "no endpoint has this address")                           \
    X(BUSY, -12, "too many requests in flight to every endpoint")

enum ilb_error {
    ILB_OK = 0,
#define ILB_X(name, value, text) ILB_E##name = value,
    ILB_ERROR_MAP(ILB_X)
#undef ILB_X
    ILB_ERROR_LAST = -12
};

/**
 * What an error means, as a sentence: "an address is in the list twice".
 *
 * @param error  A value returned by this library.
 * @return       A static string, never NULL; "unknown error" for a value that
 *               is not in the table.
 *
 * Thread safety: any thread. Blocks: no. Allocates: no. Since: 0.1.
 */
ILB_API const char *ilb_strerror(int error);

/**
 * The name of an error as in the source: "ILB_EDUPLICATE".
 *
 * @param error  A value returned by this library.
 * @return       A static string, never NULL; "ILB_E?" for an unknown value.
 *
 * Thread safety: any thread. Blocks: no. Allocates: no. Since: 0.1.
 */
ILB_API const char *ilb_error_name(int error);

/**
 * The version of the library that runs, "0.1.0"; ILB_VERSION is the one that
 * the program was compiled against.
 *
 * @return  A static string.
 *
 * Thread safety: any thread. Blocks: no. Allocates: no. Since: 0.1.
 */
ILB_API const char *ilb_version(void);

/* ==== Time and memory: hooks ============================================ */

/**
 * Where a balancer's memory comes from. It is asked once, in
 * ilb_balancer_new, and given back in ilb_balancer_free.
 */
typedef struct ilb_allocator {
    /** Returns `bytes` bytes, all zero, aligned for any type, or NULL. */
    void *(*allocate)(size_t bytes, void *user);
    /** Takes back what `allocate` returned. */
    void (*release)(void *memory, void *user);
    void *user;
} ilb_allocator;

/**
 * A clock: monotonic nanoseconds, never 0. Called from ilb_pick and ilb_done
 * in the caller's thread; it must be safe there and must not call back.
 */
typedef uint64_t (*ilb_clock)(void *user);

/* ==== Options =========================================================== */

/** How an endpoint is chosen. */
typedef enum ilb_policy {
    ILB_POLICY_DEFAULT = 0,       /**< peak_ewma */
    ILB_POLICY_PEAK_EWMA = 1,     /**< two candidates or more; lower latency x
                                       load wins; failures raise the price */
    ILB_POLICY_LEAST_REQUEST = 2, /**< two candidates; fewer in flight wins */
    ILB_POLICY_ROUND_ROBIN = 3,   /**< in turn, by weight */
    ILB_POLICY_RANDOM = 4         /**< at random, by weight */
} ilb_policy;

/** For options that count: never, no limit. */
#define ILB_NEVER UINT32_MAX

/**
 * Settings of a balancer. The defaults are meant to be right for everyone:
 * change one when you know why.
 */
typedef struct ilb_options {
    size_t size;                    /**< sizeof(ilb_options) */
    const ilb_allocator *allocator; /**< NULL: calloc and free; copied */
    ilb_clock clock_ns;             /**< NULL: CLOCK_MONOTONIC */
    void *clock_user;               /**< handed to clock_ns */
    uint64_t seed;     /**< of the random draws; the same seed, clock and calls
                            give the same picks. 0: one of its own */
    ilb_policy policy; /**< how to choose; default peak_ewma */
    uint32_t capacity; /**< endpoints in a list, at most; as many again may
                            have left it and still have requests in flight.
                            0: 1024; at most ILB_CAPACITY_MAX */
    uint32_t consecutive_failures;  /**< so many failures in a row eject an
                             endpoint, whatever its past; with a clean past
                             fewer do, by statistics. 0: 5; ILB_NEVER: eject
                             none, for any reason; else at most 65535 */
    uint32_t max_ejection_percent;  /**< of the ready endpoints, ejected at
                             the same time. 0: 100; 1..100. At least one
                             endpoint always stays */
    uint64_t base_ejection_time_ns; /**< how long an endpoint is left alone
                             before the next probe; after seven that failed,
                             2.5 and then 3 times that. 0: 12 s */
    uint64_t max_ejection_time_ns;  /**< with few requests it is longer, so
                             that probes are at most one in 150 to 450 of
                             them: up to this, which is at least
                             the base. 0: 120 s */
} ilb_options;

#define ILB_OPTIONS_INIT                                                       \
    {                                                                          \
        sizeof(ilb_options), NULL, NULL, NULL, 0, ILB_POLICY_DEFAULT, 0, 0, 0, \
            0, 0                                                               \
    }

#define ILB_CAPACITY_MAX 1000000u

/** An address's length in bytes, at most, without the final 0. */
#define ILB_ADDRESS_MAX 255

/** A balancer's name's length in bytes, at most, without the final 0. */
#define ILB_NAME_MAX 63

/** An endpoint's weight, at most. */
#define ILB_WEIGHT_MAX 1000000u

/**
 * The policy of a name: "peak_ewma", "least_request", "round_robin",
 * "random".
 *
 * @param name  Not NULL.
 * @return      An ilb_policy above 0, or ILB_EINVAL.
 *
 * Thread safety: any thread. Blocks: no. Allocates: no. Since: 0.1.
 */
ILB_API int ilb_policy_from_name(const char *name);

/**
 * The name of a policy; the reverse of ilb_policy_from_name.
 *
 * @param policy  ILB_POLICY_DEFAULT gives the name of the default.
 * @return        A static string; NULL for a value that is no policy.
 *
 * Thread safety: any thread. Blocks: no. Allocates: no. Since: 0.1.
 */
ILB_API const char *ilb_policy_name(ilb_policy policy);

/* ==== The balancer ====================================================== */

/** One service's endpoints and what is known of them. */
typedef struct ilb_balancer ilb_balancer;

/**
 * Make a balancer, with an empty endpoint set.
 *
 * @param out      Receives the balancer; not NULL; written only on success.
 *                 Free it with ilb_balancer_free.
 * @param name     The service's name, for messages and metrics: 1 to
 *                 ILB_NAME_MAX printable bytes; not NULL.
 * @param options  NULL: all defaults.
 * @return         ILB_OK; ILB_EINVAL: a name or an option out of its range;
 *                 ILB_EABI: options->size is not that of a known version, or
 *                 fields that this library does not know are set;
 *                 ILB_ENOMEM.
 *
 * Thread safety: any thread. Blocks: no. Allocates: once. Since: 0.1.
 */
ILB_API ILB_NODISCARD int ilb_balancer_new(ilb_balancer **out, const char *name,
                                           const ilb_options *options);

/**
 * Release a balancer and all it owns.
 *
 * No other call on it may be running. Tickets still in flight are forgotten
 * and must not be used any more.
 *
 * @param b  NULL is allowed and does nothing.
 *
 * Thread safety: the last call on `b`. Blocks: no. Allocates: no. Since: 0.1.
 */
ILB_API void ilb_balancer_free(ilb_balancer *b);

/**
 * The name that the balancer was given.
 *
 * @param b  Not NULL.
 * @return   Lives as long as the balancer.
 *
 * Thread safety: any thread. Blocks: no. Allocates: no. Since: 0.1.
 */
ILB_API const char *ilb_balancer_name(const ilb_balancer *b);

/* ==== Endpoints ========================================================= */

/** May an endpoint be given requests? What its own readiness check says. */
typedef enum ilb_readiness {
    ILB_READY = 0,     /**< yes */
    ILB_NOT_READY = 1, /**< no: starting up, or its check fails */
    ILB_DRAINING = 2   /**< no: it is leaving; what is in flight may end */
} ilb_readiness;

/** One endpoint as the caller, or its service discovery, knows it. */
typedef struct ilb_endpoint {
    size_t size;         /**< sizeof(ilb_endpoint) */
    const char *address; /**< its unique key; handed back as it is: "ip:port",
                              a path, a URL. 1 to ILB_ADDRESS_MAX bytes, no
                              control characters */
    uint32_t weight;     /**< its share against the others'. 0: 1; at most
                              ILB_WEIGHT_MAX */
    ilb_readiness readiness; /**< default ILB_READY */
    void *user; /**< yours, handed back by ilb_ticket_user; not touched */
} ilb_endpoint;

/** An endpoint with defaults: ILB_ENDPOINT("10.0.0.1:8080"). */
#define ILB_ENDPOINT(address)                                                  \
    {                                                                          \
        sizeof(ilb_endpoint), (address), 0, ILB_READY, NULL                    \
    }

/**
 * Say what the endpoint set is now: the whole list.
 *
 * The list is reconciled with the one before. What stays keeps all that was
 * learned of it. What is new starts at its peers' median latency and with
 * few requests in flight. What is gone gets no new request; its requests in
 * flight end as usual, and if it comes back before they have, it is known
 * again. An empty list is allowed. A list that is refused changes nothing.
 *
 * @param b          Not NULL.
 * @param endpoints  `n` of them, in any order; NULL only if n is 0. Copied.
 * @param n          Their number.
 * @return           ILB_OK; ILB_EINVAL; ILB_EABI: a size is not set;
 *                   ILB_EADDRESS; ILB_EDUPLICATE; ILB_ECAPACITY.
 *
 * Thread safety: any thread. Blocks: while another update or snapshot runs;
 * picks never wait for it. Allocates: no. Since: 0.1.
 */
ILB_API ILB_NODISCARD int ilb_balancer_update(ilb_balancer *b,
                                              const ilb_endpoint *endpoints,
                                              size_t n);

/**
 * Say that one endpoint has become ready, not ready, or is draining, as its
 * readiness check or its own announcement tells. An endpoint that becomes
 * ready starts gently. The next update's list has the last word.
 *
 * @param b          Not NULL.
 * @param address    Of an endpoint in the set; not NULL.
 * @param readiness  The new one.
 * @return           ILB_OK; ILB_ENOTFOUND; ILB_EINVAL.
 *
 * Thread safety: any thread. Blocks: as ilb_balancer_update. Allocates: no.
 * Since: 0.1.
 */
ILB_API ILB_NODISCARD int ilb_balancer_set_readiness(ilb_balancer *b,
                                                     const char *address,
                                                     ilb_readiness readiness);

/* ==== Requests ========================================================== */

/**
 * One request on its way to one endpoint. A plain value: keep it on the
 * stack or inside your own request struct; move it if you must, but never
 * use two copies. Its content is private.
 */
typedef struct ilb_ticket {
    uint64_t internal[4];
} ilb_ticket;

/** Wishes for one pick. */
typedef struct ilb_pick_options {
    size_t size;     /**< sizeof(ilb_pick_options) */
    uint64_t now_ns; /**< the time, if you have it; 0: ask the clock */
    const ilb_ticket *exclude; /**< array of tickets, in flight or done, whose
                                    endpoints are not wanted again: for a
                                    retry elsewhere */
    size_t n_exclude;          /**< their number; at most ILB_EXCLUDE_MAX */
} ilb_pick_options;

#define ILB_PICK_OPTIONS_INIT                                                  \
    {                                                                          \
        sizeof(ilb_pick_options), 0, NULL, 0                                   \
    }

#define ILB_EXCLUDE_MAX 16u

/** How a request went. */
typedef enum ilb_outcome {
    ILB_SUCCESS = 0,       /**< a good answer, whatever its content */
    ILB_FAILURE = 1,       /**< the endpoint's fault: 500, 502, reset ... */
    ILB_TIMEOUT = 2,       /**< no answer in the time the caller gives it */
    ILB_CONNECT_ERROR = 3, /**< no connection: the request was never sent */
    ILB_OVERLOAD = 4,      /**< refused for load (429 of a server, 503): raises
                                its price, does not count towards ejection */
    ILB_CANCELLED = 5, /**< the caller gave up: no failure, but the time that
                            it had waited is a lower bound of the latency */
    ILB_OUTCOME_COUNT = 6
} ilb_outcome;

/**
 * Choose an endpoint for one request.
 *
 * Each pick that succeeds must be followed by exactly one ilb_done. When some
 * endpoints are ejected the others are chosen from; if all that are ready are
 * ejected, the best of those (fail open): a ready set never yields an error.
 *
 * @param b        Not NULL.
 * @param ticket   Receives the choice; not NULL; written only on success.
 *                 Its content before does not matter.
 * @param options  NULL: none.
 * @return         ILB_OK; ILB_EEMPTY: no endpoints at all; ILB_ENOTREADY:
 *                 none of them is ready; ILB_EEXCLUDED: none but those in
 *                 `exclude`; ILB_EBUSY: each has 32,768 in flight;
 *                 ILB_ETICKET: one in `exclude` is not of this balancer;
 *                 ILB_EINVAL; ILB_EABI.
 *
 * Thread safety: any thread. Blocks: no. Allocates: no. Since: 0.1.
 */
ILB_API ILB_NODISCARD int ilb_pick(ilb_balancer *b, ilb_ticket *ticket,
                                   const ilb_pick_options *options);

/**
 * The address of the endpoint that was chosen.
 *
 * @param b       Not NULL.
 * @param ticket  In flight; not NULL.
 * @return        As given to ilb_balancer_update; valid until this ticket is
 *                done. NULL if the ticket is not in flight.
 *
 * Thread safety: any thread. Blocks: no. Allocates: no. Since: 0.1.
 */
ILB_API const char *ilb_ticket_address(const ilb_balancer *b,
                                       const ilb_ticket *ticket);

/**
 * The `user` pointer of the endpoint that was chosen, as the last update that
 * had this endpoint gave it.
 *
 * @param b       Not NULL.
 * @param ticket  In flight; not NULL.
 * @return        NULL if none was given, or the ticket is not in flight.
 *
 * Thread safety: any thread. Blocks: no. Allocates: no. Since: 0.1.
 */
ILB_API void *ilb_ticket_user(const ilb_balancer *b, const ilb_ticket *ticket);

/**
 * The answer has begun to arrive. Optional: with it, latency is the time to
 * here; the request counts as in flight until ilb_done, but no longer as
 * unanswered. Without it, latency is the time to ilb_done. Later calls for
 * the same ticket change nothing.
 *
 * @param b       Not NULL.
 * @param ticket  In flight; not NULL. Not used by another thread just now.
 * @param now_ns  The time; 0: ask the clock.
 * @return        ILB_OK; ILB_ETICKET; ILB_EINVAL.
 *
 * Thread safety: any thread. Blocks: no. Allocates: no. Since: 0.1.
 */
ILB_API int ilb_first_byte(ilb_balancer *b, ilb_ticket *ticket,
                           uint64_t now_ns);

/**
 * The request is over. What is learned: a success's latency; that a failure,
 * a timeout or a cancelled request took at least this long. None of these
 * ever makes an endpoint look better than before. Enough failures in a row
 * eject it.
 *
 * @param b        Not NULL.
 * @param ticket   In flight; not NULL. Afterwards it can only be used in
 *                 ilb_pick_options.exclude.
 * @param outcome  How it went.
 * @return         ILB_OK; ILB_ETICKET: already done, of another balancer, or
 *                 no ticket at all; ILB_EINVAL.
 *
 * Thread safety: any thread, also another than the picker's. Blocks: no.
 * Allocates: no. Since: 0.1.
 */
ILB_API int ilb_done(ilb_balancer *b, ilb_ticket *ticket, ilb_outcome outcome);

/** All that can be said of a request that is over. */
typedef struct ilb_result {
    size_t size;         /**< sizeof(ilb_result) */
    ilb_outcome outcome; /**< how it went */
    uint64_t now_ns;     /**< the time, if you have it; 0: ask the clock */
} ilb_result;

#define ILB_RESULT_INIT                                                        \
    {                                                                          \
        sizeof(ilb_result), ILB_SUCCESS, 0                                     \
    }

/**
 * As ilb_done, with more to say.
 *
 * @param b       Not NULL.
 * @param ticket  As for ilb_done.
 * @param result  Not NULL.
 * @return        As ilb_done; ILB_EABI.
 *
 * Thread safety: any thread. Blocks: no. Allocates: no. Since: 0.1.
 */
ILB_API int ilb_done_with(ilb_balancer *b, ilb_ticket *ticket,
                          const ilb_result *result);

/**
 * The name of an outcome: "success", "connect_error".
 *
 * @param outcome  Any value.
 * @return         A static string; NULL for a value that is no outcome.
 *
 * Thread safety: any thread. Blocks: no. Allocates: no. Since: 0.1.
 */
ILB_API const char *ilb_outcome_name(ilb_outcome outcome);

/* ==== Looking inside ==================================================== */

/** What the balancer makes of an endpoint. */
typedef enum ilb_state {
    ILB_STATE_WARMING = 0,   /**< new or returning: few requests in flight */
    ILB_STATE_HEALTHY = 1,   /**< takes its share */
    ILB_STATE_EJECTED = 2,   /**< left alone until ejected_until_ns */
    ILB_STATE_PROBING = 3,   /**< one request is trying it */
    ILB_STATE_NOT_READY = 4, /**< the caller says that it is not ready */
    ILB_STATE_DRAINING = 5   /**< the caller says so, or it has left the list
                                  and still has requests in flight */
} ilb_state;

/** One endpoint, as the balancer sees it. */
typedef struct ilb_endpoint_stats {
    char address[ILB_ADDRESS_MAX + 1];
    uint32_t weight;
    ilb_state state;
    uint64_t in_flight;
    uint64_t latency_ns; /**< what the score uses now; 0: nothing known, of it
                              nor of its peers */
    uint64_t oldest_ns;  /**< its oldest unanswered request is at least this
                              old; 0: none */
    uint64_t ejected_until_ns; /**< 0 unless ejected or probing */
    uint32_t failures_in_a_row;
    uint32_t failure_ppm;             /**< recent share of failures, decayed, in
                                           millionths */
    uint64_t ejections;               /**< in all */
    uint64_t done[ILB_OUTCOME_COUNT]; /**< requests that ended, by outcome */
    void *user;
} ilb_endpoint_stats;

/**
 * Copy what is known of every endpoint: those of the last update in its
 * order, then those that have left and still have requests in flight.
 *
 * @param b          Not NULL.
 * @param out        Room for `max` entries; NULL only if max is 0.
 * @param max        Entries that fit.
 * @param stats_size sizeof(ilb_endpoint_stats), so that it can grow.
 * @param n          Receives the number of endpoints there are, which may be
 *                   more than were copied; not NULL.
 * @return           ILB_OK; ILB_EINVAL; ILB_EABI.
 *
 * Thread safety: any thread; each entry is read at one moment but picks go
 * on meanwhile. Blocks: as ilb_balancer_update. Allocates: no. Since: 0.1.
 */
ILB_API ILB_NODISCARD int ilb_balancer_snapshot(ilb_balancer *b,
                                                ilb_endpoint_stats *out,
                                                size_t max, size_t stats_size,
                                                size_t *n);

/**
 * The name of a state: "warming", "ejected".
 *
 * @param state  Any value.
 * @return       A static string; NULL for a value that is no state.
 *
 * Thread safety: any thread. Blocks: no. Allocates: no. Since: 0.1.
 */
ILB_API const char *ilb_state_name(ilb_state state);

#ifdef __cplusplus
}
#endif

#endif /* ILB_H */
