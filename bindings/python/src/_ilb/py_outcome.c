/* SPDX-License-Identifier: MIT */
/*
 * How a request went: from Python's values, and from an exception.
 */

static int outcome_import_members(py_state *state, PyObject *outcome_class)
{
    for (int i = 0; i < ILB_OUTCOME_COUNT; i++) {
        state->outcomes[i] = PyObject_CallFunction(outcome_class, "i", i);
        if (state->outcomes[i] == NULL)
            return -1;
    }
    return 0;
}

static int py_outcome_import(py_state *state)
{
    PyObject *module = PyImport_ImportModule("ilb._outcome");
    PyObject *outcome_class = NULL;
    int rc = -1;

    if (module == NULL)
        return -1;
    outcome_class = PyObject_GetAttrString(module, "Outcome");
    state->classify = PyObject_GetAttrString(module, "classify");
    if (outcome_class != NULL && state->classify != NULL)
        rc = outcome_import_members(state, outcome_class);
    Py_XDECREF(outcome_class);
    Py_DECREF(module);
    return rc;
}

static int outcome_by_name(PyObject *value, ilb_outcome *out)
{
    for (int i = 0; i < ILB_OUTCOME_COUNT; i++)
        if (PyUnicode_CompareWithASCIIString(
                value, ilb_outcome_name((ilb_outcome)i)) == 0) {
            *out = (ilb_outcome)i;
            return 0;
        }
    return -1;
}

/* An ilb.Outcome, its number or its name. A bool is refused: True would mean
 * 1, a failure. */
static int py_read_outcome(py_state *state, PyObject *value, ilb_outcome *out)
{
    if (PyUnicode_Check(value)) {
        if (outcome_by_name(value, out) == 0)
            return 0;
    } else if (PyLong_Check(value) && !PyBool_Check(value)) {
        int overflow;
        long n = PyLong_AsLongAndOverflow(value, &overflow);

        if (n >= 0 && n < ILB_OUTCOME_COUNT && overflow == 0) {
            *out = (ilb_outcome)n;
            return 0;
        }
    } else {
        PyErr_Format(PyExc_TypeError,
                     "outcome must be an ilb.Outcome or its name, not %.100s",
                     Py_TYPE(value)->tp_name);
        return -1;
    }
    return py_invalid(state, "%R is no outcome", value);
}

/* Asks `classify`, if there is one and it has an opinion, else ilb.classify. */
static int py_classify(py_state *state, PyObject *classify, PyObject *exception,
                       ilb_outcome *out)
{
    PyObject *answer = NULL;
    int rc;

    if (classify != NULL) {
        answer = PyObject_CallFunctionObjArgs(classify, exception, NULL);
        if (answer == NULL)
            return -1;
        if (answer == Py_None)
            Py_CLEAR(answer);
    }
    if (answer == NULL)
        answer = PyObject_CallFunctionObjArgs(state->classify, exception, NULL);
    if (answer == NULL)
        return -1;
    rc = py_read_outcome(state, answer, out);
    Py_DECREF(answer);
    return rc;
}
