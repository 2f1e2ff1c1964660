/*
 * Base64url and hex: the vectors of RFC 4648 section 10, round trips of all
 * lengths, and that nothing but the one spelling decodes.
 */
#include "../../lib/encoding.c"

#include "offload/error.h"
#include "tap.h"

static void
test_vectors(void)
{
    /* RFC 4648 section 10, without padding; then what + and / become. */
    static const char *const cases[][2] = {
        {"", ""},
        {"f", "Zg"},
        {"fo", "Zm8"},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg"},
        {"fooba", "Zm9vYmE"},
        {"foobar", "Zm9vYmFy"},
        {"\xfb\xff\xbf", "-_-_"},
    };
    char text[16], back[16];
    size_t n;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t len = strlen(cases[i][0]);

        ol_base64url_encode(text, cases[i][0], len);
        is_str(text, cases[i][1], "base64url vector %zu", i);
        is_int(strlen(text), OL_BASE64URL_LEN(len), "its length");
        is_int(ol_base64url_decode(back, len, &n, text, strlen(text)), 0,
               "and back");
        ok(n == len && memcmp(back, cases[i][0], n) == 0, "to the same");
    }
}

static void
test_round_trips(void)
{
    uint8_t data[200], back[201];
    char text[2 * sizeof(data) + 1];
    int bad = 0;

    for (size_t len = 0; len <= sizeof(data); len++) {
        size_t n = 999;

        for (size_t i = 0; i < len; i++)
            data[i] = (uint8_t)(i * 37 + len * 101);
        ol_base64url_encode(text, data, len);
        back[len] = 0x5a;
        if (strlen(text) != OL_BASE64URL_LEN(len) ||
            ol_base64url_decode(back, len, &n, text, strlen(text)) != 0 ||
            n != len || memcmp(data, back, len) != 0 || back[len] != 0x5a ||
            ol_base64url_decode_exact(back, len, text, strlen(text)) != 0)
            bad++;
        if (len > 0 && ol_base64url_decode(back, len - 1, &n, text,
                                           strlen(text)) != -ENOBUFS)
            bad++;
        ol_hex_encode(text, data, len);
        if (strlen(text) != 2 * len ||
            ol_hex_decode(back, len, text, 2 * len) != 0 ||
            memcmp(data, back, len) != 0 || back[len] != 0x5a)
            bad++;
    }
    is_int(bad, 0, "round trips of 0 to 200 bytes, never past the buffer");
}

/* Of all texts of two characters only 64 * 4 decode: one for each byte. */
static void
test_one_spelling(void)
{
    int good = 0, accepted[256] = {0};
    uint8_t byte;
    size_t n;

    for (int a = 0; a < 256; a++) {
        for (int b = 0; b < 256; b++) {
            char text[2] = {(char)a, (char)b};

            if (ol_base64url_decode(&byte, 1, &n, text, 2) == 0) {
                good++;
                accepted[byte]++;
            }
        }
    }
    is_int(good, 256, "256 of 65536 texts of two characters decode");
    good = 0;
    for (int i = 0; i < 256; i++)
        good += accepted[i] == 1;
    is_int(good, 256, "one for each byte");
}

static void
test_refused(void)
{
    static const char *const texts[] = {
        "Zg==", "Zm8=", "Z",    "Zm9vY", "Zm 9", " Zm9",       "Zm9\n",
        "Zm+v", "Zm/v", "Zm.v", "Zh",    "Zm9",  "\xc3\xa9Zg",
    };
    char buf[16];
    size_t n = 77;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        is_int(ol_base64url_decode(buf, sizeof(buf), &n, texts[i],
                                   strlen(texts[i])),
               -EINVAL, "refused: base64url %zu", i);
    is_int(n, 77, "the length stays as it was");
    is_int(ol_base64url_decode(buf, sizeof(buf), &n, "Zm\0v", 4), -EINVAL,
           "refused: a NUL");
    is_int(ol_base64url_decode_exact(buf, 2, "Zm9v", 4), -EINVAL,
           "three bytes are not exactly two");
    is_int(ol_base64url_decode_exact(buf, 4, "Zm9v", 4), -EINVAL, "nor four");

    is_int(ol_hex_decode(buf, 2, "00fF", 4), -EINVAL, "hex: upper case");
    is_int(ol_hex_decode(buf, 2, "00f", 3), -EINVAL, "hex: odd");
    is_int(ol_hex_decode(buf, 2, "00ff00", 6), -EINVAL, "hex: too long");
    is_int(ol_hex_decode(buf, 2, "00fg", 4), -EINVAL, "hex: another letter");
    is_int(ol_hex_decode(buf, 2, "0x00", 4), -EINVAL, "hex: 0x");
}

int
main(void)
{
    test_vectors();
    test_round_trips();
    test_one_spelling();
    test_refused();
    return tap_done();
}
