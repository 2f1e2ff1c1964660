/*
 * Origins: one spelling for each, and the hosts, ports and tricks that are
 * refused before anybody dials.
 */
#include "../../lib/origin.c"

#include "tap.h"

#define A10 "aaaaaaaaaa"
#define A60 A10 A10 A10 A10 A10 A10
#define LABEL63 A60 "aaa"

static const struct {
    const char *url, *text, *host;
    uint16_t port;
    const char *rest;
} good[] = {
    {"https://example.org", "https://example.org", "example.org", 443, ""},
    {"http://example.org/", "http://example.org", "example.org", 80, "/"},
    {"HTTPS://Example.ORG:443/A?B#C", "https://example.org", "example.org", 443,
     "/A?B#C"},
    {"http://example.org:80", "http://example.org", "example.org", 80, ""},
    {"http://example.org:443", "http://example.org:443", "example.org", 443,
     ""},
    {"https://example.org:80?x", "https://example.org:80", "example.org", 80,
     "?x"},
    {"http://a:65535#f", "http://a:65535", "a", 65535, "#f"},
    {"http://a:00080/", "http://a", "a", 80, "/"},
    {"http://127.0.0.11:8100", "http://127.0.0.11:8100", "127.0.0.11", 8100,
     ""},
    {"http://[::1]:8090/", "http://[::1]:8090", "::1", 8090, "/"},
    {"http://[2001:DB8:0:0::1]", "http://[2001:db8::1]", "2001:db8::1", 80, ""},
    {"https://[::ffff:192.0.2.1]/", "https://[::ffff:192.0.2.1]",
     "::ffff:192.0.2.1", 443, "/"},
    {"https://a_b.x--y.xn--bcher-kva.example/@",
     "https://a_b.x--y.xn--bcher-"
     "kva.example",
     "a_b.x--y.xn--bcher-kva.example", 443, "/@"},
    {"http://1.example", "http://1.example", "1.example", 80, ""},
    {"http://" LABEL63 ".a", "http://" LABEL63 ".a", LABEL63 ".a", 80, ""},
    {"http://a/%00\\", "http://a", "a", 80, "/%00\\"},
};

static const char *const bad[] = {
    "",
    "http",
    "http:/",
    "http://",
    "https:///",
    "//example.org",
    "example.org",
    "ftp://example.org",
    "file:///etc/passwd",
    "javascript://x/",
    "http:example.org",
    "http:\\\\example.org",
    "https//example.org",
    " http://a",
    "http://a ",
    "http://a\n",
    "http://a/b c",
    "http://a/\x7f",
    "http://a\t/",
    "http://user@example.org",
    "http://user:pass@example.org",
    "http://a@b:80/",
    "http://@a",
    "http://a\\@b/",
    "http://a\\.b/",
    "http://:80",
    "http://a:",
    "http://a:/",
    "http://a:0",
    "http://a:00000",
    "http://a:65536",
    "http://a:99999",
    "http://a:100000",
    "http://a:000080",
    "http://a:+1",
    "http://a:-1",
    "http://a:8 0",
    "http://a:80x",
    "http://a:80:80",
    "http://a:0x50",
    "http://.",
    "http://a.",
    "http://.a",
    "http://a..b",
    "http://-a",
    "http://a-",
    "http://a.-b.c",
    "http://a%2eb",
    "http://a%00b",
    "http://b\xc3\xbc"
    "cher.example",
    "http://a*b",
    "http://a,b",
    "http://a'b",
    "http://a<b>",
    "http://[",
    "http://[]",
    "http://[::1",
    "http://::1/",
    "http://[::1]x",
    "http://[::1]]",
    "http://[::1]80",
    "http://[fe80::1%25eth0]",
    "http://[fe80::1%eth0]",
    "http://[1.2.3.4]",
    "http://[v1.x]",
    "http://[::1",
    "http://[:::1]",
    "http://[12345::]",
    "http://1",
    "http://127.1",
    "http://2130706433",
    "http://0x7f.0.0.1",
    "http://0x7f000001",
    "http://0x",
    "http://0177.0.0.1",
    "http://1.2.3",
    "http://1.2.3.4.5",
    "http://256.1.1.1",
    "http://1.2.3.04",
    "http://example.1",
    "http://a.0xff",
    "http://1.2.3.4.",
    "http://" LABEL63 "a.b",
    "http://" LABEL63 "." LABEL63 "." LABEL63 "." LABEL63 ".a",
};

static void
test_good(void)
{
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct ol_error err = {""};
        struct ol_origin o, again;

        if (!ok(ol_origin_parse(good[i].url, strlen(good[i].url), &o, &err) ==
                    0,
                "%s", good[i].url)) {
            diag("%s", err.text);
            continue;
        }
        is_str(o.text, good[i].text, "its one spelling");
        is_str(o.host, good[i].host, "host");
        is_int(o.port, good[i].port, "port");
        is_int(o.https, strncmp(o.text, "https", 5) == 0, "scheme");
        is_str(good[i].url + o.consumed, good[i].rest, "the rest");
        ok(ol_origin_parse_bare(o.text, strlen(o.text), &again, NULL) == 0 &&
               strcmp(o.text, again.text) == 0,
           "which stays as it is");
        is_int(ol_origin_parse_bare(good[i].url, strlen(good[i].url), &again,
                                    &err),
               *good[i].rest == '\0' || strcmp(good[i].rest, "/") == 0
                   ? 0
                   : -EINVAL,
               "bare or not");
    }
}

static void
test_bad(void)
{
    struct ol_origin o = {.port = 77};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct ol_error err = {""};

        if (!ok(ol_origin_parse(bad[i], strlen(bad[i]), &o, &err) == -EINVAL,
                "refused: case %zu", i))
            diag("%s", bad[i]);
        has_str(err.text, "URL: ", "with a reason");
    }
    is_int(ol_origin_parse("http://a\0b", 10, &o, NULL), -EINVAL, "a NUL");
    is_int(ol_origin_parse("http://[::1\0]", 13, &o, NULL), -EINVAL, "in v6");
    is_int(o.port, 77, "no failure writes");
    is_int(ol_origin_parse("http://ab", 8, &o, NULL), 0, "no NUL is needed");
    is_str(o.text, "http://a", "and nothing read behind the end");
}

static void
test_ports(void)
{
    static const struct {
        const char *url;
        bool good;
    } cases[] = {
        {"http://a", true},       {"https://a", true},
        {"http://a:443", true},   {"http://a:22", false},
        {"http://a:25", false},   {"http://a:81", false},
        {"http://a:1023", false}, {"http://a:1024", true},
        {"http://a:8100", true},  {"http://a:65535", true},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ol_origin o;

        must(ol_origin_parse(cases[i].url, strlen(cases[i].url), &o, NULL) ==
             0);
        is_int(ol_origin_port_ok(&o), cases[i].good, "%s", cases[i].url);
    }
}

int
main(void)
{
    test_good();
    test_bad();
    test_ports();
    return tap_done();
}
