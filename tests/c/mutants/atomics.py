"""One word each."""

from mutants.mutant import Mutant

MUTANTS = [
    Mutant(
        "ref: load leaves no mark",
        "atomics/fp_ref.h",
        "fp_u64_fetch_add_seq_cst(&r->word, 1) + 1",
        "fp_u64_load_seq_cst(&r->word)",
    ),
    Mutant(
        "ref: a mark of another object is taken back",
        "atomics/fp_ref.h",
        "while (fp__ref_object(word) == object && (word & FP_REF_MARKS) != 0)",
        "while ((word & FP_REF_MARKS) != 0)",
    ),
    Mutant(
        "ref: a paid reference is kept",
        "atomics/fp_ref.h",
        "count->drop(object); /* paid by a replacement; not the last one */",
        "",
    ),
    Mutant(
        "ref: exchange ignores marks",
        "atomics/fp_ref.h",
        "(word & FP_REF_MARKS) == 0 &&\n                  fp_u64_cas",
        "fp_u64_cas",
    ),
    Mutant(
        "ref: marks are wiped out unpaid",
        "atomics/fp_ref.c",
        "            count->add(expected);\n",
        "            ;\n",
    ),
    Mutant(
        "ref: marks are paid after the swap",
        "atomics/fp_ref.c",
        "        for (; paid < (word & FP_REF_MARKS); paid++)\n            count->add(expected);\n"
        "        FP_STEP();\n        const uint64_t marks = word & FP_REF_MARKS;\n"
        "        /* Release half: publishes `desired`. Acquire half: pairs with the loads' swaps. */\n"
        "        done = fp_u64_cas_seq_cst(&r->word, &word, fp__ref_word(desired));\n"
        "        if (done)\n            paid -= marks;\n",
        "        const uint64_t marks = word & FP_REF_MARKS;\n"
        "        done = fp_u64_cas_seq_cst(&r->word, &word, fp__ref_word(desired));\n"
        "        for (uint64_t i = 0; done && i < marks; i++)\n            count->add(expected);\n"
        "        if (done)\n            paid = 0;\n",
    ),
    Mutant(
        "ref: what was paid in vain is not taken back",
        "atomics/fp_ref.c",
        "    for (; paid > 0; paid--)\n        count->drop(expected); /* the caller holds one */\n",
        "",
    ),
    Mutant(
        "ref: exchange keeps what it loaded",
        "atomics/fp_ref.c",
        "        count->drop(found); /* done: the word's own is left */\n",
        "",
    ),
    Mutant(
        "int: a maximum is stored over a greater one",
        "atomics/fp_int.h",
        "if (fp_int_compare_exchange(a, &found, to))\n            break;\n",
        "fp_int_store(a, to);\n        break;\n",
        ("explore",),
    ),
    Mutant(
        "flag: a change wakes nobody", "atomics/fp_flag.h", "fp_event_notify_all(&f->changed);", ";"
    ),
    Mutant(
        "flag: a change wakes one", "atomics/fp_flag.h", "fp_event_notify_all(", "fp_event_notify("
    ),
    Mutant(
        "order: a reference is stored relaxed",
        "atomics/fp_ref.h",
        "fp_u64_cas_seq_cst(&r->word, &word, fp__ref_word(desired))",
        "atomic_compare_exchange_strong_explicit(&r->word, &word, fp__ref_word(desired), "
        "memory_order_relaxed, memory_order_relaxed)",
        ("tsan",),
    ),
    Mutant(
        "order: a reference is loaded relaxed",
        "atomics/fp_ref.h",
        "fp_u64_fetch_add_seq_cst(&r->word, 1) + 1",
        "fp_u64_fetch_add_relaxed(&r->word, 1) + 1",
        ("tsan",),
    ),
]
