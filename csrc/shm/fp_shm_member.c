/* fp_shm_member.c - this process as a member of segments: see fp_shm.h. Process-wide state: the
 * table of members, and what lanes they left records in. */
#if defined(__linux__)
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include "shm/fp_shm_internal.h"

#include "base/fp_mem.h"
#include "base/fp_thread.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A lane that was given back with records in it, to be gone on with. */
struct left {
    uint64_t device, inode, made; /* the segment's; `made` is 0: none */
    uint64_t lane;
    uint64_t tail; /* behind the last record */
};

/* If there are too many, what was left first is forgotten. */
enum { MOST_LEFT = 128 };

static pthread_mutex_t table = PTHREAD_MUTEX_INITIALIZER;
static struct fp_shm_member *members;
static struct left all_left[MOST_LEFT];
static unsigned next_left;

void fp__shm_lock_table(void) { pthread_mutex_lock(&table); }
void fp__shm_unlock_table(void) { pthread_mutex_unlock(&table); }

struct fp_shm_member *fp__shm_find(uint64_t device, uint64_t inode) {
    struct fp_shm_member *m = members;
    while (m != NULL && (m->device != device || m->inode != inode))
        m = m->after;
    return m;
}

/* Who we are ----------------------------------------------------------------------------------- */

/* With the table's lock, or in a child that was just forked. 0 or errno. */
static int begin(struct fp_shm_member *m) {
    uint64_t number = fp_sync_u64_fetch_add_seq_cst(&m->shared->numbers, 1) + 1;
    FP_STEP();
    return fp_process_begin(&m->me, fp__shm_fd(m), m->path, number);
}

static void open_readers(struct fp_shm_member *m) {
    for (uint64_t i = 0; i < m->lanes; i++) {
        const struct fp_spsc_bytes at = fp__shm_at(m, i);
        fp_spsc_bytes_reader_open(&m->readers[i], &at); /* damage is reported by whoever reads it */
    }
}

/* The child is another process, with the parent's handles: it needs a number of its own, and gets
 * it now, while it may still open the file. What threads of the parent had begun is theirs. */
static void in_child(void) {
    for (struct fp_shm_member *m = members; m != NULL; m = m->after) {
        fp_process_forget(&m->me);
        fp_sync_u64_store_relaxed(&m->mine, FP_SHM_NO_LANE);
        fp_sync_u64_store_relaxed(&m->writing, 0);
        fp_sync_u64_store_relaxed(&m->known, 0);
        open_readers(m);
        (void)begin(m); /* if that fails, fp__shm_enter tries again */
    }
    memset(all_left, 0, sizeof all_left);
    pthread_mutex_unlock(&table);
}

static void watch_forks(void) {
    fp_thread_watch_forks();
    pthread_atfork(fp__shm_lock_table, fp__shm_unlock_table, in_child);
}

FP_NOINLINE bool fp__shm_begin_late(struct fp_shm_member *m) {
    fp__shm_lock_table();
    int error = fp__shm_me(m) == 0 ? begin(m) : 0;
    fp__shm_unlock_table();
    return error == 0;
}

uint64_t fp_shm_forks(void) { return fp_thread_forks(); }
bool fp_shm_is_from_here(uint64_t forks) { return forks == fp_thread_forks(); }

int fp__shm_fd(struct fp_shm_member *m) {
    uint64_t was = fp_sync_u64_load_seq_cst(&m->fd);
    if (fp_process_is_file((int)was, m->device, m->inode))
        return (int)was;
    /* The program has closed all descriptors, as daemons do; the number may be another file's. */
    int fd = open(m->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return -1;
    if (fp_process_is_file(fd, m->device, m->inode) &&
        fp_sync_u64_cas_seq_cst(&m->fd, &was, (uint64_t)fd))
        return fd;
    close(fd); /* another segment's, or another thread was first */
    return fp_process_is_file((int)was, m->device, m->inode) ? (int)was : -1;
}

bool fp__shm_is_gone(struct fp_shm_member *m, uint64_t number) {
    return number != fp__shm_me(m) && fp_process_is_gone(fp__shm_fd(m), number);
}

/* Coming and going ----------------------------------------------------------------------------- */

static void unmap(struct fp_shm_member *m) {
    int error = errno;
    fp_process_end(&m->me);
    munmap(m->shared, m->bytes);
    fp_mem_free(m->readers, (size_t)m->lanes * sizeof *m->readers);
    fp_mem_free(m, sizeof *m);
    errno = error;
}

static struct fp_shm_member *allocate(int fd, const struct fp_shm_header *s, uint64_t bytes,
                                      const char *path) {
    void *memory = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return NULL;
    struct fp_shm_member *m = fp_mem_alloc(sizeof *m);
    struct fp_spsc_bytes_reader *readers = fp_mem_alloc((size_t)s->lanes * sizeof *m->readers);
    if (m == NULL || readers == NULL) {
        fp_mem_free(m, sizeof *m);
        fp_mem_free(readers, (size_t)s->lanes * sizeof *readers);
        munmap(memory, (size_t)bytes);
        errno = ENOMEM;
        return NULL;
    }
    m->shared = memory;
    m->lane = (struct fp_shm_lane *)(m->shared + 1);
    m->bytes = (size_t)bytes;
    m->lanes = s->lanes;
    m->units = s->units;
    m->most = s->most;
    m->limit = s->limit;
    m->made = s->made;
    m->readers = readers;
    strcpy(m->path, path);
    fp_sync_u64_store_relaxed(&m->fd, (uint64_t)fd);
    fp_sync_u64_store_relaxed(&m->mine, FP_SHM_NO_LANE);
    return m;
}

struct fp_shm_member *fp__shm_join(int fd, const struct fp_shm_header *s, uint64_t bytes,
                                   const char *path) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct stat st;
    if (fstat(fd, &st) != 0)
        return NULL;
    struct fp_shm_member *m = allocate(fd, s, bytes, path);
    if (m == NULL)
        return NULL;
    m->device = st.st_dev;
    m->inode = st.st_ino;
    open_readers(m);
    pthread_once(&once, watch_forks);
    errno = begin(m);
    if (errno != 0) {
        unmap(m);
        return NULL;
    }
    m->after = members;
    members = m;
    return m;
}

