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
 * The rest follows by subject: errors, time and memory, options, processes,
 * endpoints, requests, looking inside, events, why this endpoint.
 *
 * Rules that hold everywhere
 *   - Functions that can fail return 0 (ILB_OK) or a negative enum ilb_error.
 *     One that fails has changed nothing.
 *   - Times are nanoseconds of a monotonic clock in a uint64_t: what you hand
 *     in is by the clock of the options. A clock that goes back, or leaps ahead
 *     by more than a year, counts as no time passed. A time that is handed in
 *     more than 2 s late counts as 2 s late; one that is more than 2 s ahead of
 *     the clock, as another clock's may be, as the clock's: so that is asked
 *     once in 2 s even if you hand in all times.
 *   - Strings are copied; no pointer that you pass in is kept, but for the
 *     `user` pointers and the allocator's.
 *   - ilb_pick, ilb_first_byte and ilb_done may be called from any thread at
 *     any time without locking. They never block and never allocate.
 *   - After fork a child has a copy of its own, which it may go on with; fork
 *     while no other thread is in a call that blocks. Or processes share one
 *     balancer: see "Processes".
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
    X(BUSY, -12, "too many requests in flight to every endpoint")              \
    X(EJECTED, -13, "every ready endpoint is ejected (fail closed)")           \
    X(NOTDUE, -14, "no endpoint is due for a probe")                           \
    X(NOSYS, -15, "this system cannot do it")                                  \
    X(PROCESSES, -16, "more processes than may share the balancer")

enum ilb_error {
    ILB_OK = 0,
#define ILB_X(name, value, text) ILB_E##name = value,
    ILB_ERROR_MAP(ILB_X)
#undef ILB_X
    ILB_ERROR_LAST = -16
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

/** What judges an endpoint, and on what. */
typedef enum ilb_detector {
    ILB_DETECTOR_NONE = 0,
    ILB_DETECTOR_CONSECUTIVE_FAILURES = 1, /**< so many in a row */
    ILB_DETECTOR_FAILURE_PERCENTAGE = 2,   /**< it fails half or more */
    ILB_DETECTOR_SUCCESS_RATE = 3,         /**< it fails more than its peers */
    ILB_DETECTOR_LATENCY = 4,              /**< it is much slower than they */
    ILB_DETECTOR_HANG = 5,                 /**< it does not answer at all */
    ILB_DETECTOR_RETRY_AFTER = 6,          /**< it said when to come back */
    ILB_DETECTOR_PROBE = 7,                /**< an active check, handed in */
    ILB_DETECTOR_COUNT = 8
} ilb_detector;

/** A detector in ilb_options.detectors_off and detectors_shadow. */
#define ILB_DETECTOR_BIT(detector) (UINT32_C(1) << (detector))

/** What it means that the caller's own health check of an endpoint passes,
 * after one has failed or the endpoint was ejected. */
typedef enum ilb_check_effect {
    ILB_CHECK_PROBES = 0,  /**< whoever was ejected by checks returns at once.
                                Whoever was ejected for its requests is due: the
                                next request tries it, if a check had failed as
                                well; a check that never failed is no news of
                                them */
    ILB_CHECK_UNEJECTS = 1 /**< whoever is ejected returns at once. For checks
                                that do what requests do. This is Envoy's
                                successful_active_health_check_uneject_host */
} ilb_check_effect;

/** What a pick does when too few of the ready endpoints are left. */
typedef enum ilb_fail_mode {
    ILB_FAIL_OPEN = 0,  /**< it chooses among all that are ready, as if none
                             were ejected: for a recommender */
    ILB_FAIL_CLOSED = 1 /**< it fails with ILB_EEJECTED: for payments */
} ilb_fail_mode;

struct ilb_event;

/**
 * Told of each event (see "Events" below), in order, by one thread at a time,
 * at the end of the ilb_done, ilb_tick, ilb_balancer_update or
 * ilb_balancer_set_readiness that comes next: never under a lock, never from
 * inside ilb_pick, never from inside itself. It may call back into the
 * balancer, but not free it; what that makes happen is told when it returns.
 * While it runs, other threads go on and their events wait for it; when more
 * wait than event_capacity the oldest are lost, which shows as a gap in the
 * numbers. `event` lives until it returns.
 */
typedef void (*ilb_event_callback)(const struct ilb_event *event, void *user);

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
                             endpoint, unless healthy ones fail a quarter of
                             their requests; with a clean past fewer do, by
                             statistics. 0: 5; ILB_NEVER: eject none, for any
                             reason; else at most 65535 */
    uint32_t max_ejection_percent;  /**< of the ready endpoints, ejected at
                             the same time, rounded down, but one of two or
                             more. 0: 100; 1..100. See also min_endpoints */
    uint64_t base_ejection_time_ns; /**< how long an endpoint is left alone
                             before the next probe; as they fail 1.2 to 1.8,
                             after six 2.8, after eight 4 times that; who is
                             slow always once. 0: 5 s */
    uint64_t max_ejection_time_ns;  /**< with few requests it is longer, so
                             that probes are at most one in 150 to 450 of
                             them: up to this, which is at least
                             the base. 0: 120 s */
    uint32_t event_capacity; /**< so many events are kept, 384 bytes each. 0:
                             256; ILB_NEVER: none; else at most
                             ILB_EVENT_CAPACITY_MAX */
    ilb_event_callback on_event; /**< NULL: nobody is told; not allowed when
                             none are kept */
    void *event_user;            /**< handed to on_event */
    ilb_fail_mode fail_mode;     /**< what to do when all ready endpoints are
                             ejected, or fewer are left than
                             panic_threshold_percent; default open */
    uint32_t panic_threshold_percent; /**< of the ready endpoints. 0: none;
                             1..100. (Envoy's healthy_panic_threshold, which
                             is 50 there) */
    uint32_t min_endpoints;      /**< so many ready endpoints are never ejected,
                             besides max_ejection_percent: both hold at any
                             moment. 0: 1, or none with ILB_FAIL_CLOSED, where
                             the last must be able to go; else at most
                             ILB_CAPACITY_MAX */
    uint32_t detectors_off;      /**< ILB_DETECTOR_BIT of each that is not
                             consulted. 0: all are */
    uint32_t detectors_shadow;   /**< of each that only says what it would do:
                             see ilb_endpoint_stats.detected. Not one that is
                             off. 0: none */
    uint64_t max_retry_after_ns; /**< what an endpoint asks for in
                           ilb_result.retry_after_ns counts as this at most.
                           0: 300 s */
    uint32_t unhealthy_threshold;  /**< so many checks that failed in a row, see
                              ilb_balancer_report_check, eject. 0: 3 */
    uint32_t healthy_threshold;    /**< so many that passed in a row are good
                              news. 0: 2 */
    ilb_check_effect check_effect; /**< what these then do; default: only what
                             they prove */
    uint64_t slow_start_ns; /**< for so long an endpoint that is new, ready
                             again or back from an ejection takes part of its
                             share: from 10 % up, evenly. With every policy and
                             weight; not those that come when none is ready. 0:
                             by evidence only, a good answer at a time */

