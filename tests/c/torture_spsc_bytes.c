/* torture_spsc_bytes.c - the lane of byte records, and what it does with memory that lies. */
#include "torture.h"

#include "queues/fp_spsc_bytes.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A lane in memory of its own: the data in a piece of exactly its size, so that the address
 * sanitizer sees the first access beyond it. */
struct memory {
    struct fp_spsc_bytes at;
    FP_LINE fp_sync_u64 tail;
    FP_LINE fp_sync_u64 head;
};

static void open_memory(struct memory *m, uint64_t units, uint64_t word) {
    fp_sync_u64 *data = malloc(units * FP_SPSC_BYTES_UNIT);
    CHECK(data != NULL, "no memory");
    memset(data, 0xEE, units * FP_SPSC_BYTES_UNIT);
    fp_sync_u64_store_relaxed(&m->tail, word);
    fp_sync_u64_store_relaxed(&m->head, word);
    m->at = (struct fp_spsc_bytes){&m->tail, &m->head, data, units, fp_spsc_bytes_most(units)};
    CHECK(fp_spsc_bytes_check(&m->at), "%llu units", (unsigned long long)units);
}

static void close_memory(struct memory *m) { free(m->at.data); }

/* Record number n of a stream: its length and its bytes follow from the number. */
static uint64_t size_of(const struct fp_spsc_bytes *at, uint64_t n) {
    uint64_t x = (n + 1) * 0x9E3779B97F4A7C15u;
    x ^= x >> 29;
    if (x % 16 == 0)
        return x / 16 % 2 ? at->most : 0;
    return x / 16 % (at->most + 1);
}

static void fill(void *where, uint64_t size, uint64_t n) {
    for (uint64_t i = 0; i < size; i++)
        ((unsigned char *)where)[i] = (unsigned char)(n * 31 + i);
}

static void check(const void *where, uint64_t size, const struct fp_spsc_bytes *at, uint64_t n) {
    CHECK(size == size_of(at, n), "record %llu has %llu bytes, not %llu", (unsigned long long)n,
          (unsigned long long)size, (unsigned long long)size_of(at, n));
    for (uint64_t i = 0; i < size; i++)
        CHECK(((const unsigned char *)where)[i] == (unsigned char)(n * 31 + i),
              "record %llu is torn at byte %llu", (unsigned long long)n, (unsigned long long)i);
}

/* Stages record n. */
static enum fp_status stage(struct fp_spsc_bytes_writer *w, uint64_t n) {
    void *where;
    uint64_t size = size_of(&w->at, n);
    enum fp_status s = fp_spsc_bytes_reserve(w, size, &where);
    if (s == FP_OK) {
        fill(where, size, n);
        fp_spsc_bytes_stage(w, size);
    }
    return s;
}

static const uint64_t units[] = {4, 8, 64, 4096};
/* Words just before one of their numbers starts again. */
static const uint64_t starts[] = {0, ((uint64_t)1 << 36) - 3, (((uint64_t)1 << 27) - 2) << 36,
                                  ~FP_SPSC_BYTES_CLOSED};
enum { UNITS = sizeof units / sizeof *units, STARTS = sizeof starts / sizeof *starts };

