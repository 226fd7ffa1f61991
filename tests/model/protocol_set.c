/* SPDX-License-Identifier: MIT */
/*
 * The published table and the slots: who reads, takes, returns and recycles.
 *
 * What is modelled, step by step; each step below names the function of the
 * library that it stands for:
 *   - the table of two buffers and a version (set/table.h, set/table.c), with n
 *     and two ids; the other words of a buffer are stored and loaded as these;
 *   - a slot's word with young, old, answered, parity and generation
 *     (signal/load.c), its address as two words that can be torn, a word that
 *     stands for all that requests learn (done, latency, ...), and the user
 *     pointer with what it points to (set/slot.c, set/set.c), which
 *     ilb__stats_of reads as ilb_ticket_user does;
 *   - the one who updates: reconciling a list, new slots, publishing, recycling
 *     what has drained (set/set.c). Several share a mutex, which hands on all
 *     that one has seen to the next, so that they are one thread here;
 *   - picks that look at every column, from any one on (select/select.c): of
 *     the policies only that matters; tickets, first bytes, dones, dones of
 *     copies; probes, which take through a view that need not hold; copies of
 *     an address without a ticket, for explanations (select/trace.c).
 *
 * What is not: marks, costs and other estimates, which stand for themselves; a
 * slot that is full; generations that come round after 32768 recyclings; who
 * is ejected (a probe may want any column). Nor leases (lease_turned,
 * lease_expire, ilb__lease_look_at, ilb__load_expire, ilb__load_age_young) and
 * who shares the balancer (process_end_former, process_want, process_take,
 * process_mark_ended, ilb__process_enter, ilb__process_entry,
 * ilb__process_free): these are shown by tests/stress/kill_points.c and
 * stress_processes.c, on the machine's memory only.
 *
 * What must hold, in every state:
 *   - what is in flight in a slot's word is what has been taken and not
 *     returned, and all of it is returned at the end but for what the dead
 * took;
 *   - a view that holds is of one table, and the ticket is of its endpoint;
 *   - who holds a ticket can read no address, user or past of another endpoint,
 *     and what he notes there never counts for the slot's next one;
 *   - a done of a copy changes nothing once the slot is another endpoint's;
 *   - no pick is refused where every list has an endpoint;
 *   - nobody goes round in a circle or waits (explore.h).
 */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SET_SLOTS 4
#define SET_COLUMNS 2
#define SET_UPDATES 5
#define SET_READERS 3
#define SET_OPS 2
#define SET_WRITER 0 /* its thread; the readers' come after */

/* ---- Words ------------------------------------------------------------- */

enum {
    SET_VERSION,
    SET_BUFFERS,                             /* two of n, id, id */
    SET_WORDS = SET_BUFFERS + 2 * 3,         /* of the slots: load.word */
    SET_LEARNED = SET_WORDS + SET_SLOTS,     /* done, latency, ... */
    SET_ADDRESSES = SET_LEARNED + SET_SLOTS, /* two each, of three slots */
    SET_USER = SET_ADDRESSES + 6,            /* of slot 0 */
    SET_POINTEE,
    SET_N_WORDS
};

_Static_assert(SET_N_WORDS <= MEMORY_WORDS, "all words fit");

/* A slot's word: as in signal/load.h, with shorter counts. */
#define SET_YOUNG 1u
#define SET_OLD 4u
#define SET_ANSWERED 16u
#define SET_PARITY 64u
#define SET_GENERATION 128u
#define SET_IS_ANSWERED 2 /* where a ticket is counted, else its parity */

static unsigned set_part(uint16_t word, unsigned one)
{
    return word / one % 4;
}

static unsigned set_generation(uint16_t word)
{
    return word / SET_GENERATION;
}

static unsigned set_parity(uint16_t word)
{
    return (word & SET_PARITY) != 0;
}

static unsigned set_in_flight(uint16_t word)
{
    return set_part(word, SET_YOUNG) + set_part(word, SET_OLD) +
           set_part(word, SET_ANSWERED);
}

/* What stands in a buffer also says, to the checks only, of which version. */
#define SET_TAG 32u

static uint16_t set_id(unsigned slot, unsigned generation, unsigned version)
{
    return (uint16_t)(version * SET_TAG + generation * SET_SLOTS + slot);
}

/* ---- Cases ------------------------------------------------------------- */

enum {
    SET_NOTHING,
    SET_PICK,          /* pick, done */
    SET_PICK_BYTE,     /* pick, first byte, done */
    SET_PICK_COPY,     /* pick of a slot's first, done, done of a copy */
    SET_PICK_NEWER,    /* pick of any but a slot's first, done */
    SET_PICK_USER,     /* pick, what the user pointer points to, done */
    SET_PICK_EXPLAIN,  /* pick with a copy of the address, done */
    SET_ADDRESS,       /* a copy of an address of the table, no ticket */
    SET_PROBE,         /* ilb__select with a due probe, ilb__select_due */
    SET_PROBE_EARLY,   /* ilb__select with an early one */
    SET_PROBE_EXPLAIN, /* the probe's address is copied, too */
};

/* Endpoints are bits. */
#define SET_A 1
#define SET_B 2
#define SET_C 4
#define SET_D 8

typedef struct set_case {
    uint8_t lists[SET_UPDATES]; /* the first is there at the beginning; 0: no
                                   more */
    uint8_t readers[SET_READERS][SET_OPS];
    uint8_t mortal; /* a bit a thread */
    bool addresses, learns, users, may_refuse;
} set_case;

enum {
    SET_CASE_REPLACE,
    SET_CASE_REPLACE_MORE,
    SET_CASE_TORN,
    SET_CASE_RECYCLE,
    SET_CASE_TURNS,
    SET_CASE_DEATH,
    SET_CASE_COPY,
    SET_CASE_PROBE,
    SET_CASE_EARLY,
    SET_CASE_EXPLAIN,
    SET_CASE_PROBE_EXPLAIN,
    SET_CASE_ADDRESS,
    SET_CASE_USER,
    SET_N_CASES
};

