/* SPDX-License-Identifier: MIT */
/*
 * Balancer.pick: a new Ticket for one request.
 */

/* Copies the tickets in `items`, a tuple. */
static int pick_copy_excluded(py_state *state, PyObject *items,
                              ilb_ticket *excluded)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(items); i++) {
        PyObject *item = PyTuple_GET_ITEM(items, i);

        if (!Py_IS_TYPE(item, state->ticket_type)) {
            PyErr_Format(PyExc_TypeError,
                         "exclude must hold tickets of this balancer, not "
                         "%.100s",
                         Py_TYPE(item)->tp_name);
            return -1;
        }
        Py_BEGIN_CRITICAL_SECTION(item);
        excluded[i] = ((py_ticket *)item)->core;
        Py_END_CRITICAL_SECTION();
    }
    return 0;
}

/* `exclude` is a ticket or an iterable of tickets. */
static int pick_read_exclude(py_state *state, PyObject *exclude,
                             ilb_ticket *excluded, ilb_pick_options *o)
{
    PyObject *items;
    int rc = -1;

    if (exclude == NULL || exclude == Py_None)
        return 0;
    items = Py_IS_TYPE(exclude, state->ticket_type) ? PyTuple_Pack(1, exclude)
                                                    : PySequence_Tuple(exclude);
    if (items == NULL)
        return -1;
    if (PyTuple_GET_SIZE(items) > (Py_ssize_t)ILB_EXCLUDE_MAX)
        (void)py_invalid(state,
                         "exclude holds %zd tickets; at most %u can be "
                         "excluded",
                         PyTuple_GET_SIZE(items), ILB_EXCLUDE_MAX);
    else
        rc = pick_copy_excluded(state, items, excluded);
    o->exclude = excluded;
    o->n_exclude = (size_t)PyTuple_GET_SIZE(items);
    Py_DECREF(items);
    return rc;
}

/* Gives the ticket its address and its user object, as they are now. */
static int pick_dress(py_balancer *self, py_ticket *ticket)
{
    ticket->address =
        PyUnicode_FromString(ilb_ticket_address(self->core, &ticket->core));
    if (ticket->address == NULL)
        return -1;
    if (atomic_load_explicit(&self->any_user, memory_order_acquire)) {
        ticket->user = py_balancer_user(self, ticket->address);
        if (ticket->user == NULL && PyErr_Occurred())
            return -1;
    }
    return 0;
}

/* Chooses an endpoint for a new ticket, in a way that `how` describes: an error
 * code. It may set a Python error as well, when it has chosen. */
typedef int (*pick_way)(py_state *state, py_balancer *self, py_ticket *ticket,
                        const void *how);

/* `how` is an ilb_pick_options, or NULL. */
static int pick_plain(py_state *state, py_balancer *self, py_ticket *ticket,
                      const void *how)
{
    (void)state;
    return ilb_pick(self->core, &ticket->core, how);
}

/* The same, and the ticket knows why. */
static int pick_explained(py_state *state, py_balancer *self, py_ticket *ticket,
                          const void *how)
{
    ilb_explanation why;
    int rc =
        ilb_pick_explained(self->core, &ticket->core, how, &why, sizeof why);

    if (rc == ILB_OK)
        ticket->explanation = py_explanation_make(state, &why);
    return rc;
}

static PyObject *pick_ticket(py_state *state, py_balancer *self, pick_way way,
                             const void *how)
{
    PyTypeObject *type = state->ticket_type;
    py_ticket *ticket = (py_ticket *)type->tp_alloc(type, 0);
    int rc;

    if (ticket == NULL)
        return NULL;
    atomic_init(&ticket->stage, TICKET_NEW);
    atomic_init(&ticket->outcome, 0);
    ticket->balancer = (py_balancer *)py_new_ref(self);
    rc = way(state, self, ticket, how);
    if (rc != ILB_OK) {
        Py_DECREF(ticket);
        return py_raise(state, rc, ilb_balancer_name(self->core));
    }
    if ((way == pick_explained && ticket->explanation == NULL) ||
        pick_dress(self, ticket) < 0) {
        (void)ilb_done(self->core, &ticket->core, ILB_CANCELLED);
        Py_DECREF(ticket);
        return NULL;
    }
    atomic_store_explicit(&ticket->stage, TICKET_IN_FLIGHT,
                          memory_order_release);
    return (PyObject *)ticket;
}

PyDoc_STRVAR(
    balancer_pick_doc,
    "pick($self, /, exclude=(), now_ns=0, explain=False, cost=1.0)\n--\n\n"
    "Choose an endpoint for one request: a Ticket, to be done exactly once.\n\n"
    "    with lb.pick() as endpoint:\n"
    "        call(endpoint.host, endpoint.port)\n\n"
    "`exclude` is a ticket, or up to 16 of them, whose endpoints are not\n"
    "wanted again, for a retry elsewhere; `now_ns` the time in nanoseconds\n"
    "of the balancer's clock, 0: ask it; with `explain` the ticket's\n"
    "`explanation` says why; `cost` is what the request will cost its\n"
    "endpoint, if you know: 2 is twice an ordinary one, in work or in time.\n"
    "Raises a NoEndpointError: EmptyError, NotReadyError, ExcludedError,\n"
    "BusyError, or EjectedError with `fail_mode='closed'`.");

static PyObject *balancer_pick(PyObject *self, PyObject *const *args,
                               Py_ssize_t n_args, PyObject *keywords)
{
    static const char *const names[] = {"exclude", "now_ns", "explain", "cost"};
    static const py_signature signature = {"pick", names, 4, 0};
    py_state *state = py_state_of(self);
    ilb_ticket excluded[ILB_EXCLUDE_MAX];
    ilb_pick_options o = ILB_PICK_OPTIONS_INIT;
    PyObject *given[4];
    int explain = 0;

    if (n_args == 0 && keywords == NULL)
        return pick_ticket(state, (py_balancer *)self, pick_plain, NULL);
    if (py_args_read(&signature, args, n_args, keywords, given) < 0 ||
        pick_read_exclude(state, given[0], excluded, &o) < 0 ||
        py_read_time(state, given[1], &o.now_ns) < 0 ||
        py_read_cost(state, given[3], &o.cost) < 0)
        return NULL;
    if (given[2] != NULL && (explain = PyObject_IsTrue(given[2])) < 0)
        return NULL;
    return pick_ticket(state, (py_balancer *)self,
                       explain != 0 ? pick_explained : pick_plain, &o);
}
