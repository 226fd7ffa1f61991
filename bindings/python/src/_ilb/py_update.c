/* SPDX-License-Identifier: MIT */
/*
 * The endpoint set of a Balancer, and the user objects beside it.
 *
 * The library knows nothing of user objects: a pointer in there could outlive
 * its object. They stand in a dict beside it. While an update runs, the old
 * dict and the new one are both in force, because picks see the library's new
 * set before update comes back.
 */

static PyObject *balancer_users_ref(py_balancer *self, PyObject **next)
{
    PyObject *users;

    Py_BEGIN_CRITICAL_SECTION(self);
    users = self->users;
    *next = self->users_next;
    Py_XINCREF(users);
    Py_XINCREF(*next);
    Py_END_CRITICAL_SECTION();
    return users;
}

static PyObject *users_find(PyObject *users, PyObject *address)
{
    PyObject *user = NULL;

    if (users != NULL)
        user = PyDict_GetItemWithError(users, address);
    Py_XINCREF(user);
    return user;
}

static PyObject *py_balancer_user(py_balancer *self, PyObject *address)
{
    PyObject *next, *users = balancer_users_ref(self, &next);
    PyObject *user = users_find(users, address);

    if (user == NULL && !PyErr_Occurred())
        user = users_find(next, address);
    Py_XDECREF(users);
    Py_XDECREF(next);
    return user;
}

static void balancer_lock_writer(py_balancer *self)
{
    Py_BEGIN_ALLOW_THREADS PyThread_acquire_lock(self->writer, WAIT_LOCK);
    Py_END_ALLOW_THREADS
}

/* Hands the list to the library. Nothing here allocates or drops a Python
 * object while the writer's lock is held: a garbage collection could call
 * Python code that updates this balancer, and wait for itself. */
static int balancer_apply(py_balancer *self, py_endpoint_list *l)
{
    Py_ssize_t n = PyTuple_GET_SIZE(l->items);
    int rc;

    balancer_lock_writer(self);
    Py_BEGIN_CRITICAL_SECTION(self);
    self->users_next = py_new_ref(l->users);
    Py_END_CRITICAL_SECTION();
    if (l->any_user)
        atomic_store_explicit(&self->any_user, true, memory_order_release);
    Py_BEGIN_ALLOW_THREADS rc =
        ilb_balancer_update(self->core, l->list, (size_t)n);
    Py_END_ALLOW_THREADS Py_BEGIN_CRITICAL_SECTION(self);
    if (rc == ILB_OK) {
        PyObject *old = self->users;

        self->users = self->users_next;
        self->users_next = old;
    }
    Py_END_CRITICAL_SECTION();
    if (rc == ILB_OK)
        atomic_fetch_add_explicit(&self->n_updates, 1, memory_order_relaxed);
    return rc;
}

/* Takes out what is not in force any more and lets the next writer in. */
static void balancer_unlock_writer(py_balancer *self)
{
    PyObject *stale;

    Py_BEGIN_CRITICAL_SECTION(self);
    stale = self->users_next;
    self->users_next = NULL;
    Py_END_CRITICAL_SECTION();
    PyThread_release_lock(self->writer);
    Py_XDECREF(stale);
}

static int py_balancer_set_endpoints(py_state *state, py_balancer *self,
                                     PyObject *iterable)
{
    py_endpoint_list l;
    int rc;

    if (py_endpoints_read(state, iterable, &l) < 0)
        return -1;
    rc = balancer_apply(self, &l);
    balancer_unlock_writer(self);
    py_endpoints_drop(&l);
    if (rc == ILB_OK)
        return 0;
    (void)py_raise(state, rc, ilb_balancer_name(self->core));
    return -1;
}

PyDoc_STRVAR(
    balancer_update_doc,
    "update($self, endpoints, /)\n--\n\n"
    "Say what the endpoint set is now: the whole list, an iterable of str,\n"
    "(address, weight) or ilb.Endpoint.\n\n"
    "What stays keeps all that was learned of it; what is new starts gently;\n"
    "what is gone gets no new request. A list that is refused changes\n"
    "nothing.");

static PyObject *balancer_update(PyObject *self, PyObject *endpoints)
{
    if (py_balancer_set_endpoints(py_state_of(self), (py_balancer *)self,
                                  endpoints) < 0)
        return NULL;
    py_events_tell((py_balancer *)self);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(
    balancer_set_readiness_doc,
    "set_readiness($self, address, readiness, /)\n--\n\n"
    "Say that one endpoint is 'ready', 'not_ready' or 'draining'.\n"
    "The next update's list has the last word. One that becomes\n"
    "ready starts gently and anew: it is not ejected, and what failed\n"
    "before, requests and checks, counts no more.");

static PyObject *balancer_set_readiness(PyObject *self, PyObject *const *args,
                                        Py_ssize_t n_args)
{
    static const char *const names[] = {"address", "readiness"};
    static const py_signature signature = {"set_readiness", names, 2, 2};
    py_state *state = py_state_of(self);
    ilb_readiness readiness;
    const char *address;
    PyObject *given[2];
    int rc;

    if (py_args_read(&signature, args, n_args, NULL, given) < 0)
        return NULL;
    address = py_read_text(state, given[0], "address");
    if (address == NULL || py_read_readiness(state, given[1], &readiness) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS rc = ilb_balancer_set_readiness(
        ((py_balancer *)self)->core, address, readiness);
    Py_END_ALLOW_THREADS if (rc != ILB_OK) return py_raise(state, rc, address);
    py_events_tell((py_balancer *)self);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(balancer_addresses_doc,
             "addresses($self, /)\n--\n\n"
             "The addresses of the last update, in its order, a list of str.");

static PyObject *balancer_addresses(PyObject *self, PyObject *unused)
{
    PyObject *next, *list;
    PyObject *users = balancer_users_ref((py_balancer *)self, &next);

    (void)unused;
    list = users == NULL ? PyList_New(0) : PyDict_Keys(users);
    Py_XDECREF(users);
    Py_XDECREF(next);
    return list;
}