static const set_case set_cases[SET_N_CASES] = {
    [SET_CASE_REPLACE] = {{SET_A, SET_B, SET_C},
                          {{SET_PICK}, {SET_PICK}},
                          0,
                          true,
                          true,
                          false,
                          false},
    [SET_CASE_REPLACE_MORE] = {{SET_A, SET_B, SET_C, SET_A},
                               {{SET_PICK}, {SET_PICK}},
                               0,
                               true,
                               true,
                               false,
                               false},
    [SET_CASE_TORN] = {{SET_A | SET_B, SET_A, SET_A | SET_B},
                       {{SET_PICK}, {SET_PICK}},
                       0,
                       false,
                       false,
                       false,
                       false},
    [SET_CASE_RECYCLE] = {{SET_A, SET_B, SET_C, SET_D},
                          {{SET_PICK, SET_PICK}},
                          0,
                          true,
                          true,
                          false,
                          false},
    [SET_CASE_TURNS] = {{SET_A, SET_B},
                        {{SET_PICK_BYTE}, {SET_PICK}, {SET_PICK}},
                        0,
                        false,
                        false,
                        false,
                        false},
    [SET_CASE_DEATH] = {{SET_A, SET_B, SET_C},
                        {{SET_PICK_BYTE}, {SET_PICK}},
                        2,
                        false,
                        true,
                        false,
                        false},
    [SET_CASE_COPY] = {{SET_A, SET_B, SET_C},
                       {{SET_PICK_COPY}, {SET_PICK_NEWER}},
                       0,
                       false,
                       true,
                       false,
                       true},
    [SET_CASE_PROBE] = {{SET_A, SET_B, SET_C},
                        {{SET_PROBE}, {SET_PICK}},
                        0,
                        true,
                        true,
                        false,
                        false},
    [SET_CASE_EARLY] = {{SET_A, SET_B, SET_C},
                        {{SET_PROBE_EARLY}, {SET_PICK}},
                        0,
                        true,
                        true,
                        false,
                        false},
    [SET_CASE_EXPLAIN] = {{SET_A, SET_B, SET_C, SET_D},
                          {{SET_PICK_EXPLAIN}},
                          0,
                          true,
                          false,
                          false,
                          false},
    [SET_CASE_PROBE_EXPLAIN] = {{SET_A, SET_B, SET_C},
                                {{SET_PROBE_EXPLAIN}, {SET_PICK}},
                                0,
                                true,
                                false,
                                false,
                                false},
    [SET_CASE_ADDRESS] = {{SET_A, SET_B, SET_C},
                          {{SET_ADDRESS, SET_ADDRESS}, {SET_PICK}},
                          0,
                          true,
                          false,
                          false,
                          false},
    [SET_CASE_USER] = {{SET_A, SET_A, SET_A},
                       {{SET_PICK_USER}, {SET_PICK_USER}},
                       0,
                       false,
                       false,
                       true,
                       false},
};

static const model_case set_case_names[SET_N_CASES] = {
    [SET_CASE_REPLACE] = {"replace", "A -> B -> C, two pick and report", false},
    [SET_CASE_REPLACE_MORE] = {"replace-more",
                               "A -> B -> C -> A, two pick and report", true},
    [SET_CASE_TORN] = {"torn", "AB -> A -> AB, two pick and report", false},
    [SET_CASE_RECYCLE] = {"recycle", "A -> B -> C -> D, one picks twice",
                          false},
    [SET_CASE_TURNS] = {"turns", "A -> B, three pick, one tells its byte",
                        false},
    [SET_CASE_DEATH] = {"death", "A -> B -> C, one of two dies anywhere",
                        false},
    [SET_CASE_COPY] = {"copy", "A -> B -> C, a copy of a ticket is reported",
                       false},
    [SET_CASE_PROBE] = {"probe", "A -> B -> C, a probe and a pick", false},
    [SET_CASE_EARLY] = {"early", "A -> B -> C, an early probe and a pick",
                        false},
    [SET_CASE_EXPLAIN] = {"explain", "A -> B -> C -> D, an address is copied",
                          false},
    [SET_CASE_PROBE_EXPLAIN] = {"explain-probe",
                                "A -> B -> C, a probe's address is copied",
                                false},
    [SET_CASE_ADDRESS] = {"address", "A -> B -> C, two copies and a pick",
                          false},
    [SET_CASE_USER] = {"user", "A, twice with a new user pointer, two read it",
                       false},
};

/* ---- Mutants ----------------------------------------------------------- */

typedef enum set_mutant {
    SET_AS_IT_IS,
    SET_VIEW_RELAXED,
    SET_PUBLISH_RELAXED,
    SET_PUBLISH_UNFENCED,
    SET_HOLDS_UNFENCED,
    SET_RETURN_RELAXED,
    SET_ANSWER_RELAXED,
    SET_UNDO_RELAXED,
    SET_RECYCLE_UNACQUIRED,
    SET_RECYCLE_UNRELEASED,
    SET_ADDRESS_UNFENCED,
    SET_COPY_UNFENCED,
    SET_COPY_UNFENCED_BEFORE,
    SET_PROBE_UNFENCED,
    SET_EARLY_UNFENCED,
    SET_USER_UNRELEASED,
    SET_USER_UNACQUIRED,
    SET_VERSION_ONCE,
    SET_ONE_BUFFER,
    SET_PUBLISH_FIRST,
    SET_TAKE_UNCHECKED,
    SET_UNDO_FORGOTTEN,
    SET_UNDO_OF_OWN,
    SET_RECYCLE_STORED,
    SET_RECYCLE_BUSY,
    SET_RECYCLE_SAME,
    SET_DONE_UNCHECKED,
    SET_RETURN_STORED,
    SET_RETURN_YOUNG,
    SET_N_MUTANTS
} set_mutant;

