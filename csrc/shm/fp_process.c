/* fp_process.c - see fp_process.h. */
#if defined(__linux__)
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include "shm/fp_process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 4096 };

/* Byte number n is that of process number n; bytes that a file has are below them all. */
#define FIRST ((uint64_t)1 << 62)
#define NUMBERS ((uint64_t)1 << 61)

static bool is_number(uint64_t number) { return number != 0 && number < NUMBERS; }

/* The byte of `number`, or all if that is 0. */
static struct flock lock_of(uint64_t number) {
    return (struct flock){.l_type = F_WRLCK,
                          .l_whence = SEEK_SET,
                          .l_start = (off_t)(FIRST + number),
                          .l_len = number == 0 ? (off_t)NUMBERS : 1};
}

/* Could the lock be had? In cases of doubt, no. */
static bool is_free(int fd, uint64_t number) {
    struct flock lock = lock_of(number);
    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_UNLCK;
}

bool fp_process_is_file(int fd, uint64_t device, uint64_t inode) {
    struct stat s;
    return fstat(fd, &s) == 0 && s.st_dev == device && s.st_ino == inode;
}

/* A description of its own of the file that `fd` is. /proc/self is this process in any namespace
 * that knows it; the name may be another file's by now, or nobody's. */
static int open_again(int fd, const char *path) {
    char text[40];
    snprintf(text, sizeof text, "/proc/self/fd/%d", fd);
    int own = open(text, O_RDWR | O_CLOEXEC);
    if (own >= 0 || errno == EMFILE || errno == ENFILE)
        return own;
    int error = errno;
    struct stat s;
    own = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (own >= 0 && fstat(fd, &s) == 0 && fp_process_is_file(own, s.st_dev, s.st_ino))
        return own;
    if (own >= 0)
        close(own);
    errno = error;
    return -1;
}

/* The page that holds the description, once it has the lock. */
static void *hold(int own, uint64_t number) {
    struct flock lock = lock_of(number);
    void *page = mmap(NULL, PAGE, PROT_NONE, MAP_SHARED, own, 0);
    if (page == MAP_FAILED)
        return NULL;
    if (madvise(page, PAGE, MADV_DONTFORK) == 0 && fcntl(own, F_OFD_SETLK, &lock) == 0)
        return page;
    int error = errno == EACCES ? EAGAIN : errno;
    munmap(page, PAGE);
    errno = error;
    return NULL;
}

int fp_process_begin(struct fp_process *p, int fd, const char *path, uint64_t number) {
    if (!is_number(number))
        return EAGAIN;
    int own = open_again(fd, path), error = 0;
    if (own < 0)
        return errno;
    p->page = hold(own, number);
    if (p->page == NULL)
        error = errno;
    close(own);
    if (error == 0) /* release: `page`; pairs with who asks whether it has begun */
        fp_sync_u64_store_seq_cst(&p->number, number);
    return error;
}

void fp_process_end(struct fp_process *p) {
    if (p->page != NULL)
        munmap(p->page, PAGE);
    fp_process_forget(p);
}

void fp_process_forget(struct fp_process *p) {
    p->page = NULL;
    fp_sync_u64_store_relaxed(&p->number, 0);
}

bool fp_process_is_gone(int fd, uint64_t number) {
    return !is_number(number) || is_free(fd, number);
}

bool fp_process_is_anyone(int fd) { return !is_free(fd, 0); }

bool fp_process_exclude(int fd) {
    struct flock lock = lock_of(0);
    return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

#else
/* An empty file is not C. */
typedef int fp_process_is_for_linux;
#endif