    uint64_t latency_margin_ns; /**< an endpoint is slow whose answers take, in
                             the mean, more than four times the others' median
                             and at least so much longer than it. 0: 20 ms */

    uint32_t shared_processes; /**< so many processes, forked from this one,
                             use the balancer at a time, at most: see
                             "Processes". Its memory is then shared between
                             them, and `allocator` must be NULL. 0: it is this
                             process's alone; at most ILB_PROCESSES_MAX */
    uint32_t reserved;         /**< 0 */
    uint64_t lease_ns;         /**< a request that has no first byte and is not
                             done for so long counts as leaked: its place in
                             flight is given back, so long to twice as long and
                             a little after its pick, and its ticket is refused
                             from then on. Longer than any request waits. 0:
                             never; else at least ILB_LEASE_MIN_NS */
} ilb_options;

#define ILB_OPTIONS_INIT                                                       \
    {                                                                          \
        sizeof(ilb_options), NULL, NULL, NULL, 0, ILB_POLICY_DEFAULT, 0, 0, 0, \
            0, 0, 0, NULL, NULL, ILB_FAIL_OPEN, 0, 0, 0, 0, 0, 0, 0,           \
            ILB_CHECK_PROBES, 0, 0, 0, 0, 0                                    \
    }

#define ILB_CAPACITY_MAX 1000000u

/** An address's length in bytes, at most, without the final 0. */
#define ILB_ADDRESS_MAX 255

/** A balancer's name's length in bytes, at most, without the final 0. */
#define ILB_NAME_MAX 63

/** Events that are kept, at most. */
#define ILB_EVENT_CAPACITY_MAX 65536u

/** Processes that share a balancer, at most. */
#define ILB_PROCESSES_MAX 512u

/** A lease, at least: 1 s. */
#define ILB_LEASE_MIN_NS UINT64_C(1000000000)

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
 *                 ILB_ENOMEM; ILB_ENOSYS: this system cannot share it.
 *
 * Thread safety: any thread. Blocks: no. Allocates: once. Since: 0.1.
 */
ILB_API ILB_NODISCARD int ilb_balancer_new(ilb_balancer **out, const char *name,
                                           const ilb_options *options);

/**
 * Release a balancer and all it owns.
 *
 * No other call on it may be running (of this process, where several share it).
 * Tickets still in flight are forgotten and must not be used any more.
 *
 * @param b  NULL is allowed and does nothing.
 *
 * Thread safety: the last call on `b`. Blocks: no; if it is shared, as
 * ilb_balancer_update. Allocates: no. Since: 0.1.
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

/* ==== Processes ========================================================= */

/*
 * With ilb_options.shared_processes a balancer that is made before fork is
 * shared by all processes that descend from its maker: what one learns all
 * know, each function may be called from any thread of any of them as from any
 * thread here, and one that is killed in the middle of anything holds nobody
 * up. What it had in flight is given back within a second or two of its end (of
 * its being waited for: until then a child is there), by the first pick or
 * ilb_tick that comes. docs/processes.md has the rules and what happens then in
 * each case.
 *
 *   - Nothing is to be called after fork. A process gets its place by its first
 *     ilb_pick, ilb_probe_next, ilb_tick or change of endpoints, which fail
 * with ILB_EPROCESSES, and change nothing, where as many have one as may.
 *   - A ticket is refused (ILB_ETICKET) in any process but the one that picked
 *     it.
 *   - `user` pointers and callbacks must be valid in every process; on_event is
 *     called in whichever comes by.
 *   - ilb_balancer_free frees it for the caller's process and gives back what
 *     that has in flight; the others go on.
 *   - Linux 4.14 or later; elsewhere ilb_balancer_new says ILB_ENOSYS.
 */