static const model_mutant set_mutants[SET_N_MUTANTS] = {
    [SET_AS_IT_IS] = {"", "", NULL, NULL},
    [SET_VIEW_RELAXED] = {"acquire of the version -> relaxed",
                          "ilb__table_view", "torn", NULL},
    [SET_PUBLISH_RELAXED] = {"release of the version -> relaxed",
                             "ilb__table_publish", "torn", NULL},
    [SET_PUBLISH_UNFENCED] = {"no release fence before the other buffer",
                              "ilb__table_publish", "torn", NULL},
    [SET_HOLDS_UNFENCED] = {"no acquire fence before the second look",
                            "ilb__table_holds", "torn", NULL},
    [SET_RETURN_RELAXED] = {"release of the return -> relaxed", "load_move",
                            "replace", NULL},
    [SET_ANSWER_RELAXED] =
        {"release of the first byte -> relaxed", "load_move", "death",
         "the ticket is still held; it shares the code of the return"},
    [SET_UNDO_RELAXED] =
        {"release of the undoing -> relaxed", "load_move", "replace",
         "nothing was done with the slot; it shares the code of the return"},
    [SET_RECYCLE_UNACQUIRED] = {"acquire of the recycling -> relaxed",
                                "ilb__load_recycle", "replace", NULL},
    [SET_RECYCLE_UNRELEASED] = {"release of the recycling -> relaxed",
                                "ilb__load_recycle", "recycle", NULL},
    [SET_ADDRESS_UNFENCED] = {"no release fence before the address",
                              "ilb__slot_set_address", "address", NULL},
    [SET_COPY_UNFENCED] = {"no acquire fence after the copy",
                           "ilb__slot_address", "address", NULL},
    [SET_COPY_UNFENCED_BEFORE] = {"no acquire fence before the copy",
                                  "ilb__slot_address", "explain-probe", NULL},
    [SET_PROBE_UNFENCED] = {"no acquire fence between view and probe",
                            "ilb__select, ilb__select_due", "probe", NULL},
    [SET_EARLY_UNFENCED] = {"no acquire fence between view and early probe",
                            "ilb__select", "early", NULL},
    [SET_USER_UNRELEASED] = {"release of the user pointer -> relaxed",
                             "set_enter", "user", NULL},
    [SET_USER_UNACQUIRED] = {"acquire of the user pointer -> relaxed",
                             "ilb_ticket_user", "user", NULL},
    [SET_VERSION_ONCE] = {"the version is read once", "ilb__table_holds",
                          "torn", NULL},
    [SET_ONE_BUFFER] = {"one buffer for all versions", "ilb__table_publish",
                        "torn", NULL},
    [SET_PUBLISH_FIRST] = {"the version is stored before the entries",
                           "ilb__table_publish", "torn", NULL},
    [SET_TAKE_UNCHECKED] = {"the generation that comes back is not looked at",
                            "ilb__load_take", "replace", NULL},
    [SET_UNDO_FORGOTTEN] = {"a take of another generation is not undone",
                            "ilb__load_take", "replace", NULL},
    [SET_UNDO_OF_OWN] = {"it is undone as of the generation that was meant",
                         "ilb__load_take", "replace", NULL},
    [SET_RECYCLE_STORED] = {"recycled by a load and a store",
                            "ilb__load_recycle", "replace", NULL},
    [SET_RECYCLE_BUSY] = {"recycled with requests in flight",
                          "ilb__load_recycle", "replace", NULL},
    [SET_RECYCLE_SAME] = {"recycled with the same generation",
                          "ilb__load_recycle", "replace", NULL},
    [SET_DONE_UNCHECKED] = {"the generation of a done is not looked at",
                            "ilb__load_has", "copy", NULL},
    [SET_RETURN_STORED] = {"returned by a load and a store", "load_move",
                           "turns", NULL},
    [SET_RETURN_YOUNG] = {"all are returned from the young", "load_without",
                          "turns", NULL},
};

typedef struct set_config {
    const set_case *a_case;
    set_mutant mutant;
} set_config;

static memory_order_name set_order(const set_config *c, set_mutant without,
                                   memory_order_name order)
{
    return c->mutant == without ? MEMORY_RELAXED : order;
}

static void set_fence(memory *m, unsigned t, const set_config *c,
                      set_mutant without, memory_order_name order)
{
    if (c->mutant != without)
        memory_fence(m, t, order);
}

/* ---- What the checks know ---------------------------------------------- */

typedef struct set_ghost {
    uint8_t n[SET_UPDATES + 1];
    uint8_t ids[SET_UPDATES + 1][SET_COLUMNS]; /* slot and generation */
} set_ghost;

_Static_assert(sizeof(set_ghost) <= MEMORY_GHOST_BYTES, "the ghost fits");

/* ---- Readers ----------------------------------------------------------- */

typedef enum set_reader_at {
    READER_VERSION,
    READER_N,
    READER_ID,
    READER_WORD,
    READER_COPY_0,
    READER_COPY_1,
    READER_COPY_WORD,
    READER_HOLDS,
    READER_TAKE,
    READER_UNDO_LOAD,
    READER_UNDO_CAS,
    READER_USER,
    READER_BYTE_LOAD,
    READER_BYTE_CAS,
    READER_LEARN,
    READER_RETURN_LOAD,
    READER_RETURN_CAS,
    READER_AGAIN_LOAD,
    READER_AGAIN_CAS,
    READER_STEPS
} set_reader_at;

static const char *const set_reader_names[READER_STEPS] = {
    [READER_VERSION] = "ilb__table_view: loads the version (acquire)",
    [READER_N] = "ilb__table_view: loads n (relaxed)",
    [READER_ID] = "ilb__draw_look: loads an id (relaxed)",
    [READER_WORD] = "ilb__draw_look: loads the slot's word (relaxed)",
    [READER_COPY_0] = "ilb__slot_address: loads the address (relaxed)",
    [READER_COPY_1] = "ilb__slot_address: its second half (relaxed)",
    [READER_COPY_WORD] = "ilb__slot_address: fence, loads the slot's word",
    [READER_HOLDS] = "ilb__table_holds: fence (acquire), loads the version",
    [READER_TAKE] = "ilb__load_take: one fetch-add (relaxed)",
    [READER_UNDO_LOAD] = "ilb__load_take, load_move: undoes: loads the word",
    [READER_UNDO_CAS] = "ilb__load_take, load_move: undoes: CAS (release)",
    [READER_USER] = "ilb_ticket_user: loads the user pointer (acquire)",
    [READER_BYTE_LOAD] = "ilb_first_byte, load_move: loads the word (relaxed)",
    [READER_BYTE_CAS] = "ilb_first_byte, load_move: CAS (release)",
    [READER_LEARN] = "ilb_done: stores what it learned (relaxed)",
    [READER_RETURN_LOAD] = "ilb_done, load_move: loads the word (relaxed)",
    [READER_RETURN_CAS] = "ilb_done, load_move: CAS (release)",
    [READER_AGAIN_LOAD] = "ilb_done of a copy: loads the word (relaxed)",
    [READER_AGAIN_CAS] = "ilb_done of a copy, load_move: CAS (release)",
};

