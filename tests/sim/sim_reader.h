/* SPDX-License-Identifier: MIT */
/*
 * A line of a scenario as words, and each word as what it has to be. Every
 * message begins with FILE:LINE and says what was expected.
 */
#ifndef SIM_READER_H
#define SIM_READER_H

#include <stddef.h>
#include <stdint.h>

typedef struct sim_reader {
    const char *file; /* as the messages call it */
    unsigned line;    /* from 1 */
    char *text;       /* what is not yet read of the line; is cut up */
    char *error;
    size_t error_size;
} sim_reader;

#define SIM_READER_END (-1)
#define SIM_READER_ERROR (-2)

/* All memory of a scenario comes from here; a test lets it fail. */
extern void *(*sim_reader_realloc)(void *memory, size_t bytes);

/* Room for one more behind n elements, or NULL with the message; the array is
 * then as it was. Its room grows by doubling, so n alone says how much there
 * is. */
void *sim_reader_grow(sim_reader *r, void *array, size_t n, size_t bytes);

/* Writes the message and returns -1. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
int sim_reader_fail(sim_reader *r, const char *format, ...);

/* The next line of `*text`, which is cut there. 1: there is one; 0: the end;
 * -1: it holds what no text file should. */
int sim_reader_line(sim_reader *r, char **text);

/* The next word, or NULL: none is left. A # begins a comment. */
const char *sim_reader_next(sim_reader *r);

/* The rest of the line as it stands, without the blanks around it. */
const char *sim_reader_rest(sim_reader *r);

/* What follows: 0, or -1 with the message. `what` names the figure. */
int sim_reader_end(sim_reader *r);
int sim_reader_word(sim_reader *r, const char *what, const char **out);
int sim_reader_duration(sim_reader *r, const char *what, uint64_t least_ns,
                        uint64_t most_ns, uint64_t *out_ns);
int sim_reader_rate(sim_reader *r, const char *what, double *out_per_s);
int sim_reader_percent(sim_reader *r, const char *what, double least,
                       double *out);
int sim_reader_factor(sim_reader *r, const char *what, double *out);
int sim_reader_number(sim_reader *r, const char *what, double least,
                      double most, double *out);
int sim_reader_count(sim_reader *r, const char *what, uint32_t least,
                     uint32_t most, uint32_t *out);
int sim_reader_range(sim_reader *r, uint32_t n_servers, uint32_t *out_first,
                     uint32_t *out_last);

/* Which of the words comes next: its index. Bit i of `*seen` is set by the
 * i-th, which must not come twice. SIM_READER_END, SIM_READER_ERROR. */
int sim_reader_option(sim_reader *r, const char *const words[], unsigned n,
                      unsigned *seen);

#endif
