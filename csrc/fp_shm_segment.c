/* fp_shm_segment.c - making, attaching and leaving the segment of fp_shm.h. */
#if defined(__linux__)
#define _GNU_SOURCE
#include "fp_shm.h"

#include "fp_mem.h"
#include "fp_process.h"
#include "fp_thread.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC UINT64_C(0x6d70726970747366) /* "fstpiprm", if the bytes are in the order of x86 */
#define LAYOUT UINT64_C(1)
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
    const struct fp_lane lane = {.units = s->units, .most = s->most};
    if (s->lanes == 0 || s->lanes > FP_SHM_MOST_LANES || !fp_lane_check(&lane))
        return false;
    /* No overflow: 2^12 lanes of 2^29 bytes. */
    *bytes = data_at(s->lanes) + s->lanes * s->units * FP_LANE_UNIT;
    return *bytes <= SIZE_MAX && *bytes <= INT64_MAX;
}

struct fp_lane fp__shm_at(const struct fp_shm *h, uint64_t i) {
    char *data = (char *)h->shared + data_at(h->lanes) + i * h->units * FP_LANE_UNIT;
    return (struct fp_lane){&h->lane[i].tail, &h->lane[i].head, (fp_sync_u64 *)(void *)data,
                            h->units, h->most};
}

/* Lanes that may hold something; whatever the word says, there are no more than `lanes`. */
uint64_t fp__shm_used(const struct fp_shm *h) {
    uint64_t used = fp_sync_u64_load_seq_cst(&h->shared->used);
    return used < h->lanes ? used : h->lanes;
}

static enum fp_shm_fault open_readers(struct fp_shm *h) {
    h->readers = fp_mem_alloc((size_t)h->lanes * sizeof *h->readers);
    if (h->readers == NULL) {
        errno = ENOMEM;
        return FP_SHM_SYSTEM;
    }
    for (uint64_t i = 0; i < h->lanes; i++) {
        const struct fp_lane at = fp__shm_at(h, i);
        fp_lane_reader_open(&h->readers[i], &at); /* damage is reported by whoever reads it */
    }
    return FP_SHM_FINE;
}

/* Maps the file that `fd` is; `s` has been checked. The handle takes over the descriptor. */
static enum fp_shm_fault map(struct fp_shm *h, int fd, const struct fp_shm_header *s,
                             uint64_t bytes) {
    memset(h, 0, sizeof *h);
    h->me = fp_process_self();
    if (h->me == 0)
        return FP_SHM_NO_PROC;
    void *memory = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return FP_SHM_SYSTEM;
    fp_thread_watch_forks();
    h->shared = memory;
    h->lane = (struct fp_shm_lane *)(h->shared + 1);
    h->bytes = (size_t)bytes;
    h->lanes = s->lanes;
    h->units = s->units;
    h->most = s->most;
    h->limit = s->limit;
    h->maker = s->maker;
    fp_sync_u64_store_relaxed(&h->mine, FP_SHM_NO_LANE);
    fp_sync_u64_store_relaxed(&h->forks, 2 * fp_thread_forks());
    h->fd = fd;
    enum fp_shm_fault fault = open_readers(h);
    if (fault != FP_SHM_FINE)
        munmap(memory, (size_t)bytes);
    return fault;
}

static void unmap(struct fp_shm *h);

/* Creation ------------------------------------------------------------------------------------- */

static uint64_t units_for(uint64_t capacity) {
    uint64_t units = PAGE / FP_LANE_UNIT;
    while (units * FP_LANE_UNIT < capacity && units < FP_LANE_MOST_UNITS)
        units *= 2;
    return units * FP_LANE_UNIT >= capacity ? units : 0;
}

/* The file has no name yet, so a killed creator leaves nothing behind. */
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
    enum fp_shm_fault fault = map(h, fd, s, bytes);
    if (fault != FP_SHM_FINE)
        return fault;
    memcpy(h->shared, s, offsetof(struct fp_shm_header, state)); /* everything else is 0 */
    h->shared->maker = h->maker = h->me;
    FP_STEP();
    char name[40];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, name, AT_FDCWD, path->text, AT_SYMLINK_FOLLOW) != 0) {
        int error = errno;
        unmap(h);
        errno = error;
        return FP_SHM_SYSTEM;
    }
    FP_STEP();
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
        s.most = fp_lane_most(s.units);
    s.limit = options->limit;
    s.space = fp_process_namespace();
    if (!size_of(&s, &bytes))
        return FP_SHM_GEOMETRY;
    if (!make_path(&path, name))
        return FP_SHM_SYSTEM;
    int fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        return FP_SHM_SYSTEM;
    enum fp_shm_fault fault = fchmod(fd, 0600) == 0 ? FP_SHM_FINE : FP_SHM_SYSTEM;
    if (fault == FP_SHM_FINE)
        fault = build(h, fd, &s, bytes, &path);
    if (fault != FP_SHM_FINE) {
        int error = errno;
        close(fd);
        errno = error;
    }
    return fault;
}

