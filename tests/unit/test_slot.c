/* SPDX-License-Identifier: MIT */
/* set/slot.h: an address that is read without a ticket. */
#include <pthread.h>

#include "set/slot.h"
#include "suites_internal.h"
#include "util.h"

static ilb__slot slot;

static uint32_t generation(void)
{
    return ilb__load_generation(ilb__load_relaxed(&slot.load.word));
}

START_TEST(an_address_is_copied_whole)
{
    char address[ILB_ADDRESS_MAX + 1], copy[ILB_ADDRESS_MAX + 1];

    for (size_t n = ILB_ADDRESS_MAX; n > 0; n--) {
        memset(address, 0, sizeof address);
        memset(address, (int)('a' + n % 26), n);
        ilb__slot_set_address(&slot, address);
        must_str(slot.address, address);
        memset(copy, '#', sizeof copy);
        must(ilb__slot_address(&slot, generation(), copy));
        must(memcmp(copy, address, sizeof copy) == 0);
    }
}
END_TEST

START_TEST(another_generation_is_refused_and_nothing_written)
{
    char copy[ILB_ADDRESS_MAX + 1] = "as it was";
    uint32_t before = generation();

    ilb__slot_set_address(&slot, "pod-1:80");
    must(ilb__load_recycle(&slot.load));
    must(!ilb__slot_address(&slot, before, copy));
    must_str(copy, "as it was");
    must(ilb__slot_address(&slot, generation(), copy));
    must_str(copy, "pod-1:80");
}
END_TEST

static ilb__a64 published; /* the last generation whose address is there */
static _Atomic bool reading, done;

static void publish(void)
{
    char address[ILB_ADDRESS_MAX + 1];

    memset(address, (int)('a' + generation() % 16), ILB_ADDRESS_MAX);
    address[ILB_ADDRESS_MAX] = '\0';
    ilb__slot_set_address(&slot, address);
    ilb__store_release(&published, generation());
}

static void *recycle(void *arg)
{
    (void)arg;
    /* A generation comes again after 2^15, with the same address as before. */
    while (!atomic_load(&reading))
        continue;
    for (uint32_t i = 0; i < 500000; i++) {
        must(ilb__load_recycle(&slot.load));
        publish();
    }
    atomic_store(&done, true);
    return NULL;
}

/* As a pick does: the generation is from the table, which has it only when the
 * address is there. */
START_TEST(what_is_read_is_of_the_generation_that_was_asked_for)
{
    char copy[ILB_ADDRESS_MAX + 1];
    pthread_t thread;

    publish();
    must_eq(pthread_create(&thread, NULL, recycle, NULL), 0);
    atomic_store(&reading, true);
    do {
        uint32_t wanted = (uint32_t)ilb__load_acquire(&published);

        if (!ilb__slot_address(&slot, wanted, copy))
            continue;
        for (size_t i = 0; i < ILB_ADDRESS_MAX; i++)
            must_eq(copy[i], 'a' + wanted % 16);
    } while (!atomic_load(&done));
    must_eq(pthread_join(thread, NULL), 0);
    must(ilb__slot_address(&slot, generation(), copy));
}
END_TEST

Suite *suite_slot(void)
{
    Suite *s = suite_create("slot");
    TCase *tc = test_case(s, "address");

    tcase_add_test(tc, an_address_is_copied_whole);
    tcase_add_test(tc, another_generation_is_refused_and_nothing_written);
    tcase_add_test(tc, what_is_read_is_of_the_generation_that_was_asked_for);
    return s;
}