enum {
    SET_HOLDS_NONE,
    SET_HOLDS_TICKET,
    SET_HOLDS_MISTAKE
};

typedef struct set_reader {
    uint16_t seen; /* the slot's word; first, for its alignment */
    uint8_t at;    /* a set_reader_at */
    uint8_t op;
    uint8_t version, n, torn;
    uint8_t column, looked;
    uint8_t slot, generation; /* of the column, then of the ticket */
    uint8_t found;
    uint8_t copy[2], copied;
    uint8_t holds, where;
} set_reader;

_Static_assert(sizeof(set_reader) <= MEMORY_OWN_BYTES, "a reader fits");

static set_reader set_reader_of(const memory_state *s, unsigned t)
{
    set_reader r;

    memcpy(&r, s->own[t], sizeof r);
    return r;
}

static unsigned set_op(const set_config *c, unsigned t, const set_reader *r)
{
    return r->op < SET_OPS ? c->a_case->readers[t - 1][r->op] : SET_NOTHING;
}

static bool set_is_probe(unsigned op)
{
    return op == SET_PROBE || op == SET_PROBE_EARLY || op == SET_PROBE_EXPLAIN;
}

/* All words of the buffer that the reader has a view of. */
static unsigned set_buffer(const set_config *c, unsigned version)
{
    return SET_BUFFERS + (c->mutant == SET_ONE_BUFFER ? 0 : version % 2 * 3);
}

/* The next operation, from its beginning. */
static void set_reader_begin(memory *m, const set_config *c, unsigned t,
                             set_reader *r, unsigned op)
{
    memset(r, 0, sizeof *r);
    r->op = (uint8_t)op;
    if (set_op(c, t, r) == SET_NOTHING)
        m->s->life[t] = MEMORY_ENDED;
}

static void set_reader_next(memory *m, const set_config *c, unsigned t,
                            set_reader *r)
{
    set_reader_begin(m, c, t, r, r->op + 1u);
}

/* The pick begins again: `continue` in ilb__select. */
static void set_reader_again(memory *m, const set_config *c, unsigned t,
                             set_reader *r)
{
    set_reader_begin(m, c, t, r, r->op);
}

static void set_read_n(memory *m, const set_config *c, unsigned t,
                       set_reader *r)
{
    uint16_t n = memory_load(m, t, set_buffer(c, r->version), MEMORY_RELAXED);

    r->torn = n / SET_TAG != r->version;
    r->n = (uint8_t)(n % SET_TAG);
    r->at = READER_HOLDS;
    if (r->n > 0) {
        r->column = (uint8_t)memory_choose(m, r->n);
        r->at = READER_ID;
    }
}

static void set_read_id(memory *m, const set_config *c, unsigned t,
                        set_reader *r)
{
    uint16_t id = memory_load(m, t, set_buffer(c, r->version) + 1 + r->column,
                              MEMORY_RELAXED);

    r->torn |= id / SET_TAG != r->version;
    r->slot = (uint8_t)(id % SET_SLOTS);
    r->generation = (uint8_t)(id % SET_TAG / SET_SLOTS);
    r->at = READER_WORD;
}

/* The column will do, or the next one is looked at, or there is none. */
static void set_read_word(memory *m, const set_config *c, unsigned t,
                          set_reader *r)
{
    unsigned op = set_op(c, t, r);

    r->seen = memory_load(m, t, SET_WORDS + r->slot, MEMORY_RELAXED);
    if (set_generation(r->seen) == r->generation &&
        (op != SET_PICK_NEWER || r->generation > 0) &&
        (op != SET_PICK_COPY || r->generation == 0)) {
        r->found = 1;
        r->at = op == SET_PICK_EXPLAIN || op == SET_PROBE_EXPLAIN
                    ? READER_COPY_0
                : set_is_probe(op) ? READER_TAKE
                                   : READER_HOLDS;
        if (r->at == READER_COPY_0)
            set_fence(m, t, c, SET_COPY_UNFENCED_BEFORE, MEMORY_ACQUIRE);
        /* ilb__table_holds, whose answer does not matter. */
        if (op == SET_PROBE)
            set_fence(m, t, c, SET_PROBE_UNFENCED, MEMORY_ACQUIRE);
        if (op == SET_PROBE_EARLY)
            set_fence(m, t, c, SET_EARLY_UNFENCED, MEMORY_ACQUIRE);
        return;
    }
    r->at = READER_HOLDS;
    if (++r->looked < r->n) {
        r->column = (uint8_t)((r->column + 1) % r->n);
        r->at = READER_ID;
    } else if (set_is_probe(op)) {
        set_reader_next(m, c, t, r); /* none is due */
    }
}

static void set_check_copy(memory *m, const set_reader *r)
{
    if (r->copied &&
        (r->copy[0] != r->generation + 1 || r->copy[1] != r->generation + 1))
        m->wrong = "a copy of an address is not of its endpoint";
}

/* ilb__slot_address: r->copied if it says that the copy may be used. */
static void set_read_copy(memory *m, const set_config *c, unsigned t,
                          set_reader *r)
{
    unsigned op = set_op(c, t, r);
    uint16_t word;

    if (r->at != READER_COPY_WORD) {
        unsigned half = r->at - READER_COPY_0;

        r->copy[half] = (uint8_t)memory_load(
            m, t, SET_ADDRESSES + 2u * r->slot + half, MEMORY_RELAXED);
        r->at++;
        return;
    }
    set_fence(m, t, c, SET_COPY_UNFENCED, MEMORY_ACQUIRE);
    word = memory_load(m, t, SET_WORDS + r->slot, MEMORY_RELAXED);
    r->copied = set_generation(word) == r->generation;
    r->at = op == SET_PROBE_EXPLAIN ? READER_TAKE : READER_HOLDS;
    if (op == SET_ADDRESS) {
        set_check_copy(m, r);
        set_reader_next(m, c, t, r);
    }
}

