/* SPDX-License-Identifier: MIT */
/* observe/events.h: the ring beneath the events, writers that come to grief
 * and the one who tells. Threads: tests/stress/stress_events.c. */
#include "observe/events.h"

#include "shared.h"
#include "suites_internal.h"
#include "util.h"

#define CAPACITY 8

static _Alignas(64) unsigned char block[1 << 13];
static ilb__events ring;
static test_clock ring_clock;
static ilb__time ring_time;

static void setup(void)
{
    const test_clock start = TEST_CLOCK_INIT;
    ilb__arena a = {block, 0};

    memset(&ring, 0, sizeof ring);
    memset(block, 0, sizeof block);
    ilb__events_init(&ring, &a, CAPACITY);
    must(a.used_bytes <= sizeof block);
    must_eq(a.used_bytes, CAPACITY * 384); /* as ilb.h says */
    ring_clock = start;
    memset(&ring_time, 0, sizeof ring_time);
    ring_time.clock_ns = test_clock_ns;
    ring_time.user = &ring_clock;
    ring.time = &ring_time;
}

/* Its payload is its number. */
static void write_one(void)
{
    ilb_event e;

    memset(&e, 0, sizeof e);
    e.type = ILB_EVENT_HEALTHY;
    e.requests = ilb__load_relaxed(&ring.n_numbered) + 1;
    ilb__events_write(&ring, &e);
}

/* The numbers after `after` are first .. last. */
static void reads(uint64_t after, uint64_t first, uint64_t last)
{
    ilb_event out[2 * CAPACITY];
    size_t n = ilb__events_read(&ring, after, out, 2 * CAPACITY);

    must_eq(n, last + 1 - first);
    for (size_t i = 0; i < n; i++) {
        must_eq(out[i].number, first + i);
        must_eq(out[i].requests, first + i);
        must_eq(out[i].size, sizeof out[i]);
    }
}

static ilb__events_entry *entry_of(uint64_t number)
{
    return &ring.entries[number % CAPACITY];
}

/* ---- Writing and reading ----------------------------------------------- */

START_TEST(what_is_written_is_read)
{
    reads(0, 1, 0);
    for (uint64_t i = 1; i <= 30; i++) {
        uint64_t oldest = i > CAPACITY ? i - CAPACITY + 1 : 1;

        write_one();
        reads(0, oldest, i);
        reads(i - 1, i, i);
        reads(i, i + 1, i);
    }
}
END_TEST

START_TEST(the_clock_is_asked_only_without_a_time)
{
    ilb_event e, out;

    memset(&e, 0, sizeof e);
    e.time_ns = 5;
    ilb__events_write(&ring, &e);
    must_eq(ilb__events_read(&ring, 0, &out, 1), 1);
    must_eq(out.time_ns, 5);
    e.time_ns = 0;
    ilb__events_write(&ring, &e);
    must_eq(ilb__events_read(&ring, 1, &out, 1), 1);
    must_eq(out.time_ns, ring_clock.now_ns);
}
END_TEST

/* Somebody has taken a number and is not through. */
static uint64_t begin_writing(void)
{
    uint64_t number = ilb__add_relaxed(&ring.n_numbered, 1) + 1;

    ilb__store_relaxed(&entry_of(number)->stamp, 2 * number + 1);
    return number;
}

static void end_writing(uint64_t number)
{
    ilb_event e;

    memset(&e, 0, sizeof e);
    e.size = sizeof e;
    e.number = e.requests = number;
    for (size_t i = 0; i < ILB_EVENT_WORDS; i++) {
        uint64_t word;

        memcpy(&word, (const unsigned char *)&e + 8 * i, sizeof word);
        ilb__store_relaxed(&entry_of(number)->words[i], word);
    }
    ilb__store_relaxed(&entry_of(number)->stamp, 2 * number);
    ilb__add_relaxed(&ring.n_through, 1);
}

START_TEST(readers_wait_for_what_is_being_written)
{
    uint64_t open;

    write_one();
    write_one();
    open = begin_writing();
    write_one();
    reads(0, 1, 2);
    reads(2, 3, 2);
    reads(open, 4, 4); /* who has asked to go on behind it does */
    end_writing(open);
    reads(0, 1, 4);
}
END_TEST

START_TEST(a_number_without_a_claim_yet_is_waited_for_as_well)
{
    write_one();
    ilb__add_relaxed(&ring.n_numbered, 1);
    write_one();
    reads(0, 1, 1);
}
END_TEST

