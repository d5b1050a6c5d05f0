"""Byte records, and processes that are killed."""

from mutants.mutant import Mutant

LANE = "queues/fp_spsc_bytes.c"
PROCESS = "shm/fp_process.c"
SEGMENT = "shm/fp_shm_segment.c"
SHM_READ = "shm/fp_shm_read.c"
SHM_WRITE = "shm/fp_shm_write.c"
MEMBER = "shm/fp_shm_member.c"

MUTANTS = [
    *(
        Mutant(f"spsc_bytes: {name}", LANE, old, new, builds, program="spsc_bytes")
        for name, old, new, builds in (
            (
                "the tail is loaded relaxed",
                "fp_sync_u64_load_seq_cst(r->at.tail)",
                "fp_sync_u64_load_relaxed(r->at.tail)",
                ("tsan",),
            ),
            (
                "the head is loaded relaxed",
                "uint64_t head = fp_sync_u64_load_seq_cst(w->at.head)",
                "uint64_t head = fp_sync_u64_load_relaxed(w->at.head)",
                ("tsan",),
            ),
            (
                "the head is stored relaxed",
                "fp_sync_u64_store_seq_cst(r->at.head, r->get)",
                "fp_sync_u64_store_relaxed(r->at.head, r->get)",
                ("tsan",),
            ),
            (
                "the tail is not checked",
                "if (FP_UNLIKELY(!is_possible(&r->at, tail, r->get)))",
                "if (0)",
                ("asan",),
            ),
            (
                "the head is not checked",
                "if (FP_UNLIKELY(!is_possible(&w->at, w->published, head)))",
                "if (0)",
                ("asan",),
            ),
            ("a length is not held against the largest", "header > r->at.most || ", "", ("asan",)),
            ("a length is not held against the end", "units_of(header) > to_end ||", "", ("asan",)),
            ("a skip is not checked", "if (FP_UNLIKELY(to_end >= there))", "if (0)", ("asan",)),
            (
                "a closed lane is written to",
                ("if (FP_UNLIKELY(!fp_sync_u64_cas_seq_cst(w->at.tail, &found, w->put))) {"),
                "fp_sync_u64_store_seq_cst(w->at.tail, w->put);\n    if (0) {",
                ("steps",),
            ),
            (
                "what was seen outlives another reader",
                "if (FP_LIKELY(fp_sync_u64_load_relaxed(r->at.head) == r->get))",
                "if (1)",
                ("steps",),
            ),
            (
                "no room is left out at the end",
                "return needed > to_end ? to_end : 0;",
                "return 0;",
                ("asan",),
            ),
            (
                "only the position moves",
                "uint64_t count = (word / RECORD + 1) & RECORDS;",
                "uint64_t count = (word / RECORD) & RECORDS;",
                ("steps",),
            ),
        )
    ),
    *(
        Mutant(f"shm: {name}", file, old, new, builds, program="shm shm_kills")
        for name, file, old, new, builds in (
            (
                "the dead are not looked for",
                SHM_READ,
                "bool any = false;",
                "return false;\n    bool any = 0;",
                ("steps",),
            ),
            (
                "a reader does not ask who holds the lane",
                SHM_READ,
                "owner == 0 || !fp__shm_is_gone(m, owner)",
                "owner == 0",
                ("steps",),
            ),
            (
                "the turn stays with the dead",
                SHM_READ,
                "if (take_away(m, &m->shared->turn))",
                "if (0)",
                ("steps",),
            ),
            (
                "a killed writer's lane is lost",
                SHM_WRITE,
                "return owner != 0 && !fp__shm_is_gone(m, owner);",
                "return owner != 0;",
                ("steps",),
            ),
            (
                "a living writer's lane is taken",
                SHM_WRITE,
                "return owner != 0 && !fp__shm_is_gone(m, owner);",
                "return false;",
                ("steps",),
            ),
            (
                "records are counted by several",
                SHM_WRITE,
                "if (fp_sync_u64_cas_seq_cst(&m->shared->turn, &nobody, fp__shm_me(m))) {",
                "(void)nobody;\n    {",
                ("steps",),
            ),
            (
                "a record is gone before it was read",
                SHM_READ,
                "    v->lane = i;\n",
                (
                    "    if (s == FP_OK)\n        fp_sync_u64_store_seq_cst(&m->lane[i].head, "
                    "m->readers[i].next);\n    v->lane = i;\n"
                ),
                ("steps",),
            ),
            (
                "a lane is read by two",
                SHM_READ,
                "if (!fp_sync_u64_cas_seq_cst(&m->lane[i].reader, &nobody, fp__shm_me(m)))",
                "(void)nobody;\n    if (0)",
                ("steps",),
            ),
            (
                "closing is not completed",
                SHM_READ,
                "if (s != FP_EMPTY || state == 0)",
                "if (s != FP_EMPTY || state != 1 || 1)",
                ("steps",),
            ),
            (
                "doubt is death",
                PROCESS,
                "return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_UNLCK;",
                "return fcntl(fd, F_OFD_GETLK, &lock) != 0 || lock.l_type == F_UNLCK;",
                ("steps",),
            ),
            ("a child keeps its dead parent", PROCESS, "MADV_DONTFORK", "MADV_NORMAL", ("steps",)),
            (
                "a child has its parent's descriptor",
                PROCESS,
                "    close(own);\n    if (error == 0)",
                "    if (error == 0)",
                ("steps",),
            ),
            (
                "any descriptor that is closed is death",
                PROCESS,
                "fcntl(own, F_OFD_SETLK, &lock) == 0",
                "fcntl(own, F_SETLK, &lock) == 0",
                ("steps",),
            ),
            (
                "a process that comes is not kept off",
                SEGMENT,
                "st.st_ino == inode && fp_process_exclude(fd)",
                "st.st_ino == inode",
                ("steps",),
            ),
            (
                "a name that has gone is not noticed",
                SEGMENT,
                "fstat(fd, &st) == 0 && st.st_nlink != 0",
                "fstat(fd, &st) == 0",
                ("steps",),
            ),
            (
                "a child goes on as its parent",
                MEMBER,
                "        fp_process_forget(&m->me);\n",
                "        continue;\n",
                ("steps",),
            ),
            (
                "each handle has a lane",
                SEGMENT,
                "m = fault == FP_SHM_FINE ? fp__shm_find(st.st_dev, st.st_ino) : NULL;",
                "m = NULL;",
                ("steps",),
            ),
            (
                "the first handle gives the lane back",
                MEMBER,
                "fp_sync_u64_fetch_add_seq_cst(&m->open, 1)",
                "fp_sync_u64_store_seq_cst(&m->open, 1)",
                ("steps",),
            ),
            (
                "a process that comes again takes any lane",
                SHM_WRITE,
                "if (fp__shm_left_lane(m, &before))",
                "(void)before;\n    if (0)",
                ("steps",),
            ),
            (
                "a process that comes again overtakes itself",
                SHM_WRITE,
                "take(m, before) ? open_lane(m, before) : FP_FULL",
                "take(m, before) ? open_lane(m, before) : take(m, 1) ? open_lane(m, 1) : FP_FULL",
                ("steps",),
            ),
            (
                "a process that comes again waits for others' records",
                "queues/fp_spsc_bytes.c",
                "return left != 0 && left <= distance(fp_sync_u64_load_seq_cst(at->tail), head);",
                "return distance(fp_sync_u64_load_seq_cst(at->tail), head) != 0 || left == 1;",
                ("steps",),
            ),
            (
                "the size of the file is not checked",
                SEGMENT,
                " && *bytes == (uint64_t)st->st_size",
                "",
                ("asan",),
            ),
            (
                "the geometry is not checked",
                SEGMENT,
                "|| !fp_spsc_bytes_check(&lane)",
                "",
                ("asan",),
            ),
            (
                "the number of lanes is not checked",
                SEGMENT,
                "s->lanes > FP_SHM_MOST_LANES || ",
                "",
                ("asan",),
            ),
            (
                "more lanes than there are",
                SEGMENT,
                "return used < m->lanes ? used : m->lanes;",
                "return used;",
                ("asan",),
            ),
            ("a link is followed", SEGMENT, " | O_NOFOLLOW", "", ("steps",)),
        )
    ),
]
