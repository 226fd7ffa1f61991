/* SPDX-License-Identifier: MIT */
/*
 * Events and explanations as the dataclasses of ilb/_events.py, and telling
 * events to on_event.
 *
 * The library's callback may run with the interpreter lock given up, and while
 * a ticket is in a critical section: it only raises a flag. Python is called
 * afterwards, by the method that is about to return, from the ring: one thread
 * at a time, in order.
 */

#define EVENTS_AT_ONCE 8

static int py_events_import(py_state *state)
{
    PyObject *module = PyImport_ImportModule("ilb._events");

    if (module == NULL)
        return -1;
    state->event_class = PyObject_GetAttrString(module, "Event");
    state->candidate_class = PyObject_GetAttrString(module, "Candidate");
    state->explanation_class = PyObject_GetAttrString(module, "Explanation");
    Py_DECREF(module);
    return state->event_class == NULL || state->candidate_class == NULL ||
                   state->explanation_class == NULL
               ? -1
               : 0;
}

/* ---- Events ------------------------------------------------------------ */

static PyObject *event_make(py_state *state, const ilb_event *e)
{
    char text[ILB_EVENT_TEXT_MAX];

    (void)ilb_event_text(e, text, sizeof text);
    return PyObject_CallFunction(
        state->event_class, "KKsssszzOddKKKKIIIs",
        (unsigned long long)e->number, (unsigned long long)e->time_ns,
        ilb_event_type_name(e->type), e->address, ilb_state_name(e->from),
        ilb_state_name(e->to),
        e->detector == ILB_DETECTOR_NONE ? NULL
                                         : ilb_detector_name(e->detector),
        e->reason == ILB_REASON_NONE ? NULL : ilb_reason_name(e->reason),
        e->enforced ? Py_True : Py_False, e->statistic, e->threshold,
        (unsigned long long)e->requests, (unsigned long long)e->failures,
        (unsigned long long)e->until_ns, (unsigned long long)e->ejections,
        (unsigned)e->entered, (unsigned)e->left, (unsigned)e->readiness, text);
}

/* Copies the next few events; 0 without any. */
static size_t events_next_few(const py_balancer *self, uint64_t after,
                              ilb_event *few)
{
    size_t n = 0;

    /* It can only fail for arguments that are not these. */
    if (ilb_balancer_events(self->core, after, few, EVENTS_AT_ONCE, sizeof *few,
                            &n) != ILB_OK)
        return 0;
    return n;
}

PyDoc_STRVAR(
    balancer_events_doc,
    "events($self, /, after=0)\n--\n\n"
    "What happened, a list of ilb.Event, oldest first: those that are kept\n"
    "(see `event_capacity`) after the event of that number. If the first one\n"
    "is not the next number, some were lost in between.");

static PyObject *balancer_events(PyObject *self, PyObject *const *args,
                                 Py_ssize_t n_args, PyObject *keywords)
{
    static const char *const names[] = {"after"};
    static const py_signature signature = {"events", names, 1, 0};
    py_state *state = py_state_of(self);
    ilb_event few[EVENTS_AT_ONCE];
    PyObject *given[1], *list;
    uint64_t after = 0;
    size_t n;

    if (py_args_read(&signature, args, n_args, keywords, given) < 0 ||
        py_read_uint(state, given[0], "after", UINT64_MAX, &after) < 0)
        return NULL;
    list = PyList_New(0);
    do {
        n = events_next_few((py_balancer *)self, after, few);
        for (size_t i = 0; list != NULL && i < n; i++) {
            PyObject *event = event_make(state, &few[i]);

            if (event == NULL || PyList_Append(list, event) < 0)
                Py_CLEAR(list);
            Py_XDECREF(event);
            after = few[i].number;
        }
    } while (list != NULL && n == EVENTS_AT_ONCE);
    return list;
}

/* ---- Telling ----------------------------------------------------------- */

/* The hook that the library calls. */
static void events_flag(const ilb_event *event, void *user)
{
    (void)event;
    atomic_store(&((py_balancer *)user)->events_untold, true);
}

static void events_tell_one(py_state *state, py_balancer *self,
                            const ilb_event *e)
{
    PyObject *event = event_make(state, e), *result = NULL, *on_event;

    Py_BEGIN_CRITICAL_SECTION(self);
    on_event = self->on_event;
    Py_XINCREF(on_event);
    Py_END_CRITICAL_SECTION();
    /* NULL: the balancer is being collected. */
    if (event != NULL && on_event != NULL)
        result = PyObject_CallFunctionObjArgs(on_event, event, NULL);
    /* A request must not fail because somebody could not hear of it. */
    if (PyErr_Occurred())
        PyErr_WriteUnraisable(on_event);
    Py_XDECREF(result);
    Py_XDECREF(event);
    Py_XDECREF(on_event);
}