/* One thread, batches on both sides, both sides taken over now and then; a count is the model. */
static void drive(struct memory *m, uint64_t steps) {
    struct fp_spsc_bytes_writer w;
    struct fp_spsc_bytes_reader r;
    const void *where;
    uint64_t written = 0, published = 0, taken = 0, released = 0, size;
    CHECK(fp_spsc_bytes_writer_open(&w, &m->at) == FP_OK, "writer");
    CHECK(fp_spsc_bytes_reader_open(&r, &m->at) == FP_OK, "reader");
    for (uint64_t step = 0; step < steps; step++) {
        enum fp_status s;
        switch (torture_random(8)) {
        case 0:
        case 1:
            s = stage(&w, written);
            written += s == FP_OK;
            CHECK(s == FP_OK || (s == FP_FULL && written != released), "an empty ring is full");
            break;
        case 2:
            CHECK(fp_spsc_bytes_publish(&w) == FP_OK, "publish");
            published = written;
            break;
        case 3:
        case 4:
            s = fp_spsc_bytes_peek(&r, &where, &size);
            CHECK(s == (taken == published ? FP_EMPTY : FP_OK), "peek: %d", (int)s);
            if (s == FP_OK) {
                check(where, size, &m->at, taken++);
                fp_spsc_bytes_take(&r);
            }
            break;
        case 5:
            fp_spsc_bytes_release(&r);
            released = taken;
            break;
        case 6: /* the writer dies; what was not published is gone */
            CHECK(fp_spsc_bytes_writer_open(&w, &m->at) == FP_OK, "writer");
            written = published;
            break;
        default: /* so does the reader; what was not released is there again */
            s = torture_random(2) ? fp_spsc_bytes_reader_again(&r)
                                  : fp_spsc_bytes_reader_open(&r, &m->at);
            CHECK(s == FP_OK, "reader");
            taken = released;
        }
        CHECK(fp_spsc_bytes_records(&m->at) == published - released, "%llu records, not %llu",
              (unsigned long long)fp_spsc_bytes_records(&m->at),
              (unsigned long long)(published - released));
        CHECK(fp_spsc_bytes_is_empty(&m->at) == (published == released), "is_empty");
    }
}

static void model(void) {
    for (int i = 0; i < UNITS; i++)
        for (int j = 0; j < STARTS; j++) {
            struct memory m;
            open_memory(&m, units[i], starts[j]);
            drive(&m, (uint64_t)scaled(60000));
            close_memory(&m);
        }
}

static void limits(void) {
    struct memory m;
    struct fp_spsc_bytes_writer w;
    void *where;
    open_memory(&m, 8, 0);
    CHECK(fp_spsc_bytes_writer_open(&w, &m.at) == FP_OK, "writer");
    CHECK(fp_spsc_bytes_reserve(&w, 24, &where) == FP_OK, "the largest record");
    CHECK(fp_spsc_bytes_reserve(&w, 25, &where) == FP_TOO_LARGE, "a larger one");
    CHECK(fp_spsc_bytes_reserve(&w, UINT64_MAX, &where) == FP_TOO_LARGE, "one without end");
    struct fp_spsc_bytes odd = m.at;
    const uint64_t bad[] = {0, 1, 2, 3, 5, 12, FP_SPSC_BYTES_MOST_UNITS * 2, UINT64_MAX};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        odd.units = bad[i];
        odd.most = 0;
        CHECK(!fp_spsc_bytes_check(&odd), "%llu units", (unsigned long long)bad[i]);
    }
    odd = m.at;
    odd.most++;
    CHECK(!fp_spsc_bytes_check(&odd), "a record larger than half of the ring");
    close_memory(&m);
}

/* Two threads. --------------------------------------------------------------------------------- */

struct stream {
    struct memory m;
    uint64_t count;
    uint64_t stored; /* by the writer, before it was told "closed" */
    bool close;
};

static void write_stream(struct stream *s) {
    struct fp_spsc_bytes_writer w;
    CHECK(fp_spsc_bytes_writer_open(&w, &s->m.at) == FP_OK, "writer");
    uint64_t n = 0;
    while (n < s->count) {
        uint64_t batch = 0, most = 1 + torture_random(4);
        while (batch < most && n + batch < s->count && stage(&w, n + batch) == FP_OK)
            batch++;
        enum fp_status status = fp_spsc_bytes_publish(&w);
        if (status == FP_CLOSED)
            break;
        CHECK(status == FP_OK, "publish: %d", (int)status);
        n += batch;
        if (batch == 0)
            sched_yield();
    }
    s->stored = n;
    if (!s->close)
        fp_spsc_bytes_close(&s->m.at);
}

static uint64_t read_stream(struct stream *s) {
    struct fp_spsc_bytes_reader r;
    const void *where;
    uint64_t n = 0, size;
    CHECK(fp_spsc_bytes_reader_open(&r, &s->m.at) == FP_OK, "reader");
    for (;;) {
        uint64_t most = 1 + torture_random(4);
        enum fp_status status = FP_OK;
        for (uint64_t i = 0; i < most; i++) {
            status = fp_spsc_bytes_peek(&r, &where, &size);
            if (status != FP_OK)
                break;
            check(where, size, &s->m.at, n++);
            fp_spsc_bytes_take(&r);
        }
        fp_spsc_bytes_release(&r);
        if (status == FP_CLOSED)
            return n;
        CHECK(status == FP_OK || status == FP_EMPTY, "peek: %d", (int)status);
        if (status == FP_EMPTY)
            sched_yield();
    }
}

