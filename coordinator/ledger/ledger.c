/*
 * Booking: accounts of sites and claims of nodes on their way to the store.
 *
 * Owns: how an account is called, and when all of a sync's are there.  Must
 * not know what the store makes of them.
 */
#include "coordinator/ledger/ledger.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "coordinator/sites/sites.h"
#include "coordinator/store/history.h"
#include "coordinator/store/ledger.h"
#include "coordinator/store/standing.h"
#include "offload/encoding.h"

/* The accounts of one message. */
struct batch {
    struct app *app;
    ledger_done_fn *done;
    void *arg;
    unsigned left; /* unanswered, and one while they are being sent */
    int rc;
};

static struct batch *
batch_create(struct app *app, ledger_done_fn *done, void *arg)
{
    struct batch *batch = calloc(1, sizeof(*batch));

    if (batch != NULL)
        *batch = (struct batch){app, done, arg, 1, 0};
    return batch;
}

static void
batch_step(struct batch *batch)
{
    if (--batch->left > 0)
        return;
    batch->done(batch->arg, batch->rc);
    free(batch);
}

/* All are sent, as far as rc says. */
static int
batch_sent(struct batch *batch, int rc)
{
    if (batch->left == 1) { /* none is */
        free(batch);
        return rc;
    }
    batch->rc = rc;
    batch->left--;
    return 0;
}

/* What is of no node or site, or too much, is not to be told again. */
static void
batch_take(struct batch *batch, int rc, const struct store_ledger_sums *added)
{
    if (rc == 0)
        store_history_add(batch->app->store, app_now(), added->claimed,
                          added->credited);
    else if (rc != -ENOENT && rc != -ENOSPC)
        batch->rc = rc;
    batch_step(batch);
}

static void
on_claimed(void *arg, int rc, const struct store_ledger_sums *added)
{
    batch_take(arg, rc, added);
}

int
ledger_claim(struct app *app, const char *node,
             const uint8_t epoch[MESSAGE_EPOCH],
             const struct message_served *served, size_t count,
             ledger_done_fn *done, void *arg)
{
    char site[SITE_ID_CHARS + 1], name[STORE_LEDGER_ACCOUNT] = "c";
    struct store_account account = {
        .node = node, .site = site, .name = name, .claim = true};
    struct batch *batch = batch_create(app, done, arg);
    int rc = 0;

    if (batch == NULL)
        return -ENOMEM;
    ol_base64url_encode(name + 1, epoch, MESSAGE_EPOCH);
    for (size_t i = 0; i < count && rc == 0; i++) {
        site_id(served[i].iss, site);
        account.iss = served[i].iss;
        account.bytes = served[i].bytes;
        rc = store_account_tell(app->store, &account, app_now(), on_claimed,
                                batch);
        batch->left += rc == 0;
    }
    return batch_sent(batch, rc);
}

/* One of a sync answer's. */
struct confirmed {
    struct batch *batch;
    char node[OL_KEY_CHARS + 1], site[SITE_ID_CHARS + 1];
};

/* Downloads that failed are held against the node. */
static void
on_confirmed(void *arg, int rc, const struct store_ledger_sums *added)
{
    struct confirmed *confirmed = arg;

    if (rc == 0 && added->failed > 0)
        store_node_failed(confirmed->batch->app->store, confirmed->node,
                          confirmed->site, added->failed, app_now());
    batch_take(confirmed->batch, rc, added);
    free(confirmed);
}

static int
account_send(struct batch *batch, const struct ledger_source *from,
             const struct sync_account *told)
{
    char name[STORE_LEDGER_ACCOUNT],
        epoch[OL_BASE64URL_LEN(SYNC_EPOCH_BYTES) + 1];
    const struct store_account account = {.node = told->node,
                                          .site = from->site,
                                          .iss = from->iss,
                                          .name = name,
                                          .bytes = told->bytes,
                                          .failed = told->failed};
    struct confirmed *confirmed = calloc(1, sizeof(*confirmed));
    int rc;

    if (confirmed == NULL)
        return -ENOMEM;
    confirmed->batch = batch;
    snprintf(confirmed->node, sizeof(confirmed->node), "%s", told->node);
    snprintf(confirmed->site, sizeof(confirmed->site), "%s", from->site);
    ol_base64url_encode(epoch, from->epoch, SYNC_EPOCH_BYTES);
    snprintf(name, sizeof(name), "r%s.%llu", epoch,
             (unsigned long long)told->serial);
    rc = store_account_tell(batch->app->store, &account, app_now(),
                            on_confirmed, confirmed);
    if (rc == 0)
        batch->left++;
    else
        free(confirmed);
    return rc;
}

int
ledger_confirm(struct app *app, const struct ledger_source *from,
               const struct sync_account *accounts, size_t count,
               ledger_done_fn *done, void *arg)
{
    struct batch *batch = batch_create(app, done, arg);
    int rc = 0;

    if (batch == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = account_send(batch, from, &accounts[i]);
    return batch_sent(batch, rc);
}
