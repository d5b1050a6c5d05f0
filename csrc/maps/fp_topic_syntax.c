/* fp_topic_syntax.c - the rules of the messaging systems, as they publish them.
 *
 * Common to all: a wildcard is a whole token, so its character cannot be part of one; NUL is not
 * allowed; 65,535 bytes at most, which is MQTT's limit. (Those of NATS and AMQP are shorter and
 * belong to their wire formats.) */
#include "maps/fp_topic_internal.h"

const struct fp_topic_syntax fp_topic_syntaxes[FP_TOPIC_SYNTAXES] = {
    [FP_TOPIC_NATS] = {.name = "nats",
                       .separator = '.',
                       .one = '*',
                       .rest = '>',
                       .needs_tokens = true,
                       .needs_text = true,
                       .no_spaces = true},
    [FP_TOPIC_MQTT] = {.name = "mqtt",
                       .separator = '/',
                       .one = '+',
                       .rest = '#',
                       .rest_or_none = true,
                       .hides_dollar = true,
                       .needs_text = true},
    [FP_TOPIC_AMQP] = {.name = "amqp",
                       .separator = '.',
                       .one = '*',
                       .rest = '#',
                       .anywhere = true,
                       .rest_or_none = true},
};

/* Their hashes only have to differ from each other: no literal is a child of the same kind. */
const struct fp_token fp__token_one = {"", 0, FP_TOKEN_ONE, UINT64_C(0xA0761D6478BD642F)};
const struct fp_token fp__token_rest = {"", 0, FP_TOKEN_REST, UINT64_C(0xE7037ED1A0B428DB)};

size_t fp__topic_tokens(const struct fp_topic_syntax *syntax, const char *text, size_t length) {
    size_t count = length != 0;
    for (size_t i = 0; i < length; i++)
        count += text[i] == syntax->separator;
    return count;
}

struct fp_token fp__topic_token(const struct fp_topic_syntax *syntax, const char *text,
                                const char *end) {
    const char *stop = text;
    while (stop < end && *stop != syntax->separator)
        stop++;
    if (stop - text == 1 && *text == syntax->one)
        return fp__token_one;
    if (stop - text == 1 && *text == syntax->rest)
        return fp__token_rest;
    return (struct fp_token){text, (uint32_t)(stop - text), FP_TOKEN_LITERAL, 0};
}

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r' || c == '\v';
}

/* Text up to the next separator. */
static enum fp_topic_fault check_token(const struct fp_topic_syntax *syntax, const char *text,
                                       size_t length, bool is_pattern, bool is_last) {
    if (length == 0 && syntax->needs_tokens)
        return FP_TOPIC_EMPTY_TOKEN;
    for (size_t i = 0; i < length; i++) {
        const char c = text[i];
        if (c == '\0')
            return FP_TOPIC_NUL;
        if (syntax->no_spaces && is_space(c))
            return FP_TOPIC_SPACE;
        if (c != syntax->one && c != syntax->rest)
            continue;
        if (!is_pattern)
            return FP_TOPIC_NOT_LITERAL;
        if (length != 1)
            return FP_TOPIC_PART;
        if (c == syntax->rest && !syntax->anywhere && !is_last)
            return FP_TOPIC_NOT_LAST;
    }
    return FP_TOPIC_GOOD;
}

enum fp_topic_fault fp_topic_check(const struct fp_topic_syntax *syntax, const char *text,
                                   size_t length, bool is_pattern) {
    if (length > FP_TOPIC_BYTES)
        return FP_TOPIC_TOO_LONG;
    if (length == 0)
        return syntax->needs_text ? FP_TOPIC_NOTHING : FP_TOPIC_GOOD;
    for (size_t begin = 0, i = 0;; i++) {
        if (i < length && text[i] != syntax->separator)
            continue;
        enum fp_topic_fault fault =
            check_token(syntax, text + begin, i - begin, is_pattern, i == length);
        if (fault != FP_TOPIC_GOOD || i == length)
            return fault;
        begin = i + 1;
    }
}
