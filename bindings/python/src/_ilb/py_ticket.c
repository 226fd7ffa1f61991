/* SPDX-License-Identifier: MIT */
/*
 * Ticket: one request on its way to one endpoint, and a context manager.
 */

/* Reports the outcome; an error code if the ticket was done before. */
static int ticket_finish_with(py_ticket *self, const ilb_result *result)
{
    int rc;

    Py_BEGIN_CRITICAL_SECTION(self);
    rc = ilb_done_with(self->balancer->core, &self->core, result);
    if (rc == ILB_OK) {
        atomic_store_explicit(&self->outcome, (int)result->outcome,
                              memory_order_relaxed);
        atomic_store_explicit(&self->stage, TICKET_DONE, memory_order_release);
    }
    Py_END_CRITICAL_SECTION();
    return rc;
}

static int ticket_finish(py_ticket *self, ilb_outcome outcome)
{
    ilb_result result = ILB_RESULT_INIT;

    result.outcome = outcome;
    return ticket_finish_with(self, &result);
}

static PyObject *ticket_result(py_ticket *self, int rc)
{
    py_events_tell(self->balancer);
    if (rc != ILB_OK)
        return py_raise(py_state_of(self), rc,
                        ilb_balancer_name(self->balancer->core));
    Py_RETURN_NONE;
}

/* ---- Methods ----------------------------------------------------------- */

/* How long the endpoint asks to be left alone: goes with some outcomes only. */
static int ticket_read_retry_after(py_state *state, PyObject *value,
                                   ilb_result *result)
{
    if (py_read_seconds(state, value, "retry_after", &result->retry_after_ns) <
        0)
        return -1;
    if (result->retry_after_ns != 0 && result->outcome != ILB_OVERLOAD &&
        result->outcome != ILB_FAILURE)
        return py_invalid(state,
                          "retry_after goes with 'overload' and 'failure', "
                          "not with '%s'",
                          ilb_outcome_name(result->outcome));
    return 0;
}

PyDoc_STRVAR(ticket_done_doc,
             "done($self, /, outcome=Outcome.SUCCESS, now_ns=0,\n"
             "     retry_after=0.0)\n--\n\n"
             "The request is over. `outcome` is an ilb.Outcome or its name;\n"
             "`now_ns` the time in nanoseconds of the balancer's clock, 0:\n"
             "ask it; `retry_after` for how many seconds the endpoint asks to\n"
             "be left alone (HTTP's Retry-After), with overload and failure,\n"
             "0: it did not say. A second time raises TicketError.");

static PyObject *ticket_done(PyObject *self, PyObject *const *args,
                             Py_ssize_t n_args, PyObject *keywords)
{
    static const char *const names[] = {"outcome", "now_ns", "retry_after"};
    static const py_signature signature = {"done", names, 3, 0};
    ilb_result result = ILB_RESULT_INIT;
    PyObject *given[3];

    if (n_args != 0 || keywords != NULL) {
        py_state *state = py_state_of(self);

        if (py_args_read(&signature, args, n_args, keywords, given) < 0)
            return NULL;
        if (given[0] != NULL &&
            py_read_outcome(state, given[0], &result.outcome) < 0)
            return NULL;
        if (py_read_time(state, given[1], &result.now_ns) < 0 ||
            ticket_read_retry_after(state, given[2], &result) < 0)
            return NULL;
    }
    return ticket_result((py_ticket *)self,
                         ticket_finish_with((py_ticket *)self, &result));
}

