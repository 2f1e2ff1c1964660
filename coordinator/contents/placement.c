/*
 * Which nodes hold a content, and in which order its holders are offered.
 *
 * Pure: must not know time, randomness or where its arguments come from.
 */
#include "coordinator/contents/placement.h"

#include <math.h>
#include <stdlib.h>

#define UNIT_CAPACITY (1024.0 * 1024 * 1024)
#define UNIT_RATE (1024.0 * 1024)
#define RATE_FACTOR_MAX 8.0  /* also that of an unlimited rate */
#define ROOM_FACTOR_MAX 12.0 /* 4 TiB: nobody has measured what is declared */

double
placement_weight(uint64_t capacity, uint64_t rate)
{
    double room = log2(1 + (double)capacity / UNIT_CAPACITY);
    double speed = RATE_FACTOR_MAX;

    if (room > ROOM_FACTOR_MAX)
        room = ROOM_FACTOR_MAX;
    if (rate != 0)
        speed = log2(1 + (double)rate / UNIT_RATE);
    if (speed > RATE_FACTOR_MAX)
        speed = RATE_FACTOR_MAX;
    return 1e-6 + room * speed;
}

double
placement_spare(uint64_t rate, uint64_t load)
{
    double all = (double)rate, left = all - (double)load;

    if (rate == 0) /* that it sends a lot does not show that it is at its end */
        return PLACEMENT_UNLIMITED_BPS;
    return left > all / 8 ? left : all / 8;
}

double
placement_score(const uint8_t salt[OL_SALT_BYTES], const uint8_t *root,
                const struct placement_node *node)
{
    return ol_rendezvous_score(salt, root, node->id, node->weight);
}

uint64_t
placement_room(uint64_t free, uint64_t promised)
{
    return free > promised ? free - promised : 0;
}

bool
placement_fits(const struct placement_node *node, uint64_t size)
{
    return node->takes && (node->keeps || node->room >= size);
}

size_t
placement_pick(const uint8_t salt[OL_SALT_BYTES], const uint8_t *root,
               uint64_t size, const struct placement_node *nodes, size_t count,
               size_t wanted, size_t ret[PLACEMENT_HOLDERS_MAX],
               double *ret_min)
{
    double scores[PLACEMENT_HOLDERS_MAX] = {0}, score;
    size_t picked = 0, at;

    if (wanted > PLACEMENT_HOLDERS_MAX)
        wanted = PLACEMENT_HOLDERS_MAX;
    for (size_t i = 0; i < count; i++) {
        if (!placement_fits(&nodes[i], size))
            continue;
        score = placement_score(salt, root, &nodes[i]);
        for (at = picked; at > 0 && scores[at - 1] < score; at--)
            ;
        if (at >= wanted)
            continue;
        if (picked < wanted)
            picked++;
        for (size_t j = picked - 1; j > at; j--) {
            scores[j] = scores[j - 1];
            ret[j] = ret[j - 1];
        }
        scores[at] = score;
        ret[at] = i;
    }
    *ret_min = picked == 0 ? 0 : scores[picked - 1];
    return picked;
}

/* Candidates. */

#define SPARE_USUAL 4096 /* KiB per second, where it is not known */
#define SPARE_DOUBLINGS 24

double
placement_spare_score(double score, uint32_t spare)
{
    return score * (1 + log2(spare == 0 ? SPARE_USUAL : spare)) /
           (1 + SPARE_DOUBLINGS);
}

static int
holder_compare(const void *a, const void *b)
{
    const struct placement_holder *x = a, *y = b;

    if (x->chosen != y->chosen)
        return x->chosen ? -1 : 1;
    if (x->complete != y->complete)
        return x->complete ? -1 : 1;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

static bool
network_is_chosen(const struct placement_holder *holders, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (holders[i].chosen && holders[i].network == holders[at].network)
            return true;
    return false;
}

/* The one with the highest score that knows no weight, complete ones first. */
static void
choose_any(struct placement_holder *holders, size_t count)
{
    struct placement_holder *best = NULL;

    for (size_t i = 0; i < count; i++)
        if (!holders[i].chosen &&
            (best == NULL || (holders[i].complete && !best->complete) ||
             (holders[i].complete == best->complete &&
              holders[i].uniform > best->uniform)))
            best = &holders[i];
    if (best != NULL)
        best->chosen = true;
}

size_t
placement_rank(struct placement_holder *holders, size_t count, size_t max)
{
    size_t chosen = 0,
           ranked = max > PLACEMENT_RANDOM ? max - PLACEMENT_RANDOM : max;

    for (size_t i = 0; i < count; i++)
        holders[i].chosen = count <= max;
    qsort(holders, count, sizeof(*holders), holder_compare);
    if (count <= max)
        return count;
    for (size_t i = 0; i < count && chosen < ranked; i++) {
        holders[i].chosen = !network_is_chosen(holders, i);
        chosen += holders[i].chosen;
    }
    for (size_t i = 0; i < count && chosen < ranked; i++) {
        chosen += !holders[i].chosen;
        holders[i].chosen = true;
    }
    for (; chosen < max; chosen++)
        choose_any(holders, count);
    qsort(holders, count, sizeof(*holders), holder_compare);
    return max;
}
