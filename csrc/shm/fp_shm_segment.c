/* fp_shm_segment.c - making, attaching, leaving and removing the segment of fp_shm.h. */
#if defined(__linux__)
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include "shm/fp_shm_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAGIC UINT64_C(0x6d70726970747366) /* "fstpiprm", if the bytes are in the order of x86 */
#define LAYOUT UINT64_C(2)
#define PAGE ((uint64_t)4096)

struct path {
    char text[sizeof FP_SHM_FOLDER + FP_SHM_MOST_NAME + 1];
};

static bool make_path(struct path *p, const char *name) {
    size_t length = strlen(name);
    if (length == 0 || length > FP_SHM_MOST_NAME || strchr(name, '/') != NULL) {
        errno = EINVAL;
        return false;
    }
    snprintf(p->text, sizeof p->text, "%s%s", FP_SHM_FOLDER, name);
    return true;
}

/* Where the data of the first lane are. */
static uint64_t data_at(uint64_t lanes) {
    uint64_t end = sizeof(struct fp_shm_header) + lanes * sizeof(struct fp_shm_lane);
    return (end + PAGE - 1) / PAGE * PAGE;
}

/* Checks the numbers of a header and tells the size of its file. */
static bool size_of(const struct fp_shm_header *s, uint64_t *bytes) {
    const struct fp_spsc_bytes lane = {.units = s->units, .most = s->most};
    if (s->lanes == 0 || s->lanes > FP_SHM_MOST_LANES || !fp_spsc_bytes_check(&lane))
        return false;
    /* No overflow: 2^12 lanes of 2^29 bytes. */
    *bytes = data_at(s->lanes) + s->lanes * s->units * FP_SPSC_BYTES_UNIT;
    return *bytes <= SIZE_MAX && *bytes <= INT64_MAX;
}

struct fp_spsc_bytes fp__shm_at(const struct fp_shm_member *m, uint64_t i) {
    char *data = (char *)m->shared + data_at(m->lanes) + i * m->units * FP_SPSC_BYTES_UNIT;
    return (struct fp_spsc_bytes){&m->lane[i].tail, &m->lane[i].head, (fp_sync_u64 *)(void *)data,
                                  m->units, m->most};
}

/* Lanes that may hold something; whatever the word says, there are no more than `lanes`. */
uint64_t fp__shm_used(const struct fp_shm_member *m) {
    uint64_t used = fp_sync_u64_load_seq_cst(&m->shared->used);
    return used < m->lanes ? used : m->lanes;
}

/* A thread that waits for the first write of another one, which has no lane yet, waits at the wrong
 * bell: until it looks by itself, once. */
struct fp_shm_event *fp__shm_room(struct fp_shm_member *m) {
    uint64_t mine = fp_sync_u64_load_relaxed(&m->mine);
    return m->limit == 0 && mine != FP_SHM_NO_LANE ? &m->lane[mine].room : &m->shared->room;
}

uint64_t fp_shm_records(struct fp_shm *h) {
    if (fp_shm_is_discarding(h))
        return 0;
    struct fp_shm_member *m = h->member;
    uint64_t used = fp__shm_used(m), sum = 0;
    for (uint64_t i = 0; i < used; i++) {
        const struct fp_spsc_bytes at = fp__shm_at(m, i);
        sum += fp_spsc_bytes_records(&at);
    }
    return m->limit != 0 && sum > m->limit ? m->limit : sum;
}

/* Creation ------------------------------------------------------------------------------------- */

static uint64_t units_for(uint64_t capacity) {
    uint64_t units = PAGE / FP_SPSC_BYTES_UNIT;
    while (units * FP_SPSC_BYTES_UNIT < capacity && units < FP_SPSC_BYTES_MOST_UNITS)
        units *= 2;
    return units * FP_SPSC_BYTES_UNIT >= capacity ? units : 0;
}

/* Gives the file its name, which is the last thing: nobody sees it before, and its maker is in it
 * by then. */
static bool give_name(int fd, const struct path *path) {
    char name[40];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, name, AT_FDCWD, path->text, AT_SYMLINK_FOLLOW) == 0;
}

