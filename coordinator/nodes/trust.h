/*
 * How much of a node's declared worth counts.  Pure: the time is passed in.
 */
#ifndef COORDINATOR_TRUST_H
#define COORDINATOR_TRUST_H

#include <stdbool.h>
#include <stdint.h>

#define TRUST_HALF_S 3600   /* since its first registration */
#define TRUST_WHOLE_S 86400 /* the same */
#define TRUST_HALF_AUDITS 1 /* passed */
#define TRUST_WHOLE_AUDITS 4
#define TRUST_LOW_S 86400 /* after that, one halving is forgiven */
#define TRUST_LOW_MAX 5
#define TRUST_RATE_FACTOR 8
#define TRUST_RATE_MIN (1u << 20)

struct trust_facts {
    int64_t born_s;  /* its first registration */
    bool vouched;    /* the operator has it on his list */
    bool audited;    /* audits are made at all */
    uint64_t passed; /* audits */
    uint64_t low;    /* halvings, by reports */
    int64_t low_s;   /* the last one */
    uint64_t rate;   /* as registered, bytes per second, 0: unlimited */
    uint64_t peak;   /* of the fastest audits, bytes per second */
};

/*
 * A quarter at first, half after an hour and an audit passed, all after a day
 * and four of them: few steps, since each moves contents.  A node that the
 * operator has listed counts at once.  Half of that for each halving that is
 * not forgiven yet.
 */
double trust_factor(const struct trust_facts *facts, int64_t now_s);

/*
 * The rate that counts: once four audits have passed, at most eight times the
 * fastest, in powers of two, at least TRUST_RATE_MIN.
 */
uint64_t trust_rate(const struct trust_facts *facts);

#endif
