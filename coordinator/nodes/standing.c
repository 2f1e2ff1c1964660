/*
 * A node's standing: the operator's list, bans, audits and reports, its own
 * wishes, and what they come to.
 *
 * Must not know requests, nor what is placed on the node.
 */
#include "coordinator/nodes/standing.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/contents/placement.h"
#include "coordinator/nodes/admission.h"
#include "coordinator/nodes/message.h"
#include "coordinator/options.h"
#include "coordinator/sites/sites.h"

static void
text_take(char **text, const char *to)
{
    if (*text != NULL && strcmp(*text, to) == 0)
        return;
    free(*text);
    *text = *to == '\0' ? NULL : strdup(to);
}

static int
site_compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* A JSON list of origins, as it was registered. */
static void
sites_take(struct node *node, const char *text)
{
    json_t *list = json_loads(text, 0, NULL), *entry;
    size_t i, count = json_array_size(list);
    node_site *sites = NULL;

    if (count > MESSAGE_SITES)
        count = MESSAGE_SITES;
    if (count > 0)
        sites = calloc(count, sizeof(*sites));
    if (count > 0 && sites == NULL)
        count = 0;
    json_array_foreach(list, i, entry)
    {
        if (i < count && json_is_string(entry))
            site_id(json_string_value(entry), sites[i]);
    }
    if (count > 0)
        qsort(sites, count, sizeof(*sites), site_compare);
    node->standing.sites_changed |=
        count != node->site_count ||
        (count > 0 && memcmp(sites, node->sites, count * sizeof(*sites)) != 0);
    free(node->sites);
    node->sites = sites;
    node->site_count = count;
    json_decref(list);
}

void
standing_take(struct node *node, const struct store_node *from)
{
    struct node_standing *s = &node->standing;

    text_take(&s->ban, from->standing.ban);
    text_take(&s->zone, from->zone);
    sites_take(node, from->sites);
    s->invited = *from->invite != '\0';
    s->drained = from->drained;
    s->draining = from->load_drain;
    s->percent = from->weight == 0 ? 100 : (unsigned)from->weight;
    s->wrong = from->standing.wrong;
    s->facts.born_s = (int64_t)from->born_s;
    s->facts.passed = from->standing.passed;
    s->facts.low = from->standing.low;
    s->facts.low_s = (int64_t)from->standing.low_s;
    s->facts.peak = from->standing.peak;
    s->unlisted = *from->unlisted != '\0';
    node->audit_due = from->standing.due;
}

/* The operator's zone, else the registered one. */
static bool
zone_judge(struct node *node, const struct admission_node *listed)
{
    const char *zone = listed != NULL && listed->zone[0] != '\0' ? listed->zone
                       : node->standing.zone != NULL ? node->standing.zone
                                                     : "";
    char *copy;

    if (node->zone != NULL && strcmp(node->zone, zone) == 0)
        return false;
    copy = strdup(zone);
    if (copy == NULL)
        return false;
    free(node->zone);
    node->zone = copy;
    return true;
}

static double
weight_judge(const struct app *app, struct node *node,
             const struct admission_node *listed, int64_t now_s)
{
    struct trust_facts *facts = &node->standing.facts;
    unsigned operator_s = listed != NULL ? listed->weight : 100;

    facts->vouched = listed != NULL;
    facts->audited = app->options->audit_rate > 0;
    facts->rate = node->rate;
    node->trust = trust_factor(facts, now_s);
    return placement_weight(node->capacity, trust_rate(facts)) *
           node->standing.percent / 100 * operator_s / 100 * node->trust;
}

bool
standing_judge(const struct app *app, struct node *node, int64_t now_s)
{
    struct node_standing *s = &node->standing;
    const struct admission_node *listed =
        admission_listed(app->admission, node->id);
    bool changed = zone_judge(node, listed) | s->sites_changed;
    double weight = weight_judge(app, node, listed, now_s);
    bool draining = s->drained || s->draining, excluded;

    s->refused = !admission_admits(app->admission, node->id, s->invited);
    excluded = s->refused || s->ban != NULL;
    changed |= weight < node->weight || weight > node->weight ||
               draining != node->draining || excluded != node->excluded ||
               s->unlisted != node->unlisted;
    s->sites_changed = false;
    node->weight = weight;
    node->draining = draining;
    node->excluded = excluded;
    node->unlisted = s->unlisted;
    return changed;
}

const char *
standing_reason(const struct node *node)
{
    if (node->standing.ban != NULL)
        return node->standing.ban;
    return node->standing.refused ? "the operator does not admit it (any more)"
                                  : "";
}

void
standing_clear(struct node *node)
{
    free(node->standing.ban);
    free(node->standing.zone);
    free(node->sites);
}
