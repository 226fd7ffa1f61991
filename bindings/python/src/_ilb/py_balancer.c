/* SPDX-License-Identifier: MIT */
/*
 * Balancer: making it, releasing it, and its type.
 */

/* ---- Making ------------------------------------------------------------ */

/* The library has refused what py_options_read has let through. */
static int balancer_invalid(py_state *state, PyObject *given, const char *name)
{
    size_t n_bytes = strlen(name);
    bool printable = true;

    for (size_t i = 0; i < n_bytes; i++)
        printable &= (unsigned char)name[i] >= ' ' && name[i] != 0x7f;
    if (n_bytes == 0 || n_bytes > ILB_NAME_MAX || !printable)
        return py_invalid(state,
                          "name must have 1 to %d printable bytes, not "
                          "%R",
                          ILB_NAME_MAX, given);
    (void)py_raise(state, ILB_EINVAL, "Balancer");
    return -1;
}

/* Fills a new object; what it holds already is released with it. */
static int balancer_init(py_state *state, py_balancer *self,
                         const py_options *a)
{
    ilb_options o = ILB_OPTIONS_INIT;
    const char *name = py_read_text(state, a->name, "name");
    int rc;

    if (name == NULL || py_options_read(state, a, &o) < 0)
        return -1;
    self->policy = o.policy;
    self->clock = a->clock == NULL ? NULL : py_new_ref(a->clock);
    self->classify = a->classify == NULL ? NULL : py_new_ref(a->classify);
    if (a->on_event != NULL) {
        self->on_event = py_new_ref(a->on_event);
        o.on_event = events_flag;
        o.event_user = self;
    }
    self->writer = PyThread_allocate_lock();
    if (self->writer == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    rc = ilb_balancer_new(&self->core, name, &o);
    if (rc == ILB_EINVAL)
        return balancer_invalid(state, a->name, name);
    if (rc != ILB_OK) {
        (void)py_raise(state, rc, "Balancer");
        return -1;
    }
    return a->endpoints == NULL
               ? 0
               : py_balancer_set_endpoints(state, self, a->endpoints);
}

static PyObject *balancer_new(PyTypeObject *type, PyObject *args,
                              PyObject *kwds)
{
    py_options a;
    py_balancer *self;

    if (py_options_parse(args, kwds, &a) < 0)
        return NULL;
    self = (py_balancer *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    atomic_init(&self->any_user, false);
    atomic_init(&self->n_updates, 0);
    atomic_init(&self->n_leaked, 0);
    atomic_init(&self->events_untold, false);
    atomic_init(&self->events_telling, false);
    if (balancer_init(py_state_of(self), self, &a) < 0)
        Py_CLEAR(self);
    return (PyObject *)self;
}

/* ---- Life -------------------------------------------------------------- */

static int balancer_traverse(PyObject *self, visitproc visit, void *arg)
{
    py_balancer *balancer = (py_balancer *)self;

    Py_VISIT(Py_TYPE(self));
    Py_VISIT(balancer->classify);
    Py_VISIT(balancer->on_event);
    Py_VISIT(balancer->users);
    Py_VISIT(balancer->users_next);
    return 0;
}

/* The clock stays: the library reads it as long as it lives, and it cannot be
 * part of a cycle. */
static int balancer_clear(PyObject *self)
{
    py_balancer *balancer = (py_balancer *)self;

    Py_CLEAR(balancer->classify);
    Py_CLEAR(balancer->on_event);
    Py_CLEAR(balancer->users);
    Py_CLEAR(balancer->users_next);
    return 0;
}

static void balancer_dealloc(PyObject *self)
{
    py_balancer *balancer = (py_balancer *)self;
    PyTypeObject *type = Py_TYPE(self);

    PyObject_GC_UnTrack(self);
    if (balancer->weak_references != NULL)
        PyObject_ClearWeakRefs(self);
    (void)balancer_clear(self);
    ilb_balancer_free(balancer->core);
    if (balancer->writer != NULL)
        PyThread_free_lock(balancer->writer);
    Py_CLEAR(balancer->clock);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef balancer_methods[] = {
    {"update", balancer_update, METH_O, balancer_update_doc},
    {"set_readiness", PY_METHOD(balancer_set_readiness), METH_FASTCALL,
     balancer_set_readiness_doc},
    {"report_check", PY_METHOD(balancer_report_check),
     METH_FASTCALL | METH_KEYWORDS, balancer_report_check_doc},
    {"addresses", balancer_addresses, METH_NOARGS, balancer_addresses_doc},
    {"pick", PY_METHOD(balancer_pick), METH_FASTCALL | METH_KEYWORDS,
     balancer_pick_doc},
    {"probe_next", PY_METHOD(balancer_probe_next),
     METH_FASTCALL | METH_KEYWORDS, balancer_probe_next_doc},
    {"snapshot", balancer_snapshot, METH_NOARGS, balancer_snapshot_doc},
    {"events", PY_METHOD(balancer_events), METH_FASTCALL | METH_KEYWORDS,
     balancer_events_doc},
    {"tick", PY_METHOD(balancer_tick), METH_FASTCALL | METH_KEYWORDS,
     balancer_tick_doc},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef balancer_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(py_balancer, weak_references),
     READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

PyDoc_STRVAR(
    balancer_doc,
    "Balancer(name, endpoints=(), *, policy='peak_ewma', capacity=0, seed=0,\n"
    "         consecutive_failures=0, max_ejection_percent=0,\n"
    "         base_ejection_time=0.0, max_ejection_time=0.0,\n"
    "         fail_mode='open', panic_threshold_percent=0, min_endpoints=0,\n"
    "         detectors_off=(), detectors_shadow=(), max_retry_after=0.0,\n"
    "         unhealthy_threshold=0, healthy_threshold=0,\n"
    "         check_effect='probes', slow_start=0.0, latency_margin=0.0,\n"
    "         clock=None, classify=None, event_capacity=0, "
    "on_event=None)\n--\n\n"
    "One service's endpoints and what is known of them.\n\n"
    "`endpoints` is an iterable of str, (address, weight) or ilb.Endpoint.\n"
    "0 means the default everywhere; times are floats in seconds.\n\n"
    "`capacity` (1024): endpoints at most. `seed` of the random draws (one\n"
    "of its own).\n\n"
    "So many `consecutive_failures` (5; ilb.NEVER: none) eject an endpoint,\n"
    "with a clean past fewer do, up to `max_ejection_percent` (100) of them\n"
    "at a time, for `base_ejection_time` (5 s) and, with few requests, up\n"
    "to `max_ejection_time` (120 s). So many ready endpoints as\n"
    "`min_endpoints` (1, or none if it fails closed) are never ejected.\n"
    "When all are ejected, or fewer are left than `panic_threshold_percent`\n"
    "(none) of the ready ones, `fail_mode` 'open' picks among all of them\n"
    "as if none were, and 'closed' raises EjectedError.\n\n"
    "The detectors that judge: 'consecutive_failures',\n"
    "'failure_percentage', 'success_rate', 'latency', 'hang', 'retry_after'\n"
    "and 'probe'. Those in `detectors_off` are not asked; those in\n"
    "`detectors_shadow` only say what they would do: in events, and in\n"
    "`EndpointStats.detected`. At most `max_retry_after` (300 s) count of\n"
    "what an endpoint asks for. So many checks that failed in a row as\n"
    "`unhealthy_threshold` (3) eject, see `report_check`; so many that\n"
    "passed as `healthy_threshold` (2) do what `check_effect` says: with\n"
    "'probes' only what they prove, with 'unejects' they bring back whoever\n"
    "is ejected. For `slow_start` (none) who is new or back takes part of\n"
    "its share. Only who takes `latency_margin` (20 ms) longer than the\n"
    "others, at least, is ejected by 'latency'.\n\n"
    "`clock` is an ilb.ManualClock, for tests. `classify` takes an exception\n"
    "that left `with lb.pick()` and returns an ilb.Outcome, or None for what\n"
    "ilb.classify makes of it.\n"
    "`on_event` is called with each ilb.Event, in order, by one thread at a\n"
    "time, when the call that comes next is about to return: one of a\n"
    "ticket's, `update`, `set_readiness`, `report_check` or `tick`; never by\n"
    "`pick`, and never from inside itself. It may call back. What it raises\n"
    "goes to sys.unraisablehook. `event_capacity` (256; ilb.NEVER: none)\n"
    "events are kept for it, and for `events`.\n\n"
    "All methods may be called from any thread.");

static PyType_Slot balancer_slots[] = {
    {Py_tp_doc, (void *)(uintptr_t)balancer_doc},
    {Py_tp_new, PY_SLOT(balancer_new)},
    {Py_tp_dealloc, PY_SLOT(balancer_dealloc)},
    {Py_tp_traverse, PY_SLOT(balancer_traverse)},
    {Py_tp_clear, PY_SLOT(balancer_clear)},
    {Py_tp_repr, PY_SLOT(balancer_repr)},
    {Py_tp_methods, balancer_methods},
    {Py_tp_getset, balancer_getset},
    {Py_tp_members, balancer_members},
    {0, NULL},
};

static PyType_Spec balancer_spec = {
    .name = "ilb.Balancer",
    .basicsize = sizeof(py_balancer),
    .flags = PY_TYPE_FLAGS,
    .slots = balancer_slots,
};

static int py_balancer_add(PyObject *module, py_state *state)
{
    return py_type_add(module, &balancer_spec, &state->balancer_type);
}
