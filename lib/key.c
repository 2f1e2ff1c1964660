/*
 * Ed25519 keys over OpenSSL 3, their public forms, and sets of them.  Owns the
 * EVP_PKEY; leaves OpenSSL's error queue as it was, since in nginx that queue
 * is read by others.  Knows no file.
 */
#include "offload/key.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "offload/content.h"
#include "offload/encoding.h"
#include "offload/json.h"

#define JWK_TEXT 128      /* the three members that a thumbprint is over */
#define KEYSET_ENTRIES 64 /* keys of any type in one set */

struct ol_key {
    EVP_PKEY *pkey;
    bool is_private;
    char x[OL_KEY_CHARS + 1];
    char id[OL_KEY_CHARS + 1];
    uint8_t id_bytes[OL_KEY_BYTES];
};

/* Takes pkey, also on failure. */
static int
key_create_take(EVP_PKEY *pkey, bool is_private, struct ol_key **ret)
{
    struct ol_key *key = calloc(1, sizeof(*key));
    uint8_t raw[OL_KEY_BYTES];
    size_t raw_len = sizeof(raw);
    char text[JWK_TEXT];
    int len;

    if (key == NULL) {
        EVP_PKEY_free(pkey);
        return -ENOMEM;
    }
    key->pkey = pkey;
    key->is_private = is_private;
    if (EVP_PKEY_get_raw_public_key(pkey, raw, &raw_len) != 1 ||
        raw_len != sizeof(raw)) {
        ol_key_free(key);
        return -EIO;
    }
    ol_base64url_encode(key->x, raw, sizeof(raw));

    /* RFC 7638 section 3: required members in order, without blanks. */
    len =
        snprintf(text, sizeof(text),
                 "{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"%s\"}", key->x);
    ol_sha256(text, (size_t)len, key->id_bytes);
    ol_base64url_encode(key->id, key->id_bytes, sizeof(key->id_bytes));
    *ret = key;
    return 0;
}

int
ol_key_generate(struct ol_key **ret)
{
    EVP_PKEY *pkey;

    ERR_set_mark();
    pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    ERR_pop_to_mark();
    if (pkey == NULL)
        return -EIO;
    return key_create_take(pkey, true, ret);
}

/* Encrypted keys are refused; without this, OpenSSL asks on the terminal. */
static int
no_passphrase(char *buf, int size, int writing, void *arg)
{
    (void)writing;
    (void)arg;
    if (size > 0)
        buf[0] = '\0';
    return -1;
}

/* Says what was found in place of a private key that OpenSSL reads. */
static int
pem_refuse(BIO *bio, struct ol_error *err)
{
    char *name = NULL, *header = NULL;
    unsigned char *data = NULL;
    long len = 0;
    int rc;

    BIO_reset(bio);
    if (PEM_read_bio(bio, &name, &header, &data, &len) != 1)
        return ol_error_set(err, EBADMSG, "no private key in PEM form");
    if (strcmp(name, PEM_STRING_PKCS8) == 0 || header[0] != '\0')
        rc = ol_error_set(err, EBADMSG,
                          "the private key is encrypted; store it without a "
                          "passphrase");
    else if (strcmp(name, PEM_STRING_PKCS8INF) == 0)
        rc = ol_error_set(err, EBADMSG, "the private key is damaged");
    else
        rc = ol_error_set(err, EBADMSG,
                          "\"%.40s\" in place of an Ed25519 \"PRIVATE KEY\"",
                          name);
    OPENSSL_clear_free(data, (size_t)len);
    OPENSSL_free(name);
    OPENSSL_free(header);
    return rc;
}

int
ol_key_from_pem(const char *pem, size_t len, struct ol_key **ret,
                struct ol_error *err)
{
    EVP_PKEY *pkey = NULL;
    const char *type;
    BIO *bio;
    int rc;