/**
 * A process that shared the balancer has ended: give back what it had in flight
 * now. Optional, for a parent that waits for its children: otherwise this is
 * found within a second or two, when a pick or ilb_tick comes by.
 *
 * Call it after the process was waited for, or is known to be dead: the tickets
 * of one that still runs are refused from here on, and if it is in the middle
 * of a pick that one may be counted until it ends.
 *
 * @param b    Not NULL, and shared (ilb_options.shared_processes).
 * @param pid  Of the process: above 0, and not this one's. One that never used
 *             the balancer is nothing to do.
 * @return     ILB_OK; ILB_EINVAL.
 *
 * Thread safety: any thread. Blocks: as ilb_balancer_update. Allocates: no.
 * Since: 0.1.
 */
ILB_API int ilb_process_ended(ilb_balancer *b, int64_t pid);

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
 *                   ILB_EADDRESS; ILB_EDUPLICATE; ILB_ECAPACITY;
 *                   ILB_EPROCESSES.
 *
 * Thread safety: any thread. Blocks: while another update or snapshot runs;
 * picks never wait for it. Allocates: no. Since: 0.1.
 */
ILB_API ILB_NODISCARD int ilb_balancer_update(ilb_balancer *b,
                                              const ilb_endpoint *endpoints,
                                              size_t n);

/**
 * Say that one endpoint has become ready, not ready, or is draining, as its
 * readiness check or its own announcement tells. The next update's list has
 * the last word.
 *
 * An endpoint that becomes ready, here or by an update, starts gently and anew:
 * it is warming, also if it was ejected, and what failed or was slow before
 * counts no more, nor do checks that failed or passed before in a row
 * (ilb_balancer_report_check). Its latency, its weight and its counts of
 * requests and ejections are kept. To say that it is ready when it is already
 * changes nothing.
 *
 * @param b          Not NULL.
 * @param address    Of an endpoint in the set; not NULL.
 * @param readiness  The new one.
 * @return           ILB_OK; ILB_ENOTFOUND; ILB_EINVAL; ILB_EPROCESSES.
 *
 * Thread safety: any thread. Blocks: as ilb_balancer_update. Allocates: no.
 * Since: 0.1.
 */
ILB_API ILB_NODISCARD int ilb_balancer_set_readiness(ilb_balancer *b,
                                                     const char *address,
                                                     ilb_readiness readiness);

/**
 * Say how a health check went that you have made of an endpoint: a connection,
 * a GET /healthz, the gRPC health service. Optional: requests tell as well.
 *
 * ilb_options.unhealthy_threshold of them that failed in a row eject the
 * endpoint (ILB_DETECTOR_PROBE), within the cap on ejections, and keep it
 * ejected while they go on failing: for twice the time between two of them, so
 * that it is tried again if they end. ilb_options.healthy_threshold that passed
 * in a row bring it back as ilb_options.check_effect says. Neither climbs the
 * ladder of ejection times. An endpoint that becomes ready begins to count
 * anew. One that is not ready is not ejected, and checks of it count for
 * nothing once it is.
 *
 * In Envoy a failed check takes an endpoint out without a cap, and one that
 * passes returns it whatever its requests say; but one whose /healthz answers
 * while its requests fail is the usual gray failure.
 *
 * @param b        Not NULL.
 * @param address  Of an endpoint in the set; not NULL.
 * @param passed   0: it failed.
 * @param now_ns   The time; 0: ask the clock.
 * @return         ILB_OK; ILB_ENOTFOUND; ILB_EINVAL; ILB_EPROCESSES.
 *
 * Thread safety: any thread. Blocks: as ilb_balancer_update. Allocates: no.
 * Since: 0.1.
 */
ILB_API ILB_NODISCARD int ilb_balancer_report_check(ilb_balancer *b,
                                                    const char *address,
                                                    int passed,
                                                    uint64_t now_ns);

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
    double cost; /**< what the request will cost its endpoint, if you know: 2
                      is twice an ordinary one, in work or in time. It counts
                      as so many in flight, and its latency as so many times an
                      ordinary one's; below 1 only by its square root, since
                      most of a cheap request's time is what every request
                      takes. 0: 1; else ILB_COST_MIN..ILB_COST_MAX */
} ilb_pick_options;

#define ILB_COST_MIN (1.0 / 256)
#define ILB_COST_MAX 4095.0

#define ILB_PICK_OPTIONS_INIT                                                  \
    {                                                                          \
        sizeof(ilb_pick_options), 0, NULL, 0, 0                                \
    }

#define ILB_EXCLUDE_MAX 16u