START_TEST(a_writer_that_dies_costs_its_entry_and_nothing_else)
{
    uint64_t dead;
    ilb_event out[CAPACITY];

    write_one();
    dead = begin_writing();
    for (uint64_t i = dead + 1; i < dead + CAPACITY; i++) {
        write_one();
        reads(0, 1, i <= CAPACITY ? 1 : 0);
        reads(dead, dead + 1, i);
    }
    /* A ring later: its entry is passed over from now on. */
    for (uint64_t i = dead + CAPACITY; i < dead + 40; i++) {
        uint64_t n_lost = 0, want = i - CAPACITY + 1;
        size_t n;

        write_one();
        n = ilb__events_read(&ring, 0, out, CAPACITY);
        must_eq(n, CAPACITY - 1);
        for (size_t k = 0; k < n; k++, want++) {
            if ((want - dead) % CAPACITY == 0) {
                want++;
                n_lost++;
            }
            must_eq(out[k].number, want);
            must_eq(out[k].requests, want);
        }
        must(n_lost <= 1);
        must_eq(ilb__load_relaxed(&entry_of(dead)->stamp), 2 * dead + 1);
    }
    must_eq(ilb__load_relaxed(&ring.n_through),
            ilb__load_relaxed(&ring.n_numbered) - 1);
}
END_TEST

/* It had its number long ago and comes when the next round has been here. */
START_TEST(a_late_writer_does_not_overwrite_a_newer_event)
{
    for (uint64_t i = 1; i <= CAPACITY + 3; i++)
        write_one();
    ilb__store_relaxed(&ring.n_numbered, 1);
    write_one(); /* number 2 */
    ilb__store_relaxed(&ring.n_numbered, CAPACITY + 3);
    reads(0, 4, CAPACITY + 3);
}
END_TEST

/* ---- Telling ----------------------------------------------------------- */

static uint64_t told[64];
static size_t n_told;
static uint32_t depth;
static uint32_t to_write; /* so many more, each from inside the callback */

static void hear(const ilb_event *event, void *user)
{
    must(user == &ring);
    must_eq(depth, 0);
    depth++;
    must(n_told < 64);
    told[n_told++] = event->number;
    if (to_write > 0) {
        to_write--;
        write_one();
        must(ilb__events_pending(&ring));
        ilb__events_tell(&ring); /* as ilb_done at its end: leaves it be */
        must(!ilb__events_pending(&ring));
    }
    depth--;
}

static void listen(void)
{
    setup();
    ring.on_event = hear;
    ring.user = &ring;
    n_told = depth = to_write = 0;
}

static void heard(uint64_t first, uint64_t last)
{
    must_eq(n_told, last + 1 - first);
    for (size_t i = 0; i < n_told; i++)
        must_eq(told[i], first + i);
    n_told = 0;
}

START_TEST(each_event_is_told_once_in_order)
{
    listen();
    must(!ilb__events_pending(&ring));
    write_one();
    write_one();
    write_one();
    must(ilb__events_pending(&ring));
    must_eq(n_told, 0);
    ilb__events_tell(&ring);
    heard(1, 3);
    must(!ilb__events_pending(&ring));
    ilb__events_tell(&ring);
    must_eq(n_told, 0);
    write_one();
    ilb__events_tell(&ring);
    heard(4, 4);
    must_eq(ilb__load_relaxed(&ring.asked), 0);
}
END_TEST

START_TEST(nothing_is_pending_without_a_callback)
{
    write_one();
    must(!ilb__events_pending(&ring));
}
END_TEST

START_TEST(what_happens_while_telling_is_told_by_the_same_teller)
{
    listen();
    to_write = 20;
    write_one();
    ilb__events_tell(&ring);
    heard(1, 21);
}
END_TEST

START_TEST(more_than_the_ring_holds_are_lost_and_the_rest_told)
{
    listen();
    for (uint64_t i = 1; i <= CAPACITY + 5; i++)
        write_one();
    ilb__events_tell(&ring);
    heard(6, CAPACITY + 5);
}
END_TEST

START_TEST(the_teller_waits_for_what_is_being_written)
{
    uint64_t open;

    listen();
    write_one();
    open = begin_writing();
    write_one();
    ilb__events_tell(&ring);
    heard(1, 1);
    must(!ilb__events_pending(&ring));
    end_writing(open);
    must(ilb__events_pending(&ring));
    ilb__events_tell(&ring);
    heard(2, 3);
}
END_TEST

START_TEST(whoever_asks_while_another_tells_leaves_it_to_him)
{
    listen();
    ilb__store_relaxed(&ring.asked, 1); /* another thread is at it */
    write_one();
    ilb__events_tell(&ring);
    must_eq(n_told, 0);
    must_eq(ilb__load_relaxed(&ring.asked), 2);
}
END_TEST

/* ---- A process that has ended ------------------------------------------ */

static test_shared world;
static ilb__processes processes;
static _Alignas(64) unsigned char entries[1024];