static void set_read_holds(memory *m, const set_config *c, unsigned t,
                           set_reader *r)
{
    uint16_t version;

    set_fence(m, t, c, SET_HOLDS_UNFENCED, MEMORY_ACQUIRE);
    version = memory_load(m, t, SET_VERSION, MEMORY_RELAXED);
    if (version != r->version && c->mutant != SET_VERSION_ONCE) {
        set_reader_again(m, c, t, r);
        return;
    }
    if (r->torn)
        m->wrong = "a torn table is used";
    set_check_copy(m, r);
    r->at = READER_TAKE;
    if (set_op(c, t, r) == SET_ADDRESS) {
        set_fence(m, t, c, SET_COPY_UNFENCED_BEFORE, MEMORY_ACQUIRE);
        r->at = READER_COPY_0;
    }
    if (!r->found) {
        if (!c->a_case->may_refuse)
            m->wrong = "a pick is refused, but the set is never empty";
        set_reader_next(m, c, t, r);
    }
}

static unsigned set_first_step_with_ticket(const set_config *c, unsigned op)
{
    return op == SET_PICK_USER   ? READER_USER
           : op == SET_PICK_BYTE ? READER_BYTE_LOAD
           : c->a_case->learns   ? READER_LEARN
                                 : READER_RETURN_LOAD;
}

static void set_take(memory *m, const set_config *c, unsigned t, set_reader *r)
{
    unsigned op = set_op(c, t, r);
    uint16_t before =
        memory_add(m, t, SET_WORDS + r->slot, SET_YOUNG, MEMORY_RELAXED);

    r->where = (uint8_t)set_parity(before);
    if (set_generation(before) == r->generation ||
        c->mutant == SET_TAKE_UNCHECKED) {
        r->holds = SET_HOLDS_TICKET;
        r->at = (uint8_t)set_first_step_with_ticket(c, op);
        if (op == SET_PROBE_EXPLAIN)
            set_check_copy(m, r);
        return;
    }
    r->holds = SET_HOLDS_MISTAKE;
    if (c->mutant == SET_UNDO_FORGOTTEN) {
        set_reader_again(m, c, t, r);
        return;
    }
    if (c->mutant != SET_UNDO_OF_OWN)
        r->generation = (uint8_t)set_generation(before);
    r->at = READER_UNDO_LOAD;
}

/* ---- The slot's word, as in signal/load.c ------------------------------ */

/* ilb__load_has */
static bool set_has(const set_config *c, uint16_t word, const set_reader *r)
{
    unsigned count = r->where == SET_IS_ANSWERED ? set_part(word, SET_ANSWERED)
                     : set_parity(word) == r->where ? set_part(word, SET_YOUNG)
                                                    : set_part(word, SET_OLD);

    return count != 0 && (set_generation(word) == r->generation ||
                          c->mutant == SET_DONE_UNCHECKED);
}

/* load_without, load_turned */
static uint16_t set_without(const set_config *c, uint16_t word,
                            const set_reader *r, unsigned gain)
{
    unsigned young;

    if (r->where == SET_IS_ANSWERED)
        return (uint16_t)(word - SET_ANSWERED + gain);
    if (set_parity(word) == r->where || c->mutant == SET_RETURN_YOUNG)
        word = (uint16_t)(word - SET_YOUNG);
    else
        word = (uint16_t)(word - SET_OLD);
    word = (uint16_t)(word + gain);
    young = set_part(word, SET_YOUNG);
    if (set_part(word, SET_OLD) == 0 && young != 0)
        word = (uint16_t)((word ^ SET_PARITY) - young * SET_YOUNG +
                          young * SET_OLD);
    return word;
}

/* The loop of load_move: `at` loads, `at` + 1 tries. True: it has moved. */
static bool set_move(memory *m, const set_config *c, unsigned t, set_reader *r,
                     set_reader_at at, unsigned gain)
{
    unsigned word = SET_WORDS + r->slot;
    set_mutant mine = at == READER_BYTE_LOAD   ? SET_ANSWER_RELAXED
                      : at == READER_UNDO_LOAD ? SET_UNDO_RELAXED
                                               : SET_RETURN_RELAXED;
    memory_order_name order = set_order(c, mine, MEMORY_RELEASE);

    if (r->at == at) {
        r->seen = memory_load(m, t, word, MEMORY_RELAXED);
    } else if (c->mutant == SET_RETURN_STORED) {
        memory_store(m, t, word, set_without(c, r->seen, r, gain), order);
        return true;
    } else if (memory_cas(m, t, word, &r->seen,
                          set_without(c, r->seen, r, gain), order, false)) {
        return true;
    }
    r->at = (uint8_t)(at + 1);
    if (!set_has(c, r->seen, r)) {
        m->wrong = "the return of a ticket is refused";
        m->s->life[t] = MEMORY_ENDED;
    }
    return false;
}

static void set_done_again(memory *m, const set_config *c, unsigned t,
                           set_reader *r)
{
    uint16_t word;

    word = memory_load(m, t, SET_WORDS + r->slot, MEMORY_RELAXED);
    if (set_has(c, word, r))
        m->wrong = "a copy of a ticket counts for the slot's next endpoint";
    set_reader_next(m, c, t, r);
}

static void set_returned(memory *m, const set_config *c, unsigned t,
                         set_reader *r)
{
    r->holds = SET_HOLDS_NONE;
    if (set_op(c, t, r) == SET_PICK_COPY)
        r->at = READER_AGAIN_LOAD;
    else
        set_reader_next(m, c, t, r);
}

static void set_read_user(memory *m, const set_config *c, unsigned t,
                          set_reader *r)
{
    uint16_t user = memory_load(
        m, t, SET_USER, set_order(c, SET_USER_UNACQUIRED, MEMORY_ACQUIRE));

    if (memory_could_be_below(m, t, SET_POINTEE, user))
        m->wrong = "what the user pointer points to is not there";
    r->at = READER_RETURN_LOAD;
}

