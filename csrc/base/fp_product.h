/* fp_product.h - 64 by 64 bits. */
#ifndef FP_PRODUCT_H
#define FP_PRODUCT_H

#include "base/fp_config.h"

/* The upper half of the product. */
static inline uint64_t fp_high_product(uint64_t a, uint64_t b) {
#if defined(__SIZEOF_INT128__)
    return (uint64_t)(((unsigned __int128)a * b) >> 64);
#else
    uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    uint64_t middle = a1 * b0 + (a0 * b0 >> 32), other = a0 * b1 + (uint32_t)middle;
    return a1 * b1 + (middle >> 32) + (other >> 32);
#endif
}

#endif
