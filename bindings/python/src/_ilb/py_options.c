/* SPDX-License-Identifier: MIT */
/*
 * The keyword arguments of Balancer, as the library's options. What the library
 * would refuse is refused here, by the argument's name.
 */

/* Borrowed; NULL: not given. */
typedef struct py_options {
    PyObject *name, *endpoints, *policy, *capacity, *seed;
    PyObject *consecutive_failures, *max_ejection_percent;
    PyObject *base_ejection_time, *max_ejection_time;
    PyObject *fail_mode, *panic_threshold_percent, *min_endpoints;
    PyObject *detectors_off, *detectors_shadow, *max_retry_after;
    PyObject *unhealthy_threshold, *healthy_threshold, *check_effect;
    PyObject *slow_start, *latency_margin;
    PyObject *clock, *classify, *event_capacity, *on_event;
} py_options;

/* The library counts failures in a row up to here. */
#define PY_FAILURES_MAX 65535u

static int py_options_parse(PyObject *args, PyObject *kwds, py_options *a)
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
        "fail_mode",
        "panic_threshold_percent",
        "min_endpoints",
        "detectors_off",
        "detectors_shadow",
        "max_retry_after",
        "unhealthy_threshold",
        "healthy_threshold",
        "check_effect",
        "slow_start",
        "latency_margin",
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
            args, kwds, "O|O$OOOOOOOOOOOOOOOOOOOOOO:Balancer", keywords,
            &a->name, &a->endpoints, &a->policy, &a->capacity, &a->seed,
            &a->consecutive_failures, &a->max_ejection_percent,
            &a->base_ejection_time, &a->max_ejection_time, &a->fail_mode,
            &a->panic_threshold_percent, &a->min_endpoints, &a->detectors_off,
            &a->detectors_shadow, &a->max_retry_after, &a->unhealthy_threshold,
            &a->healthy_threshold, &a->check_effect, &a->slow_start,
            &a->latency_margin, &a->clock, &a->classify, &a->event_capacity,
            &a->on_event))
        return -1;
    if (a->clock == Py_None)
        a->clock = NULL;
    if (a->classify == Py_None)
        a->classify = NULL;
    if (a->on_event == Py_None)
        a->on_event = NULL;
    return 0;
}

/* ---- By name ----------------------------------------------------------- */

/* Names of the library, as many as fit. */
#define PY_NAMES_MAX 31

static int options_read_policy(py_state *state, PyObject *value, ilb_options *o)
{
    const char *names[PY_NAMES_MAX + 1] = {NULL};
    int policy;

    if (value == NULL)
        return 0;
    for (int i = 0; i < PY_NAMES_MAX; i++)
        if ((names[i] = ilb_policy_name((ilb_policy)(i + 1))) == NULL)
            break;
    if (py_read_name(state, value, "policy", names, &policy) < 0)
        return -1;
    o->policy = (ilb_policy)(policy + 1);
    return 0;
}

static int options_read_modes(py_state *state, const py_options *a,
                              ilb_options *o)
{
    static const char *const modes[] = {"open", "closed", NULL};
    static const char *const effects[] = {"probes", "unejects", NULL};
    int mode = (int)o->fail_mode, effect = (int)o->check_effect;

    if (a->fail_mode != NULL &&
        py_read_name(state, a->fail_mode, "fail_mode", modes, &mode) < 0)
        return -1;
    if (a->check_effect != NULL &&
        py_read_name(state, a->check_effect, "check_effect", effects, &effect) <
            0)
        return -1;
    o->fail_mode = (ilb_fail_mode)mode;
    o->check_effect = (ilb_check_effect)effect;
    return 0;
}

/* ---- Detectors --------------------------------------------------------- */

/* The bits of the detectors that `items`, a tuple, names. */
static int options_read_bits(py_state *state, PyObject *items,
                             const char *argument, uint32_t *out)
{
    const char *names[PY_NAMES_MAX + 1] = {NULL};
    char what[64];

    for (int i = 0; i < PY_NAMES_MAX; i++)
        if ((names[i] = ilb_detector_name((ilb_detector)(i + 1))) == NULL)
            break;
    PyOS_snprintf(what, sizeof what, "a detector in %s", argument);
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(items); i++) {
        int detector;

        if (py_read_name(state, PyTuple_GET_ITEM(items, i), what, names,
                         &detector) < 0)
            return -1;
        *out |= ILB_DETECTOR_BIT(detector + 1);
    }
    return 0;
}

/* An iterable of names. A str would be read letter by letter. */
static int options_read_detectors(py_state *state, PyObject *value,
                                  const char *argument, uint32_t *out)
{
    PyObject *items;
    int rc;

    if (value == NULL)
        return 0;
    if (PyUnicode_Check(value) || PyBytes_Check(value) ||
        (Py_TYPE(value)->tp_iter == NULL && !PySequence_Check(value)))
        return args_wrong_type(value, argument,
                               "an iterable of detectors' names");
    items = PySequence_Tuple(value);
    if (items == NULL)
        return -1;
    rc = options_read_bits(state, items, argument, out);
    Py_DECREF(items);
    return rc;
}