/** How a request went. */
typedef enum ilb_outcome {
    ILB_SUCCESS = 0,       /**< a good answer, whatever its content */
    ILB_FAILURE = 1,       /**< the endpoint's fault: 500, 502, reset ... */
    ILB_TIMEOUT = 2,       /**< no answer in the time the caller gives it; one
                                that is less than answers take ordinarily
                                counts as ILB_CANCELLED */
    ILB_CONNECT_ERROR = 3, /**< no connection: the request was never sent */
    ILB_OVERLOAD = 4,      /**< refused for load (429 of a server, 503): it is
                                held back for a while, 50 ms to 2 s, or until
                                the time that ilb_result.retry_after_ns says;
                                does not count towards ejection */
    ILB_CANCELLED = 5, /**< the caller gave up: no failure, but the time that
                            it had waited is a lower bound of the latency */
    ILB_OUTCOME_COUNT = 6
} ilb_outcome;

/**
 * Choose an endpoint for one request.
 *
 * Each pick that succeeds must be followed by exactly one ilb_done. When some
 * endpoints are ejected the others are chosen from; if all that are ready are
 * ejected, the best of those: unless ilb_options.fail_mode says otherwise, a
 * ready set never yields an error.
 *
 * @param b        Not NULL.
 * @param ticket   Receives the choice; not NULL; written only on success.
 *                 Its content before does not matter.
 * @param options  NULL: none.
 * @return         ILB_OK; ILB_EEMPTY: no endpoints at all; ILB_ENOTREADY:
 *                 none of them is ready; ILB_EEXCLUDED: none but those in
 *                 `exclude`; ILB_EBUSY: each has 32,768 in flight;
 *                 ILB_EEJECTED: all are ejected, or too many, and the
 *                 balancer fails closed;
 *                 ILB_ETICKET: one in `exclude` is not of this balancer;
 *                 ILB_EPROCESSES: see "Processes"; ILB_EINVAL; ILB_EABI.
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
 *                done, or its lease over. NULL if the ticket is not in flight.
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
 * Is this request a trial, and how long should one wait for it?
 *
 * To learn whether a bad endpoint is well again, or a new one is good, somebody
 * has to ask it. Such a request may fail. If it can be sent twice, nothing is
 * lost: when it fails, or has no answer in this time, report how it went
 * (ILB_TIMEOUT if you gave it up) and pick again with it in `exclude`.
 *
 * @param b       Not NULL.
 * @param ticket  In flight; not NULL.
 * @return        0: an ordinary request (or the ticket is not in flight). Else
 *                the nanoseconds after its pick at which an answer in the
 *                ordinary way would have come; UINT64_MAX if that is not known
 *                yet.
 *
 * Thread safety: any thread. Blocks: no. Allocates: no. Since: 0.1.
 */
ILB_API uint64_t ilb_ticket_try_timeout_ns(const ilb_balancer *b,
                                           const ilb_ticket *ticket);

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
 * @return         ILB_OK; ILB_ETICKET: already done, of another balancer or
 *                 process, its lease is over, or no ticket at all; ILB_EINVAL.
 *
 * Thread safety: any thread, also another than the picker's. Blocks: no.
 * Allocates: no. Since: 0.1.
 */
ILB_API int ilb_done(ilb_balancer *b, ilb_ticket *ticket, ilb_outcome outcome);

/**
 * A ticket to probe with: for an ejected endpoint that is due to be tried, if
 * there is one. Optional: otherwise the next request that is picked is the
 * probe. A caller who can send a request of his own, that is no user's, loses
 * none of the users' to endpoints that are still bad.
 *
 * The ticket is as any other: send the request to its address and report how
 * it went; a good answer brings the endpoint back, anything else ejects it
 * again. While this is called at least once in ILB_PROBE_HOST_NS, picks leave
 * endpoints that are due to it; those of which no probe was taken so long after
 * they were due are tried by requests again. So call it once to begin with, and
 * then whenever ilb_probe_due_ns says so, even where an ejection lasts longer.
 *
 * @param b       Not NULL.
 * @param ticket  Receives the choice; not NULL; written only on success.
 * @param now_ns  The time; 0: ask the clock.
 * @return        ILB_OK; ILB_ENOTDUE: none is, ask again later, see
 *                ilb_probe_due_ns; ILB_EINVAL; ILB_EPROCESSES.
 *
 * Thread safety: any thread. Blocks: no. Allocates: no. Since: 0.1.
 */
ILB_API ILB_NODISCARD int ilb_probe_next(ilb_balancer *b, ilb_ticket *ticket,
                                         uint64_t now_ns);

/** So long after ilb_probe_next was called probes are left to it: 10 s. */
#define ILB_PROBE_HOST_NS UINT64_C(10000000000)

/**
 * When to call ilb_probe_next again: no ejected endpoint is due before. Once it
 * has been called, also half of ILB_PROBE_HOST_NS after the last call, so that
 * picks go on leaving probes to it; who calls it then, up to that half late,
 * loses no user's request. For a timer; an ejection or a check may make it
 * earlier meanwhile: ask again when one is told (on_event), or every second.
 *
 * @param b  Not NULL.
 * @return   On the balancer's clock, and may have passed: call now. UINT64_MAX:
 *           none is ejected, or b is NULL.
 *
 * Thread safety: any thread. Blocks: no. Allocates: no. Since: 0.1.
 */
ILB_API uint64_t ilb_probe_due_ns(const ilb_balancer *b);

