/* SPDX-License-Identifier: MIT */
/*
 * The objects ilb.Balancer and ilb.Ticket, for the files that work on them.
 */
#ifndef ILB_PY_BALANCER_H
#define ILB_PY_BALANCER_H

typedef struct py_balancer {
    PyObject_HEAD ilb_balancer *core; /* set once, freed in dealloc */
    PyObject *clock;                  /* set once: a ManualClock, or NULL */
    PyObject *classify;               /* set once: a callable, or NULL */
    PyObject *on_event;               /* set once: a callable, or NULL */
    PyThread_type_lock writer;        /* one update at a time */
    /* The last list as a dict, address -> user object, and the one that an
     * update is taking over just now, or NULL. A dict in here never changes;
     * the pointers are read and written in a critical section. */
    PyObject *users;
    PyObject *users_next;
    atomic_bool any_user; /* some endpoint has a user object */
    _Atomic uint64_t n_updates;
    _Atomic uint64_t n_leaked;
    atomic_bool events_untold;  /* on_event may have something to hear */
    atomic_bool events_telling; /* somebody is at it ... */
    uint64_t events_told;       /* ... and alone has this: the last number */
    ilb_policy policy;
    PyObject *weak_references;
} py_balancer;

/* What has become of a ticket. */
enum {
    TICKET_NEW,       /* not picked yet: never seen by Python */
    TICKET_IN_FLIGHT, /* to be done once */
    TICKET_DONE       /* the outcome is known */
};

typedef struct py_ticket {
    PyObject_HEAD py_balancer *balancer; /* kept alive as long as the ticket */
    PyObject *address;                   /* a str */
    PyObject *user;                      /* NULL: none */
    PyObject *explanation;               /* NULL: nobody asked */
    ilb_ticket core;                     /* used in a critical section only */
    atomic_int stage;
    atomic_int outcome;
} py_ticket;

/* Tells on_event what it has not been told. No lock is held, and no object is
 * in a critical section: it calls Python. */
static inline void py_events_tell(py_balancer *self);

/* A strong reference to the user object of `address`, of the list in force or
 * else of the one that comes; NULL: there is none, or an error is set. */
static PyObject *py_balancer_user(py_balancer *self, PyObject *address);

#endif
