/* lines.h - which line of the core an access belongs to, for the trace of a failure. */
#ifndef LINES_H
#define LINES_H

#include <stdio.h>

/* Asks addr2line (binutils) about `count` addresses. NULL: it is not there. */
FILE *explore_open_lines(const void *const *from, int count);

/* Prints file, line and source text of the next address; nothing if `lines` is NULL. */
void explore_print_line(FILE *lines);

#endif