static void set_reader_step(memory *m, unsigned t, const set_config *c)
{
    set_reader r = set_reader_of(m->s, t);

    switch ((set_reader_at)r.at) {
    case READER_VERSION:
        r.version = (uint8_t)memory_load(
            m, t, SET_VERSION, set_order(c, SET_VIEW_RELAXED, MEMORY_ACQUIRE));
        r.at = READER_N;
        break;
    case READER_N:
        set_read_n(m, c, t, &r);
        break;
    case READER_ID:
        set_read_id(m, c, t, &r);
        break;
    case READER_WORD:
        set_read_word(m, c, t, &r);
        break;
    case READER_COPY_0:
    case READER_COPY_1:
    case READER_COPY_WORD:
        set_read_copy(m, c, t, &r);
        break;
    case READER_HOLDS:
        set_read_holds(m, c, t, &r);
        break;
    case READER_TAKE:
        set_take(m, c, t, &r);
        break;
    case READER_UNDO_LOAD:
    case READER_UNDO_CAS:
        if (set_move(m, c, t, &r, READER_UNDO_LOAD, 0))
            set_reader_again(m, c, t, &r);
        break;
    case READER_USER:
        set_read_user(m, c, t, &r);
        break;
    case READER_BYTE_LOAD:
    case READER_BYTE_CAS:
        if (set_move(m, c, t, &r, READER_BYTE_LOAD, SET_ANSWERED)) {
            r.where = SET_IS_ANSWERED;
            r.at = c->a_case->learns ? READER_LEARN : READER_RETURN_LOAD;
        }
        break;
    case READER_LEARN:
        memory_store(m, t, SET_LEARNED + r.slot,
                     (uint16_t)(2 * r.generation + 1), MEMORY_RELAXED);
        r.at = READER_RETURN_LOAD;
        break;
    case READER_RETURN_LOAD:
    case READER_RETURN_CAS:
        if (set_move(m, c, t, &r, READER_RETURN_LOAD, 0))
            set_returned(m, c, t, &r);
        break;
    case READER_AGAIN_LOAD:
    case READER_AGAIN_CAS:
        set_done_again(m, c, t, &r);
        break;
    case READER_STEPS:
        break;
    }
    memcpy(m->s->own[t], &r, sizeof r);
}

/* ---- The writer -------------------------------------------------------- */

typedef enum set_writer_at {
    WRITER_RECLAIM,
    WRITER_RECYCLE,
    WRITER_RESET,
    WRITER_ADDRESS_0,
    WRITER_ADDRESS_1,
    WRITER_POINTEE,
    WRITER_USER,
    WRITER_ID,
    WRITER_N,
    WRITER_VERSION,
    WRITER_STEPS
} set_writer_at;

static const char *const set_writer_names[WRITER_STEPS] = {
    [WRITER_RECLAIM] = "ilb__set_reclaim, ilb__load_recycle: loads the word",
    [WRITER_RECYCLE] = "ilb__set_reclaim, ilb__load_recycle: CAS",
    [WRITER_RESET] = "set_new_slot: forgets what was learned (relaxed)",
    [WRITER_ADDRESS_0] = "ilb__slot_set_address: fence, stores the address",
    [WRITER_ADDRESS_1] = "ilb__slot_set_address: its second half (relaxed)",
    [WRITER_POINTEE] = "the caller: writes what the user pointer points to",
    [WRITER_USER] = "set_enter: stores the user pointer (release)",
    [WRITER_ID] = "ilb__table_publish: fence, stores an id (relaxed)",
    [WRITER_N] = "ilb__table_publish: stores n (relaxed)",
    [WRITER_VERSION] = "ilb__table_publish: stores the version (release)",
};

enum {
    SLOT_UNUSED,
    SLOT_FREE,
    SLOT_LISTED,
    SLOT_DRAINING
};

typedef struct set_writer {
    uint16_t seen;
    uint8_t at; /* a set_writer_at */
    uint8_t update, published;
    uint8_t slot, column;
    uint8_t version;
    uint8_t is[SET_SLOTS], generation[SET_SLOTS], endpoint[SET_SLOTS];
} set_writer;

_Static_assert(sizeof(set_writer) <= MEMORY_OWN_BYTES, "the writer fits");

/* The slot of the n-th of those that the table is to have; SET_SLOTS: none. */
static unsigned set_listed(const set_writer *w, unsigned n)
{
    unsigned slot = 0;

    while (slot < SET_SLOTS && (w->is[slot] != SLOT_LISTED || n-- > 0))
        slot++;
    return slot;
}

static unsigned set_n_listed(const set_writer *w)
{
    unsigned n = 0;

    for (unsigned i = 0; i < SET_SLOTS; i++)
        n += w->is[i] == SLOT_LISTED;
    return n;
}

/* From slot `from` on, the next that drains, else what comes after that. */
static void set_reclaim_from(memory *m, const set_config *c, set_writer *w,
                             unsigned from);

/* Before what is new: those that stay, come back or leave. */
static void set_reconcile(const set_config *c, set_writer *w)
{
    unsigned list = c->a_case->lists[w->update];

    for (unsigned i = 0; i < SET_SLOTS; i++)
        if (w->is[i] == SLOT_LISTED || w->is[i] == SLOT_DRAINING)
            w->is[i] =
                (list & w->endpoint[i]) != 0 ? SLOT_LISTED : SLOT_DRAINING;
}

/* An endpoint of the list that no slot has; 0: none. */
static unsigned set_new_endpoint(const set_config *c, const set_writer *w)
{
    unsigned list = c->a_case->lists[w->update];

    for (unsigned i = 0; i < SET_SLOTS; i++)
        if (w->is[i] == SLOT_LISTED)
            list &= ~(unsigned)w->endpoint[i];
    return list & ~(list - 1);
}

