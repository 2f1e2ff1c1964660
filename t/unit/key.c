/*
 * Keys: the vectors of RFC 8032, 8037, 7638 and 8410, what PEM is refused and
 * how it is named, JWK Sets with strange members.
 */
#include "../../lib/key.c"

#include "tap.h"

/* RFC 8410 section 10.3; its public key is in section 10.1. */
static const char rfc8410_pem[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
    "-----END PRIVATE KEY-----\n";
#define RFC8410_X "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE"

/* RFC 8037 appendix A: x of A.2, thumbprint of A.3. */
#define RFC8037_X "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define RFC8037_ID "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"

struct vector {
    const char *seed, *public_key, *text, *sig;
};

/* RFC 8032 section 7.1, tests 1 to 3. */
static const struct vector rfc8032[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555"
     "fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "\x72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da0"
     "85ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
     "\xaf\x82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac1"
     "8ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
};

static struct ol_key *
key_from_seed(const char *hex)
{
    uint8_t seed[32];
    struct ol_key *key;
    EVP_PKEY *pkey;

    must(ol_hex_decode(seed, 32, hex, 64) == 0);
    pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, 32);
    must(pkey != NULL && key_create_take(pkey, true, &key) == 0);
    return key;
}

static void
test_vectors(void)
{
    for (size_t i = 0; i < sizeof(rfc8032) / sizeof(rfc8032[0]); i++) {
        const struct vector *v = &rfc8032[i];
        struct ol_key *key = key_from_seed(v->seed), *public_key;
        uint8_t raw[32], sig[64], want[64];
        int refused = 0;

        ol_base64url_decode_exact(raw, 32, ol_key_x(key), OL_KEY_CHARS);
        ol_hex_decode(want, 32, v->public_key, 64);
        is_mem(raw, want, 32, "RFC 8032 test %zu: public key", i + 1);
        is_int(ol_key_sign(key, v->text, strlen(v->text), sig), 0, "signs");
        must(ol_hex_decode(want, 64, v->sig, strlen(v->sig)) == 0);
        is_mem(sig, want, 64, "the signature");

        must(ol_key_from_x(ol_key_x(key), OL_KEY_CHARS, &public_key, NULL) ==
             0);
        is_int(ol_key_verify(public_key, v->text, strlen(v->text), sig), 0,
               "verifies");
        for (int bit = 0; bit < 512; bit++) {
            sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
            refused += ol_key_verify(public_key, v->text, strlen(v->text),
                                     sig) == -EKEYREJECTED;
            sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        is_int(refused, 512, "no other bit");
        is_int(ol_key_verify(public_key, "x", 1, sig), -EKEYREJECTED,
               "no other text");
        ol_key_free(public_key);
        ol_key_free(key);
    }
}

static void
test_public_forms(void)
{
    struct ol_key *key = key_from_seed(rfc8032[0].seed), *other;
    uint8_t sig[OL_SIG_BYTES], raw[OL_KEY_BYTES];
    json_t *jwk = ol_key_to_jwk(key);
    struct ol_error err;
    char *pem;
    size_t len;

    is_str(ol_key_x(key), RFC8037_X, "RFC 8037 A.2: x");
    is_str(ol_key_id(key), RFC8037_ID, "RFC 8037 A.3: thumbprint");
    ol_base64url_decode_exact(raw, 32, RFC8037_ID, OL_KEY_CHARS);
    is_mem(ol_key_id_bytes(key), raw, 32, "and its bytes");
    is_str(json_string_value(json_object_get(jwk, "kty")), "OKP", "kty");
    is_str(json_string_value(json_object_get(jwk, "crv")), "Ed25519", "crv");
    is_str(json_string_value(json_object_get(jwk, "x")), RFC8037_X, "x");
    is_str(json_string_value(json_object_get(jwk, "kid")), RFC8037_ID, "kid");
    is_str(json_string_value(json_object_get(jwk, "use")), "sig", "use");
    is_str(json_string_value(json_object_get(jwk, "alg")), "EdDSA", "alg");
    is_int(json_object_size(jwk), 6, "and nothing else: no private half");
    json_decref(jwk);
    ol_key_free(key);

    is_int(ol_key_from_x(RFC8037_X, 43, &key, &err), 0, "a public key");
    ok(!ol_key_is_private(key), "is not private");
    is_str(ol_key_id(key), RFC8037_ID, "and has the same id");
    is_int(ol_key_sign(key, "x", 1, sig), -EINVAL, "it cannot sign");
    is_int(ol_key_to_pem(key, &pem, &len), -EINVAL, "it has no PEM");
    ol_key_free(key);

    is_int(ol_key_from_x(RFC8037_X, 42, &other, &err), -EBADMSG, "42");
    is_int(ol_key_from_x(RFC8037_X "A", 44, &other, &err), -EBADMSG, "44");
    has_str(err.text, "43 base64url characters", "says how it looks");
    is_int(ol_key_from_x("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURp", 43,
                         &other, &err),
           -EBADMSG, "spare bits");
    ol_key_free(NULL);
    ol_pem_free(NULL, 0);
}

static void
test_pem(void)
{
    struct ol_key *key, *again;
    struct ol_error err;
    char *pem;
    size_t len;

    is_int(ol_key_from_pem(rfc8410_pem, strlen(rfc8410_pem), &key, &err), 0,
           "RFC 8410 10.3: PEM");
    is_str(ol_key_x(key), RFC8410_X, "RFC 8410 10.1: its public key");
    ok(ol_key_is_private(key), "it is private");
    is_int(ol_key_to_pem(key, &pem, &len), 0, "written again");
    is_str(pem, rfc8410_pem, "in the same way");
    is_int(len, strlen(rfc8410_pem), "with its length");
    ol_pem_free(pem, len);
    ol_key_free(key);

    must(ol_key_generate(&key) == 0 && ol_key_generate(&again) == 0);
    ok(strcmp(ol_key_x(key), ol_key_x(again)) != 0, "new keys differ");
    ol_key_free(again);
    must(ol_key_to_pem(key, &pem, &len) == 0);
    is_int(ol_key_from_pem(pem, len, &again, &err), 0, "a new key's PEM");
    is_str(ol_key_x(again), ol_key_x(key), "is that key");
    is_int(ol_key_from_pem(pem, len / 2, &key, &err), -EBADMSG, "half a PEM");
    pem[40] ^= 1;
    is_int(ol_key_from_pem(pem, len, &key, &err), -EBADMSG, "a flipped bit");
    ol_pem_free(pem, len);
    ol_key_free(again);
    ol_key_free(key);
}

/* PEM of another key, by OpenSSL's own names; NULL cipher: not encrypted. */
static void
refuses(EVP_PKEY *pkey, const EVP_CIPHER *cipher, bool public_only,
        const char *why)
{
    BIO *bio = BIO_new(BIO_s_mem());
    struct ol_error err = {""};
    struct ol_key *key = NULL;
    char *data;
    long len;

    must(pkey != NULL && bio != NULL);
    if (public_only)
        must(PEM_write_bio_PUBKEY(bio, pkey) == 1);
    else
        must(PEM_write_bio_PKCS8PrivateKey(bio, pkey, cipher, "password", 8,
                                           NULL, NULL) == 1);
    len = BIO_get_mem_data(bio, &data);
    is_int(ol_key_from_pem(data, (size_t)len, &key, &err), -EBADMSG,
           "refused: %s", why);
    has_str(err.text, why, "and says so");
    ok(key == NULL, "nothing written");
    BIO_free(bio);
    EVP_PKEY_free(pkey);
}

static void
test_other_keys(void)
{
    static const char garbage[] = "\x7f"
                                  "ELF, certainly no key";
    struct ol_error err;
    struct ol_key *key;

    refuses(EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048), NULL, false,
            "type RSA");
    refuses(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"), NULL, false,
            "type EC");
    refuses(EVP_PKEY_Q_keygen(NULL, NULL, "ED448"), NULL, false, "type ED448");
    refuses(EVP_PKEY_Q_keygen(NULL, NULL, "X25519"), NULL, false,
            "type X25519");
    refuses(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), NULL, true,
            "\"PUBLIC KEY\" in place");
    refuses(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), EVP_aes_256_cbc(), false,
            "encrypted");
    is_int(ol_key_from_pem(garbage, sizeof(garbage), &key, &err), -EBADMSG,
           "refused: garbage");
    has_str(err.text, "no private key", "and says so");
    is_int(ol_key_from_pem("", 0, &key, &err), -EBADMSG, "refused: nothing");
    is_int(ERR_peek_error(), 0, "OpenSSL's error queue is left empty");
}

