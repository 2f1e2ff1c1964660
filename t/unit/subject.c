/*
 * Subjects: a table of paths as they come and as they are compared, and the
 * way back to a URL.
 */
#include "../../lib/subject.c"

#include "tap.h"

static const struct {
    const char *path, *sub; /* sub NULL: refused */
} cases[] = {
    {"/", "/"},
    {"/iso/disk.iso", "/iso/disk.iso"},
    {"/a?b/../c", "/a"},
    {"/a#b", "/a"},
    {"/a%3Fb%23c", "/a?b#c"},
    {"/a%20b", "/a b"},
    {"/a+b", "/a+b"},
    {"/%41%7e%7E", "/A~~"},
    {"/%2541", "/%41"},
    {"/%25", "/%"},
    {"//", "/"},
    {"//a///b//", "/a/b/"},
    {"/a%2Fb", "/a/b"},
    {"/a%2f%2Fb", "/a/b"},
    {"/.", "/"},
    {"/./", "/"},
    {"/a/.", "/a/"},
    {"/a/./b", "/a/b"},
    {"/a/b/..", "/a/"},
    {"/a/b/../", "/a/"},
    {"/a/../b", "/b"},
    {"/a/b/../../c", "/c"},
    {"/a/%2e%2E/b", "/b"},
    {"/a/.%2e/b", "/b"},
    {"/a/%2e/b", "/a/b"},
    {"/a%2f..%2fb", "/b"},
    {"/a//../b", "/b"},
    {"/...", "/..."},
    {"/a/..b", "/a/..b"},
    {"/a/b..", "/a/b.."},
    {"/.a", "/.a"},
    {"/a..", "/a.."},
    {"/b%C3%BCcher", "/b\xc3\xbc"
                     "cher"},
    {"/b\xc3\xbc"
     "cher",
     "/b\xc3\xbc"
     "cher"},
    {"/%F0%9F%8D%BF", "/\xf0\x9f\x8d\xbf"},
    {"/%C2%A0", "/\xc2\xa0"},
    {"/%EF%BF%BF", "/\xef\xbf\xbf"},
    {"/a\\b", "/a\\b"},
    {"", NULL},
    {"a", NULL},
    {"?", NULL},
    {"*", NULL},
    {"http://a/b", NULL},
    {"%2fa", NULL},
    {"/..", NULL},
    {"/../", NULL},
    {"/../a", NULL},
    {"/a/../../b", NULL},
    {"/%2e%2e", NULL},
    {"/a/%2e%2e%2f..", NULL},
    {"/%", NULL},
    {"/%4", NULL},
    {"/%4g", NULL},
    {"/%g4", NULL},
    {"/%%41", NULL},
    {"/%u0041", NULL},
    {"/%00", NULL},
    {"/a%00/../b", NULL},
    {"/%ff/../b", NULL},
    {"/%0a", NULL},
    {"/%0d%0aX: y", NULL},
    {"/\x1f", NULL},
    {"/%7f", NULL},
    {"/%c2%80", NULL}, /* C1 */
    {"/%c2%9f", NULL},
    {"/%80", NULL},
    {"/%ff", NULL},
    {"/%fe", NULL},
    {"/%c3", NULL},
    {"/%c3/%bc", NULL},
    {"/%c3%28", NULL},
    {"/%c0%af", NULL}, /* overlong '/' */
    {"/%c0%ae%c0%ae/", NULL},
    {"/%c1%bf", NULL},
    {"/%e0%80%af", NULL},
    {"/%e0%9f%bf", NULL},
    {"/%f0%80%80%af", NULL},
    {"/%f0%8f%bf%bf", NULL},
    {"/%ed%a0%80", NULL}, /* surrogate */
    {"/%ed%bf%bf", NULL},
    {"/%f4%90%80%80", NULL}, /* above U+10FFFF */
    {"/%f5%80%80%80", NULL},
    {"/%e2%82", NULL},
};

static void
test_table(void)
{
    char sub[256], url[3 * 256], again[256];
    size_t len;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int rc, n;

        len = 77;
        rc = ol_subject_normalise(cases[i].path, strlen(cases[i].path), sub,
                                  sizeof(sub), &len);
        if (cases[i].sub == NULL) {
            ok(rc == -EINVAL && len == 77, "refused: %s", cases[i].path);
            continue;
        }
        is_int(rc, 0, "%s", cases[i].path);
        is_str(sub, cases[i].sub, "is this subject");
        is_int(len, strlen(cases[i].sub), "of this length");
        n = ol_subject_encode(sub, len, url, sizeof(url));
        ok(n == (int)strlen(url) &&
               ol_subject_normalise(url, (size_t)n, again, sizeof(again),
                                    &len) == 0 &&
               strcmp(again, sub) == 0,
           "whose URL leads back to it: %s", url);
    }
    is_int(ol_subject_normalise("/a\0b", 4, sub, sizeof(sub), &len), -EINVAL,
           "refused: a NUL");
}

static void
test_limits(void)
{
    char sub[8], url[8];
    size_t len = 77;

    is_int(ol_subject_normalise("/abcdef", 7, sub, 8, &len), 0, "7 and a NUL");
    is_int(ol_subject_normalise("/abcdefg", 8, sub, 8, &len), -ENAMETOOLONG,
           "8 do not fit");
    is_int(len, 7, "no failure writes the length");
    is_int(ol_subject_normalise("/a/../b/../c", 12, sub, 8, &len), 0,
           "what is resolved counts, not what comes");
    is_int(ol_subject_normalise("/", 1, sub, 1, &len), -ENAMETOOLONG, "cap 1");
    is_int(ol_subject_normalise("/", 1, sub, 0, &len), -ENAMETOOLONG, "cap 0");
    is_int(ol_subject_normalise("/", 1, sub, 2, &len), 0, "cap 2");
    is_int(ol_subject_encode("/ab d", 5, url, 8), 7, "7 and a NUL");
    is_str(url, "/ab%20d", "encoded");
    is_int(ol_subject_encode("/abc d", 6, url, 8), -ENAMETOOLONG, "8");
    is_int(ol_subject_encode("/abcde ", 7, url, 8), -ENAMETOOLONG, "9");
    is_int(ol_subject_encode("", 0, url, 1), 0, "nothing fits into 1");
    is_int(ol_subject_encode("", 0, url, 0), -ENAMETOOLONG, "but not into 0");
}

/* Each byte: plain exactly if RFC 3986 allows it in a path. */
static void
test_encode(void)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqr"
                                "stuvwxyz0123456789-._~/!$&'()*+,;=:@";
    int bad = 0;

    for (int c = 0; c < 256; c++) {
        char byte = (char)c, url[8], want[8];

        if (c != 0 && strchr(plain, c) != NULL)
            snprintf(want, sizeof(want), "%c", c);
        else
            snprintf(want, sizeof(want), "%%%02X", (unsigned)c);
        bad += ol_subject_encode(&byte, 1, url, sizeof(url)) !=
                   (int)strlen(want) ||
               strcmp(url, want) != 0;
    }
    is_int(bad, 0, "all bytes");
}

int
main(void)
{
    test_table();
    test_limits();
    test_encode();
    return tap_done();
}
