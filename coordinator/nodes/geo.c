/*
 * Countries of addresses: the one file that knows libmaxminddb.
 *
 * The file is mapped, so a look-up costs no system call, and is replaced by
 * renaming another one over it, as its publisher's tool does.
 */
#include "coordinator/nodes/geo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <maxminddb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "net/log.h"

struct geo {
    bool open;
    MMDB_s db;
    struct stat stat; /* of what was last opened or refused */
};

static int
geo_open(struct geo *geo, const char *path, struct ol_error *err)
{
    MMDB_s db;
    int rc = MMDB_open(path, MMDB_MODE_MMAP, &db);

    if (rc != MMDB_SUCCESS)
        return ol_error_set(err, EINVAL, "%.100s: %s", path, MMDB_strerror(rc));
    if (geo->open)
        MMDB_close(&geo->db);
    geo->db = db;
    geo->open = true;
    return 0;
}

int
geo_create(const char *path, struct geo **ret, struct ol_error *err)
{
    struct geo *geo = calloc(1, sizeof(*geo));
    int rc = 0;

    if (geo == NULL)
        return ol_error_set(err, ENOMEM, "no memory");
    if (path != NULL) {
        (void)stat(path, &geo->stat);
        rc = geo_open(geo, path, err);
    }
    if (rc == 0)
        *ret = geo;
    else
        geo_free(geo);
    return rc;
}

void
geo_free(struct geo *geo)
{
    if (geo == NULL)
        return;
    if (geo->open)
        MMDB_close(&geo->db);
    free(geo);
}

void
geo_refresh(struct geo *geo, const char *path)
{
    struct ol_error err = {""};
    struct stat now;

    if (path == NULL) {
        if (geo->open)
            MMDB_close(&geo->db);
        geo->open = false;
        memset(&geo->stat, 0, sizeof(geo->stat));
        return;
    }
    if (stat(path, &now) != 0 ||
        (now.st_ino == geo->stat.st_ino && now.st_dev == geo->stat.st_dev &&
         now.st_mtim.tv_sec == geo->stat.st_mtim.tv_sec &&
         now.st_mtim.tv_nsec == geo->stat.st_mtim.tv_nsec))
        return;
    geo->stat = now;
    if (geo_open(geo, path, &err) == 0)
        log_info("%s is read again", path);
    else
        log_error("%s; the one read before still counts", err.text);
}

/* IPv4 is kept mapped; a database of IPv4 alone takes no IPv6. */
static bool
geo_find(const struct geo *geo, const struct ol_addr *addr,
         MMDB_lookup_result_s *ret)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    bool is_v4 = memcmp(addr->bytes, mapped, sizeof(mapped)) == 0;
    const struct sockaddr *sa;
    int rc;

    memcpy(&v4.sin_addr, addr->bytes + sizeof(mapped), sizeof(v4.sin_addr));
    memcpy(&v6.sin6_addr, addr->bytes, sizeof(v6.sin6_addr));
    sa = is_v4 ? (const struct sockaddr *)(const void *)&v4
               : (const struct sockaddr *)(const void *)&v6;
    *ret = MMDB_lookup_sockaddr(&geo->db, sa, &rc);
    return rc == MMDB_SUCCESS && ret->found_entry;
}

const char *
geo_zone(const struct geo *geo, const struct ol_addr *addr, char ret[GEO_ZONE])
{
    MMDB_lookup_result_s found;
    MMDB_entry_data_s code;

    if (geo == NULL || !geo->open || !geo_find(geo, addr, &found) ||
        MMDB_get_value(&found.entry, &code, "country", "iso_code", NULL) !=
            MMDB_SUCCESS ||
        !code.has_data || code.type != MMDB_DATA_TYPE_UTF8_STRING ||
        code.data_size == 0 || code.data_size >= GEO_ZONE)
        return NULL;
    for (uint32_t i = 0; i < code.data_size; i++)
        if (code.utf8_string[i] < 'A' || code.utf8_string[i] > 'Z')
            return NULL;
    memcpy(ret, code.utf8_string, code.data_size);
    ret[code.data_size] = '\0';
    return ret;
}
