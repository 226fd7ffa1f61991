/* SPDX-License-Identifier: MIT */
/*
 * The second part of a scenario: what happens when.
 *
 * A table says which figures each word takes and which options it may or must
 * have, so that all of them complain in the same way.
 */
#include "sim_scenario_events.h"

#include <stdlib.h>
#include <string.h>

#include "sim_units.h"

/* Figures that follow the servers, in this order. */
#define TAKES_FACTOR 1u
#define TAKES_TIME 2u
#define TAKES_PERCENT 4u

static const sim_event_word event_words[] = {
    {"heal", SIM_HEAL, 0, 0, 0, false, false},
    {"slow", SIM_SLOW, TAKES_FACTOR, SIM_BIT(SIM_OPTION_FOR), 0, true, true},
    {"fixed", SIM_FIXED, TAKES_TIME, SIM_BIT(SIM_OPTION_FOR), 0, true, true},
    {"hang", SIM_HANG, 0, SIM_BIT(SIM_OPTION_FOR), 0, true, true},
    {"stop", SIM_STOP, 0, 0, SIM_BIT(SIM_OPTION_FOR), false, false},
    {"refuse", SIM_REFUSE, 0, SIM_BIT(SIM_OPTION_FOR), 0, true, true},
    {"errors", SIM_ERRORS, TAKES_PERCENT,
     SIM_BIT(SIM_OPTION_FOR) | SIM_BIT(SIM_OPTION_AFTER), 0, true, true},
    {"reject", SIM_REJECT, TAKES_PERCENT,
     SIM_BIT(SIM_OPTION_FOR) | SIM_BIT(SIM_OPTION_RETRY_AFTER), 0, true, true},
    {"warm", SIM_WARM, TAKES_FACTOR, 0, SIM_BIT(SIM_OPTION_OVER), false, false},
    {"leak", SIM_LEAK, TAKES_FACTOR, SIM_BIT(SIM_OPTION_FOR),
     SIM_BIT(SIM_OPTION_OVER), true, false},
    {"join", SIM_JOIN, 0, 0, 0, false, false},
    {"leave", SIM_LEAVE, 0, 0, 0, false, false},
    {"not-ready", SIM_NOT_READY, 0, SIM_BIT(SIM_OPTION_FOR), 0, true, false},
    {"ready", SIM_READY, 0, 0, 0, false, false},
    {"restart", SIM_RESTART, 0, SIM_BIT(SIM_OPTION_WARM),
     SIM_BIT(SIM_OPTION_FOR), false, false},
    {"crash", SIM_CRASH, 0, SIM_BIT(SIM_OPTION_WARM), SIM_BIT(SIM_OPTION_FOR),
     false, false},
};

#define EVENT_WORDS (sizeof event_words / sizeof event_words[0])

const sim_event_word *sim_parser_find_event(const char *word)
{
    for (size_t i = 0; i < EVENT_WORDS; i++)
        if (strcmp(word, event_words[i].word) == 0)
            return &event_words[i];
    return NULL;
}

int sim_parser_figures(sim_parser *p, const sim_event_word *e, sim_happening *h)
{
    h->kind = e->kind;
    h->factor = 1;
    if ((e->figures & TAKES_FACTOR) != 0 &&
        sim_reader_factor(&p->r, "factor", &h->factor) != 0)
        return -1;
    if ((e->figures & TAKES_TIME) != 0 &&
        sim_reader_duration(&p->r, "service time", 1, SIM_UNITS_DAY_NS,
                            &h->duration_ns) != 0)
        return -1;
    if ((e->figures & TAKES_PERCENT) != 0 &&
        sim_reader_percent(&p->r, "share", 0, &h->probability) != 0)
        return -1;
    return 0;
}

void sim_parser_apply(const sim_options *o, sim_happening *h)
{
    switch (h->kind) {
    case SIM_ERRORS:
        h->delay_ns = o->ns[SIM_OPTION_AFTER];
        break;
    case SIM_REJECT:
        h->delay_ns = o->ns[SIM_OPTION_RETRY_AFTER];
        break;
    case SIM_WARM:
    case SIM_LEAK:
        h->duration_ns = o->ns[SIM_OPTION_OVER];
        break;
    case SIM_STOP:
        h->duration_ns = o->ns[SIM_OPTION_FOR];
        break;
    case SIM_RESTART:
    case SIM_CRASH:
        h->duration_ns = o->ns[SIM_OPTION_FOR];
        h->factor = o->warm_factor;
        h->delay_ns = o->ns[SIM_OPTION_WARM];
        break;
    default:
        break;
    }
}