/** All that can be said of a request that is over. */
typedef struct ilb_result {
    size_t size;             /**< sizeof(ilb_result) */
    ilb_outcome outcome;     /**< how it went */
    uint64_t now_ns;         /**< the time, if you have it; 0: ask the clock */
    uint64_t retry_after_ns; /**< the endpoint asks to be left alone for so
                              long (HTTP's Retry-After, gRPC's pushback). With
                              ILB_OVERLOAD and ILB_FAILURE only. It is ejected
                              for that time and up to a tenth more, by chance,
                              as far as the cap on ejections allows, and
                              unless so many ask that those that are left
                              could not carry the load: else others are
                              preferred. 0: it did not say */
} ilb_result;

#define ILB_RESULT_INIT                                                        \
    {                                                                          \
        sizeof(ilb_result), ILB_SUCCESS, 0, 0                                  \
    }

/**
 * As ilb_done, with more to say.
 *
 * @param b       Not NULL.
 * @param ticket  As for ilb_done.
 * @param result  Not NULL.
 * @return        As ilb_done, ILB_EINVAL also for a retry_after_ns with another
 *                outcome; ILB_EABI.
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
    uint64_t latency_ns; /**< expected of it now, or what its oldest request
                              waits if that is more; 0: nothing known, of it
                              nor of its peers */
    uint64_t oldest_ns;  /**< its oldest unanswered request is at least this
                              old; 0: none, or only such as have waited since
                              before it returned from hanging */
    uint64_t ejected_until_ns; /**< 0 unless ejected or probing */
    uint32_t failures_in_a_row;
    uint32_t failure_ppm;             /**< recent share of failures, decayed, in
                                           millionths */
    uint64_t ejections;               /**< in all */
    uint64_t done[ILB_OUTCOME_COUNT]; /**< requests that ended, by outcome */
    void *user;
    ilb_detector ejected_by;               /**< if ejected or probing */
    uint32_t detected[ILB_DETECTOR_COUNT]; /**< how often a detector, by its
                            number, found it an outlier; while that does not
                            eject it (in shadow, or refused), once in
                            base_ejection_time_ns */
    uint32_t enforced[ILB_DETECTOR_COUNT]; /**< of these, how often that has
                            ejected it. A probe that fails is neither */
    uint64_t leaked; /**< requests whose tickets were never done: their process
                            has ended, or their lease. They are in none of
                            `done` */
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

/* ==== Events ============================================================ */

/** Why something was not done, or was done against the rule. */
typedef enum ilb_reason {
    ILB_REASON_NONE = 0,
    ILB_REASON_SHADOW = 1,   /**< the detector reports and does not act */
    ILB_REASON_CAP = 2,      /**< as many are ejected as max_ejection_percent
                                  allows */
    ILB_REASON_FLOOR = 3,    /**< it is the last, or one of the last that must
                                  stay */
    ILB_REASON_CAPACITY = 4, /**< the others need it, though it is slow or
                                  refuses, or suffer from the ejections that
                                  there are */
    ILB_REASON_COUNT = 5
} ilb_reason;

/** What happened. The first four are Envoy's EJECT, enforced or not, and
 * UNEJECT. */
typedef enum ilb_event_type {
    ILB_EVENT_NONE = 0,
    ILB_EVENT_EJECT = 1,           /**< left alone until until_ns */
    ILB_EVENT_EJECT_REFUSED = 2,   /**< would have been; `reason` says why not.
                                        Told once in base_ejection_time_ns */
    ILB_EVENT_UNEJECT = 3,         /**< returned by a good probe, or by checks
                                        that passed if `detector` says so; with
                                        ILB_REASON_CAP or ILB_REASON_FLOOR:
                                        before its time, as fewer may be ejected
                                        now */
    ILB_EVENT_PROBE_STARTED = 4,   /**< a request tries it; from "probing": the
                                        probe before was lost */
    ILB_EVENT_PROBE_FAILED = 5,    /**< ejected again, until until_ns */
    ILB_EVENT_PROBE_CANCELLED = 6, /**< by the caller; the next may try */
    ILB_EVENT_HEALTHY = 7,         /**< warmed up: takes its share */
    ILB_EVENT_ENTERED = 8,         /**< it is new in the list; `from` is `to` */
    ILB_EVENT_LEFT = 9,            /**< the list no longer has it */
    ILB_EVENT_READINESS = 10,      /**< the caller says so */
    ILB_EVENT_UPDATED = 11, /**< so many more have entered, left or changed
                                 their readiness by the same update as those
                                 before: one event for all, so that an update
                                 fills a quarter of the ring at most */
    ILB_EVENT_TYPE_COUNT = 12
} ilb_event_type;

/**
 * One event and the evidence for it. The statistic and the threshold are in
 * the detector's own unit: failures in a row for consecutive_failures; for
 * failure_percentage and success_rate the log-likelihood ratio, in nats, of
 * "it fails" against "it fails as healthy peers do"; for latency the same of
 * "it takes seven times as long as the others" against "2.5 times"; for hang
 * the seconds for which requests have waited in vain; for retry_after the
 * seconds that it asked for, against 0; for probe the checks that failed, or
 * passed, in a row. Ejected is who reaches the threshold.
 */
