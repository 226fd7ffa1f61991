/* SPDX-License-Identifier: MIT */
/*
 * What a caller does of his own to know how endpoints are: health checks, and
 * probes of ejected ones.
 */

PyDoc_STRVAR(
    balancer_report_check_doc,
    "report_check($self, /, address, passed, now_ns=0)\n--\n\n"
    "Say how a health check went that you have made of an endpoint: a\n"
    "connection, a GET /healthz. `passed` is a bool; `now_ns` the time in\n"
    "nanoseconds of the balancer's clock, 0: ask it.\n\n"
    "`unhealthy_threshold` of them that failed in a row eject the endpoint,\n"
    "within the cap on ejections, and keep it ejected while they go on\n"
    "failing; `healthy_threshold` that passed in a row bring it back, as\n"
    "`check_effect` says. Raises NotFoundError.");

static PyObject *balancer_report_check(PyObject *self, PyObject *const *args,
                                       Py_ssize_t n_args, PyObject *keywords)
{
    static const char *const names[] = {"address", "passed", "now_ns"};
    static const py_signature signature = {"report_check", names, 3, 2};
    py_state *state = py_state_of(self);
    const char *address;
    uint64_t now_ns = 0;
    PyObject *given[3];
    int rc, passed;

    if (py_args_read(&signature, args, n_args, keywords, given) < 0)
        return NULL;
    address = py_read_text(state, given[0], "address");
    if (address == NULL || py_read_time(state, given[2], &now_ns) < 0)
        return NULL;
    /* Nothing but a bool: "failed" is true, and so is a response to many. */
    if (!PyBool_Check(given[1])) {
        (void)args_wrong_type(given[1], "passed", "a bool");
        return NULL;
    }
    passed = given[1] == Py_True;
    Py_BEGIN_ALLOW_THREADS rc = ilb_balancer_report_check(
        ((py_balancer *)self)->core, address, passed, now_ns);
    Py_END_ALLOW_THREADS if (rc != ILB_OK) return py_raise(state, rc, address);
    py_events_tell((py_balancer *)self);
    Py_RETURN_NONE;
}

static int probe_core(py_state *state, py_balancer *self, py_ticket *ticket,
                      const void *now_ns)
{
    (void)state;
    return ilb_probe_next(self->core, &ticket->core, *(const uint64_t *)now_ns);
}

PyDoc_STRVAR(
    balancer_probe_next_doc,
    "probe_next($self, /, now_ns=0)\n--\n\n"
    "A Ticket for an ejected endpoint that is due to be tried: send a\n"
    "request of your own there, that is no user's, and report how it went.\n"
    "A good answer brings the endpoint back, anything else ejects it again.\n"
    "While this is called at least once in 10 s, picks leave such endpoints\n"
    "to it: call it once to begin with, then whenever `probe_due_ns` says.\n"
    "Raises NotDueError if none is due: ask again later.");

static PyObject *balancer_probe_next(PyObject *self, PyObject *const *args,
                                     Py_ssize_t n_args, PyObject *keywords)
{
    py_state *state = py_state_of(self);
    uint64_t now_ns = 0;

    if (py_args_read_time(state, "probe_next", args, n_args, keywords,
                          &now_ns) < 0)
        return NULL;
    return pick_ticket(state, (py_balancer *)self, probe_core, &now_ns);
}