    if (len > OL_KEYFILE_MAX)
        return ol_error_set(err, EBADMSG, "more than %d bytes, not a key",
                            OL_KEYFILE_MAX);
    ERR_set_mark();
    bio = BIO_new_mem_buf(pem, (int)len);
    if (bio == NULL) {
        rc = ol_error_set(err, ENOMEM, "out of memory");
        goto out;
    }
    pkey = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    if (pkey == NULL) {
        rc = pem_refuse(bio, err);
        goto out;
    }
    if (!EVP_PKEY_is_a(pkey, "ED25519")) {
        type = EVP_PKEY_get0_type_name(pkey);
        rc = ol_error_set(err, EBADMSG,
                          "a private key of type %s; Ed25519 is needed",
                          type != NULL ? type : "unknown");
        goto out;
    }
    rc = key_create_take(pkey, true, ret);
    pkey = NULL;
    if (rc < 0)
        ol_error_set(err, -rc, "the private key could not be read");
out:
    EVP_PKEY_free(pkey);
    BIO_free(bio);
    ERR_pop_to_mark();
    return rc;
}

int
ol_key_from_x(const char *x, size_t len, struct ol_key **ret,
              struct ol_error *err)
{
    uint8_t raw[OL_KEY_BYTES];
    EVP_PKEY *pkey;
    int rc;

    if (ol_base64url_decode_exact(raw, sizeof(raw), x, len) < 0)
        return ol_error_set(err, EBADMSG,
                            "not a public key of %d base64url characters",
                            OL_KEY_CHARS);
    ERR_set_mark();
    pkey =
        EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, raw, sizeof(raw));
    if (pkey == NULL)
        rc = ol_error_set(err, ENOMEM, "OpenSSL could not make the key");
    else if ((rc = key_create_take(pkey, false, ret)) < 0)
        ol_error_set(err, -rc, "OpenSSL could not make the key");
    ERR_pop_to_mark();
    return rc;
}

void
ol_key_free(struct ol_key *key)
{
    if (key == NULL)
        return;
    EVP_PKEY_free(key->pkey); /* wipes the private half */
    free(key);
}

bool
ol_key_is_private(const struct ol_key *key)
{
    return key->is_private;
}

const char *
ol_key_x(const struct ol_key *key)
{
    return key->x;
}

const char *
ol_key_id(const struct ol_key *key)
{
    return key->id;
}

const uint8_t *
ol_key_id_bytes(const struct ol_key *key)
{
    return key->id_bytes;
}

int
ol_key_to_pem(const struct ol_key *key, char **ret, size_t *ret_len)
{
    char *data, *pem = NULL;
    long len = 0;
    BIO *bio;

    if (!key->is_private)
        return -EINVAL;
    ERR_set_mark();
    bio = BIO_new(BIO_s_secmem());
    if (bio != NULL && PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL,
                                                     0, NULL, NULL) == 1) {
        len = BIO_get_mem_data(bio, &data);
        pem = malloc((size_t)len + 1);
    }
    if (pem != NULL) {
        memcpy(pem, data, (size_t)len);
        pem[len] = '\0';
    }
    BIO_free(bio);
    ERR_pop_to_mark();
    if (pem == NULL)
        return -ENOMEM;
    *ret = pem;
    *ret_len = (size_t)len;
    return 0;
}

void
ol_pem_free(char *pem, size_t len)
{
    if (pem == NULL)
        return;
    OPENSSL_cleanse(pem, len);
    free(pem);
}

json_t *
ol_key_to_jwk(const struct ol_key *key)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "kty", "OKP", "crv",
                     "Ed25519", "x", key->x, "kid", key->id, "use", "sig",
                     "alg", "EdDSA");
}

int
ol_key_sign(const struct ol_key *key, const void *data, size_t len,
            uint8_t sig[OL_SIG_BYTES])
{
    uint8_t out[OL_SIG_BYTES];
    size_t out_len = sizeof(out);
    EVP_MD_CTX *ctx;
    int rc = -EIO;

    if (!key->is_private)
        return -EINVAL;
    ERR_set_mark();
    ctx = EVP_MD_CTX_new();
    if (ctx == NULL)
        rc = -ENOMEM;
    else if (EVP_DigestSignInit(ctx, NULL, NULL, NULL, key->pkey) == 1 &&
             EVP_DigestSign(ctx, out, &out_len, data, len) == 1 &&
             out_len == sizeof(out))
        rc = 0;
    EVP_MD_CTX_free(ctx);
    ERR_pop_to_mark();
    if (rc == 0)
        memcpy(sig, out, sizeof(out));
    return rc;
}

