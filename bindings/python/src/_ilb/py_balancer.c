/* SPDX-License-Identifier: MIT */
/*
 * Balancer: making it, releasing it, and its type.
 */

/* ---- Making ------------------------------------------------------------ */

/* The keyword arguments of Balancer, borrowed; NULL: not given. */
typedef struct balancer_arguments {
    PyObject *name, *endpoints, *capacity, *seed, *consecutive_failures;
    PyObject *max_ejection_percent, *base_ejection_time, *max_ejection_time;
    PyObject *clock, *classify, *event_capacity, *on_event;
    const char *policy;
} balancer_arguments;

static int balancer_parse(PyObject *args, PyObject *kwds, balancer_arguments *a)
{
    static const char *const names[] = {
        "name",
        "endpoints",
        "policy",
        "capacity",
        "seed",
        "consecutive_failures",
        "max_ejection_percent",
        "base_ejection_time",
        "max_ejection_time",
        "clock",
        "classify",
        "event_capacity",
        "on_event",
        NULL,
    };
    /* Python's parameter lacks a const that it keeps to. */
    char **keywords = (char **)(uintptr_t)names;

    memset(a, 0, sizeof *a);
    if (!PyArg_ParseTupleAndKeywords(
            args, kwds, "U|O$sOOOOOOOOOO:Balancer", keywords, &a->name,
            &a->endpoints, &a->policy, &a->capacity, &a->seed,
            &a->consecutive_failures, &a->max_ejection_percent,
            &a->base_ejection_time, &a->max_ejection_time, &a->clock,
            &a->classify, &a->event_capacity, &a->on_event))
        return -1;
    if (a->clock == Py_None)
        a->clock = NULL;
    if (a->classify == Py_None)
        a->classify = NULL;
    if (a->on_event == Py_None)
        a->on_event = NULL;
    return 0;
}

static int balancer_read_policy(py_state *state, const char *name,
                                ilb_options *o)
{
    int policy;

    if (name == NULL)
        return 0;
    policy = ilb_policy_from_name(name);
    if (policy < 0)
        return py_invalid(state,
                          "policy must be 'peak_ewma', 'least_request', "
                          "'round_robin' or 'random', not '%s'",
                          name);
    o->policy = (ilb_policy)policy;
    return 0;
}

static int balancer_check_callable(PyObject *value, const char *name)
{
    if (value == NULL || PyCallable_Check(value))
        return 0;
    PyErr_Format(PyExc_TypeError, "%s must be callable or None, not %.100s",
                 name, Py_TYPE(value)->tp_name);
    return -1;
}

/* ilb.NEVER, or 0 to the most that can be kept. */
static int balancer_read_event_capacity(py_state *state,
                                        const balancer_arguments *a,
                                        ilb_options *o)
{
    if (py_read_uint32(state, a->event_capacity, "event_capacity", ILB_NEVER,
                       &o->event_capacity) < 0)
        return -1;
    if (o->event_capacity > ILB_EVENT_CAPACITY_MAX &&
        o->event_capacity != ILB_NEVER)
        return py_invalid(state,
                          "event_capacity must be 0 to %u or ilb.NEVER, not %R",
                          ILB_EVENT_CAPACITY_MAX, a->event_capacity);
    if (o->event_capacity == ILB_NEVER && a->on_event != NULL)
        return py_invalid(state,
                          "on_event needs events: event_capacity must not be "
                          "ilb.NEVER");
    return 0;
}

static int balancer_read_hooks(py_state *state, const balancer_arguments *a,
                               ilb_options *o)
{
    if (a->clock != NULL && !PyObject_TypeCheck(a->clock, state->clock_type)) {
        PyErr_Format(PyExc_TypeError,
                     "clock must be an ilb.ManualClock or None, not %.100s",
                     Py_TYPE(a->clock)->tp_name);
        return -1;
    }
    if (balancer_check_callable(a->classify, "classify") < 0 ||
        balancer_check_callable(a->on_event, "on_event") < 0)
        return -1;
    if (a->clock != NULL) {
        o->clock_ns = clock_read_ns;
        o->clock_user = a->clock;
    }
    return 0;
}

static int balancer_read_options(py_state *state, const balancer_arguments *a,
                                 ilb_options *o)
{
    if (balancer_read_policy(state, a->policy, o) < 0 ||
        balancer_read_event_capacity(state, a, o) < 0 ||
        balancer_read_hooks(state, a, o) < 0 ||
        py_read_uint(state, a->seed, "seed", UINT64_MAX, &o->seed) < 0 ||
        py_read_uint32(state, a->capacity, "capacity", ILB_CAPACITY_MAX,
                       &o->capacity) < 0 ||
        py_read_uint32(state, a->consecutive_failures, "consecutive_failures",
                       ILB_NEVER, &o->consecutive_failures) < 0 ||
        py_read_uint32(state, a->max_ejection_percent, "max_ejection_percent",
                       100, &o->max_ejection_percent) < 0 ||
        py_read_seconds(state, a->base_ejection_time, "base_ejection_time",
                        &o->base_ejection_time_ns) < 0 ||
        py_read_seconds(state, a->max_ejection_time, "max_ejection_time",
                        &o->max_ejection_time_ns) < 0)
        return -1;
    return 0;
}

/* Fills a new object; what it holds already is released with it. */
static int balancer_init(py_state *state, py_balancer *self,
                         const balancer_arguments *a)
{
    ilb_options o = ILB_OPTIONS_INIT;
    const char *name = py_read_text(state, a->name, "name");
    int rc;

    if (name == NULL || balancer_read_options(state, a, &o) < 0)
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
    if (rc == ILB_EINVAL && (*name == '\0' || strlen(name) > ILB_NAME_MAX))
        return py_invalid(state, "name must have 1 to %d bytes, not %R",
                          ILB_NAME_MAX, a->name);
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
    balancer_arguments a;
    py_balancer *self;

    if (balancer_parse(args, kwds, &a) < 0)
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
    {"addresses", balancer_addresses, METH_NOARGS, balancer_addresses_doc},
    {"pick", PY_METHOD(balancer_pick), METH_FASTCALL | METH_KEYWORDS,
     balancer_pick_doc},
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
    "         base_ejection_time=0.0, max_ejection_time=0.0, clock=None,\n"
    "         classify=None, event_capacity=0, on_event=None)\n--\n\n"
    "One service's endpoints and what is known of them.\n\n"
    "`endpoints` is an iterable of str, (address, weight) or ilb.Endpoint.\n"
    "0 means the default everywhere: `capacity` (1024) endpoints at most;\n"
    "`seed` for the random draws (one of its own); so many\n"
    "`consecutive_failures` (5; ilb.NEVER: none) eject an endpoint, with a\n"
    "clean past fewer do, up to `max_ejection_percent` (100) of them at a\n"
    "time, for `base_ejection_time` (5 s) and, with few requests, up to\n"
    "`max_ejection_time` (120 s), both floats in seconds.\n"
    "`clock` is an ilb.ManualClock, for tests. `classify` takes an exception\n"
    "that left `with lb.pick()` and returns an ilb.Outcome, or None for what\n"
    "ilb.classify makes of it.\n"
    "`on_event` is called with each ilb.Event, in order, by one thread at a\n"
    "time, when the call that comes next is about to return: one of a\n"
    "ticket's, `update`, `set_readiness` or `tick`; never by `pick`, and\n"
    "never from inside itself. It may call back. What it raises goes to\n"
    "sys.unraisablehook. `event_capacity` (256; ilb.NEVER: none) events are\n"
    "kept for it, and for `events`.\n\n"
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
