/* SPDX-License-Identifier: MIT */
/*
 * Reading arguments: of fast calls, and single values with their limits.
 */

/* A function's parameters; those that are not given stay NULL. */
typedef struct py_signature {
    const char *function;
    const char *const *names;
    Py_ssize_t n;
    Py_ssize_t n_required;
} py_signature;

static Py_ssize_t args_find(const py_signature *s, PyObject *keyword)
{
    for (Py_ssize_t i = 0; i < s->n; i++)
        if (PyUnicode_CompareWithASCIIString(keyword, s->names[i]) == 0)
            return i;
    PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument %R",
                 s->function, keyword);
    return -1;
}

/* Sorts a fast call's arguments into `out`, borrowed, in the order of names. */
static int py_args_read(const py_signature *s, PyObject *const *args,
                        Py_ssize_t n_args, PyObject *keywords, PyObject **out)
{
    Py_ssize_t n_keywords = keywords == NULL ? 0 : PyTuple_GET_SIZE(keywords);

    if (n_args > s->n) {
        PyErr_Format(PyExc_TypeError,
                     "%s() takes at most %zd arguments (%zd given)",
                     s->function, s->n, n_args);
        return -1;
    }
    for (Py_ssize_t i = 0; i < s->n; i++)
        out[i] = i < n_args ? args[i] : NULL;
    for (Py_ssize_t k = 0; k < n_keywords; k++) {
        Py_ssize_t i = args_find(s, PyTuple_GET_ITEM(keywords, k));

        if (i < 0)
            return -1;
        if (out[i] != NULL) {
            PyErr_Format(PyExc_TypeError,
                         "%s() got multiple values for argument '%s'",
                         s->function, s->names[i]);
            return -1;
        }
        out[i] = args[n_args + k];
    }
    for (Py_ssize_t i = 0; i < s->n_required; i++)
        if (out[i] == NULL) {
            PyErr_Format(PyExc_TypeError, "%s() missing required argument '%s'",
                         s->function, s->names[i]);
            return -1;
        }
    return 0;
}

/* ilb.InvalidError for an argument; always returns -1. */
static int py_invalid(py_state *state, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    PyErr_FormatV(state->errors[-ILB_EINVAL], format, values);
    va_end(values);
    return -1;
}

/* TypeError for an argument; always returns -1. */
static int args_wrong_type(PyObject *value, const char *name, const char *what)
{
    PyErr_Format(PyExc_TypeError, "%s must be %s, not %.100s", name, what,
                 Py_TYPE(value)->tp_name);
    return -1;
}

/* An integer from 0 to `max`; NULL leaves `*out` as it is. */
static int py_read_uint(py_state *state, PyObject *value, const char *name,
                        uint64_t max, uint64_t *out)
{
    unsigned long long n;
    PyObject *index;

    if (value == NULL)
        return 0;
    if (!PyIndex_Check(value))
        return args_wrong_type(value, name, "an int");
    index = PyNumber_Index(value);
    if (index == NULL)
        return -1;
    n = PyLong_AsUnsignedLongLong(index);
    Py_DECREF(index);
    if (PyErr_Occurred()) {
        if (!PyErr_ExceptionMatches(PyExc_OverflowError))
            return -1;
        PyErr_Clear();
    } else if (n <= max) {
        *out = n;
        return 0;
    }
    return py_invalid(state, "%s must be 0 to %llu, not %R", name,
                      (unsigned long long)max, value);
}

/* A time on the balancer's clock. NULL leaves `*out_ns` as it is: 0, ask it. */
static int py_read_time(py_state *state, PyObject *value, uint64_t *out_ns)
{
    return py_read_uint(state, value, "now_ns", UINT64_MAX, out_ns);
}

/* The arguments of a function that takes such a time and nothing else. */
static int py_args_read_time(py_state *state, const char *function,
                             PyObject *const *args, Py_ssize_t n_args,
                             PyObject *keywords, uint64_t *out_ns)
{
    static const char *const names[] = {"now_ns"};
    const py_signature signature = {function, names, 1, 0};
    PyObject *given[1];

    if (py_args_read(&signature, args, n_args, keywords, given) < 0)
        return -1;
    return py_read_time(state, given[0], out_ns);
}

