/* SPDX-License-Identifier: MIT */
/*
 * The extension module ilb._ilb: what it holds and how it is set up.
 *
 * This is the one file that is compiled. It takes in the library (static, so
 * that no name leaves the module and no other copy in the process is called
 * by mistake) and then the other files here, one topic each.
 */
#include "py_core.h"

#include "py_args.c"
#include "py_errors.c"

#include "py_outcome.c"

#include "py_clock.c"

#include "py_options.c"

#include "py_endpoints.c"

#include "py_balancer.h"

#include "py_stats.c"

#include "py_events.c"

#include "py_ticket_facts.c"

#include "py_ticket.c"

#include "py_update.c"

#include "py_pick.c"

#include "py_checks.c"

#include "py_balancer_facts.c"

#include "py_balancer.c"

static int module_add_types(PyObject *module, py_state *state)
{
    if (py_clock_add(module, state) < 0 || py_stats_add(module, state) < 0 ||
        py_ticket_add(module, state) < 0 || py_balancer_add(module, state) < 0)
        return -1;
    return 0;
}

static int module_exec(PyObject *module)
{
    py_state *state = py_state_of_module(module);

    if (py_errors_import(state) < 0 || py_outcome_import(state) < 0 ||
        py_events_import(state) < 0 || module_add_types(module, state) < 0)
        return -1;
    if (PyModule_AddStringConstant(module, "VERSION", ILB_VERSION) < 0 ||
        PyModule_AddIntConstant(module, "EXCLUDE_MAX", ILB_EXCLUDE_MAX) < 0)
        return -1;
    return PyModule_AddObject(module, "NEVER",
                              PyLong_FromUnsignedLong(ILB_NEVER));
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    py_state *state = py_state_of_module(module);

    for (int i = 0; i < PY_N_ERRORS; i++)
        Py_VISIT(state->errors[i]);
    for (int i = 0; i < ILB_OUTCOME_COUNT; i++)
        Py_VISIT(state->outcomes[i]);
    Py_VISIT(state->classify);
    Py_VISIT(state->event_class);
    Py_VISIT(state->candidate_class);
    Py_VISIT(state->explanation_class);
    Py_VISIT(state->balancer_type);
    Py_VISIT(state->ticket_type);
    Py_VISIT(state->stats_type);
    Py_VISIT(state->clock_type);
    return 0;
}

static int module_clear(PyObject *module)
{
    py_state *state = py_state_of_module(module);

    for (int i = 0; i < PY_N_ERRORS; i++)
        Py_CLEAR(state->errors[i]);
    for (int i = 0; i < ILB_OUTCOME_COUNT; i++)
        Py_CLEAR(state->outcomes[i]);
    Py_CLEAR(state->classify);
    Py_CLEAR(state->event_class);
    Py_CLEAR(state->candidate_class);
    Py_CLEAR(state->explanation_class);
    Py_CLEAR(state->balancer_type);
    Py_CLEAR(state->ticket_type);
    Py_CLEAR(state->stats_type);
    Py_CLEAR(state->clock_type);
    return 0;
}

static void module_free(void *module)
{
    (void)module_clear((PyObject *)module);
}

PyDoc_STRVAR(library_version_doc,
             "library_version()\n--\n\n"
             "The version of libilb that runs, as text: \"0.1.0\".");

static PyObject *module_library_version(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return PyUnicode_FromString(ilb_version());
}

static PyMethodDef module_methods[] = {
    {"library_version", module_library_version, METH_NOARGS,
     library_version_doc},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, PY_SLOT(module_exec)},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030D0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef module_def = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "ilb._ilb",
    .m_doc = "The C part of the package ilb; use it through `import ilb`.",
    .m_size = sizeof(py_state),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__ilb(void);

PyMODINIT_FUNC PyInit__ilb(void)
{
    return PyModuleDef_Init(&module_def);
}
