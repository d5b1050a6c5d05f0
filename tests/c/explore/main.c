/* main.c - explores the programs of all files, each in a process of its own:
 *
 *      explore [seconds each [part of a name [stop at the first failure]]] */
#include "maps.h"
#include "pools.h"
#include "queues.h"
#include "special.h"
#include "topics.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs each program in a process of its own: the program starts from the core's initial state, and
 * a crash ends it alone. */
static bool in_child(int (*work)(int which, double seconds), int which, double seconds) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        alarm((unsigned)seconds + 60);
        exit(work(which, seconds));
    }
    int status;
    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status))
        printf("FAIL explore: killed by signal %d (%s)\n", WTERMSIG(status),
               WTERMSIG(status) == SIGALRM ? "took too long" : "crash");
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* The programs of one file. */
struct family {
    const char *name; /* chooses them all */
    int count;
    const char *(*program)(int which);
    int (*work)(int which, double seconds);
};

int main(int argc, char **argv) {
    const struct family families[] = {
        {"", queue_count, queue_name, queue_work},
        {"", special_count, special_name, special_work},
        {"", pool_count, pool_name, pool_work},
        {"ctrie", map_count, map_name, map_work},
        {"topic", topic_count, topic_name, topic_work},
    };
    double seconds = argc > 1 ? atof(argv[1]) : 1;
    const char *only = argc > 2 ? argv[2] : "";
    const bool stop = argc > 3; /* at the first failure */
    int failed = 0;
    for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
        const struct family *of = &families[f];
        const bool all = strcmp(only, of->name) == 0;
        for (int i = 0; i < of->count; i++)
            if ((all || strstr(of->program(i), only)) && !in_child(of->work, i, seconds) &&
                ++failed && stop)
                return 1;
    }
    return failed != 0;
}