/* With the table's lock. The file has no name yet, so a killed creator leaves nothing behind. */
static enum fp_shm_fault build(struct fp_shm *h, int fd, const struct fp_shm_header *s,
                               uint64_t bytes, const struct path *path) {
    if (ftruncate(fd, (off_t)bytes) != 0)
        return FP_SHM_SYSTEM;
    FP_STEP();
    /* A page that cannot be had later would be a signal, not an error. */
    errno = posix_fallocate(fd, 0, (off_t)data_at(s->lanes));
    if (errno != 0)
        return FP_SHM_SYSTEM;
    FP_STEP();
    struct fp_shm_member *m = fp__shm_join(fd, s, bytes, path->text);
    if (m == NULL)
        return errno == ENOENT ? FP_SHM_NO_PROC : FP_SHM_SYSTEM;
    memcpy(m->shared, s, offsetof(struct fp_shm_header, state)); /* everything else is 0 */
    FP_STEP();
    if (!give_name(fd, path)) {
        fp_sync_u64_store_relaxed(&m->fd, (uint64_t)-1); /* the caller's */
        fp__shm_part(m);
        return errno == ENOENT ? FP_SHM_NO_PROC : FP_SHM_SYSTEM;
    }
    FP_STEP();
    fp__shm_use(h, m);
    return FP_SHM_FINE;
}

enum fp_shm_fault fp_shm_create(struct fp_shm *h, const char *name,
                                const struct fp_shm_options *options) {
    struct path path;
    struct fp_shm_header s = {.magic = MAGIC, .layout = LAYOUT};
    uint64_t bytes;
    s.lanes = options->lanes;
    s.units = units_for(options->capacity);
    s.most = options->most;
    if (s.units != 0 && s.most == UINT64_MAX)
        s.most = fp_spsc_bytes_most(s.units);
    s.limit = options->limit;
    s.made = (uint64_t)fp_now();
    if (!size_of(&s, &bytes))
        return FP_SHM_GEOMETRY;
    if (!make_path(&path, name))
        return FP_SHM_SYSTEM;
    int fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        return FP_SHM_SYSTEM;
    fp__shm_lock_table();
    enum fp_shm_fault fault = fchmod(fd, 0600) == 0 ? FP_SHM_FINE : FP_SHM_SYSTEM;
    if (fault == FP_SHM_FINE)
        fault = build(h, fd, &s, bytes, &path);
    fp__shm_unlock_table();
    if (fault != FP_SHM_FINE) {
        int error = errno;
        close(fd);
        errno = error;
    }
    return fault;
}

/* Attaching ------------------------------------------------------------------------------------ */