static void
test_keyset(void)
{
    static const char text[] =
        "{\"keys\": [7, {}, {\"kty\": \"RSA\", \"n\": \"AQAB\", \"e\": "
        "\"AQAB\"},"
        "{\"kty\": \"OKP\", \"crv\": \"Ed448\", \"x\": \"" RFC8037_X "\"},"
        "{\"kty\": \"OKP\", \"crv\": \"Ed25519\", \"x\": \"short\"},"
        "{\"kty\": \"OKP\", \"crv\": \"Ed25519\", \"use\": \"enc\","
        " \"x\": \"" RFC8410_X "\"},"
        "{\"kty\": \"OKP\", \"crv\": \"Ed25519\", \"kid\": \"mine\","
        " \"x\": \"" RFC8037_X "\"}], \"more\": 1}";
    static const char *const bad[] = {
        "", "[]", "{}", "{\"keys\": {}}", "{\"keys\": []}", "{\"keys\": [{}]}",
    };
    struct ol_keyset set;
    struct ol_error err;

    is_int(ol_keyset_parse(text, strlen(text), &set, &err), 0, "a JWK Set");
    is_int(set.count, 1, "strange keys are left out");
    ok(ol_keyset_find(&set, RFC8037_ID) == set.keys[0],
       "found by thumbprint, whatever its kid");
    ok(ol_keyset_find(&set, "mine") == NULL, "not by that kid");
    ok(!ol_key_is_private(set.keys[0]), "public");
    ol_keyset_clear(&set);
    is_int(set.count, 0, "cleared");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        is_int(ol_keyset_parse(bad[i], strlen(bad[i]), &set, &err), -EBADMSG,
               "refused: %s", bad[i]);
}

