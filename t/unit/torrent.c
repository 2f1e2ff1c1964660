/*
 * Torrents: every byte of small ones, and the infohash against values that
 * another program made (python3 -c "import hashlib; …sha1(info)").
 */
#include "../../lib/torrent.c"

#include "offload/encoding.h"
#include "tap.h"

#define MIB (UINT64_C(1) << 20)

static const char *const trackers[] = {"https://t1.example/announce",
                                       "http://t2.example:8090/announce"};
static const char *const seeds[] = {"https://example.org/iso/disk.iso"};

static void
is_text(char *text, size_t len, const char *want, const char *name)
{
    is_int(len, strlen(want), "%s: its length", name);
    is_str(text, want, "%s", name);
    free(text);
}

static void
test_whole(void)
{
    const struct ol_torrent t = {.name = "disk.iso",
                                 .size = 262145,
                                 .created = 1790000000,
                                 .tracker_count = 2,
                                 .trackers = trackers,
                                 .seed_count = 1,
                                 .seeds = seeds};
    char *text;
    size_t len;

    must(ol_torrent_head(&t, &text, &len) == 0);
    is_text(text, len,
            "d8:announce27:https://t1.example/announce13:announce-list"
            "ll27:https://t1.example/announceel31:http://t2.example:8090/"
            "announceee13:creation datei1790000000e4:infod6:lengthi262145e"
            "4:name8:disk.iso12:piece lengthi262144e6:pieces40:",
            "head");
    must(ol_torrent_tail(&t, &text, &len) == 0);
    is_text(text, len, "e8:url-listl32:https://example.org/iso/disk.isoee",
            "tail");
}

static void
test_bare(void)
{
    const struct ol_torrent t = {.name = "a", .size = 1};
    char *text;
    size_t len;

    must(ol_torrent_head(&t, &text, &len) == 0);
    is_text(text, len,
            "d4:infod6:lengthi1e4:name1:a12:piece lengthi262144e6:pieces20:",
            "no trackers, no date");
    must(ol_torrent_tail(&t, &text, &len) == 0);
    is_text(text, len, "ee", "no web seeds");
}

static void
test_limits(void)
{
    struct ol_torrent t = {.name = "\xc3\xbc.bin", .size = OL_CONTENT_MAX};
    char *text;
    size_t len;

    must(ol_torrent_head(&t, &text, &len) == 0);
    is_text(text, len,
            "d4:infod6:lengthi4398046511104e4:name6:\xc3\xbc.bin"
            "12:piece lengthi16777216e6:pieces5242880:",
            "the largest; a name's length is in bytes");
    t.size = OL_CONTENT_MAX + 1;
    is_int(ol_torrent_head(&t, &text, &len), -EINVAL, "one byte more");
    t.size = 0;
    is_int(ol_torrent_head(&t, &text, &len), -EINVAL, "nothing");
}

static void
test_names(void)
{
    static const char *const bad[] = {"", ".", "..", "a/b", "/"};
    const uint8_t sha1[OL_SHA1_BYTES] = {0};
    uint8_t hash[OL_SHA1_BYTES];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct ol_torrent t = {.name = bad[i], .size = 1};
        char *text;
        size_t len;

        is_int(ol_torrent_head(&t, &text, &len), -EINVAL, "name '%s'", bad[i]);
        is_int(ol_torrent_infohash(bad[i], 1, sha1, hash), -EINVAL,
               "has no infohash");
    }
}

static void
is_infohash(const char *name, uint64_t size, const uint8_t *sha1,
            const char *want)
{
    uint8_t hash[OL_SHA1_BYTES];
    char hex[OL_HEX_LEN(OL_SHA1_BYTES) + 1];

    is_int(ol_torrent_infohash(name, size, sha1, hash), 0, "infohash of %s",
           name);
    ol_hex_encode(hex, hash, sizeof(hash));
    is_str(hex, want, "is what others make of it");
}

static void
test_infohash(void)
{
    uint8_t sha1[8 * OL_SHA1_BYTES];
    uint8_t hash[OL_SHA1_BYTES], other[OL_SHA1_BYTES];

    for (size_t i = 0; i < sizeof(sha1); i++)
        sha1[i] = (uint8_t)i;
    is_infohash("disk.iso", 2 * MIB, sha1,
                "d9903dafc256ff6c40bc11d2373290a9a14f6e98");
    is_infohash("\xc3\xbc \"x\".bin", 262145, sha1,
                "1c62917912cd9bfb0e3a22d450b48c91014e105e");
    must(ol_torrent_infohash("a", 2 * MIB, sha1, hash) == 0);
    sha1[sizeof(sha1) - 1] ^= 1;
    must(ol_torrent_infohash("a", 2 * MIB, sha1, other) == 0);
    ok(memcmp(hash, other, sizeof(hash)) != 0, "the last bit counts");
    is_int(ol_torrent_infohash("a", 0, sha1, hash), -EINVAL, "nothing");
}

int
main(void)
{
    test_whole();
    test_bare();
    test_limits();
    test_names();
    test_infohash();
    return tap_done();
}