/* A slot for the next new endpoint, or on to the table. */
static void set_enter_next(const set_config *c, set_writer *w)
{
    unsigned endpoint = set_new_endpoint(c, w), slot = 0;

    if (endpoint == 0) {
        w->at = c->a_case->users ? WRITER_POINTEE : WRITER_ID;
        w->column = 0;
        return;
    }
    while (slot < SET_SLOTS && w->is[slot] != SLOT_FREE)
        slot++;
    for (unsigned i = 0; i < SET_SLOTS && slot == SET_SLOTS; i++)
        if (w->is[i] == SLOT_UNUSED)
            slot = i;
    if (slot == SET_SLOTS) {
        fprintf(stderr, "model: SET_SLOTS is too small\n");
        exit(2);
    }
    w->slot = (uint8_t)slot;
    w->is[slot] = SLOT_LISTED;
    w->endpoint[slot] = (uint8_t)endpoint;
    w->at = c->a_case->learns      ? WRITER_RESET
            : c->a_case->addresses ? WRITER_ADDRESS_0
                                   : WRITER_ID;
    if (w->at == WRITER_ID)
        set_enter_next(c, w);
}

static void set_reclaim_from(memory *m, const set_config *c, set_writer *w,
                             unsigned from)
{
    w->at = WRITER_RECLAIM;
    for (w->slot = (uint8_t)from; w->slot < SET_SLOTS; w->slot++)
        if (w->is[w->slot] == SLOT_DRAINING)
            return;
    if (!w->published) {
        set_reconcile(c, w);
        set_enter_next(c, w);
        return;
    }
    w->published = 0;
    w->update++;
    if (w->update == SET_UPDATES || c->a_case->lists[w->update] == 0) {
        m->s->life[SET_WRITER] = MEMORY_ENDED;
        return;
    }
    set_reclaim_from(m, c, w, 0);
}

static void set_recycled(memory *m, const set_config *c, set_writer *w)
{
    for (unsigned t = 1; t < m->n_threads; t++) {
        set_reader r = set_reader_of(m->s, t);

        if (r.holds == SET_HOLDS_TICKET && r.slot == w->slot)
            m->wrong = "a slot is recycled while somebody has a ticket";
    }
    w->is[w->slot] = SLOT_FREE;
    w->generation[w->slot]++;
    if (c->mutant == SET_RECYCLE_SAME)
        w->generation[w->slot]--;
    set_reclaim_from(m, c, w, w->slot + 1u);
}

static void set_recycle(memory *m, const set_config *c, set_writer *w)
{
    unsigned word = SET_WORDS + w->slot;
    uint16_t next =
        (uint16_t)(w->seen +
                   (c->mutant == SET_RECYCLE_SAME ? 0 : SET_GENERATION));
    unsigned order = MEMORY_ACQ_REL;

    if (c->mutant == SET_RECYCLE_UNACQUIRED)
        order = MEMORY_RELEASE;
    if (c->mutant == SET_RECYCLE_UNRELEASED)
        order = MEMORY_ACQUIRE;
    if (c->mutant == SET_RECYCLE_STORED) {
        memory_store(m, SET_WRITER, word, next, (memory_order_name)order);
        set_recycled(m, c, w);
    } else if (memory_cas(m, SET_WRITER, word, &w->seen, next,
                          (memory_order_name)order, false)) {
        set_recycled(m, c, w);
    } else {
        set_reclaim_from(m, c, w, w->slot + 1u);
    }
}

/* What the table of the next version will have, for the checks. */
static void set_announce(memory *m, const set_writer *w)
{
    unsigned version = w->version + 1u;
    set_ghost g;

    memcpy(&g, m->s->ghost, sizeof g);
    g.n[version] = (uint8_t)set_n_listed(w);
    for (unsigned k = 0; k < g.n[version]; k++) {
        unsigned slot = set_listed(w, k);

        g.ids[version][k] = (uint8_t)set_id(slot, w->generation[slot], 0);
    }
    memcpy(m->s->ghost, &g, sizeof g);
}

static void set_write_id(memory *m, const set_config *c, set_writer *w)
{
    unsigned slot = set_listed(w, w->column), version = w->version + 1u;

    if (w->column == 0) {
        set_announce(m, w);
        set_fence(m, SET_WRITER, c, SET_PUBLISH_UNFENCED, MEMORY_RELEASE);
    }
    memory_store(m, SET_WRITER, set_buffer(c, version) + 1 + w->column,
                 set_id(slot, w->generation[slot], version), MEMORY_RELAXED);
    if (++w->column == set_n_listed(w))
        w->at = WRITER_N;
}

static void set_write_version(memory *m, const set_config *c, set_writer *w)
{
    memory_store(m, SET_WRITER, SET_VERSION, w->version + 1u,
                 set_order(c, SET_PUBLISH_RELAXED, MEMORY_RELEASE));
}

static void set_published(memory *m, const set_config *c, set_writer *w)
{
    w->version++;
    w->published = 1;
    set_reclaim_from(m, c, w, 0);
}

static void set_write_address(memory *m, const set_config *c, set_writer *w)
{
    unsigned half = w->at - WRITER_ADDRESS_0;

    if (half == 0)
        set_fence(m, SET_WRITER, c, SET_ADDRESS_UNFENCED, MEMORY_RELEASE);
    memory_store(m, SET_WRITER, SET_ADDRESSES + 2u * w->slot + half,
                 w->generation[w->slot] + 1u, MEMORY_RELAXED);
    if (half == 0)
        w->at++;
    else
        set_enter_next(c, w);
}