static uint64_t received;

static void stream_thread(int id, void *arg) {
    struct stream *s = arg;
    if (id == 0)
        write_stream(s);
    else if (id == 1)
        received = read_stream(s);
    else {
        for (unsigned i = torture_random(3000); i != 0; i--)
            CHECK(fp_spsc_bytes_records(&s->m.at) <= s->m.at.units, "records");
        if (s->close)
            fp_spsc_bytes_close(&s->m.at);
    }
}

static void streams(int count, bool close) {
    for (int i = 0; i < UNITS; i++)
        for (int j = 0; j < STARTS; j++) {
            /* With room for one record, each costs a turn of the scheduler; large ones take long to
             * be checked. */
            int n = units[i] == 64 ? count : count / 20;
            struct stream s = {.count = (uint64_t)scaled(n), .close = close};
            open_memory(&s.m, units[i], starts[j]);
            torture_threads(3, stream_thread, &s);
            CHECK(received == s.stored, "%llu records came, %llu had been stored",
                  (unsigned long long)received, (unsigned long long)s.stored);
            CHECK(fp_spsc_bytes_is_closed(&s.m.at) && fp_spsc_bytes_is_empty(&s.m.at),
                  "not drained");
            close_memory(&s.m);
        }
}

static void threads(void) { streams(30000, false); }
static void closing(void) {
    for (int round = 0; round < scaled(60); round++)
        streams(600, true);
}
static void delayed(void) {
    torture_random_steps(true);
    streams(2000, false);
    streams(300, true);
}

/* Lies. ---------------------------------------------------------------------------------------- */

/* A word that was never stored by the rules, or looks as if it had been. */
static uint64_t lie(uint64_t truth) {
    switch (torture_random(7)) {
    case 0:
        return truth + torture_random(20) - 10;
    case 1:
        return truth ^ (uint64_t)1 << torture_random(64);
    case 2:
        return FP_SPSC_BYTES_SKIP;
    case 3:
        return torture_random(64);
    case 4:
        return UINT64_MAX - torture_random(64);
    case 5:
        return (uint64_t)torture_random(1000) << 33 | torture_random(1000);
    default:
        return truth;
    }
}

static void damage(struct memory *m) {
    fp_sync_u64 *word = &m->tail;
    switch (torture_random(3)) {
    case 0:
        word = &m->head;
        break;
    case 1:
        word = m->at.data + torture_random((unsigned)m->at.units);
        break;
    default:
        break;
    }
    fp_sync_u64_store_relaxed(word, lie(fp_sync_u64_load_relaxed(word)));
}

/* Everything within the memory is read and written; the sanitizer knows what is not. */
static long use_damaged(struct memory *m, struct fp_spsc_bytes_writer *w,
                        struct fp_spsc_bytes_reader *r) {
    void *room;
    const void *where;
    uint64_t size = torture_random((unsigned)m->at.most + 9), sum = 0;
    enum fp_status s = fp_spsc_bytes_reserve(w, size, &room);
    if (s == FP_OK) {
        memset(room, 0xAB, size);
        fp_spsc_bytes_stage(w, size);
        s = fp_spsc_bytes_publish(w);
    }
    long noticed = s == FP_DAMAGED;
    s = fp_spsc_bytes_peek(r, &where, &size);
    noticed += s == FP_DAMAGED;
    if (s == FP_OK) {
        CHECK(size <= m->at.most, "%llu bytes", (unsigned long long)size);
        for (uint64_t i = 0; i < size; i++)
            sum += ((const unsigned char *)where)[i];
        fp_spsc_bytes_take(r);
        fp_spsc_bytes_release(r);
    }
    CHECK(sum <= m->at.most * 255 && fp_spsc_bytes_records(&m->at) <= m->at.units, "the count");
    return noticed;
}