/* success(), timeout() ...: done() with an outcome in its name. */
#define TICKET_SHORTHAND(name, outcome)                                        \
    PyDoc_STRVAR(ticket_##name##_doc,                                          \
                 #name "($self, /)\n--\n\nThe same as done('" #name "').");    \
    static PyObject *ticket_##name(PyObject *self, PyObject *unused)           \
    {                                                                          \
        (void)unused;                                                          \
        return ticket_result((py_ticket *)self,                                \
                             ticket_finish((py_ticket *)self, outcome));       \
    }

TICKET_SHORTHAND(success, ILB_SUCCESS)
TICKET_SHORTHAND(timeout, ILB_TIMEOUT)
TICKET_SHORTHAND(connect_error, ILB_CONNECT_ERROR)
TICKET_SHORTHAND(cancelled, ILB_CANCELLED)

/* failure() and overload(): the same, with what the endpoint asks for. */
static PyObject *ticket_refused(PyObject *self, PyObject *const *args,
                                Py_ssize_t n_args, PyObject *keywords,
                                ilb_outcome outcome)
{
    static const char *const names[] = {"retry_after"};
    const py_signature signature = {ilb_outcome_name(outcome), names, 1, 0};
    ilb_result result = ILB_RESULT_INIT;
    PyObject *given[1];

    result.outcome = outcome;
    if (n_args != 0 || keywords != NULL)
        if (py_args_read(&signature, args, n_args, keywords, given) < 0 ||
            ticket_read_retry_after(py_state_of(self), given[0], &result) < 0)
            return NULL;
    return ticket_result((py_ticket *)self,
                         ticket_finish_with((py_ticket *)self, &result));
}

PyDoc_STRVAR(ticket_failure_doc,
             "failure($self, /, retry_after=0.0)\n--\n\n"
             "The same as done('failure', retry_after=retry_after).");

static PyObject *ticket_failure(PyObject *self, PyObject *const *args,
                                Py_ssize_t n_args, PyObject *keywords)
{
    return ticket_refused(self, args, n_args, keywords, ILB_FAILURE);
}

PyDoc_STRVAR(ticket_overload_doc,
             "overload($self, /, retry_after=0.0)\n--\n\n"
             "The same as done('overload', retry_after=retry_after).");

static PyObject *ticket_overload(PyObject *self, PyObject *const *args,
                                 Py_ssize_t n_args, PyObject *keywords)
{
    return ticket_refused(self, args, n_args, keywords, ILB_OVERLOAD);
}

PyDoc_STRVAR(ticket_first_byte_doc,
             "first_byte($self, /, now_ns=0)\n--\n\n"
             "The answer has begun to arrive: latency ends here, the request\n"
             "stays in flight until it is done. Later calls change nothing.");

static PyObject *ticket_first_byte(PyObject *self, PyObject *const *args,
                                   Py_ssize_t n_args, PyObject *keywords)
{
    py_ticket *ticket = (py_ticket *)self;
    uint64_t now_ns = 0;
    int rc;

    if ((n_args != 0 || keywords != NULL) &&
        py_args_read_time(py_state_of(self), "first_byte", args, n_args,
                          keywords, &now_ns) < 0)
        return NULL;
    Py_BEGIN_CRITICAL_SECTION(self);
    rc = ilb_first_byte(ticket->balancer->core, &ticket->core, now_ns);
    Py_END_CRITICAL_SECTION();
    return ticket_result(ticket, rc);
}

PyDoc_STRVAR(ticket_enter_doc, "__enter__($self, /)\n--\n\nThe ticket itself.");

static PyObject *ticket_enter(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (!ticket_in_flight((py_ticket *)self))
        return ticket_result((py_ticket *)self, ILB_ETICKET);
    return py_new_ref(self);
}

PyDoc_STRVAR(ticket_exit_doc,
             "__exit__($self, exc_type, exc, traceback, /)\n--\n\n"
             "Done, if it is not yet: a success, or what the exception means\n"
             "(see ilb.classify). The exception goes on.");

static PyObject *ticket_exit(PyObject *self, PyObject *const *args,
                             Py_ssize_t n_args)
{
    py_ticket *ticket = (py_ticket *)self;
    ilb_outcome outcome = ILB_SUCCESS;
    int rc = 0;

    if (n_args != 3)
        return PyErr_Format(PyExc_TypeError,
                            "__exit__() takes 3 arguments (%zd given)", n_args);
    if (!ticket_in_flight(ticket))
        Py_RETURN_FALSE;
    if (args[1] != Py_None) {
        outcome = ILB_FAILURE; /* if classifying raises, too */
        rc = py_classify(py_state_of(self), ticket->balancer->classify, args[1],
                         &outcome);
    }
    /* Not in flight any more: another thread was quicker, its word counts. */
    (void)ticket_finish(ticket, outcome);
    py_events_tell(ticket->balancer);
    if (rc < 0)
        return NULL;
    Py_RETURN_FALSE;
}

/* ---- Life -------------------------------------------------------------- */

/* A ticket that nobody has done: the request was given up, as far as anyone
 * can tell, and there is a mistake somewhere. */
static void ticket_finalize(PyObject *self)
{
    py_ticket *ticket = (py_ticket *)self;
    PyObject *type, *value, *traceback;

    if (!ticket_in_flight(ticket))
        return;
    PyErr_Fetch(&type, &value, &traceback);
    if (ticket_finish(ticket, ILB_CANCELLED) == ILB_OK) {
        atomic_fetch_add_explicit(&ticket->balancer->n_leaked, 1,
                                  memory_order_relaxed);
        if (PyErr_ResourceWarning(
                self, 1, "ilb.Ticket of '%s' to %R was never done",
                ilb_balancer_name(ticket->balancer->core), ticket->address) < 0)
            PyErr_WriteUnraisable(self);
    }
    PyErr_Restore(type, value, traceback);
}

static int ticket_traverse(PyObject *self, visitproc visit, void *arg)
{
    py_ticket *ticket = (py_ticket *)self;

    Py_VISIT(Py_TYPE(self));
    Py_VISIT(ticket->balancer);
    Py_VISIT(ticket->user);
    Py_VISIT(ticket->explanation);
    return 0;
}

/* The balancer stays: finish needs it, and a cycle through it is broken by
 * balancer_clear. */
static int ticket_clear(PyObject *self)
{
    Py_CLEAR(((py_ticket *)self)->user);
    Py_CLEAR(((py_ticket *)self)->explanation);
    return 0;
}

static void ticket_dealloc(PyObject *self)
{
    py_ticket *ticket = (py_ticket *)self;
    PyTypeObject *type = Py_TYPE(self);

    if (PyObject_CallFinalizerFromDealloc(self) < 0)
        return; /* a warning filter has kept it */
    PyObject_GC_UnTrack(self);
    Py_CLEAR(ticket->user);
    Py_CLEAR(ticket->explanation);
    Py_CLEAR(ticket->address);
    Py_CLEAR(ticket->balancer);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef ticket_methods[] = {
    {"done", PY_METHOD(ticket_done), METH_FASTCALL | METH_KEYWORDS,
     ticket_done_doc},
    {"success", ticket_success, METH_NOARGS, ticket_success_doc},
    {"failure", PY_METHOD(ticket_failure), METH_FASTCALL | METH_KEYWORDS,
     ticket_failure_doc},
    {"timeout", ticket_timeout, METH_NOARGS, ticket_timeout_doc},
    {"connect_error", ticket_connect_error, METH_NOARGS,
     ticket_connect_error_doc},
    {"overload", PY_METHOD(ticket_overload), METH_FASTCALL | METH_KEYWORDS,
     ticket_overload_doc},
    {"cancelled", ticket_cancelled, METH_NOARGS, ticket_cancelled_doc},
    {"first_byte", PY_METHOD(ticket_first_byte), METH_FASTCALL | METH_KEYWORDS,
     ticket_first_byte_doc},
    {"__enter__", ticket_enter, METH_NOARGS, ticket_enter_doc},
    {"__exit__", PY_METHOD(ticket_exit), METH_FASTCALL, ticket_exit_doc},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(
    ticket_doc,
    "One request on its way to one endpoint; Balancer.pick makes it.\n\n"
    "It is done once: by `with`, by `done`, or by the method named after the\n"
    "outcome. One that is garbage collected before counts as cancelled, is\n"
    "counted in Balancer.leaked, and gives a ResourceWarning.");

static PyType_Slot ticket_slots[] = {
    {Py_tp_doc, (void *)(uintptr_t)ticket_doc},
#if PY_VERSION_HEX < 0x030A0000
    {Py_tp_new, PY_SLOT(py_no_new)},
#endif
    {Py_tp_dealloc, PY_SLOT(ticket_dealloc)},
    {Py_tp_finalize, PY_SLOT(ticket_finalize)},
    {Py_tp_traverse, PY_SLOT(ticket_traverse)},
    {Py_tp_clear, PY_SLOT(ticket_clear)},
    {Py_tp_repr, PY_SLOT(ticket_repr)},
    {Py_tp_methods, ticket_methods},
    {Py_tp_getset, ticket_getset},
    {0, NULL},
};

static PyType_Spec ticket_spec = {
    .name = "ilb.Ticket",
    .basicsize = sizeof(py_ticket),
#if PY_VERSION_HEX >= 0x030A0000
    .flags = PY_TYPE_FLAGS | Py_TPFLAGS_DISALLOW_INSTANTIATION,
#else
    .flags = PY_TYPE_FLAGS,
#endif
    .slots = ticket_slots,
};

static int py_ticket_add(PyObject *module, py_state *state)
{
    return py_type_add(module, &ticket_spec, &state->ticket_type);
}
