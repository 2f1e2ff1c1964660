/*
 * Metalink: every byte of a small one; what readers stumble over is left out.
 */
#include "../../lib/metalink.c"

#include "tap.h"

#define HEX11 "1111111111111111111111111111111111111111111111111111111111111111"
#define HEX22 "2222222222222222222222222222222222222222222222222222222222222222"

static void
is_text(char *text, size_t len, const char *want, const char *name)
{
    is_int(len, strlen(want), "%s: its length", name);
    is_str(text, want, "%s", name);
    free(text);
}

static void
test_pieces(void)
{
    uint8_t table[2 * OL_HASH_BYTES];
    const struct ol_digest d = {
        .size = 262145, .piece_size = 262144, .piece_count = 2, .table = table};
    char *text;
    size_t len;

    memset(table, 0x11, OL_HASH_BYTES);
    memset(table + OL_HASH_BYTES, 0x22, OL_HASH_BYTES);
    must(ol_metalink_pieces(&d, &text, &len) == 0);
    is_text(text, len,
            "<pieces length=\"262144\" type=\"sha-256\">\n"
            "<hash>" HEX11 "</hash>\n<hash>" HEX22 "</hash>\n</pieces>\n",
            "pieces");
}

static void
test_many_pieces(void)
{
    struct ol_digest d = {.piece_size = OL_PIECE_MAX, .piece_count = 400};
    char *text;
    size_t len, hashes = 0;

    d.table = calloc(401, OL_HASH_BYTES);
    must(d.table != NULL && ol_metalink_pieces(&d, &text, &len) == 0);
    for (const char *p = text; (p = strstr(p, "<hash>")) != NULL; p++)
        hashes++;
    is_int(hashes, 400, "400 pieces are told");
    is_int(len, strlen(text), "its length");
    free(text);
    d.piece_count = 401;
    must(ol_metalink_pieces(&d, &text, &len) == 0);
    is_text(text, len, "", "401 are not, nor some of them");
    free(d.table);
}

static void
test_head(void)
{
    struct ol_metalink m = {.name = "R&D <\"1'>.iso",
                            .size = 262145,
                            .publisher = "example.org",
                            .publisher_url = "https://example.org"};
    char *text;
    size_t len;

    memset(m.sha256, 0x11, OL_HASH_BYTES);
    must(ol_metalink_head(&m, &text, &len) == 0);
    is_text(text, len,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<metalink xmlns=\"urn:ietf:params:xml:ns:metalink\">\n"
            "<file name=\"R&amp;D &lt;&quot;1'&gt;.iso\">\n"
            "<publisher name=\"example.org\" url=\"https://example.org\"/>\n"
            "<size>262145</size>\n<hash type=\"sha-256\">" HEX11 "</hash>\n",
            "head");
    m.size = 0;
    is_int(ol_metalink_head(&m, &text, &len), -EINVAL, "of nothing");
}

static void
test_names(void)
{
    static const char *const bad[] = {
        "",     ".",    "..",           "a/b",          "a\tb",
        "a\nb", "\x1f", "\xef\xbf\xbe", "a\xef\xbf\xbf"};
    struct ol_metalink m = {.name = "\xef\xbf\xbd\xf0\x9f\x98\x80",
                            .size = 1,
                            .publisher = "",
                            .publisher_url = ""};
    char *text;
    size_t len;

    must(ol_metalink_head(&m, &text, &len) == 0);
    has_str(text, "<file name=\"\xef\xbf\xbd\xf0\x9f\x98\x80\">",
            "UTF-8 stays as it is");
    free(text);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        m.name = bad[i];
        is_int(ol_metalink_head(&m, &text, &len), -EINVAL, "bad name %zu", i);
    }
}

static void
test_urls(void)
{
    static const struct ol_metalink_url urls[] = {
        {"https://n1.example/c/1?e=1&s=2", "DE"},
        {"https://n2.example:8100/c/1", "nL"},
        {"https://N1.example:8443/c/1", "DE"},  /* the host of the first */
        {"https://example.org:8444/c/1", "FR"}, /* the origin's host */
        {"https://n3.example/c/1", "eu-west"},  /* no country */
        {"https://n4.example/c/1", "1a"},       /* nor that */
        {"http://[2001:db8::1]:8100/c/1", NULL},
        {"http://[2001:db8::2]:8100/c/1", ""},
        {"https://n1.example.net/c/1", "\xc3\xa4"},
        {"https://example.org/a%20b", NULL},
    };
    const struct ol_metalink m = {.url_count = sizeof(urls) / sizeof(urls[0]),
                                  .urls = urls};
    char *text;
    size_t len;

    must(ol_metalink_tail(&m, &text, &len) == 0);
    is_text(text, len,
            "<url priority=\"1\" location=\"de\">"
            "https://n1.example/c/1?e=1&amp;s=2</url>\n"
            "<url priority=\"2\" location=\"nl\">"
            "https://n2.example:8100/c/1</url>\n"
            "<url priority=\"3\">https://n3.example/c/1</url>\n"
            "<url priority=\"4\">https://n4.example/c/1</url>\n"
            "<url priority=\"5\">http://[2001:db8::1]:8100/c/1</url>\n"
            "<url priority=\"6\">http://[2001:db8::2]:8100/c/1</url>\n"
            "<url priority=\"7\">https://n1.example.net/c/1</url>\n"
            "<url priority=\"8\">https://example.org/a%20b</url>\n"
            "</file>\n</metalink>\n",
            "one URL per host name, the origin last");
}

int
main(void)
{
    test_pieces();
    test_many_pieces();
    test_head();
    test_names();
    test_urls();
    return tap_done();
}