/* Process 1 calls; its stamp. */
static uint32_t share_ring(void)
{
    ilb__arena a = {entries, 0};
    static ilb__self self;
    uint32_t stamp;

    test_shared_init(&world);
    memset(entries, 0, sizeof entries);
    memset(&self, 0, sizeof self);
    memset(&processes, 0, sizeof processes);
    ilb__processes_init(&processes, &a, 2);
    must(a.used_bytes <= sizeof entries);
    processes.system = &world.system;
    processes.self = world.self = &self;
    ring.processes = &processes;
    must_eq(ilb__process_enter(&processes, &stamp), ILB_OK);
    return stamp;
}

/* As events_claim leaves it. */
static uint64_t claim_as(uint32_t stamp)
{
    uint64_t number = ilb__add_relaxed(&ring.n_numbered, 1) + 1;

    ilb__store_relaxed(&entry_of(number)->stamp,
                       (uint64_t)(ilb__process_index(stamp) + 1) << 48 |
                           (2 * number + 1));
    return number;
}

START_TEST(what_an_ended_process_was_writing_is_lost_and_its_entry_free)
{
    uint32_t one = share_ring(), two;
    uint64_t open;

    test_shared_as(&world, 2);
    must_eq(ilb__process_enter(&processes, &two), ILB_OK);
    write_one();
    (void)claim_as(two);  /* 2 */
    open = claim_as(one); /* 3: lives */
    write_one();
    reads(0, 1, 1);
    ilb__events_bury(&ring, two);
    reads(2, 3, 2); /* 3 is waited for */
    reads(0, 1, 1);
    ilb__store_release(&entry_of(open)->stamp, 2 * open);
    for (int i = 0; i < 2 * CAPACITY; i++)
        write_one();
    /* No entry has been used up. */
    reads(0, 2 * CAPACITY + 4 - CAPACITY + 1, 2 * CAPACITY + 4);
}
END_TEST

START_TEST(a_number_that_nobody_will_use_is_given_up)
{
    uint64_t last;

    (void)share_ring();
    write_one();
    last = ilb__add_relaxed(&ring.n_numbered, 1) + 1; /* 2: died here */
    write_one();
    write_one();
    reads(0, 1, 1);
    ilb__events_give_up_before(&ring, last);
    must_eq(ilb__events_read(&ring, 1, &(ilb_event){0}, 1), 1);
    reads(2, 3, 4);
    for (int i = 0; i < CAPACITY; i++)
        write_one();
    reads(4, 5, 4 + CAPACITY);
}
END_TEST

START_TEST(an_ended_teller_is_followed_and_a_live_one_is_not)
{
    uint32_t one = share_ring();

    listen();
    write_one();
    /* One more ask, so that its process is who tells. */
    ilb__store_relaxed(&ring.asked, (uint64_t)one << 32 | 1);
    ilb__events_bury(&ring, one + (1u << ILB_PROCESS_INDEX_BITS));
    must_eq(ilb__load_relaxed(&ring.asked), (uint64_t)one << 32 | 1);
    ilb__events_tell(&ring);
    must_eq(n_told, 0);
    ilb__events_bury(&ring, one);
    must_eq(ilb__load_relaxed(&ring.asked), 0);
    must(ilb__events_pending(&ring)); /* whoever comes by next */
    ilb__events_tell(&ring);
    heard(1, 1);
}
END_TEST

Suite *suite_events(void)
{
    Suite *s = suite_create("events");
    TCase *tc = test_case(s, "ring");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, what_is_written_is_read);
    tcase_add_test(tc, the_clock_is_asked_only_without_a_time);
    tcase_add_test(tc, readers_wait_for_what_is_being_written);
    tcase_add_test(tc, a_number_without_a_claim_yet_is_waited_for_as_well);
    tcase_add_test(tc, a_writer_that_dies_costs_its_entry_and_nothing_else);
    tcase_add_test(tc, a_late_writer_does_not_overwrite_a_newer_event);
    tc = test_case(s, "telling");
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, each_event_is_told_once_in_order);
    tcase_add_test(tc, nothing_is_pending_without_a_callback);
    tcase_add_test(tc, what_happens_while_telling_is_told_by_the_same_teller);
    tcase_add_test(tc, more_than_the_ring_holds_are_lost_and_the_rest_told);
    tcase_add_test(tc, the_teller_waits_for_what_is_being_written);
    tcase_add_test(tc, whoever_asks_while_another_tells_leaves_it_to_him);
    tc = test_case(s, "ended");
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(
        tc, what_an_ended_process_was_writing_is_lost_and_its_entry_free);
    tcase_add_test(tc, a_number_that_nobody_will_use_is_given_up);
    tcase_add_test(tc, an_ended_teller_is_followed_and_a_live_one_is_not);
    return s;
}
