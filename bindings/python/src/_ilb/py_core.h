/* SPDX-License-Identifier: MIT */
/*
 * Python, the library, and the state of one module object.
 *
 * House rules of the binding
 *   - No static Python object: several interpreters may each have a module.
 *   - The interpreter lock is kept round ilb_pick, ilb_first_byte and
 *     ilb_done, which take less time than giving it up; it is given up round
 *     everything that takes the balancer's mutex.
 *   - No Python code is called from inside the library: there is no clock or
 *     allocator written in Python.
 *   - What two threads may touch at once is atomic, or stands in a critical
 *     section (which is nothing where the interpreter lock does the work).
 */
#ifndef ILB_PY_CORE_H
#define ILB_PY_CORE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#ifdef ILB_USE_SYSTEM
#include <ilb.h>
#else
#ifndef ILB_STATIC
#define ILB_STATIC
#endif
#include "ilb.c"
#endif

#if PY_VERSION_HEX < 0x030D0000
#define Py_BEGIN_CRITICAL_SECTION(object) {
#define Py_END_CRITICAL_SECTION() }
#endif

/* What Python 3.9 has no flags for is done by hand: see py_no_new. */
#if PY_VERSION_HEX >= 0x030A0000
#define PY_TYPE_FLAGS                                                          \
    (Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE)
#else
#define PY_TYPE_FLAGS (Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC)
#endif

/* Function pointers in Python's tables. ISO C has no cast to void *, and a
 * method's true type differs with its flags: both go through an integer or a
 * function type without parameters. */
#define PY_SLOT(function) ((void *)(uintptr_t)(function))
#define PY_METHOD(function) ((PyCFunction)(void (*)(void))(function))

#define PY_N_ERRORS (1 - ILB_ERROR_LAST)

/* All that one module object owns. */
typedef struct py_state {
    PyTypeObject *balancer_type;
    PyTypeObject *ticket_type;
    PyTypeObject *stats_type;
    PyTypeObject *clock_type;
    PyObject *errors[PY_N_ERRORS];         /* classes, by -code */
    PyObject *outcomes[ILB_OUTCOME_COUNT]; /* members of ilb.Outcome */
    PyObject *classify;                    /* ilb.classify */
    PyObject *event_class;                 /* ilb.Event */
    PyObject *candidate_class;             /* ilb.Candidate */
    PyObject *explanation_class;           /* ilb.Explanation */
} py_state;

static inline py_state *py_state_of_module(PyObject *module)
{
    return (py_state *)PyModule_GetState(module);
}

/* Right for objects of our own types only: none of them can be subclassed. */
static inline py_state *py_state_of(void *object)
{
    return (py_state *)PyType_GetModuleState(Py_TYPE((PyObject *)object));
}

static inline PyObject *py_new_ref(void *object)
{
    Py_INCREF((PyObject *)object);
    return (PyObject *)object;
}

/* Makes a type of `spec`, keeps it in `*kept` and adds it to the module. */
static inline int py_type_add(PyObject *module, PyType_Spec *spec,
                              PyTypeObject **kept)
{
    *kept = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    return *kept == NULL ? -1 : PyModule_AddType(module, *kept);
}

#endif
