/* The list of the newest manifests: order, replacement, bound, refusal. */
#include "client/seen.c"

#include "tap.h"

#define KEY_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define KEY_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define ROOT_1                                                                 \
    "1111111111111111111111111111111111111111111111111111111111111111"
#define ROOT_2                                                                 \
    "2222222222222222222222222222222222222222222222222222222222222222"

static void
test_merge(void)
{
    struct ol_error err;
    char *one, *two, *next;

    is_int(seen_merge("", KEY_A, 100, ROOT_1, &one, &err), 0, "the first");
    is_str(one, KEY_A " 100 " ROOT_1 "\n", "is noted");
    is_int(seen_merge(one, KEY_B, 50, ROOT_2, &two, &err), 0, "another file");
    is_str(two, KEY_A " 100 " ROOT_1 "\n" KEY_B " 50 " ROOT_2 "\n",
           "comes behind it");
    is_int(seen_merge(two, KEY_A, 90, ROOT_1, &next, &err), 0,
           "an older one of the same version is good");
    ok(next == NULL, "and changes nothing");
    is_int(seen_merge(two, KEY_A, 90, ROOT_2, &next, &err), -ESTALE,
           "an older one of another version is not");
    has_str(err.text, "older", "with the reason");
    is_int(seen_merge(two, KEY_A, 110, ROOT_2, &next, &err), 0,
           "a newer one of another version is");
    is_str(next, KEY_B " 50 " ROOT_2 "\n" KEY_A " 110 " ROOT_2 "\n",
           "and takes the place of the old");
    free(one);
    free(two);
    free(next);
}

static void
test_bound(void)
{
    char *list = strdup(""), *next;
    size_t lines = 0;
    bool good = true;

    for (int i = 0; i < SEEN_LINES + 10; i++) {
        char key[OL_ROOT_HEX + 1];

        snprintf(key, sizeof(key), "%064x", i);
        good &= seen_merge(list, key, 1, ROOT_1, &next, NULL) == 0;
        free(list);
        list = next;
    }
    for (const char *p = list; (p = strchr(p, '\n')) != NULL; p++)
        lines++;
    ok(good, "more files than the list holds");
    is_int(lines, SEEN_LINES, "it stays bounded");
    is_int(strtoul(list, NULL, 16), 10, "the oldest have gone");
    free(list);
}

static void
test_damaged(void)
{
    char *next;

    is_int(seen_merge("nonsense\n" KEY_A "\n" KEY_A " x y\n", KEY_A, 1, ROOT_1,
                      &next, NULL),
           0, "lines that make no sense are passed over");
    has_str(next, KEY_A " 1 " ROOT_1 "\n", "and the new one noted");
    free(next);
}

static void
test_file(void)
{
    char folder[] = "/tmp/seen-test-XXXXXX", path[64];
    struct ol_manifest manifest = {
        .iss = "https://a", .sub = "/f", .iat = 100, .root = {1}};
    struct ol_error err;
    char *text;

    must(mkdtemp(folder) != NULL);
    snprintf(path, sizeof(path), "%s/deep/state", folder);
    setenv("XDG_STATE_HOME", path, 1);
    is_int(seen_note("https://a", &manifest, &err), 0,
           "folders are made as needed");
    snprintf(path, sizeof(path), "%s/deep/state/offload/seen", folder);
    must(read_list(path, &text) == 0);
    is_int(strlen(text), 64 + 1 + 3 + 1 + 64 + 1, "one line is in the file");
    free(text);
    manifest.iat = 90;
    is_int(seen_note("https://a", &manifest, &err), 0,
           "the same version, older");
    manifest.root[0] = 2;
    is_int(seen_note("https://a", &manifest, &err), -ESTALE,
           "another version, older");
    has_str(err.text, path, "and where that is known from");
    is_int(seen_note("https://b", &manifest, &err), 0,
           "what another site says is kept apart");
    setenv("XDG_STATE_HOME", "/proc/self/nothing", 1);
    ok(seen_note("https://a", &manifest, &err) < 0,
       "a folder that cannot be made");
    has_str(err.text, "/proc/self/nothing", "is named");
    snprintf(path, sizeof(path), "rm -r %s", folder);
    must(system(path) == 0);
}

int
main(void)
{
    test_merge();
    test_bound();
    test_damaged();
    test_file();
    return tap_done();
}
