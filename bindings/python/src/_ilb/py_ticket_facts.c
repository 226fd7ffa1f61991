/* SPDX-License-Identifier: MIT */
/*
 * What a Ticket knows: its attributes and its repr.
 */

static bool ticket_in_flight(py_ticket *self)
{
    return atomic_load_explicit(&self->stage, memory_order_acquire) ==
           TICKET_IN_FLIGHT;
}

/* The digits of a port, up to the end of the text; -1: it is none. */
static long ticket_parse_port(const char *digits)
{
    long port = 0;

    if (*digits == '\0')
        return -1;
    for (; *digits != '\0'; digits++) {
        if (*digits < '0' || *digits > '9')
            return -1;
        port = port * 10 + (*digits - '0');
        if (port > 65535)
            return -1;
    }
    return port;
}

/* Splits "host:port" and "[::1]:port": where the host begins, its length, and
 * the port. Without a port (-1) the host is the whole address, but for the
 * brackets of "[::1]". */
static void ticket_split(const char *address, const char **host,
                         size_t *n_bytes, long *port)
{
    const char *colon = strrchr(address, ':');
    const char *bracket = address[0] == '[' ? strchr(address, ']') : NULL;

    *host = address;
    *n_bytes = strlen(address);
    *port = -1;
    if (bracket != NULL && (bracket[1] == '\0' || bracket + 1 == colon)) {
        if (colon == bracket + 1)
            *port = ticket_parse_port(colon + 1);
        if (*port >= 0 || bracket[1] == '\0') {
            *host = address + 1;
            *n_bytes = (size_t)(bracket - address) - 1;
        }
    } else if (colon != NULL && colon != address &&
               strchr(address, ':') == colon) {
        *port = ticket_parse_port(colon + 1);
        if (*port >= 0)
            *n_bytes = (size_t)(colon - address);
    }
}

static PyObject *ticket_get_address(PyObject *self, void *closure)
{
    (void)closure;
    return py_new_ref(((py_ticket *)self)->address);
}

static PyObject *ticket_get_host(PyObject *self, void *closure)
{
    const char *address = PyUnicode_AsUTF8(((py_ticket *)self)->address);
    const char *host;
    size_t n_bytes;
    long port;

    (void)closure;
    if (address == NULL)
        return NULL;
    ticket_split(address, &host, &n_bytes, &port);
    return PyUnicode_DecodeUTF8(host, (Py_ssize_t)n_bytes, NULL);
}

static PyObject *ticket_get_port(PyObject *self, void *closure)
{
    const char *address = PyUnicode_AsUTF8(((py_ticket *)self)->address);
    const char *host;
    size_t n_bytes;
    long port;

    (void)closure;
    if (address == NULL)
        return NULL;
    ticket_split(address, &host, &n_bytes, &port);
    if (port < 0)
        Py_RETURN_NONE;
    return PyLong_FromLong(port);
}

static PyObject *ticket_get_user(PyObject *self, void *closure)
{
    PyObject *user = ((py_ticket *)self)->user;

    (void)closure;
    return py_new_ref(user == NULL ? Py_None : user);
}

static PyObject *ticket_get_explanation(PyObject *self, void *closure)
{
    PyObject *explanation = ((py_ticket *)self)->explanation;

    (void)closure;
    return py_new_ref(explanation == NULL ? Py_None : explanation);
}

static PyObject *ticket_get_balancer(PyObject *self, void *closure)
{
    (void)closure;
    return py_new_ref(((py_ticket *)self)->balancer);
}

static PyObject *ticket_get_outcome(PyObject *self, void *closure)
{
    py_ticket *ticket = (py_ticket *)self;

    (void)closure;
    if (ticket_in_flight(ticket))
        Py_RETURN_NONE;
    return py_new_ref(py_state_of(self)->outcomes[atomic_load_explicit(
        &ticket->outcome, memory_order_relaxed)]);
}

static PyObject *ticket_get_try_timeout(PyObject *self, void *closure)
{
    py_ticket *ticket = (py_ticket *)self;
    uint64_t ns = 0;

    (void)closure;
    Py_BEGIN_CRITICAL_SECTION(self);
    ns = ilb_ticket_try_timeout_ns(ticket->balancer->core, &ticket->core);
    Py_END_CRITICAL_SECTION();
    if (ns == 0)
        Py_RETURN_NONE;
    return PyFloat_FromDouble(ns == UINT64_MAX ? Py_HUGE_VAL
                                               : (double)ns / 1e9);
}

static PyObject *ticket_repr(PyObject *self)
{
    py_ticket *ticket = (py_ticket *)self;
    int outcome;

    if (ticket_in_flight(ticket))
        return PyUnicode_FromFormat("<ilb.Ticket of '%s' to %R: in flight>",
                                    ilb_balancer_name(ticket->balancer->core),
                                    ticket->address);
    outcome = atomic_load_explicit(&ticket->outcome, memory_order_relaxed);
    return PyUnicode_FromFormat("<ilb.Ticket of '%s' to %R: %s>",
                                ilb_balancer_name(ticket->balancer->core),
                                ticket->address,
                                ilb_outcome_name((ilb_outcome)outcome));
}

static PyGetSetDef ticket_getset[] = {
    {"address", ticket_get_address, NULL,
     "Where to send the request, as given to the balancer, a str.", NULL},
    {"host", ticket_get_host, NULL,
     "The address without its port, a str: '::1' of '[::1]:80'.", NULL},
    {"port", ticket_get_port, NULL,
     "The port of 'host:port', an int; None without one.", NULL},
    {"user", ticket_get_user, NULL,
     "The object given with the endpoint, as it was at the pick, or None.",
     NULL},
    {"explanation", ticket_get_explanation, NULL,
     "Why this endpoint, an ilb.Explanation; None unless `pick` was asked.",
     NULL},
    {"balancer", ticket_get_balancer, NULL, "The Balancer that picked.", NULL},
    {"try_timeout", ticket_get_try_timeout, NULL,
     "None, or this request is a trial, as somebody has to ask whether an\n"
     "endpoint is good (again): if it fails, or has no answer after so many\n"
     "seconds, a float (math.inf: not known), send it elsewhere.",
     NULL},
    {"outcome", ticket_get_outcome, NULL,
     "How it went, an ilb.Outcome; None while in flight.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