typedef struct ilb_event {
    size_t size;     /**< of this struct, in the library that made it */
    uint64_t number; /**< 1, 2, ...: of this balancer's events. A gap: some
                          were lost before they were read */
    uint64_t time_ns;
    ilb_event_type type;
    ilb_state from, to;    /**< of the endpoint; equal if only looked at */
    ilb_detector detector; /**< NONE: no detector's doing */
    ilb_reason reason;
    int enforced; /**< 0: nothing was done, `reason` says why; else 1 */
    double statistic, threshold;
    uint64_t requests, failures; /**< the evidence: of so many requests since
                                      the first that counts so many failed; as
                                      many as 65,535 are counted. 0: it is not
                                      of failures */
    uint64_t until_ns;  /**< EJECT, PROBE_FAILED: when the next probe is due, as
                             of now: checks and ilb_result.retry_after_ns may
                             change it, see ejected_until_ns in a snapshot;
                             PROBE_STARTED: when this one counts as lost */
    uint64_t ejections; /**< of this endpoint, in all */
    uint32_t entered, left, readiness; /**< UPDATED: how many */
    uint32_t reserved;                 /**< 0 */
    char address[ILB_ADDRESS_MAX + 1]; /**< UPDATED: empty */
} ilb_event;

/**
 * Copy the events after a number, oldest first.
 *
 * Events are kept in a ring of event_capacity; the oldest make room for new
 * ones. To follow them, hand in the number of the last one that you have: if
 * the first that comes is not the next number, some were lost in between. The
 * numbers of two events that happen to one endpoint within microseconds, by
 * two threads, may be swapped.
 *
 * @param b           Not NULL.
 * @param after       The number of an event; 0: from the oldest kept on.
 * @param out         Room for `max` events; NULL only if max is 0.
 * @param max         Events that fit.
 * @param event_size  sizeof(ilb_event), so that it can grow.
 * @param n           Receives how many were copied; not NULL. Fewer than max:
 *                    these are all there are now.
 * @return            ILB_OK; ILB_EINVAL; ILB_EABI.
 *
 * Thread safety: any thread. Blocks: no. Allocates: no. Since: 0.1.
 */
ILB_API ILB_NODISCARD int ilb_balancer_events(const ilb_balancer *b,
                                              uint64_t after, ilb_event *out,
                                              size_t max, size_t event_size,
                                              size_t *n);

/**
 * An event as one line of text without its time and number:
 *
 *     10.0.0.3:8080 ejected by success_rate: statistic 18.3 >= 18.0 after 41
 *     requests, 7 failed; next probe in 12.1 s
 *
 * @param event  Not NULL.
 * @param buf    Receives as much as fits, and a final 0 if bytes is not 0;
 *               NULL only if bytes is 0.
 * @param bytes  Of buf. A line never needs more than ILB_EVENT_TEXT_MAX.
 * @return       The length of the whole line without the 0, which may be more
 *               than what fitted; ILB_EINVAL: an argument, or no event;
 *               ILB_EABI.
 *
 * Thread safety: any thread. Blocks: no. Allocates: no. Since: 0.1.
 */
ILB_API int ilb_event_text(const ilb_event *event, char *buf, size_t bytes);

#define ILB_EVENT_TEXT_MAX 512

/**
 * Do what otherwise rides on requests: refresh what the endpoints have in
 * common (every 100 ms), give back what leases and ended processes leave, and
 * tell on_event what has happened. Optional: for a balancer that may have no
 * requests for a while.
 *
 * @param b       Not NULL.
 * @param now_ns  The time; 0: ask the clock.
 * @return        ILB_OK; ILB_EINVAL; ILB_EPROCESSES.
 *
 * Thread safety: any thread. Blocks: no. Allocates: no. Since: 0.1.
 */
ILB_API int ilb_tick(ilb_balancer *b, uint64_t now_ns);

/**
 * The name of a detector: "consecutive_failures", "success_rate".
 *
 * @param detector  Any value.
 * @return          A static string; NULL for a value that is no detector.
 *
 * Thread safety: any thread. Blocks: no. Allocates: no. Since: 0.1.
 */
ILB_API const char *ilb_detector_name(ilb_detector detector);

/**
 * The name of a reason: "shadow", "cap".
 *
 * @param reason  Any value.
 * @return        A static string; NULL for a value that is no reason.
 *
 * Thread safety: any thread. Blocks: no. Allocates: no. Since: 0.1.
 */
ILB_API const char *ilb_reason_name(ilb_reason reason);

/**
 * The name of a type of event: "eject", "probe_failed".
 *
 * @param type  Any value.
 * @return      A static string; NULL for a value that is no type.
 *
 * Thread safety: any thread. Blocks: no. Allocates: no. Since: 0.1.
 */
ILB_API const char *ilb_event_type_name(ilb_event_type type);

/* ==== Why this endpoint ================================================= */

/** What made the choice. */
typedef enum ilb_chosen_by {
    ILB_CHOSEN_BY_COST = 0,   /**< the lowest of those compared; as many are
                                   as it takes to find one that is good enough,
                                   or that fits its weight */
    ILB_CHOSEN_BY_TURN = 1,   /**< round_robin */
    ILB_CHOSEN_BY_CHANCE = 2, /**< random */
    ILB_CHOSEN_BY_PROBE = 3,  /**< an ejected one was due to be tried */
    ILB_CHOSEN_BY_SEARCH = 4, /**< draws met none that may be taken: the lowest
                                   cost of the first few that may, from a
                                   random one on */
    ILB_CHOSEN_BY_FAIL_OPEN = 5, /**< all that may be taken are ejected, or too
                                   many are: it is one of those, as the policy
                                   chooses */
    ILB_CHOSEN_BY_COUNT = 6
} ilb_chosen_by;

