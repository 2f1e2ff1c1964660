/*
 * The certificate of a daemon's HTTPS server.
 *
 * Owns it and those before it, which handshakes may still use.  Must not know
 * HTTP.
 */
#include "net/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A handshake takes less: httpd closes connections that take longer. */
#define TLS_RETIRED_S 300

struct tls {
    gnutls_pcert_st chain[TLS_CHAIN_MAX];
    unsigned count;
    gnutls_privkey_t key;
    time_t retired; /* monotonic s */
    struct tls *older;
};

static struct tls *newest;

static void
tls_free(struct tls *tls)
{
    struct tls *older;

    for (; tls != NULL; tls = older) {
        older = tls->older;
        for (unsigned i = 0; i < tls->count; i++)
            gnutls_pcert_deinit(&tls->chain[i]);
        if (tls->key != NULL)
            gnutls_privkey_deinit(tls->key);
        free(tls);
    }
}

static int
file_read(const char *path, gnutls_datum_t *ret, struct ol_error *err)
{
    unsigned char *data = malloc(TLS_FILE_MAX + 1);
    size_t len = 0;
    ssize_t n = 1;
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;

    if (fd < 0 || data == NULL)
        rc = fd < 0 ? -errno : -ENOMEM;
    while (rc == 0 && n > 0 && len <= TLS_FILE_MAX) {
        n = read(fd, data + len, TLS_FILE_MAX + 1 - len);
        if (n < 0)
            rc = -errno;
        else
            len += (size_t)n;
    }
    if (rc == 0 && len > TLS_FILE_MAX)
        rc = -EFBIG;
    if (fd >= 0)
        close(fd);
    if (rc != 0) {
        free(data);
        return ol_error_set(err, -rc, "cannot read %s: %s", path,
                            strerror(-rc));
    }
    ret->data = data;
    ret->size = (unsigned)len;
    return 0;
}

static int
chain_load(struct tls *tls, const char *path, struct ol_error *err)
{
    gnutls_datum_t pem;
    unsigned count = TLS_CHAIN_MAX;
    int rc = file_read(path, &pem, err);

    if (rc != 0)
        return rc;
    rc = gnutls_pcert_list_import_x509_raw(
        tls->chain, &count, &pem, GNUTLS_X509_FMT_PEM,
        GNUTLS_X509_CRT_LIST_FAIL_IF_UNSORTED);
    free(pem.data);
    if (rc != 0)
        return ol_error_set(err, EINVAL, "%s: no certificate chain in PEM: %s",
                            path, gnutls_strerror(rc));
    tls->count = count;
    return 0;
}

static int
key_load(struct tls *tls, const char *path, struct ol_error *err)
{
    gnutls_datum_t pem;
    int rc = file_read(path, &pem, err);

    if (rc != 0)
        return rc;
    rc = gnutls_privkey_init(&tls->key);
    if (rc == 0)
        rc = gnutls_privkey_import_x509_raw(tls->key, &pem, GNUTLS_X509_FMT_PEM,
                                            NULL, 0);
    memset(pem.data, 0, pem.size);
    free(pem.data);
    if (rc != 0)
        return ol_error_set(err, EINVAL, "%s: no private key in PEM: %s", path,
                            gnutls_strerror(rc));
    return 0;
}

/* Whether the key is that of the first certificate. */
static int
pair_check(struct tls *tls, const char *cert, const char *key,
           struct ol_error *err)
{
    unsigned char own[64], other[64];
    size_t own_len = sizeof(own), other_len = sizeof(other);
    gnutls_pubkey_t pubkey;
    int rc = gnutls_pubkey_init(&pubkey);

    if (rc != 0)
        return ol_error_set(err, ENOMEM, "no memory for %s", key);
    rc = gnutls_pubkey_import_privkey(pubkey, tls->key, 0, 0);
    if (rc == 0)
        rc = gnutls_pubkey_get_key_id(pubkey, GNUTLS_KEYID_USE_SHA256, own,
                                      &own_len);
    if (rc == 0)
        rc = gnutls_pubkey_get_key_id(
            tls->chain[0].pubkey, GNUTLS_KEYID_USE_SHA256, other, &other_len);
    gnutls_pubkey_deinit(pubkey);
    if (rc != 0 || own_len != other_len || memcmp(own, other, own_len) != 0)
        return ol_error_set(err, EINVAL,
                            "%s is not the key of the first certificate in %s",
                            key, cert);
    return 0;
}

static time_t
seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* Forgets those that no handshake can use any more. */
static void
retired_free(void)
{
    time_t now = seconds();

    for (struct tls *tls = newest; tls != NULL; tls = tls->older)
        if (tls->older != NULL && now - tls->older->retired > TLS_RETIRED_S) {
            tls_free(tls->older);
            tls->older = NULL;
        }
}

int
tls_load(const char *cert, const char *key, struct ol_error *err)
{
    struct tls *tls = calloc(1, sizeof(*tls));
    int rc;

    if (tls == NULL)
        return ol_error_set(err, ENOMEM, "no memory for %s", cert);
    rc = chain_load(tls, cert, err);
    if (rc == 0)
        rc = key_load(tls, key, err);
    if (rc == 0)
        rc = pair_check(tls, cert, key, err);
    if (rc != 0) {
        tls_free(tls);
        return rc;
    }
    if (newest != NULL)
        newest->retired = seconds();
    tls->older = newest;
    newest = tls;
    retired_free();
    return 0;
}

void
tls_unload(void)
{
    tls_free(newest);
    newest = NULL;
}

int
tls_retrieve(gnutls_session_t session, const gnutls_datum_t *names,
             int name_count, const gnutls_pk_algorithm_t *algorithms,
             int algorithm_count, gnutls_pcert_st **ret_chain,
             unsigned *ret_count, gnutls_privkey_t *ret_key)
{
    (void)session;
    (void)names;
    (void)name_count;
    (void)algorithms;
    (void)algorithm_count;
    if (newest == NULL)
        return -1;
    *ret_chain = newest->chain;
    *ret_count = newest->count;
    *ret_key = newest->key;
    return 0;
}