static int open_segment(const struct path *path) {
    return open(path->text, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}

/* The header is read into private memory before it is looked at. */
static enum fp_shm_fault check_file(int fd, const struct stat *st, bool anyone,
                                    struct fp_shm_header *s, uint64_t *bytes) {
    if (!S_ISREG(st->st_mode))
        return FP_SHM_NOT_OURS;
    if (!anyone && st->st_uid != geteuid())
        return FP_SHM_FOREIGN;
    ssize_t n = pread(fd, s, sizeof *s, 0);
    if (n < 0)
        return FP_SHM_SYSTEM;
    if ((size_t)n < sizeof *s || s->magic != MAGIC || s->layout != LAYOUT)
        return FP_SHM_NOT_OURS;
    return size_of(s, bytes) && *bytes == (uint64_t)st->st_size ? FP_SHM_FINE : FP_SHM_BROKEN;
}

/* Becomes a member of what `fd` is. Who removes what nobody uses keeps others from that meanwhile,
 * so either it finds us, or we find that the name has gone. */
static enum fp_shm_fault join(struct fp_shm *h, int fd, const struct fp_shm_header *s,
                              uint64_t bytes, const struct path *path) {
    struct stat st;
    struct fp_shm_member *m = fp__shm_join(fd, s, bytes, path->text);
    if (m == NULL)
        return FP_SHM_SYSTEM;
    FP_STEP();
    if (fstat(fd, &st) == 0 && st.st_nlink != 0) {
        fp__shm_use(h, m);
        return FP_SHM_FINE;
    }
    fp_sync_u64_store_relaxed(&m->fd, (uint64_t)-1); /* the caller's */
    fp__shm_part(m);
    errno = ENOENT;
    return FP_SHM_SYSTEM;
}

/* With the table's lock. */
static enum fp_shm_fault attach(struct fp_shm *h, const struct path *path, bool anyone) {
    struct fp_shm_header s;
    struct stat st;
    uint64_t bytes;
    int fd = open_segment(path);
    if (fd < 0)
        return FP_SHM_SYSTEM;
    enum fp_shm_fault fault = FP_SHM_SYSTEM;
    if (fstat(fd, &st) == 0)
        fault = check_file(fd, &st, anyone, &s, &bytes);
    struct fp_shm_member *m = fault == FP_SHM_FINE ? fp__shm_find(st.st_dev, st.st_ino) : NULL;
    if (m != NULL)
        fp__shm_use(h, m);
    else if (fault == FP_SHM_FINE)
        fault = join(h, fd, &s, bytes, path);
    if (m != NULL || fault != FP_SHM_FINE) {
        int error = errno;
        close(fd);
        errno = error;
    }
    return fault;
}

enum fp_shm_fault fp_shm_attach(struct fp_shm *h, const char *name, bool anyone) {
    struct path path;
    enum fp_shm_fault fault = FP_SHM_SYSTEM;
    if (!make_path(&path, name))
        return fault;
    for (int tries = 0; tries < 1000; tries++) {
        fp__shm_lock_table();
        fault = attach(h, &path, anyone);
        fp__shm_unlock_table();
        /* Somebody is about to remove it if nobody uses it, a matter of a few system calls. */
        if (fault != FP_SHM_SYSTEM || errno != EAGAIN)
            break;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return fault;
}

int fp_shm_unlink(const char *name) {
    struct path path;
    return make_path(&path, name) && unlink(path.text) == 0 ? 0 : errno;
}

bool fp_shm_is_used(const char *name) {
    struct path path;
    int fd = make_path(&path, name) ? open_segment(&path) : -1;
    if (fd < 0)
        return true;
    errno = 0;
    bool used = fp_process_is_anyone(fd);
    int error = errno;
    close(fd);
    errno = error;
    return used;
}

int fp_shm_remove_unused(const char *name, uint64_t inode) {
    struct path path;
    struct stat st;
    int fd = make_path(&path, name) ? open_segment(&path) : -1;
    if (fd < 0)
        return errno;
    int error = EBUSY;
    if (fstat(fd, &st) == 0 && st.st_ino == inode && fp_process_exclude(fd)) {
        FP_STEP();
        /* The name may have been removed, and given to another one, since it was opened. */
        error = ESTALE;
        if (lstat(path.text, &st) == 0 && fp_process_is_file(fd, st.st_dev, st.st_ino))
            error = unlink(path.text) == 0 ? 0 : errno;
    }
    close(fd);
    return error;
}

/* Leaving -------------------------------------------------------------------------------------- */

void fp_shm_release(struct fp_shm *h) {
    struct fp_shm_member *m = h->member;
    if (fp_sync_u64_exchange_seq_cst(&h->released, 1) != 0)
        return;
    fp__shm_lock_table();
    bool last = fp_sync_u64_fetch_add_seq_cst(&m->open, UINT64_MAX) == 1;
    fp__shm_unlock_table();
    if (last)
        fp__shm_leave(m);
    for (uint64_t i = 0; i < m->lanes; i++) /* threads that wait with this handle have to notice */
        fp_shm_event_notify_all(&m->lane[i].room);
    fp_shm_event_notify_all(&m->shared->room);
    fp_shm_event_notify_all(&m->shared->items);
}

void fp_shm_detach(struct fp_shm *h) {
    fp__shm_lock_table();
    if (--h->member->handles == 0)
        fp__shm_part(h->member);
    fp__shm_unlock_table();
}

#else
/* An empty file is not C. */
typedef int fp_shm_segment_is_for_linux;
#endif
