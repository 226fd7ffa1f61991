/* SPDX-License-Identifier: MIT */
/*
 * What a Balancer tells of itself: its attributes and its repr.
 */

static PyObject *balancer_get_name(PyObject *self, void *closure)
{
    (void)closure;
    return PyUnicode_FromString(ilb_balancer_name(((py_balancer *)self)->core));
}

static PyObject *balancer_get_policy(PyObject *self, void *closure)
{
    (void)closure;
    return PyUnicode_FromString(ilb_policy_name(((py_balancer *)self)->policy));
}

static PyObject *balancer_get_updates(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromUnsignedLongLong(atomic_load_explicit(
        &((py_balancer *)self)->n_updates, memory_order_relaxed));
}

static PyObject *balancer_get_leaked(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromUnsignedLongLong(atomic_load_explicit(
        &((py_balancer *)self)->n_leaked, memory_order_relaxed));
}

static PyObject *balancer_get_probe_due_ns(PyObject *self, void *closure)
{
    uint64_t due_ns = ilb_probe_due_ns(((py_balancer *)self)->core);

    (void)closure;
    if (due_ns == UINT64_MAX)
        Py_RETURN_NONE;
    return PyLong_FromUnsignedLongLong(due_ns);
}

/* " (4 healthy, 1 ejected)": the states that there are. */
static PyObject *repr_states(const ilb_endpoint_stats *list, size_t n)
{
    char text[160] = "";
    size_t used = 0;

    for (int state = 0; ilb_state_name((ilb_state)state) != NULL; state++) {
        size_t count = 0;

        for (size_t i = 0; i < n; i++)
            count += (int)list[i].state == state;
        if (count > 0)
            used +=
                (size_t)PyOS_snprintf(text + used, sizeof text - used,
                                      "%s%zu %s", used == 0 ? " (" : ", ",
                                      count, ilb_state_name((ilb_state)state));
    }
    return PyUnicode_FromFormat("%s%s", text, used == 0 ? "" : ")");
}

static PyObject *balancer_repr(PyObject *self)
{
    py_balancer *balancer = (py_balancer *)self;
    unsigned long long in_flight = 0;
    ilb_endpoint_stats *list;
    PyObject *states, *text;
    size_t n;

    if (py_stats_take(py_state_of(self), balancer, &list, &n) < 0)
        return NULL;
    for (size_t i = 0; i < n; i++)
        in_flight += list[i].in_flight;
    states = repr_states(list, n);
    PyMem_RawFree(list);
    if (states == NULL)
        return NULL;
    text = PyUnicode_FromFormat(
        "<ilb.Balancer '%s' %s: %zu endpoint%s%U, %llu in flight>",
        ilb_balancer_name(balancer->core), ilb_policy_name(balancer->policy), n,
        n == 1 ? "" : "s", states, in_flight);
    Py_DECREF(states);
    return text;
}

static PyGetSetDef balancer_getset[] = {
    {"name", balancer_get_name, NULL, "The service's name, a str.", NULL},
    {"policy", balancer_get_policy, NULL, "How it chooses, a str.", NULL},
    {"updates", balancer_get_updates, NULL,
     "How many updates were accepted, an int: it tells whether the set may\n"
     "have changed.",
     NULL},
    {"probe_due_ns", balancer_get_probe_due_ns, NULL,
     "When to call `probe_next` again, an int on the balancer's clock:\n"
     "time.CLOCK_MONOTONIC, or its ManualClock. It may be too early: no\n"
     "ejected endpoint is due before, but once `probe_next` has been called\n"
     "it is 5 s after the last call at most, so that picks go on leaving\n"
     "probes to it. It may have passed: call now. None: none is ejected.",
     NULL},
    {"leaked", balancer_get_leaked, NULL,
     "Tickets that were garbage collected before they were done, an int.",
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