static void lies(void) {
    long noticed = 0, opened = 0;
    for (int round = 0; round < scaled(300000); round++) {
        struct memory m;
        struct fp_spsc_bytes_writer w;
        struct fp_spsc_bytes_reader r;
        open_memory(&m, units[round % 3], starts[round / 3 % STARTS]);
        CHECK(fp_spsc_bytes_writer_open(&w, &m.at) == FP_OK, "writer");
        CHECK(fp_spsc_bytes_reader_open(&r, &m.at) == FP_OK, "reader");
        for (unsigned turn = torture_random(6); turn != 0; turn--)
            CHECK(use_damaged(&m, &w, &r) == 0, "an honest lane is called damaged");
        for (int turn = 0; turn < 12; turn++) {
            damage(&m);
            if (torture_random(4) == 0) {
                struct fp_spsc_bytes_writer other;
                if (fp_spsc_bytes_writer_open(&other, &m.at) == FP_OK) {
                    w = other;
                    opened++;
                }
                if (fp_spsc_bytes_reader_open(&r, &m.at) != FP_OK)
                    fp_sync_u64_store_relaxed(&m.head, 0);
            }
            noticed += use_damaged(&m, &w, &r);
        }
        close_memory(&m);
    }
    CHECK(noticed != 0 && opened != 0, "no lie was noticed");
}

/* A lane of 8 units whose next record starts at unit 6, with the given tail and header. */
static enum fp_status peek_at(uint64_t tail, uint64_t header) {
    struct memory m;
    struct fp_spsc_bytes_reader r;
    const void *where;
    uint64_t size;
    open_memory(&m, 8, 6);
    fp_sync_u64_store_relaxed(&m.tail, tail);
    fp_sync_u64_store_relaxed(m.at.data + 6, header);
    fp_sync_u64_store_relaxed(m.at.data, 0);
    CHECK(fp_spsc_bytes_reader_open(&r, &m.at) == FP_OK, "reader");
    enum fp_status s = fp_spsc_bytes_peek(&r, &where, &size);
    close_memory(&m);
    return s;
}

/* Each lie by itself, beside the truth next to it. */
static void single_lies(void) {
    const uint64_t one = (uint64_t)1 << 36;
    CHECK(peek_at(one + 8, 8) == FP_OK, "a record up to the end");
    CHECK(peek_at(one + 10, 16) == FP_DAMAGED, "a record beyond the end of the memory");
    CHECK(peek_at(one + 9, FP_SPSC_BYTES_SKIP) == FP_OK, "a skip");
    CHECK(peek_at(one + 8, FP_SPSC_BYTES_SKIP) == FP_DAMAGED, "a skip with nothing behind it");
    CHECK(peek_at(one + 7, FP_SPSC_BYTES_SKIP) == FP_DAMAGED, "a skip beyond the tail");
    CHECK(peek_at(one + 15, 8) == FP_DAMAGED, "more units than there are");
    CHECK(peek_at(9 * one + 8, 8) == FP_DAMAGED, "more records than units");
    struct memory m;
    struct fp_spsc_bytes_writer w;
    void *where;
    open_memory(&m, 8, 6);
    CHECK(fp_spsc_bytes_writer_open(&w, &m.at) == FP_OK, "writer");
    for (int i = 0; i < 8; i++) {
        CHECK(fp_spsc_bytes_reserve(&w, 0, &where) == FP_OK, "reserve");
        fp_spsc_bytes_stage(&w, 0);
    }
    CHECK(fp_spsc_bytes_publish(&w) == FP_OK && fp_spsc_bytes_reserve(&w, 0, &where) == FP_FULL,
          "full");
    fp_sync_u64_store_relaxed(&m.head, 9 * one + 15); /* one beyond the tail */
    CHECK(fp_spsc_bytes_reserve(&w, 0, &where) == FP_DAMAGED, "a head that has passed the tail");
    close_memory(&m);
}

static const struct torture_case cases[] = {
    {"a count is the model; owners die", model},
    {"limits", limits},
    {"two threads", threads},
    {"closed in the middle", closing},
    {"delays at the steps", delayed},
    {"words that lie", lies},
    {"one lie at a time", single_lies},
};

int main(int argc, char **argv) {
    return torture_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
