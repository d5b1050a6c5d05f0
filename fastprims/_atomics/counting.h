/* counting.h - how the core counts references to Python objects (fp_ref.h). */
#ifndef FASTPRIMS_COUNTING_H
#define FASTPRIMS_COUNTING_H

#include "_common/drop.h"
#include "atomics/fp_ref.h"

static void fp_count_add(void *object) { Py_INCREF((PyObject *)object); }
static void fp_count_drop(void *object) { fp_drop((PyObject *)object); }

static const struct fp_counting fp_python_counting = {fp_count_add, fp_count_drop};

#endif
