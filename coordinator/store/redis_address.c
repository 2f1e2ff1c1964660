/*
 * The address of the host that Redis is on: hiredis itself would wait for the
 * resolver.
 *
 * Must not know Redis.
 */
#include "coordinator/store/redis_address.h"

#include <errno.h>
#include <stdlib.h>

struct redis_address {
    uv_getaddrinfo_t request;
    unsigned which;
    redis_address_fn *done; /* NULL: cancelled */
    void *arg;
};

static const struct addrinfo *
address_pick(const struct addrinfo *list, unsigned which)
{
    const struct addrinfo *ai;
    unsigned count = 0;

    for (ai = list; ai != NULL; ai = ai->ai_next)
        count++;
    if (count > 0)
        which %= count;
    for (ai = list; ai != NULL && which > 0; which--)
        ai = ai->ai_next;
    return ai;
}

static void
on_found(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct redis_address *address = request->data;
    const struct addrinfo *ai = address_pick(list, address->which);
    char text[INET6_ADDRSTRLEN] = "";
    int rc = status;

    if (rc == 0 && ai == NULL)
        rc = UV_EAI_NODATA;
    if (rc == 0)
        rc = uv_ip_name(ai->ai_addr, text, sizeof(text));
    uv_freeaddrinfo(list);
    if (address->done != NULL)
        address->done(address->arg, rc == 0 ? text : NULL,
                      rc == 0 ? "" : uv_strerror(rc));
    free(address);
}

int
redis_address_find(uv_loop_t *loop, const char *host, unsigned which,
                   redis_address_fn *done, void *arg,
                   struct redis_address **ret)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct redis_address *address;
    unsigned char bytes[16];
    int rc;

    if (uv_inet_pton(AF_INET, host, bytes) == 0 ||
        uv_inet_pton(AF_INET6, host, bytes) == 0) {
        done(arg, host, "");
        return 0;
    }
    address = calloc(1, sizeof(*address));
    if (address == NULL)
        return -ENOMEM;
    address->request.data = address;
    address->which = which;
    address->done = done;
    address->arg = arg;
    rc = uv_getaddrinfo(loop, &address->request, on_found, host, NULL, &hints);
    if (rc != 0) {
        free(address);
        return rc;
    }
    *ret = address;
    return 0;
}

void
redis_address_cancel(struct redis_address *address)
{
    if (address == NULL)
        return;
    address->done = NULL;
    uv_cancel((uv_req_t *)&address->request);
}
