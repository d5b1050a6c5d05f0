"""The C API."""

from mutants.mutant import Mutant

RAW = "capi/fp_raw.c"
RAW_BYTES = "capi/fp_raw_bytes.c"

MUTANTS = [
    Mutant(
        "raw: a commit does not notify",
        RAW_BYTES,
        "fp_event_notify(&ring->not_empty);",
        ";",
        ("steps",),
    ),
    Mutant(
        "raw: a take does not notify",
        RAW_BYTES,
        "fp_event_notify(&ring->not_full);",
        ";",
        ("steps",),
        program="raw",
    ),
    Mutant(
        "raw: closing does not wake the writer of records",
        RAW_BYTES,
        "    fp_event_notify_all(&ring->not_full);\n",
        "",
        ("steps",),
    ),
    Mutant(
        "raw: closing does not wake the reader of records",
        RAW_BYTES,
        "    fp_event_notify_all(&ring->not_empty);\n",
        "",
        ("steps",),
    ),
    Mutant(
        "raw: a full ring of records does not say closed",
        RAW_BYTES,
        "return s == FP_FULL && fp_spsc_bytes_is_closed(&w->ring->lane) ? FP_CLOSED : s;",
        "return s;",
        ("steps",),
    ),
    Mutant(
        "raw: a new producer goes on from what it saw last",
        RAW_BYTES,
        "fp_spsc_bytes_writer_open(&ring->writer, &ring->lane)",
        "(ring->writer.at.units ? FP_OK : fp_spsc_bytes_writer_open(&ring->writer, &ring->lane))",
        ("tsan",),
        "The words it would read anew are those that its predecessor wrote and left "
        "in place; only a fork can leave others.",
    ),
    Mutant(
        "raw: a role is given back to nobody's knowledge",
        RAW_BYTES,
        "return FASTPRIMS_NOT_OWNER;\n    } while (!fp_sync_u64_cas_seq_cst(role, &owner, 0));",
        "return FASTPRIMS_NOT_OWNER;\n        fp_sync_u64_store_relaxed(role, 0);\n"
        "        break;\n    } while (!fp_sync_u64_cas_seq_cst(role, &owner, 0));",
        ("tsan",),
    ),
    Mutant(
        "raw: records that were dropped are delivered",
        RAW_BYTES,
        "if (FP_UNLIKELY(drops(r->ring)))\n        return FP_CLOSED;",
        "",
        ("steps",),
    ),
    Mutant(
        "raw: a ring that fails leaves its record behind",
        RAW,
        "    if (ring->queue == NULL) {\n        fp_mem_free(ring, sizeof *ring);\n",
        "    if (ring->queue == NULL) {\n",
        ("steps",),
    ),
    Mutant(
        "raw: the last reference but one frees",
        RAW,
        "UINT64_MAX) != 1)",
        "UINT64_MAX) > 2)",
        ("asan",),
    ),
    Mutant("raw: nobody frees", RAW, "UINT64_MAX) != 1)", "UINT64_MAX) != 0)", ("steps",)),
    Mutant(
        "raw: a batch that waits starts over", RAW, "b->words + b->done,", "b->words,", ("steps",)
    ),
]