int
ol_key_verify(const struct ol_key *key, const void *data, size_t len,
              const uint8_t sig[OL_SIG_BYTES])
{
    EVP_MD_CTX *ctx;
    int rc = -EKEYREJECTED;

    ERR_set_mark();
    ctx = EVP_MD_CTX_new();
    if (ctx == NULL)
        rc = -ENOMEM;
    else if (EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key->pkey) == 1 &&
             EVP_DigestVerify(ctx, sig, OL_SIG_BYTES, data, len) == 1)
        rc = 0;
    EVP_MD_CTX_free(ctx);
    ERR_pop_to_mark();
    return rc;
}

/* A public Ed25519 key for signatures, or -EBADMSG for any other. */
static int
jwk_parse(const json_t *jwk, struct ol_key **ret)
{
    const char *kty, *crv, *x, *use;

    if (ol_json_string(jwk, "kty", 16, &kty, NULL) < 0 ||
        ol_json_string(jwk, "crv", 16, &crv, NULL) < 0 ||
        ol_json_string(jwk, "x", OL_KEY_CHARS, &x, NULL) < 0 ||
        strcmp(kty, "OKP") != 0 || strcmp(crv, "Ed25519") != 0)
        return -EBADMSG;
    if (ol_json_string(jwk, "use", 16, &use, NULL) == 0 &&
        strcmp(use, "sig") != 0)
        return -EBADMSG;
    return ol_key_from_x(x, strlen(x), ret, NULL);
}

int
ol_keyset_parse(const char *text, size_t len, struct ol_keyset *ret,
                struct ol_error *err)
{
    struct ol_keyset set = {0};
    json_t *root, *list, *jwk;
    size_t i;
    int rc;

    root = ol_json_parse(text, len, err);
    if (root == NULL)
        return -EBADMSG;
    rc = ol_json_array(root, "keys", KEYSET_ENTRIES, &list, err);
    if (rc < 0) {
        rc = -EBADMSG;
        goto out;
    }
    json_array_foreach(list, i, jwk)
    {
        struct ol_key *key;

        rc = jwk_parse(jwk, &key);
        if (rc == -EBADMSG)
            continue;
        if (rc < 0) {
            ol_error_set(err, -rc, "keys[%zu]: could not be read", i);
            goto out;
        }
        if (set.count == OL_KEYSET_MAX) {
            ol_key_free(key);
            rc = ol_error_set(err, EBADMSG, "keys: more than %d Ed25519 keys",
                              OL_KEYSET_MAX);
            goto out;
        }
        set.keys[set.count++] = key;
    }
    rc = set.count != 0
             ? 0
             : ol_error_set(err, EBADMSG, "keys: no Ed25519 key among %zu",
                            json_array_size(list));
out:
    json_decref(root);
    if (rc < 0)
        ol_keyset_clear(&set);
    else
        *ret = set;
    return rc;
}

void
ol_keyset_clear(struct ol_keyset *set)
{
    for (size_t i = 0; i < set->count; i++)
        ol_key_free(set->keys[i]);
    memset(set, 0, sizeof(*set));
}

const struct ol_key *
ol_keyset_find(const struct ol_keyset *set, const char *kid)
{
    for (size_t i = 0; i < set->count; i++) {
        if (strcmp(set->keys[i]->id, kid) == 0)
            return set->keys[i];
    }
    return NULL;
}

char *
ol_keyset_dump(const struct ol_key *const *keys, size_t count)
{
    json_t *list = json_array();
    json_t *root;
    char *text = NULL;

    for (size_t i = 0; i < count; i++) {
        /* Both refuse a NULL, and so does json_pack below. */
        if (json_array_append_new(list, ol_key_to_jwk(keys[i])) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    root = json_pack("{s:o}", "keys", list);
    if (root != NULL)
        text = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    return text;
}
