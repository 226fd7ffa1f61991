/* SPDX-License-Identifier: MIT */
/*
 * Reading a list of endpoints from Python.
 */

/* A list as Python gave it, and as the library wants it. The texts in `list`
 * belong to the strings in `items`, which cannot change. */
typedef struct py_endpoint_list {
    PyObject *items;    /* a tuple, so that no other thread can change it */
    PyObject *users;    /* a dict: address -> user object */
    ilb_endpoint *list; /* PyTuple_GET_SIZE(items) of them */
    bool any_user;      /* one of them is not None */
} py_endpoint_list;

static void py_endpoints_drop(py_endpoint_list *l)
{
    PyMem_Free(l->list);
    Py_CLEAR(l->items);
    Py_CLEAR(l->users);
}

/* "ready", "not_ready", "draining". */
static int py_read_readiness(py_state *state, PyObject *value,
                             ilb_readiness *out)
{
    static const char *const names[] = {"ready", "not_ready", "draining", NULL};
    int readiness;

    if (py_read_name(state, value, "readiness", names, &readiness) < 0)
        return -1;
    *out = (ilb_readiness)readiness;
    return 0;
}

/* A weight of 0 is refused: the library would take it for "the default", the
 * caller may mean "no traffic". */
static int endpoint_read_weight(py_state *state, PyObject *value, uint32_t *out)
{
    uint64_t weight = 1;

    if (py_read_uint(state, value, "weight", ILB_WEIGHT_MAX, &weight) < 0)
        return -1;
    if (weight == 0)
        return py_invalid(state,
                          "weight must be 1 to %u; for no traffic, set "
                          "readiness to 'draining'",
                          ILB_WEIGHT_MAX);
    *out = (uint32_t)weight;
    return 0;
}

/* Enters `address` into the users: the key is a plain str, also if the caller's
 * is a subclass with an equality of its own. */
static int endpoints_enter(py_state *state, py_endpoint_list *l, Py_ssize_t i,
                           PyObject *address, PyObject *user)
{
    PyObject *key = PyUnicode_FromObject(address);
    int rc;

    if (key == NULL)
        return -1;
    rc = PyDict_Contains(l->users, key);
    if (rc > 0) {
        PyErr_Format(state->errors[-ILB_EDUPLICATE],
                     "endpoints[%zd]: %R is in the list twice", i, key);
        rc = -1;
    } else if (rc == 0) {
        rc = PyDict_SetItem(l->users, key, user);
    }
    Py_DECREF(key);
    l->any_user |= user != Py_None;
    return rc;
}

/* An item is an address, or a tuple that begins with one (ilb.Endpoint is a
 * tuple as well). */
static int endpoint_read(py_state *state, PyObject *item, ilb_endpoint *out,
                         PyObject **address, PyObject **user)
{
    Py_ssize_t n = 1;

    *address = item;
    *user = Py_None;
    if (PyTuple_Check(item)) {
        n = PyTuple_GET_SIZE(item);
        if (n < 1 || n > 4) {
            PyErr_Format(PyExc_TypeError,
                         "an endpoint is (address[, weight[, readiness[, "
                         "user]]]), not %zd items",
                         n);
            return -1;
        }
        *address = PyTuple_GET_ITEM(item, 0);
    } else if (!PyUnicode_Check(item)) {
        PyErr_Format(PyExc_TypeError,
                     "an endpoint is a str, a tuple or an ilb.Endpoint, not "
                     "%.100s",
                     Py_TYPE(item)->tp_name);
        return -1;
    }
    out->size = sizeof *out;
    out->address = py_read_text(state, *address, "address");
    if (out->address == NULL)
        return -1;
    if (n > 1 && endpoint_read_weight(state, PyTuple_GET_ITEM(item, 1),
                                      &out->weight) < 0)
        return -1;
    if (n > 2 && py_read_readiness(state, PyTuple_GET_ITEM(item, 2),
                                   &out->readiness) < 0)
        return -1;
    if (n > 3)
        *user = PyTuple_GET_ITEM(item, 3);
    return 0;
}

static int endpoints_read_all(py_state *state, py_endpoint_list *l)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(l->items); i++) {
        PyObject *address, *user;

        if (endpoint_read(state, PyTuple_GET_ITEM(l->items, i), &l->list[i],
                          &address, &user) < 0 ||
            endpoints_enter(state, l, i, address, user) < 0)
            return -1;
    }
    return 0;
}

/* A str would be read letter by letter and a mapping would lose its values:
 * both are mistakes. */
static int endpoints_check_type(PyObject *iterable)
{
    if (!PyUnicode_Check(iterable) && !PyBytes_Check(iterable) &&
        !PyDict_Check(iterable))
        return 0;
    PyErr_Format(PyExc_TypeError, "endpoints must be a list, not %.100s",
                 Py_TYPE(iterable)->tp_name);
    return -1;
}

/* Reads any iterable of endpoints; on success py_endpoints_drop it. */
static int py_endpoints_read(py_state *state, PyObject *iterable,
                             py_endpoint_list *out)
{
    py_endpoint_list l = {NULL, NULL, NULL, false};

    if (endpoints_check_type(iterable) < 0)
        return -1;
    l.items = PySequence_Tuple(iterable);
    if (l.items == NULL)
        return -1;
    l.users = PyDict_New();
    l.list =
        PyMem_Calloc((size_t)PyTuple_GET_SIZE(l.items) + 1, sizeof *l.list);
    if (l.list == NULL)
        PyErr_NoMemory();
    if (l.users == NULL || l.list == NULL ||
        endpoints_read_all(state, &l) < 0) {
        py_endpoints_drop(&l);
        return -1;
    }
    *out = l;
    return 0;
}
