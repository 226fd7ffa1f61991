/* SPDX-License-Identifier: MIT */
/*
 * ManualClock: a clock that stands still until it is told otherwise, for
 * tests. It is a word in memory, so that the library can read it without
 * calling Python.
 */

typedef struct py_clock {
    PyObject_HEAD _Atomic uint64_t now_ns; /* never 0 */
} py_clock;

/* The hook that the library calls. */
static uint64_t clock_read_ns(void *user)
{
    return atomic_load_explicit(&((py_clock *)user)->now_ns,
                                memory_order_relaxed);
}

static int clock_set_ns(PyObject *self, PyObject *value, void *closure)
{
    uint64_t now_ns = 0;

    (void)closure;
    if (value == NULL) {
        PyErr_SetString(PyExc_AttributeError, "now_ns cannot be deleted");
        return -1;
    }
    if (py_read_uint(py_state_of(self), value, "now_ns", UINT64_MAX, &now_ns) <
        0)
        return -1;
    if (now_ns == 0)
        return py_invalid(py_state_of(self), "now_ns must not be 0");
    atomic_store_explicit(&((py_clock *)self)->now_ns, now_ns,
                          memory_order_relaxed);
    return 0;
}

static PyObject *clock_get_ns(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromUnsignedLongLong(clock_read_ns(self));
}

static PyObject *clock_new(PyTypeObject *type, PyObject *args, PyObject *kwds)
{
    static char now_ns[] = "now_ns";
    static char *names[] = {now_ns, NULL};
    PyObject *value = NULL, *self;

    if (!PyArg_ParseTupleAndKeywords(args, kwds, "|O:ManualClock", names,
                                     &value))
        return NULL;
    self = type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    atomic_init(&((py_clock *)self)->now_ns, UINT64_C(1000000000));
    if (value != NULL && clock_set_ns(self, value, NULL) < 0)
        Py_CLEAR(self);
    return self;
}

PyDoc_STRVAR(clock_advance_doc, "advance($self, seconds, /)\n--\n\n"
                                "Let `seconds` (a float) pass. Raises\n"
                                "OverflowError, and nothing passes, if the\n"
                                "clock would be past 2**64 - 1 ns.");

static PyObject *clock_advance(PyObject *self, PyObject *seconds)
{
    _Atomic uint64_t *word = &((py_clock *)self)->now_ns;
    uint64_t now_ns = atomic_load_explicit(word, memory_order_relaxed);
    uint64_t span_ns = 0;

    if (py_read_seconds(py_state_of(self), seconds, "seconds", &span_ns) < 0)
        return NULL;
    do {
        if (span_ns > UINT64_MAX - now_ns) {
            PyErr_Format(PyExc_OverflowError,
                         "%R seconds after %llu ns is past the end of the "
                         "clock, %llu ns",
                         seconds, (unsigned long long)now_ns,
                         (unsigned long long)UINT64_MAX);
            return NULL;
        }
    } while (!atomic_compare_exchange_weak_explicit(
        word, &now_ns, now_ns + span_ns, memory_order_relaxed,
        memory_order_relaxed));
    Py_RETURN_NONE;
}

static PyObject *clock_repr(PyObject *self)
{
    return PyUnicode_FromFormat("ilb.ManualClock(now_ns=%llu)",
                                (unsigned long long)clock_read_ns(self));
}

static int clock_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    return 0;
}

static void clock_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    PyObject_GC_UnTrack(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef clock_methods[] = {
    {"advance", clock_advance, METH_O, clock_advance_doc},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef clock_getset[] = {
    {"now_ns", clock_get_ns, clock_set_ns,
     "The time in nanoseconds, an int above 0.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(clock_doc,
             "ManualClock(now_ns=1000000000)\n--\n\n"
             "A clock for tests: `Balancer(..., clock=clock)` lives in its\n"
             "time, which passes only by `advance` or by setting `now_ns`.");

static PyType_Slot clock_slots[] = {
    {Py_tp_doc, (void *)(uintptr_t)clock_doc},
    {Py_tp_new, PY_SLOT(clock_new)},
    {Py_tp_dealloc, PY_SLOT(clock_dealloc)},
    {Py_tp_traverse, PY_SLOT(clock_traverse)},
    {Py_tp_repr, PY_SLOT(clock_repr)},
    {Py_tp_methods, clock_methods},
    {Py_tp_getset, clock_getset},
    {0, NULL},
};

static PyType_Spec clock_spec = {
    .name = "ilb.ManualClock",
    .basicsize = sizeof(py_clock),
    .flags = PY_TYPE_FLAGS,
    .slots = clock_slots,
};

static int py_clock_add(PyObject *module, py_state *state)
{
    return py_type_add(module, &clock_spec, &state->clock_type);
}