static void
test_keyset_many(void)
{
    struct ol_key *keys[OL_KEYSET_MAX + 1];
    const struct ol_key *const *list = (const struct ol_key *const *)keys;
    struct ol_keyset set;
    struct ol_error err;
    char *text;
    int same = 0;

    for (size_t i = 0; i <= OL_KEYSET_MAX; i++)
        must(ol_key_generate(&keys[i]) == 0);
    text = ol_keyset_dump(list, OL_KEYSET_MAX);
    is_int(ol_keyset_parse(text, strlen(text), &set, &err), 0, "16 keys");
    for (size_t i = 0; i < set.count; i++)
        same += strcmp(ol_key_x(set.keys[i]), ol_key_x(keys[i])) == 0;
    is_int(same, OL_KEYSET_MAX, "all of them, in order");
    ok(strstr(text, "\"d\"") == NULL, "without their private halves");
    ol_keyset_clear(&set);
    free(text);
    text = ol_keyset_dump(list, OL_KEYSET_MAX + 1);
    is_int(ol_keyset_parse(text, strlen(text), &set, &err), -EBADMSG, "17");
    has_str(err.text, "more than 16", "and says so");
    free(text);
    for (size_t i = 0; i <= OL_KEYSET_MAX; i++)
        ol_key_free(keys[i]);
}

int
main(void)
{
    test_vectors();
    test_public_forms();
    test_pem();
    test_other_keys();
    test_keyset();
    test_keyset_many();
    return tap_done();
}