static int py_read_uint32(py_state *state, PyObject *value, const char *name,
                          uint32_t max, uint32_t *out)
{
    uint64_t wide = *out;

    if (py_read_uint(state, value, name, max, &wide) < 0)
        return -1;
    *out = (uint32_t)wide;
    return 0;
}

/* A number; one that a double cannot hold becomes infinite. */
static int args_read_double(PyObject *value, const char *name, double *out)
{
    const PyNumberMethods *number = Py_TYPE(value)->tp_as_number;

    if (number == NULL || (number->nb_float == NULL && !PyIndex_Check(value)))
        return args_wrong_type(value, name, "a number");
    *out = PyFloat_AsDouble(value);
    if (!PyErr_Occurred())
        return 0;
    if (!PyErr_ExceptionMatches(PyExc_OverflowError))
        return -1;
    PyErr_Clear();
    *out = Py_HUGE_VAL;
    return 0;
}

/* A time span in seconds, as nanoseconds, rounded up: more than nothing stays
 * more than nothing. NULL leaves `*out_ns` as it is. */
static int py_read_seconds(py_state *state, PyObject *value, const char *name,
                           uint64_t *out_ns)
{
    const double max_seconds = 1e9; /* 31 years; far below 2^64 ns */
    double seconds;

    if (value == NULL)
        return 0;
    if (args_read_double(value, name, &seconds) < 0)
        return -1;
    if (!(seconds >= 0 && seconds <= max_seconds))
        return py_invalid(state, "%s must be 0 to 1e9 seconds, not %R", name,
                          value);
    *out_ns = (uint64_t)ceil(seconds * 1e9);
    return 0;
}

/* What a request costs. 0 is refused: the library would take it for "the
 * default", the caller may mean "nothing". NULL leaves `*out` as it is. */
static int py_read_cost(py_state *state, PyObject *value, double *out)
{
    double cost;

    if (value == NULL)
        return 0;
    if (args_read_double(value, "cost", &cost) < 0)
        return -1;
    if (!(cost >= ILB_COST_MIN && cost <= ILB_COST_MAX))
        return py_invalid(state, "cost must be 1/256 to %d, not %R",
                          (int)ILB_COST_MAX, value);
    *out = cost;
    return 0;
}

/* "'open' or 'closed'": the names up to a NULL. */
static void args_list_names(char *text, size_t n_bytes,
                            const char *const *names)
{
    size_t used = 0;

    for (int i = 0; names[i] != NULL && used < n_bytes; i++)
        used += (size_t)PyOS_snprintf(text + used, n_bytes - used, "%s'%s'",
                                      i == 0                 ? ""
                                      : names[i + 1] == NULL ? " or "
                                                             : ", ",
                                      names[i]);
}

/* The index of a str in `names`, which end with a NULL. */
static int py_read_name(py_state *state, PyObject *value, const char *argument,
                        const char *const *names, int *out)
{
    char text[256] = "";

    if (!PyUnicode_Check(value))
        return args_wrong_type(value, argument, "a str");
    for (int i = 0; names[i] != NULL; i++)
        if (PyUnicode_CompareWithASCIIString(value, names[i]) == 0) {
            *out = i;
            return 0;
        }
    args_list_names(text, sizeof text, names);
    return py_invalid(state, "%s must be %s, not %R", argument, text, value);
}

/* Text without a 0 inside, borrowed from `value`; NULL and an error set
 * otherwise. */
static const char *py_read_text(py_state *state, PyObject *value,
                                const char *name)
{
    const char *text;
    Py_ssize_t n_bytes;

    if (!PyUnicode_Check(value)) {
        (void)args_wrong_type(value, name, "a str");
        return NULL;
    }
    text = PyUnicode_AsUTF8AndSize(value, &n_bytes);
    if (text != NULL && strlen(text) != (size_t)n_bytes) {
        (void)py_invalid(state, "%s must not hold a null character: %R", name,
                         value);
        return NULL;
    }
    return text;
}

#if PY_VERSION_HEX < 0x030A0000
/* tp_new of the types that only the library makes; newer Pythons have a flag
 * for it. */
static PyObject *py_no_new(PyTypeObject *type, PyObject *args, PyObject *kwds)
{
    (void)args;
    (void)kwds;
    return PyErr_Format(PyExc_TypeError, "cannot create '%s' instances",
                        type->tp_name);
}
#endif
