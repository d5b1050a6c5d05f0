/* lines.c - see lines.h. The accessors of fp_atomic.h are inlined, so addr2line names several lines
 * for one address, from the innermost on; the first one outside the accessors is the core's. */
#include "lines.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

FILE *explore_open_lines(const void *const *from, int count) {
    const size_t each = 24, size = 64 + each * (size_t)count;
    char *command = malloc(size);
    if (command == NULL)
        return NULL;
    size_t used = (size_t)snprintf(command, size, "addr2line -a -i -e /proc/%d/exe", (int)getpid());
    for (int i = 0; i < count; i++)
        used += (size_t)snprintf(command + used, size - used, " %#lx",
                                 (unsigned long)(uintptr_t)from[i] - 1);
    snprintf(command + used, size - used, " 2>/dev/null");
    fflush(stdout);
    FILE *lines = popen(command, "r");
    free(command);
    return lines;
}

/* The text of a line, without its indentation. */
static void print_text(const char *path, int wanted) {
    FILE *file = fopen(path, "r");
    char text[256];
    for (int i = 0; file != NULL && i < wanted; i++)
        if (fgets(text, sizeof text, file) == NULL)
            wanted = 0;
    if (file != NULL)
        fclose(file);
    if (file == NULL || wanted == 0)
        return;
    const char *start = text;
    while (isspace((unsigned char)*start))
        start++;
    printf("  %.*s", (int)strcspn(start, "\n"), start);
}

static bool is_accessor(const char *path) { return strstr(path, "fp_atomic.h") != NULL; }

void explore_print_line(FILE *lines) {
    char next[1024]; /* addr2line -a: an address, then its lines */
    if (lines == NULL)
        return;
    bool found = false;
    while (fgets(next, sizeof next, lines) != NULL && (!found || strncmp(next, "0x", 2) != 0)) {
        char *colon = strrchr(next, ':');
        if (found || colon == NULL || is_accessor(next))
            continue;
        *colon = 0;
        const char *name = strrchr(next, '/');
        int line = atoi(colon + 1);
        printf("%s:%d", name == NULL ? next : name + 1, line);
        print_text(next, line);
        found = true;
    }
}