static int options_read_all_detectors(py_state *state, const py_options *a,
                                      ilb_options *o)
{
    if (options_read_detectors(state, a->detectors_off, "detectors_off",
                               &o->detectors_off) < 0 ||
        options_read_detectors(state, a->detectors_shadow, "detectors_shadow",
                               &o->detectors_shadow) < 0)
        return -1;
    for (int i = 1; i <= PY_NAMES_MAX; i++)
        if ((o->detectors_off & o->detectors_shadow & ILB_DETECTOR_BIT(i)) != 0)
            return py_invalid(state,
                              "detectors_shadow: '%s' is in detectors_off",
                              ilb_detector_name((ilb_detector)i));
    return 0;
}

/* ---- Numbers ----------------------------------------------------------- */

/* A count up to `max`, or ilb.NEVER. */
static int options_read_never(py_state *state, PyObject *value,
                              const char *argument, uint32_t max, uint32_t *out)
{
    if (py_read_uint32(state, value, argument, ILB_NEVER, out) < 0)
        return -1;
    if (*out > max && *out != ILB_NEVER)
        return py_invalid(state, "%s must be 0 to %u or ilb.NEVER, not %R",
                          argument, (unsigned)max, value);
    return 0;
}

static int options_read_counts(py_state *state, const py_options *a,
                               ilb_options *o)
{
    if (py_read_uint(state, a->seed, "seed", UINT64_MAX, &o->seed) < 0 ||
        py_read_uint32(state, a->capacity, "capacity", ILB_CAPACITY_MAX,
                       &o->capacity) < 0 ||
        options_read_never(state, a->consecutive_failures,
                           "consecutive_failures", PY_FAILURES_MAX,
                           &o->consecutive_failures) < 0 ||
        py_read_uint32(state, a->max_ejection_percent, "max_ejection_percent",
                       100, &o->max_ejection_percent) < 0 ||
        py_read_uint32(state, a->panic_threshold_percent,
                       "panic_threshold_percent", 100,
                       &o->panic_threshold_percent) < 0 ||
        py_read_uint32(state, a->min_endpoints, "min_endpoints",
                       ILB_CAPACITY_MAX, &o->min_endpoints) < 0 ||
        py_read_uint32(state, a->unhealthy_threshold, "unhealthy_threshold",
                       UINT32_MAX, &o->unhealthy_threshold) < 0 ||
        py_read_uint32(state, a->healthy_threshold, "healthy_threshold",
                       UINT32_MAX, &o->healthy_threshold) < 0)
        return -1;
    return 0;
}

static int options_read_times(py_state *state, const py_options *a,
                              ilb_options *o)
{
    if (py_read_seconds(state, a->base_ejection_time, "base_ejection_time",
                        &o->base_ejection_time_ns) < 0 ||
        py_read_seconds(state, a->max_ejection_time, "max_ejection_time",
                        &o->max_ejection_time_ns) < 0 ||
        py_read_seconds(state, a->max_retry_after, "max_retry_after",
                        &o->max_retry_after_ns) < 0 ||
        py_read_seconds(state, a->slow_start, "slow_start", &o->slow_start_ns) <
            0 ||
        py_read_seconds(state, a->latency_margin, "latency_margin",
                        &o->latency_margin_ns) < 0)
        return -1;
    /* A default gives way to the other. */
    if (o->max_ejection_time_ns != 0 &&
        o->base_ejection_time_ns > o->max_ejection_time_ns)
        return py_invalid(state,
                          "base_ejection_time must be at most "
                          "max_ejection_time, %R, not %R",
                          a->max_ejection_time, a->base_ejection_time);
    return 0;
}

/* ---- Hooks ------------------------------------------------------------- */

static int options_check_callable(PyObject *value, const char *argument)
{
    if (value == NULL || PyCallable_Check(value))
        return 0;
    return args_wrong_type(value, argument, "callable or None");
}

static int options_read_hooks(py_state *state, const py_options *a,
                              ilb_options *o)
{
    if (a->clock != NULL && !PyObject_TypeCheck(a->clock, state->clock_type))
        return args_wrong_type(a->clock, "clock", "an ilb.ManualClock or None");
    if (options_check_callable(a->classify, "classify") < 0 ||
        options_check_callable(a->on_event, "on_event") < 0)
        return -1;
    if (options_read_never(state, a->event_capacity, "event_capacity",
                           ILB_EVENT_CAPACITY_MAX, &o->event_capacity) < 0)
        return -1;
    if (o->event_capacity == ILB_NEVER && a->on_event != NULL)
        return py_invalid(state,
                          "on_event needs events: event_capacity must not be "
                          "ilb.NEVER");
    if (a->clock != NULL) {
        o->clock_ns = clock_read_ns;
        o->clock_user = a->clock;
    }
    return 0;
}

/* All but the name and the endpoints. */
static int py_options_read(py_state *state, const py_options *a, ilb_options *o)
{
    if (options_read_policy(state, a->policy, o) < 0 ||
        options_read_modes(state, a, o) < 0 ||
        options_read_all_detectors(state, a, o) < 0 ||
        options_read_counts(state, a, o) < 0 ||
        options_read_times(state, a, o) < 0 ||
        options_read_hooks(state, a, o) < 0)
        return -1;
    return 0;
}
