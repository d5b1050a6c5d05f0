/* fp_process.c - see fp_process.h. */
#if defined(__linux__)
#define _GNU_SOURCE
#include "fp_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ID_BITS = 22 };

struct record {
    char state;
    unsigned long threads;
    uint64_t start;
};

static ssize_t read_text(const char *path, char *text, size_t room) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n;
    do
        n = read(fd, text, room - 1);
    while (n < 0 && errno == EINTR);
    close(fd);
    text[n < 0 ? 0 : n] = '\0';
    return n;
}

/* The start of field `number` of /proc/<id>/stat, counted as proc(5) does; NULL: there is none. */
static const char *field(const char *text, int number) {
    /* The second one is the program's name in parentheses, which may contain anything. */
    const char *p = strrchr(text, ')');
    for (int at = 2; p != NULL && at < number; at++) {
        p = strchr(p, ' ');
        p = p == NULL ? NULL : p + 1;
    }
    return p;
}

static bool read_record(const char *path, struct record *r) {
    char text[1024];
    if (read_text(path, text, sizeof text) <= 0)
        return false;
    const char *state = field(text, 3), *threads = field(text, 20), *start = field(text, 22);
    if (state == NULL || threads == NULL || start == NULL)
        return false;
    r->state = *state;
    r->threads = strtoul(threads, NULL, 10);
    r->start = strtoull(start, NULL, 10);
    return true;
}

uint64_t fp_process_self(void) {
    struct record r;
    if (!read_record("/proc/self/stat", &r))
        return 0;
    return r.start << ID_BITS | (uint64_t)getpid();
}

bool fp_process_is_dead(uint64_t process) {
    int id = fp_process_id(process);
    if (id == 0)
        return true; /* nobody can have stored that */
    if (kill(id, 0) != 0 && errno == ESRCH)
        return true;
    char path[40];
    struct record r;
    snprintf(path, sizeof path, "/proc/%d/stat", id);
    if (!read_record(path, &r)) /* it has just ended, or its records are hidden from us */
        return kill(id, 0) != 0 && errno == ESRCH;
    if (r.start << ID_BITS >> ID_BITS != process >> ID_BITS)
        return true;
    /* The first thread may have ended before the others. */
    return (r.state == 'Z' || r.state == 'X' || r.state == 'x') && r.threads <= 1;
}

uint64_t fp_process_namespace(void) {
    struct stat s;
    return stat("/proc/self/ns/pid", &s) == 0 ? (uint64_t)s.st_ino : 0;
}

#else
/* An empty file is not C. */
typedef int fp_process_is_for_linux;
#endif