static void events_tell_all(py_state *state, py_balancer *self)
{
    ilb_event few[EVENTS_AT_ONCE];
    size_t n;

    while ((n = events_next_few(self, self->events_told, few)) > 0)
        for (size_t i = 0; i < n; i++) {
            self->events_told = few[i].number;
            events_tell_one(state, self, &few[i]);
        }
}

/* Tells on_event what it has not been told, unless somebody else is at it, who
 * then sees the flag that brought us here. */
static void events_tell_now(py_balancer *self)
{
    py_state *state = py_state_of(self);
    PyObject *type, *value, *traceback;

    PyErr_Fetch(&type, &value, &traceback);
    Py_INCREF(self);
    while (atomic_load(&self->events_untold) &&
           !atomic_exchange(&self->events_telling, true)) {
        atomic_store(&self->events_untold, false);
        events_tell_all(state, self);
        atomic_store(&self->events_telling, false);
    }
    Py_DECREF(self);
    PyErr_Restore(type, value, traceback);
}

static inline void py_events_tell(py_balancer *self)
{
    if (atomic_load_explicit(&self->events_untold, memory_order_relaxed))
        events_tell_now(self);
}

PyDoc_STRVAR(balancer_tick_doc,
             "tick($self, /, now_ns=0)\n--\n\n"
             "Do what otherwise rides on requests: refresh what the endpoints\n"
             "have in common and tell `on_event` what has happened. For a\n"
             "balancer that may have no requests for a while.");

static PyObject *balancer_tick(PyObject *self, PyObject *const *args,
                               Py_ssize_t n_args, PyObject *keywords)
{
    uint64_t now_ns = 0;

    if (py_args_read_time(py_state_of(self), "tick", args, n_args, keywords,
                          &now_ns) < 0)
        return NULL;
    (void)ilb_tick(((py_balancer *)self)->core, now_ns);
    py_events_tell((py_balancer *)self);
    Py_RETURN_NONE;
}

/* ---- Explanations ------------------------------------------------------ */

static PyObject *explanation_candidate(py_state *state, const ilb_candidate *c)
{
    return PyObject_CallFunction(
        state->candidate_class, "ssszzIIdKKOdd", c->address,
        ilb_fate_name(c->fate), ilb_state_name(c->state),
        c->held == ILB_HELD_NOT ? NULL : ilb_held_name(c->held),
        c->admitted == ILB_ADMITTED_NOT ? NULL : ilb_admitted_name(c->admitted),
        (unsigned)c->weight, (unsigned)c->in_flight, c->failure_ppm / 1e6,
        (unsigned long long)c->latency_ns, (unsigned long long)c->oldest_ns,
        c->again ? Py_True : Py_False, c->load, c->cost);
}

static PyObject *explanation_candidates(py_state *state,
                                        const ilb_explanation *x)
{
    PyObject *all = PyTuple_New((Py_ssize_t)x->n_candidates);

    for (uint32_t i = 0; all != NULL && i < x->n_candidates; i++) {
        PyObject *one = explanation_candidate(state, &x->candidates[i]);

        if (one == NULL)
            Py_CLEAR(all);
        else
            PyTuple_SET_ITEM(all, (Py_ssize_t)i, one);
    }
    return all;
}

static PyObject *py_explanation_make(py_state *state, const ilb_explanation *x)
{
    PyObject *candidates = explanation_candidates(state, x);
    char text[ILB_EXPLANATION_TEXT_MAX];

    if (candidates == NULL)
        return NULL;
    (void)ilb_explanation_text(x, text, sizeof text);
    return PyObject_CallFunction(
        state->explanation_class, "KssIIIIzOOdKKdINs",
        (unsigned long long)x->time_ns, ilb_policy_name(x->policy),
        ilb_chosen_by_name(x->chosen_by), (unsigned)x->n_endpoints,
        (unsigned)x->n_ejected, (unsigned)x->width, (unsigned)x->looks,
        x->trial == ILB_TRIAL_NOT ? NULL : ilb_trial_name(x->trial),
        x->panic ? Py_True : Py_False, x->overloaded ? Py_True : Py_False,
        x->room, (unsigned long long)x->median_ns,
        (unsigned long long)x->hang_ns, x->peer_failure_ppm / 1e6,
        (unsigned)x->chosen, candidates, text);
}
