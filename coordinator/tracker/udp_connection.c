/*
 * Connection ids of the tracker over UDP: SipHash of address and time slot,
 * with a key that is derived from the coordinator's own.
 *
 * Pure: must not know packets or sockets.
 */
#include "coordinator/tracker/udp_connection.h"

#include <endian.h>
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define SECRET_BYTES 16
#define ID_BYTES 8

struct udp_connections {
    EVP_MAC_CTX *mac; /* has the key; begun anew for each id */
};

/*
 * Ed25519 signatures are deterministic and this one is told to nobody.  The
 * text is no JWS and no ticket.
 */
static int
secret_derive(const struct ol_key *key, uint8_t ret[SECRET_BYTES])
{
    static const char text[] = "offload-udp-connection\n";
    uint8_t sig[OL_SIG_BYTES], hash[EVP_MAX_MD_SIZE];
    int rc = ol_key_sign(key, text, strlen(text), sig);

    if (rc == 0 &&
        EVP_Digest(sig, sizeof(sig), hash, NULL, EVP_sha256(), NULL) != 1)
        rc = -EIO;
    if (rc == 0)
        memcpy(ret, hash, SECRET_BYTES);
    OPENSSL_cleanse(sig, sizeof(sig));
    OPENSSL_cleanse(hash, sizeof(hash));
    return rc;
}

int
udp_connections_create(const struct ol_key *key, struct udp_connections **ret)
{
    uint8_t secret[SECRET_BYTES];
    size_t size = ID_BYTES;
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, secret,
                                          sizeof(secret)),
        OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
        OSSL_PARAM_construct_end()};
    struct udp_connections *ids;
    EVP_MAC *mac;
    int rc;

    rc = secret_derive(key, secret);
    if (rc != 0)
        return rc;
    ids = calloc(1, sizeof(*ids));
    mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
    if (ids != NULL && mac != NULL)
        ids->mac = EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac);
    if (ids == NULL || ids->mac == NULL ||
        EVP_MAC_CTX_set_params(ids->mac, params) != 1)
        rc = -ENOMEM;
    OPENSSL_cleanse(secret, sizeof(secret));
    if (rc == 0)
        *ret = ids;
    else
        udp_connections_free(ids);
    return rc;
}

void
udp_connections_free(struct udp_connections *ids)
{
    if (ids == NULL)
        return;
    EVP_MAC_CTX_free(ids->mac);
    free(ids);
}

static uint64_t
id_of(struct udp_connections *ids, const struct ol_addr *addr, int64_t slot)
{
    uint8_t data[sizeof(addr->bytes) + sizeof(slot)];
    uint64_t id = 0;
    size_t len;

    slot = (int64_t)htobe64((uint64_t)slot);
    memcpy(data, addr->bytes, sizeof(addr->bytes));
    memcpy(data + sizeof(addr->bytes), &slot, sizeof(slot));
    if (EVP_MAC_init(ids->mac, NULL, 0, NULL) != 1 ||
        EVP_MAC_update(ids->mac, data, sizeof(data)) != 1 ||
        EVP_MAC_final(ids->mac, (unsigned char *)&id, &len, sizeof(id)) != 1)
        return 0;
    return id == 0 ? 1 : be64toh(id);
}

uint64_t
udp_connection_make(struct udp_connections *ids, const struct ol_addr *addr,
                    int64_t now_s)
{
    return id_of(ids, addr, now_s / UDP_CONNECTION_SLOT_S);
}

bool
udp_connection_is_good(struct udp_connections *ids, uint64_t id,
                       const struct ol_addr *addr, int64_t now_s)
{
    int64_t slot = now_s / UDP_CONNECTION_SLOT_S;

    return id != 0 &&
           (id == id_of(ids, addr, slot) || id == id_of(ids, addr, slot - 1) ||
            id == id_of(ids, addr, slot + 1));
}