/* Behind all that happen earlier or at the same time. */
static int events_insert(sim_parser *p, const sim_happening *h)
{
    sim_scenario *s = p->s;
    size_t n = s->n_happenings, at = n;
    sim_happening *happenings;
    unsigned *lines;

    if (h->at_ns > s->duration_ns) {
        char a[32], b[32];

        return sim_reader_fail(&p->r, "%s is after the end of the run (%s)",
                               sim_units_show(h->at_ns, a, sizeof a),
                               sim_units_show(s->duration_ns, b, sizeof b));
    }
    if (n == SIM_EVENTS_MAX)
        return sim_reader_fail(&p->r, "more than %d happenings",
                               SIM_EVENTS_MAX);
    happenings = sim_reader_grow(&p->r, s->happenings, n, sizeof *happenings);
    if (happenings == NULL)
        return -1;
    s->happenings = happenings;
    lines = sim_reader_grow(&p->r, p->event_lines, n, sizeof *lines);
    if (lines == NULL)
        return -1;
    p->event_lines = lines;
    while (at > 0 && happenings[at - 1].at_ns > h->at_ns)
        at--;
    memmove(happenings + at + 1, happenings + at, (n - at) * sizeof *h);
    memmove(lines + at + 1, lines + at, (n - at) * sizeof *lines);
    happenings[at] = *h;
    lines[at] = p->r.line;
    s->n_happenings++;
    return 0;
}

/* The second half of "slow 3 5x for 10s". */
static int events_insert_end(sim_parser *p, const sim_happening *h,
                             uint64_t for_ns)
{
    sim_happening end = {.kind = SIM_HEAL, .factor = 1};

    if (h->kind == SIM_NOT_READY)
        end.kind = SIM_READY;
    end.at_ns = h->at_ns + for_ns;
    end.first = h->first;
    end.last = h->last;
    return events_insert(p, &end);
}

static int events_servers_happening(sim_parser *p, const sim_event_word *e,
                                    sim_happening *h)
{
    sim_options o;

    if (sim_reader_range(&p->r, p->s->n_servers, &h->first, &h->last) != 0 ||
        sim_parser_figures(p, e, h) != 0 ||
        sim_parser_options(p, e->word, e->may, e->must, &o) != 0)
        return -1;
    sim_parser_apply(&o, h);
    if (events_insert(p, h) != 0)
        return -1;
    if (e->ends && (o.seen & SIM_BIT(SIM_OPTION_FOR)) != 0)
        return events_insert_end(p, h, o.ns[SIM_OPTION_FOR]);
    return 0;
}

static int events_rate(sim_parser *p, sim_happening *h)
{
    h->kind = SIM_RATE;
    if (p->s->closed_loop)
        return sim_reader_fail(&p->r, "a run with 'concurrency' has no rate");
    if (sim_reader_rate(&p->r, "rate", &h->factor) != 0)
        return -1;
    return events_insert(p, h);
}

/* +1h or -1h */
static int events_clock(sim_parser *p, sim_happening *h)
{
    const char *word, *wrong;
    uint64_t ns;

    h->kind = SIM_CLOCK_JUMP;
    if (sim_reader_word(&p->r, "jump (like +1h or -1h)", &word) != 0)
        return -1;
    if (word[0] != '+' && word[0] != '-')
        return sim_reader_fail(&p->r, "jump '%.40s' needs its sign, like +1h",
                               word);
    wrong = sim_units_duration(word + 1, &ns);
    if (wrong != NULL)
        return sim_reader_fail(&p->r, "jump '%.40s' %s", word, wrong);
    h->jump_ns = word[0] == '+' ? (int64_t)ns : -(int64_t)ns;
    return events_insert(p, h);
}

static int events_at(sim_parser *p)
{
    sim_happening h = {.factor = 1, .last = p->s->n_servers - 1};
    const sim_event_word *e;
    const char *word;

    if (sim_reader_duration(&p->r, "time", 0, SIM_UNITS_DAY_NS, &h.at_ns) !=
            0 ||
        sim_reader_word(&p->r, "what happens", &word) != 0)
        return -1;
    if (strcmp(word, "rate") == 0)
        return events_rate(p, &h);
    if (strcmp(word, "clock") == 0)
        return events_clock(p, &h);
    e = sim_parser_find_event(word);
    if (e == NULL)
        return sim_reader_fail(&p->r, "unknown happening '%.40s'", word);
    return events_servers_happening(p, e, &h);
}

int sim_parser_event(sim_parser *p, const char *word)
{
    static const struct {
        const char *word;
        int (*read)(sim_parser *p);
    } words[] = {
        {"at", events_at},
        {"stops", sim_parser_stops},
        {"antagonists", sim_parser_antagonists},
        {"flap", sim_parser_flap},
        {"measure", sim_parser_measure},
    };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(word, words[i].word) != 0)
            continue;
        if (!p->closed && sim_parser_close(p) != 0)
            return -1;
        return words[i].read(p);
    }
    return 1;
}
