/* SPDX-License-Identifier: MIT */
/* The endpoint set: lists, readiness, results of checks. */
#include "api/balancer.h"
#include "base/options.h"
#include "health/eject.h"

static void endpoints_enter(ilb__slot *slot, void *user)
{
    ilb_balancer *b = user;

    ilb__health_enter(&b->judge, slot, ilb__table_view(&b->set.table).n,
                      b->update_ns);
}

static void endpoints_leave(ilb__slot *slot, void *user)
{
    ilb__health_leave(&((ilb_balancer *)user)->judge, slot);
}

static void endpoints_change(const ilb__slot *slot, bool was_listed,
                             uint8_t was_readiness, void *user)
{
    ilb__events_change(&((ilb_balancer *)user)->events, slot, was_listed,
                       was_readiness);
}

static ilb__set_watch endpoints_watch(ilb_balancer *b)
{
    ilb__set_watch watch = {endpoints_enter, endpoints_leave, b,
                            b->events.capacity == 0 ? NULL : endpoints_change};

    /* Once: a clock may be slow, and thousands may enter. */
    b->update_ns = ilb__balancer_now(b, 0);
    ilb__events_begin_update(&b->events);
    return watch;
}

/* A smaller set may have more ejected endpoints than its cap allows. */
static void endpoints_enforce_cap(ilb_balancer *b)
{
    ilb__view v = ilb__table_view(&b->set.table);

    for (uint32_t i = 0; i < v.n; i++)
        ilb__health_enforce_cap(
            &b->judge,
            &b->set.slots[ilb__endpoint_id_index(ilb__view_id(&v, i))], v.n,
            b->update_ns);
}

static bool endpoints_readiness_ok(ilb_readiness r)
{
    return r == ILB_READY || r == ILB_NOT_READY || r == ILB_DRAINING;
}

static int endpoints_check(const ilb_endpoint *e)
{
    if (e->size != sizeof *e)
        return ILB_EABI;
    if (!ilb__text_ok(e->address, ILB_ADDRESS_MAX))
        return ILB_EADDRESS;
    if (e->weight > ILB_WEIGHT_MAX || !endpoints_readiness_ok(e->readiness))
        return ILB_EINVAL;
    return ILB_OK;
}

ILB_API int ilb_balancer_update(ilb_balancer *b, const ilb_endpoint *endpoints,
                                size_t n)
{
    ilb__set_watch watch;
    int rc;

    if (b == NULL || (endpoints == NULL && n > 0))
        return ILB_EINVAL;
    if (n > b->set.capacity)
        return ILB_ECAPACITY;
    rc = ilb__balancer_enter(b);
    if (rc != ILB_OK)
        return rc;
    for (size_t i = 0; i < n; i++) {
        rc = endpoints_check(&endpoints[i]);
        if (rc != ILB_OK)
            return rc;
    }
    ilb__balancer_lock(b);
    watch = endpoints_watch(b);
    rc = ilb__set_plan(&b->set, endpoints, n);
    if (rc == ILB_OK) {
        ilb__set_apply(&b->set, endpoints, (uint32_t)n, &watch);
        ilb__events_end_update(&b->events);
        endpoints_enforce_cap(b);
    }
    ilb__balancer_unlock(b);
    ilb__balancer_tell(b);
    return rc;
}

ILB_API int ilb_balancer_set_readiness(ilb_balancer *b, const char *address,
                                       ilb_readiness readiness)
{
    ilb__set_watch watch;
    ilb__slot *slot;
    int rc;

    if (b == NULL || address == NULL || !endpoints_readiness_ok(readiness))
        return ILB_EINVAL;
    rc = ilb__balancer_enter(b);
    if (rc != ILB_OK)
        return rc;
    ilb__balancer_lock(b);
    watch = endpoints_watch(b);
    slot = ilb__set_find(&b->set, address);
    if (slot != NULL) {
        ilb__set_change_readiness(&b->set, slot, readiness, &watch);
        endpoints_enforce_cap(b);
    }
    ilb__balancer_unlock(b);
    ilb__balancer_tell(b);
    return slot == NULL ? ILB_ENOTFOUND : ILB_OK;
}

static void endpoints_checked(ilb_balancer *b, ilb__slot *slot, bool passed,
                              uint64_t now_ns)
{
    ilb__judge *j = &b->judge;
    uint32_t n_ready = ilb__table_view(&b->set.table).n;

    switch (ilb__checks_add(&slot->checks, passed,
                            ilb__load_relaxed(&slot->ejections), &j->checks,
                            now_ns)) {
    case ILB__CHECKED_DOWN:
        (void)ilb__health_check_down(j, slot, n_ready, now_ns);
        break;
    case ILB__CHECKED_UP:
        ilb__health_check_up(j, slot, false, now_ns);
        break;
    case ILB__CHECKED_UP_AGAIN:
        ilb__health_check_up(j, slot, true, now_ns);
        break;
    case ILB__CHECKED_NOTHING:
        break;
    }
}

ILB_API int ilb_balancer_report_check(ilb_balancer *b, const char *address,
                                      int passed, uint64_t now_ns)
{
    ilb__slot *slot;
    int rc;

    if (b == NULL || address == NULL)
        return ILB_EINVAL;
    rc = ilb__balancer_enter(b);
    if (rc != ILB_OK)
        return rc;
    now_ns = ilb__balancer_now(b, now_ns);
    ilb__balancer_lock(b);
    slot = ilb__set_find(&b->set, address);
    if (slot != NULL)
        endpoints_checked(b, slot, passed != 0, now_ns);
    ilb__balancer_unlock(b);
    return slot == NULL ? ILB_ENOTFOUND : ILB_OK;
}