void fp__shm_use(struct fp_shm *h, struct fp_shm_member *m) {
    memset(h, 0, sizeof *h);
    h->member = m;
    h->lanes = m->lanes;
    h->units = m->units;
    h->most = m->most;
    h->limit = m->limit;
    m->handles++;
    fp_sync_u64_fetch_add_seq_cst(&m->open, 1);
}

void fp__shm_part(struct fp_shm_member *m) {
    struct fp_shm_member **to = &members;
    while (*to != m)
        to = &(*to)->after;
    *to = m->after;
    int error = errno, fd = (int)fp_sync_u64_load_relaxed(&m->fd);
    if (fp_process_is_file(fd, m->device, m->inode))
        close(fd);
    errno = error;
    unmap(m);
}

/* The lane after the last handle --------------------------------------------------------------- */

static struct left *find_left(const struct fp_shm_member *m) {
    for (struct left *l = all_left; l < all_left + MOST_LEFT; l++)
        if (l->made != 0 && l->made == m->made && l->inode == m->inode && l->device == m->device)
            return l;
    return NULL;
}

bool fp__shm_left_lane(struct fp_shm_member *m, uint64_t *lane) {
    fp__shm_lock_table();
    struct left *l = find_left(m);
    if (l != NULL) {
        const struct fp_spsc_bytes at = fp__shm_at(m, l->lane);
        if (fp_spsc_bytes_has_before(&at, l->tail))
            *lane = l->lane;
        else
            l->made = 0;
    }
    bool is_left = l != NULL && l->made != 0;
    fp__shm_unlock_table();
    return is_left;
}

/* Can this process still come again, and find records that it has to stay behind? */
static bool is_left_behind(struct fp_shm_member *m, const struct fp_spsc_bytes *at) {
    struct stat s;
    return !fp_spsc_bytes_is_empty(at) && fp_sync_u64_load_seq_cst(&m->shared->state) == 0 &&
           (fstat(fp__shm_fd(m), &s) != 0 || s.st_nlink != 0);
}

/* With the table's lock. */
static void give_back(struct fp_shm_member *m, uint64_t mine) {
    const struct fp_spsc_bytes at = fp__shm_at(m, mine);
    struct left *l = find_left(m);
    if (l == NULL)
        l = &all_left[next_left % MOST_LEFT];
    if (is_left_behind(m, &at)) {
        next_left += l == &all_left[next_left % MOST_LEFT];
        *l = (struct left){m->device, m->inode, m->made, mine, m->writer.published};
    }
    fp_sync_u64_store_relaxed(&m->mine, FP_SHM_NO_LANE);
    /* Release half: what was published; pairs with the claim. */
    fp_sync_u64_store_seq_cst(&m->lane[mine].owner, 0);
    FP_STEP();
}

void fp__shm_leave(struct fp_shm_member *m) {
    uint64_t nobody = 0;
    /* Either this succeeds, or the one who is writing finds `open` at 0 when done (seq_cst). */
    if (!fp_sync_u64_cas_seq_cst(&m->writing, &nobody, fp_thread_serial()))
        return;
    fp__shm_lock_table();
    uint64_t mine = fp_sync_u64_load_relaxed(&m->mine);
    if (mine != FP_SHM_NO_LANE && fp_sync_u64_load_relaxed(&m->open) == 0)
        give_back(m, mine);
    fp__shm_unlock_table();
    /* Release half: as in end(). */
    fp_sync_u64_store_seq_cst(&m->writing, 0);
}

#else
/* An empty file is not C. */
typedef int fp_shm_member_is_for_linux;
#endif