/* Attaching ------------------------------------------------------------------------------------ */

/* The header is read into private memory before it is looked at. */
static enum fp_shm_fault check_file(int fd, bool anyone, struct fp_shm_header *s, uint64_t *bytes) {
    struct stat st;
    if (fstat(fd, &st) != 0)
        return FP_SHM_SYSTEM;
    if (!S_ISREG(st.st_mode))
        return FP_SHM_NOT_OURS;
    if (!anyone && st.st_uid != geteuid())
        return FP_SHM_FOREIGN;
    ssize_t n = pread(fd, s, sizeof *s, 0);
    if (n < 0)
        return FP_SHM_SYSTEM;
    if ((size_t)n < sizeof *s || s->magic != MAGIC || s->layout != LAYOUT)
        return FP_SHM_NOT_OURS;
    if (!size_of(s, bytes) || *bytes != (uint64_t)st.st_size)
        return FP_SHM_BROKEN;
    return s->space == fp_process_namespace() ? FP_SHM_FINE : FP_SHM_SPACE;
}

enum fp_shm_fault fp_shm_attach(struct fp_shm *h, const char *name, bool anyone) {
    struct path path;
    struct fp_shm_header s;
    uint64_t bytes;
    if (!make_path(&path, name))
        return FP_SHM_SYSTEM;
    int fd = open(path.text, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return FP_SHM_SYSTEM;
    enum fp_shm_fault fault = check_file(fd, anyone, &s, &bytes);
    if (fault == FP_SHM_FINE)
        fault = map(h, fd, &s, bytes);
    if (fault != FP_SHM_FINE) {
        int error = errno;
        close(fd);
        errno = error;
    }
    return fault;
}

int fp_shm_unlink(const char *name) {
    struct path path;
    return make_path(&path, name) && unlink(path.text) == 0 ? 0 : errno;
}

/* Leaving -------------------------------------------------------------------------------------- */

/* `forks` is twice the number of forks that led here, or one more while a thread is at this: so a
 * fork in the middle of it is seen as well. */
static FP_NOINLINE bool after_fork(struct fp_shm *h) {
    const uint64_t now = 2 * fp_thread_forks();
    uint64_t was = fp_sync_u64_load_seq_cst(&h->forks);
    while (was != now) {
        if (was == now + 1) {
            fp_yield();
            was = fp_sync_u64_load_seq_cst(&h->forks);
        } else if (fp_sync_u64_cas_seq_cst(&h->forks, &was, now + 1)) {
            uint64_t me = fp_process_self();
            if (me != 0) {
                h->me = me;
                fp_sync_u64_store_relaxed(&h->mine, FP_SHM_NO_LANE);
                fp_sync_u64_store_relaxed(&h->writing, 0);
            }
            /* Release half: pairs with fp__shm_enter. */
            fp_sync_u64_store_seq_cst(&h->forks, me != 0 ? now : was);
            return me != 0;
        }
    }
    return true;
}

bool fp__shm_enter(struct fp_shm *h) {
    return FP_LIKELY(fp_sync_u64_load_acquire(&h->forks) == 2 * fp_thread_forks()) || after_fork(h);
}

bool fp_shm_is_from_here(struct fp_shm *h, uint64_t forks) {
    return forks == 2 * fp_thread_forks() && fp_sync_u64_load_acquire(&h->forks) == forks;
}

/* By whoever has `writing`, which is not given back: nobody writes with this handle any more. */
void fp__shm_give_lane_back(struct fp_shm *h) {
    uint64_t mine = fp_sync_u64_load_relaxed(&h->mine);
    if (mine == FP_SHM_NO_LANE)
        return;
    fp_sync_u64_store_relaxed(&h->mine, FP_SHM_NO_LANE);
    /* Release half: what was published; pairs with the claim. */
    fp_sync_u64_store_seq_cst(&h->lane[mine].owner, 0);
    FP_STEP();
}

void fp_shm_release(struct fp_shm *h) {
    if (fp_sync_u64_exchange_seq_cst(&h->released, 1) != 0 || !fp__shm_enter(h))
        return;
    uint64_t nobody = 0;
    /* Either this succeeds, or the one who is writing finds `released` set when done (seq_cst). */
    if (fp_sync_u64_cas_seq_cst(&h->writing, &nobody, fp_thread_serial()))
        fp__shm_give_lane_back(h);
    for (uint64_t i = 0; i < h->lanes; i++) /* threads that wait with this handle have to notice */
        fp_bell_ring_all(&h->lane[i].room);
    fp_bell_ring_all(&h->shared->room);
    fp_bell_ring_all(&h->shared->items);
}

static void unmap(struct fp_shm *h) {
    fp_mem_free(h->readers, (size_t)h->lanes * sizeof *h->readers);
    munmap(h->shared, h->bytes);
}

void fp_shm_detach(struct fp_shm *h) {
    unmap(h);
    close(h->fd);
}

#else
/* An empty file is not C. */
typedef int fp_shm_segment_is_for_linux;
#endif
