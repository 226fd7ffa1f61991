/* SPDX-License-Identifier: MIT */
/*
 * Error codes and the exception classes of ilb/_errors.py.
 */

/* Fills state->errors; a class that Python lacks becomes ilb.Error. */
static int errors_fill(py_state *state, PyObject *by_code, PyObject *base)
{
    for (int i = 0; i < PY_N_ERRORS; i++) {
        PyObject *code = PyLong_FromLong(-i);
        PyObject *found;

        if (code == NULL)
            return -1;
        found = PyDict_GetItemWithError(by_code, code);
        Py_DECREF(code);
        if (found == NULL && PyErr_Occurred())
            return -1;
        state->errors[i] = py_new_ref(found == NULL ? base : found);
    }
    return 0;
}

static int py_errors_import(py_state *state)
{
    PyObject *module = PyImport_ImportModule("ilb._errors");
    PyObject *by_code = NULL, *base = NULL;
    int rc = -1;

    if (module == NULL)
        return -1;
    by_code = PyObject_GetAttrString(module, "BY_CODE");
    base = PyObject_GetAttrString(module, "Error");
    if (by_code != NULL && base != NULL)
        rc = errors_fill(state, by_code, base);
    Py_XDECREF(base);
    Py_XDECREF(by_code);
    Py_DECREF(module);
    return rc;
}

/* Raises what `code` means; `about` says of what, and may be NULL. */
static PyObject *py_raise(py_state *state, int code, const char *about)
{
    PyObject *type = code < 0 && code > -PY_N_ERRORS ? state->errors[-code]
                                                     : state->errors[0];
    const char *text = ilb_strerror(code);

    if (about == NULL)
        return PyErr_Format(type, "%s", text);
    return PyErr_Format(type, "%s: %s", about, text);
}
