/*
 * Writes that nobody waits for, by a connection of their own on which Redis
 * does not answer: each costs its bytes and no more.  For the files of this
 * folder alone.
 *
 * What is written in one turn of the loop goes out at its end, before what
 * link.h sends in that turn; which of the two Redis reads first is not said.
 */
#ifndef COORDINATOR_STORE_SOFT_H
#define COORDINATOR_STORE_SOFT_H

#include "coordinator/store/store.h"

#define SOFT_BUFFER (1u << 20) /* bytes that wait to be sent */

struct soft;

/* To where the store's link leads; closes the one before.  If it fails, or is
 * lost, soft_watch tries again. */
void soft_open(struct store *store);
void soft_close(struct soft *soft); /* NULL is legal */
/* Every now and then while the link is up. */
void soft_watch(struct store *store);

/* A command in Redis's own form.  0, -ENOTCONN, -EAGAIN: too much waits. */
int soft_write(struct store *store, const char *text, size_t len);
/*
 * The same for a command that takes any number of items, two arguments each:
 * head is its name and its key, without the count of arguments.  One that
 * follows another with the same head becomes a part of it, if that has not been
 * sent: Redis's time goes to commands rather than to items.
 */
int soft_write_item(struct store *store, const char *head, size_t head_len,
                    const char *item, size_t item_len);
/* Less than half of what may wait does. */
bool soft_has_room(const struct store *store);
/* How often it was opened: what was under way before may be lost. */
unsigned soft_opens(const struct store *store);
/* Sends what waits, as far as it goes. */
void soft_flush(struct store *store);

#endif