static void set_writer_step(memory *m, const set_config *c)
{
    const unsigned t = SET_WRITER;
    set_writer w;

    memcpy(&w, m->s->own[t], sizeof w);
    switch ((set_writer_at)w.at) {
    case WRITER_RECLAIM:
        w.seen = memory_load(m, t, SET_WORDS + w.slot, MEMORY_RELAXED);
        if (set_in_flight(w.seen) == 0 || c->mutant == SET_RECYCLE_BUSY)
            w.at = WRITER_RECYCLE;
        else
            set_reclaim_from(m, c, &w, w.slot + 1u);
        break;
    case WRITER_RECYCLE:
        set_recycle(m, c, &w);
        break;
    case WRITER_RESET:
        memory_store(m, t, SET_LEARNED + w.slot, 2u * w.generation[w.slot],
                     MEMORY_RELAXED);
        w.at = WRITER_ADDRESS_0;
        if (!c->a_case->addresses)
            set_enter_next(c, &w);
        break;
    case WRITER_ADDRESS_0:
    case WRITER_ADDRESS_1:
        set_write_address(m, c, &w);
        break;
    case WRITER_POINTEE:
        memory_store(m, t, SET_POINTEE, w.update + 1u, MEMORY_RELAXED);
        w.at = WRITER_USER;
        break;
    case WRITER_USER:
        memory_store(m, t, SET_USER, w.update + 1u,
                     set_order(c, SET_USER_UNRELEASED, MEMORY_RELEASE));
        w.at = WRITER_ID;
        break;
    case WRITER_ID:
        if (c->mutant == SET_PUBLISH_FIRST && w.column == 0 &&
            memory_newest(m, SET_VERSION) == w.version)
            set_write_version(m, c, &w);
        else
            set_write_id(m, c, &w);
        break;
    case WRITER_N:
        memory_store(m, t, set_buffer(c, w.version + 1u),
                     (uint16_t)((w.version + 1u) * SET_TAG + set_n_listed(&w)),
                     MEMORY_RELAXED);
        w.at = WRITER_VERSION;
        if (c->mutant == SET_PUBLISH_FIRST)
            set_published(m, c, &w);
        break;
    case WRITER_VERSION:
        set_write_version(m, c, &w);
        set_published(m, c, &w);
        break;
    case WRITER_STEPS:
        break;
    }
    memcpy(m->s->own[t], &w, sizeof w);
}

/* ---- The program ------------------------------------------------------- */

static void set_step(memory *m, unsigned t, const void *config)
{
    if (t == SET_WRITER)
        set_writer_step(m, config);
    else
        set_reader_step(m, t, config);
}

/* The first list is there before anybody else begins. */
static void set_begin(memory *m, const void *config)
{
    const set_config *c = config;
    set_writer w;

    memset(&w, 0, sizeof w);
    set_reclaim_from(m, c, &w, 0);
    memcpy(m->s->own[SET_WRITER], &w, sizeof w);
    while (w.update == 0) {
        m->choice = 0;
        m->n_chosen = 1;
        set_writer_step(m, c);
        memcpy(&w, m->s->own[SET_WRITER], sizeof w);
    }
    memory_share(m, SET_WRITER);
    for (unsigned t = 1; t < m->n_threads; t++) {
        set_reader r;

        set_reader_begin(m, c, t, &r, 0);
        memcpy(m->s->own[t], &r, sizeof r);
    }
}

/* What is in flight is what has been taken. */
static void set_check_slot(memory *m, unsigned slot)
{
    unsigned held = 0, answered = 0;
    uint16_t word = memory_newest(m, SET_WORDS + slot);

    for (unsigned t = 1; t < m->n_threads; t++) {
        set_reader r = set_reader_of(m->s, t);

        if (r.holds == SET_HOLDS_NONE || r.slot != slot)
            continue;
        held++;
        answered += r.where == SET_IS_ANSWERED;
    }
    if (set_in_flight(word) != held || set_part(word, SET_ANSWERED) != answered)
        m->wrong = "what is in flight is not what has been taken";
    if (!memory_rises(m, SET_WORDS + slot, SET_GENERATION))
        m->wrong = "a generation comes back";
    if (!memory_rises(m, SET_LEARNED + slot, 1))
        m->wrong = "what was learned of an endpoint counts for the next";
}

/* What may the holder of a ticket read? */
static void set_check_ticket(memory *m, const set_config *c, unsigned t)
{
    set_reader r = set_reader_of(m->s, t);
    uint16_t mine = (uint16_t)(r.generation + 1);
    unsigned address = SET_ADDRESSES + 2u * r.slot;
    set_ghost g;
    bool listed = false;

    if (r.holds != SET_HOLDS_TICKET)
        return;
    if (c->a_case->addresses && (memory_could_differ(m, t, address, mine) ||
                                 memory_could_differ(m, t, address + 1, mine)))
        m->wrong = "a ticket's address may be read as another endpoint's";
    if (set_is_probe(set_op(c, t, &r)))
        return;
    memcpy(&g, m->s->ghost, sizeof g);
    for (unsigned k = 0; k < g.n[r.version]; k++)
        listed =
            listed || g.ids[r.version][k] == set_id(r.slot, r.generation, 0);
    if (!listed)
        m->wrong = "a ticket is of nobody in the table that was read";
}

static void set_check(memory *m, const void *config)
{
    for (unsigned i = 0; i < SET_SLOTS; i++)
        set_check_slot(m, i);
    for (unsigned t = 1; t < m->n_threads; t++)
        if (m->s->life[t] == MEMORY_RUNS)
            set_check_ticket(m, config, t);
}

static void set_check_end(memory *m, const void *config)
{
    (void)config;
    for (unsigned t = 1; t < m->n_threads; t++)
        if (m->s->life[t] == MEMORY_ENDED &&
            set_reader_of(m->s, t).holds != SET_HOLDS_NONE)
            m->wrong = "a ticket has not been returned";
}

static const char *set_name(const memory_state *s, unsigned t)
{
    set_writer w;

    if (t != SET_WRITER)
        return set_reader_names[set_reader_of(s, t).at];
    memcpy(&w, s->own[t], sizeof w);
    return set_writer_names[w.at];
}

static explore_program set_program(unsigned a_case, unsigned mutant)
{
    static set_config config;
    explore_program p = {1,        0,         &config,       set_begin,
                         set_step, set_check, set_check_end, set_name};

    config.a_case = &set_cases[a_case];
    config.mutant = (set_mutant)mutant;
    p.mortal = config.a_case->mortal;
    while (p.n_threads <= SET_READERS &&
           config.a_case->readers[p.n_threads - 1][0] != SET_NOTHING)
        p.n_threads++;
    return p;
}

const model_protocol *set_protocol(void)
{
    static const model_protocol p = {"set",       set_case_names, SET_N_CASES,
                                     set_mutants, SET_N_MUTANTS,  set_program};

    return &p;
}