/** What became of an endpoint that was looked at. */
typedef enum ilb_fate {
    ILB_FATE_COMPARED = 0, /**< could be taken */
    ILB_FATE_EJECTED = 1,  /**< passed over */
    ILB_FATE_EXCLUDED = 2, /**< by the caller's ilb_pick_options.exclude */
    ILB_FATE_FULL = 3,     /**< 32,768 in flight */
    ILB_FATE_RAMPING = 4,  /**< slow start: passed over this time */
    ILB_FATE_COUNT = 5
} ilb_fate;

/** Why an endpoint is held back, by peak_ewma: any other that is not is better.
 * Of those that are, the cheaper one; but HANGING, FAILED and SUSPECT lose
 * against the others, and FULL against all. */
typedef enum ilb_held {
    ILB_HELD_NOT = 0,
    ILB_HELD_HANGING = 1, /**< its oldest request waits far too long */
    ILB_HELD_CAP = 2,     /**< warming up: at its in-flight cap */
    ILB_HELD_SLOW = 3,    /**< last answers were peaks: one at a time */
    ILB_HELD_FAILED = 4,  /**< the last request failed: one at a time */
    ILB_HELD_SUSPECT = 5, /**< the last request failed a moment ago */
    ILB_HELD_REFUSED = 6, /**< refused for load a moment ago; or not long ago,
                               and one is in flight: one at a time */
    ILB_HELD_FULL = 7,    /**< those that are left cannot carry more */
    ILB_HELD_COUNT = 8
} ilb_held;

/** Why a request is a trial: ilb_ticket_try_timeout_ns. */
typedef enum ilb_trial {
    ILB_TRIAL_NOT = 0,      /**< it is none; or trials have failed so often that
                                 no more are called so, nobody has answered yet,
                                 or ilb_explanation.room is not 0 */
    ILB_TRIAL_PROBE = 1,    /**< its endpoint is ejected */
    ILB_TRIAL_AGAIN = 2,    /**< another waits there: ilb_candidate.again */
    ILB_TRIAL_UNTRIED = 3,  /**< no good answer came from there so far */
    ILB_TRIAL_SLOW = 4,     /**< its answers were peaks, three times apart */
    ILB_TRIAL_SUSPECT = 5,  /**< its last request failed */
    ILB_TRIAL_FAILING = 6,  /**< a share of its requests fails */
    ILB_TRIAL_RETURNED = 7, /**< it was ejected of late */
    ILB_TRIAL_REFUSED = 8,  /**< it refused for load within a minute */
    ILB_TRIAL_COUNT = 9
} ilb_trial;

/** Why an endpoint that is ejected could be taken all the same. */
typedef enum ilb_admitted {
    ILB_ADMITTED_NOT = 0,      /**< it could not, or is not ejected */
    ILB_ADMITTED_PROBE = 1,    /**< it was due to be tried */
    ILB_ADMITTED_PANIC = 2,    /**< too few are left: ilb_explanation.panic */
    ILB_ADMITTED_ROOM = 3,     /**< those that are left have no room for all:
                                    ilb_explanation.room */
    ILB_ADMITTED_OVERLOAD = 4, /**< those that are left suffer, and it is not
                                    much worse: ilb_explanation.overloaded */
    ILB_ADMITTED_LAST = 5,     /**< of the others none may be taken */
    ILB_ADMITTED_EARLY = 6,    /**< it was not due to be tried, but the best of
                                    those that were looked at hangs */
    ILB_ADMITTED_COUNT = 7
} ilb_admitted;

/** An endpoint that a pick looked at, as it was then. */
typedef struct ilb_candidate {
    char address[ILB_ADDRESS_MAX + 1];
    ilb_fate fate;
    ilb_state state;
    ilb_held held;
    ilb_admitted admitted;
    uint32_t weight;
    uint32_t in_flight;   /**< without this request */
    uint32_t failure_ppm; /**< recent share of failures */
    uint64_t latency_ns;  /**< expected of it, as its cost has it; 0: nothing
                               known */
    uint64_t oldest_ns;   /**< how long its oldest request waits; 0: none, or
                               none since the clock jumped */
    int again;   /**< its oldest request has waited for so long that it may just
                      be a long one, and another is to find out. With
                      peak_ewma that one neither waits nor is load, for its
                      cost and `held` */
    double load; /**< what is in flight, by its costs in ordinary requests;
                      without what has waited since before it returned from
                      hanging; those that last for seconds, long polls, count
                      as a small part of one */
    double cost; /**< peak_ewma: nanoseconds, its latency and what its failures
                      add, times 1 + its load by its weight over the mean
                      weight; else requests, 1 + that load. Slow start adds to
                      the load. 0: was not worked out. Whoever is held back
                      loses against any cost of one that is not */
} ilb_candidate;

/** Endpoints that an explanation can tell of. */
#define ILB_CANDIDATES_MAX 16u

