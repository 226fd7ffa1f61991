/* SPDX-License-Identifier: MIT */
/*
 * EndpointStats, and the snapshot that is a list of them.
 */

#define STATS_N 15

/* In the order of ilb_endpoint_stats. */
static PyStructSequence_Field stats_fields[] = {
    {"address", "As given to the balancer, a str."},
    {"weight", "Its share against the others', an int."},
    {"state", "'warming', 'healthy', 'ejected', 'probing', 'not_ready' or "
              "'draining'."},
    {"in_flight", "Requests not done yet, an int."},
    {"latency_ns", "What the score uses now; 0: nothing is known."},
    {"oldest_ns", "Its oldest unanswered request is at least this old; 0: "
                  "none."},
    {"ejected_until_ns", "On the balancer's clock; 0 unless ejected or "
                         "probing."},
    {"failures_in_a_row", "An int."},
    {"failure_share", "The recent share of failures, a float from 0 to 1."},
    {"ejections", "How often it was ejected, an int."},
    {"done", "Requests that ended, a dict: outcome's name -> int."},
    {"user", "The object given with the endpoint, or None."},
    {"ejected_by", "The detector, a str, if ejected or probing; else None."},
    {"detected", "How often a detector found it an outlier, a dict: "
                 "detector's name -> int; while that does not eject it, once "
                 "in base_ejection_time."},
    {"enforced", "Of these, how often that has ejected it, a dict: detector's "
                 "name -> int."},
    {NULL, NULL},
};

static PyStructSequence_Desc stats_desc = {
    "ilb.EndpointStats",
    "One endpoint as the balancer sees it; see Balancer.snapshot.",
    stats_fields,
    STATS_N,
};

static int py_stats_add(PyObject *module, py_state *state)
{
    state->stats_type = PyStructSequence_NewType(&stats_desc);
    if (state->stats_type == NULL)
        return -1;
    return PyModule_AddType(module, state->stats_type);
}

static PyObject *stats_done(const ilb_endpoint_stats *s)
{
    PyObject *done = PyDict_New();

    for (int i = 0; done != NULL && i < ILB_OUTCOME_COUNT; i++) {
        PyObject *n = PyLong_FromUnsignedLongLong(s->done[i]);

        if (n == NULL ||
            PyDict_SetItemString(done, ilb_outcome_name((ilb_outcome)i), n) < 0)
            Py_CLEAR(done);
        Py_XDECREF(n);
    }
    return done;
}

/* By name; not for 0, which is no detector. */
static PyObject *stats_of_detectors(const uint32_t *counts)
{
    PyObject *by_name = PyDict_New();

    for (int i = 1; by_name != NULL && i < ILB_DETECTOR_COUNT; i++) {
        PyObject *n = PyLong_FromUnsignedLong(counts[i]);

        if (n == NULL ||
            PyDict_SetItemString(by_name, ilb_detector_name((ilb_detector)i),
                                 n) < 0)
            Py_CLEAR(by_name);
        Py_XDECREF(n);
    }
    return by_name;
}

static PyObject *stats_ejected_by(ilb_detector detector)
{
    if (detector == ILB_DETECTOR_NONE)
        return py_new_ref(Py_None);
    return PyUnicode_FromString(ilb_detector_name(detector));
}

static PyObject *stats_user(py_balancer *balancer, PyObject *address)
{
    PyObject *user = NULL;

    if (address != NULL)
        user = py_balancer_user(balancer, address);
    if (user == NULL && !PyErr_Occurred())
        user = py_new_ref(Py_None);
    return user;
}

static PyObject *stats_make(py_state *state, py_balancer *balancer,
                            const ilb_endpoint_stats *s)
{
    PyObject *self = PyStructSequence_New(state->stats_type);
    PyObject *items[STATS_N];
    bool complete = true;

    if (self == NULL)
        return NULL;
    items[0] = PyUnicode_FromString(s->address);
    items[1] = PyLong_FromUnsignedLong(s->weight);
    items[2] = PyUnicode_FromString(ilb_state_name(s->state));
    items[3] = PyLong_FromUnsignedLongLong(s->in_flight);
    items[4] = PyLong_FromUnsignedLongLong(s->latency_ns);
    items[5] = PyLong_FromUnsignedLongLong(s->oldest_ns);
    items[6] = PyLong_FromUnsignedLongLong(s->ejected_until_ns);
    items[7] = PyLong_FromUnsignedLong(s->failures_in_a_row);
    items[8] = PyFloat_FromDouble(s->failure_ppm / 1e6);
    items[9] = PyLong_FromUnsignedLongLong(s->ejections);
    items[10] = stats_done(s);
    items[11] = PyErr_Occurred() ? NULL : stats_user(balancer, items[0]);
    items[12] = stats_ejected_by(s->ejected_by);
    items[13] = stats_of_detectors(s->detected);
    items[14] = stats_of_detectors(s->enforced);
    for (int i = 0; i < STATS_N; i++) {
        PyStructSequence_SetItem(self, i, items[i]);
        complete &= items[i] != NULL;
    }
    if (!complete)
        Py_CLEAR(self);
    return self;
}

/* Takes a snapshot with the interpreter lock given up, into memory that the
 * caller must PyMem_RawFree. The set may grow between asking its size and
 * copying: then once more. */
static int py_stats_take(py_state *state, py_balancer *balancer,
                         ilb_endpoint_stats **out, size_t *n)
{
    ilb_endpoint_stats *list = NULL;
    size_t room;
    bool no_memory = false;
    int rc;

    Py_BEGIN_ALLOW_THREADS rc =
        ilb_balancer_snapshot(balancer->core, NULL, 0, sizeof *list, n);
    for (room = 0; rc == ILB_OK && *n > room && !no_memory;) {
        room = *n + *n / 8 + 1;
        PyMem_RawFree(list);
        list = PyMem_RawCalloc(room, sizeof *list);
        no_memory = list == NULL;
        if (!no_memory)
            rc = ilb_balancer_snapshot(balancer->core, list, room, sizeof *list,
                                       n);
    }
    Py_END_ALLOW_THREADS if (rc == ILB_OK && !no_memory)
    {
        *out = list;
        return 0;
    }
    PyMem_RawFree(list);
    if (no_memory)
        PyErr_NoMemory();
    else
        (void)py_raise(state, rc, ilb_balancer_name(balancer->core));
    return -1;
}

PyDoc_STRVAR(
    balancer_snapshot_doc,
    "snapshot($self, /)\n--\n\n"
    "What is known of every endpoint now, a list of EndpointStats: those of\n"
    "the last update in its order, then those that have left and still have\n"
    "requests in flight.");

static PyObject *balancer_snapshot(PyObject *self, PyObject *unused)
{
    py_state *state = py_state_of(self);
    ilb_endpoint_stats *list;
    PyObject *result;
    size_t n;

    (void)unused;
    if (py_stats_take(state, (py_balancer *)self, &list, &n) < 0)
        return NULL;
    result = PyList_New((Py_ssize_t)n);
    for (size_t i = 0; result != NULL && i < n; i++) {
        PyObject *item = stats_make(state, (py_balancer *)self, &list[i]);

        if (item == NULL)
            Py_CLEAR(result);
        else
            PyList_SET_ITEM(result, (Py_ssize_t)i, item);
    }
    PyMem_RawFree(list);
    return result;
}