/** One pick and its reasons. */
typedef struct ilb_explanation {
    size_t size;      /**< of this struct, in the library that made it */
    uint64_t time_ns; /**< of the pick */
    ilb_policy policy;
    ilb_chosen_by chosen_by;
    uint32_t n_endpoints; /**< that are ready */
    uint32_t n_ejected;   /**< of these; who is being probed included */
    uint32_t width;       /**< draws were from so many of them: fewer than
                               n_endpoints is an aperture */
    uint32_t looks;       /**< at an endpoint, again included; without the
                               search for one that is due to be probed */
    ilb_trial trial;      /**< why it may well fail; NOT: it should not */
    int panic;            /**< fewer are left than panic_threshold_percent, or
                               none: an ejected one counts as any other, unless
                               the balancer fails closed */
    int overloaded;       /**< those that are left suffer from the ejections:
                               where costs or requests are compared an ejected
                               one that is not wholly bad may be, too, unless
                               the balancer fails closed. Also while `room` is
                               not 0 */
    double room;          /**< those that are left cannot carry everything: so
                               many in flight each, times its weight over the
                               mean weight, there is room for. Who has more is
                               ILB_HELD_FULL, and any ejected one may be
                               compared. 0: no limit */
    uint64_t median_ns;   /**< of the endpoints' latencies; 0: unknown */
    uint64_t hang_ns;     /**< who waits longer is hanging; 0: unknown */
    uint32_t peer_failure_ppm; /**< the share that healthy endpoints fail */
    uint32_t chosen;           /**< index of the choice in `candidates` */
    uint32_t n_candidates;     /**< the first that were looked at, and the
                                    choice */
    ilb_candidate candidates[ILB_CANDIDATES_MAX];
} ilb_explanation;

/**
 * As ilb_pick, and say why. The choice is the same that ilb_pick would have
 * made instead.
 *
 * @param b                 Not NULL.
 * @param ticket            As for ilb_pick.
 * @param options           As for ilb_pick.
 * @param explanation       Receives the reasons; not NULL; written only on
 *                          success. Its content before does not matter.
 * @param explanation_size  sizeof(ilb_explanation), so that it can grow.
 * @return                  As ilb_pick.
 *
 * Thread safety: any thread. Blocks: no. Allocates: no. Since: 0.1.
 */
ILB_API ILB_NODISCARD int ilb_pick_explained(ilb_balancer *b,
                                             ilb_ticket *ticket,
                                             const ilb_pick_options *options,
                                             ilb_explanation *explanation,
                                             size_t explanation_size);

/**
 * An explanation as one line of text:
 *
 *     10.0.0.2:80 by cost, looked at 2 of 3: 10.0.0.2:80 healthy, cost 2.1 ms,
 *     latency 2.1 ms, 0 in flight; 10.0.0.1:80 warming, cost 6.3 ms, latency
 *     2.1 ms, 2 in flight, 20.0 % failed, held back: cap
 *
 * @param explanation  Not NULL.
 * @param buf          Receives as much as fits, and a final 0 if bytes is not
 *                     0; NULL only if bytes is 0.
 * @param bytes        Of buf. A line never needs more than
 *                     ILB_EXPLANATION_TEXT_MAX.
 * @return             The length of the whole line without the 0, which may
 *                     be more than what fitted; ILB_EINVAL: an argument, or no
 *                     explanation; ILB_EABI.
 *
 * Thread safety: any thread. Blocks: no. Allocates: no. Since: 0.1.
 */
ILB_API int ilb_explanation_text(const ilb_explanation *explanation, char *buf,
                                 size_t bytes);

#define ILB_EXPLANATION_TEXT_MAX 8192

/**
 * The name of what made a choice: "cost", "fail_open".
 *
 * @param by  Any value.
 * @return    A static string; NULL for a value that is none.
 *
 * Thread safety: any thread. Blocks: no. Allocates: no. Since: 0.1.
 */
ILB_API const char *ilb_chosen_by_name(ilb_chosen_by by);

/**
 * The name of a fate: "compared", "excluded".
 *
 * @param fate  Any value.
 * @return      A static string; NULL for a value that is no fate.
 *
 * Thread safety: any thread. Blocks: no. Allocates: no. Since: 0.1.
 */
ILB_API const char *ilb_fate_name(ilb_fate fate);

/**
 * The name of why a request is a trial: "untried", "failing"; "not".
 *
 * @param trial  Any value.
 * @return       A static string; NULL for a value that is none.
 *
 * Thread safety: any thread. Blocks: no. Allocates: no. Since: 0.1.
 */
ILB_API const char *ilb_trial_name(ilb_trial trial);

/**
 * The name of why an ejected endpoint could be taken: "panic", "room"; "not".
 *
 * @param admitted  Any value.
 * @return          A static string; NULL for a value that is none.
 *
 * Thread safety: any thread. Blocks: no. Allocates: no. Since: 0.1.
 */
ILB_API const char *ilb_admitted_name(ilb_admitted admitted);

/**
 * The name of why an endpoint is held back: "hanging", "suspect"; "not".
 *
 * @param held  Any value.
 * @return      A static string; NULL for a value that is none.
 *
 * Thread safety: any thread. Blocks: no. Allocates: no. Since: 0.1.
 */
ILB_API const char *ilb_held_name(ilb_held held);

#ifdef __cplusplus
}
#endif

#endif /* ILB_H */
