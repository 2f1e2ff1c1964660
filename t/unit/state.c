/* What is kept of files: the forms, whatever the bytes; and the folder. */
#include "tap.h"

#include "lib/state.c"
#include "lib/state_collect.c"
#include "lib/state_files.c"

#include <time.h>

#define SIZE (40u * OL_PIECE_MIN + 5) /* 41 pieces */

static char dir[] = "/tmp/offload-state-XXXXXX";
static char path_a[64], path_b[64];

static char *
in_dir(const char *name)
{
    static char path[512];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

/* Of a file that begins with seed and is of zeros else. */
static void
digest_of(uint64_t size, uint8_t seed, struct ol_digest *ret)
{
    struct ol_hasher *hasher;
    uint8_t *buf = calloc(1, size);

    buf[0] = seed;
    ok(ol_hasher_create(size, &hasher) == 0 &&
           ol_hasher_update(hasher, buf, size) == 0 &&
           ol_hasher_finish(hasher, ret) == 0,
       "a digest");
    ol_hasher_free(hasher);
    free(buf);
}

static bool
same_digest(const struct ol_digest *a, const struct ol_digest *b)
{
    return a->size == b->size && a->piece_count == b->piece_count &&
           memcmp(a->root, b->root, OL_HASH_BYTES) == 0 &&
           memcmp(a->sha256, b->sha256, OL_HASH_BYTES) == 0 &&
           memcmp(a->table, b->table, (size_t)a->piece_count * OL_HASH_BYTES) ==
               0 &&
           memcmp(a->sha1, b->sha1, (size_t)a->piece_count * OL_SHA1_BYTES) ==
               0;
}

static void
write_bytes(const char *path, const void *data, size_t len)
{
    FILE *f = fopen(path, "w");

    if (f == NULL || fwrite(data, 1, len, f) != len || fclose(f) != 0)
        abort();
}

static size_t
read_bytes(const char *path, char *buf, size_t cap)
{
    FILE *f = fopen(path, "r");
    size_t len;

    if (f == NULL)
        return 0;
    len = fread(buf, 1, cap, f);
    fclose(f);
    return len;
}

/* Makes a file and says what version of it there is. */
static struct ol_version
make_file(const char *path, size_t size)
{
    struct ol_version version;
    struct stat st;

    write_bytes(path, "x", 1);
    if (truncate(path, (off_t)size) < 0 || stat(path, &st) < 0)
        abort();
    ol_version_of(&st, &version);
    return version;
}

static void
test_versions(void)
{
    struct ol_version a = {.dev = 1,
                           .ino = 2,
                           .size = 3,
                           .mtime = 100,
                           .mtime_nsec = 5,
                           .ctime = 90,
                           .ctime_nsec = 7};
    struct ol_version b;
    char text[OL_STATE_VERSION_MAX], other[OL_STATE_VERSION_MAX];
    unsigned told = 0;

    ol_state_version_text(text, &a);
    ok(strcmp(text, "1 2 3 100.000000005 90.000000007") == 0, "%s", text);
    for (unsigned i = 0; i < 7; i++) {
        b = a;
        b.dev += i == 0;
        b.ino += i == 1;
        b.size += i == 2;
        b.mtime += i == 3;
        b.mtime_nsec += i == 4;
        b.ctime += i == 5;
        b.ctime_nsec += i == 6;
        ol_state_version_text(other, &b);
        told += !ol_version_same(&a, &b) && strcmp(text, other) != 0;
    }
    is_int(told, 7, "each member tells versions apart");
    ok(ol_version_young(&a, 101), "changed a second ago: young");
    ok(!ol_version_young(&a, 102), "two seconds ago: not");
    a.ctime = 101;
    ok(ol_version_young(&a, 102), "the time of the inode counts, too");
    ok(ol_version_young(&a, 41), "another machine's clock may be ahead");
    ok(!ol_version_young(&a, 40), "what is from the future is not waited for");
}

static void
test_layout(void)
{
    is_int(ol_state_sha1_offset(1), 32, "one piece: SHA-1s at 32");
    is_int(ol_state_metalink_offset(1), 52, "and the list at 52");
    is_int(ol_state_sha1_offset(SIZE), 41 * 32, "41 pieces");
    is_int(ol_state_metalink_offset(SIZE), 41 * 52, "likewise");
    is_int(ol_state_sha1_offset(0), 0, "nothing has no table");
}

static void
test_entry(void)
{
    struct ol_state_entry *entry = calloc(1, sizeof(*entry));
    struct ol_state_entry *back = calloc(1, sizeof(*back));
    struct ol_error err;
    unsigned bad = 0;
    char *text;
    size_t len;

    for (unsigned i = 1; i < 256; i++)
        entry->path[i] = (char)i;
    entry->path[0] = '/';
    strcpy(entry->version, "1 2 3");
    memset(entry->root, 0xab, OL_HASH_BYTES);
    memset(entry->infohash, 0xcd, OL_SHA1_BYTES);
    is_int(ol_state_entry_text(entry, &text, &len), 0, "written");
    is_int(ol_state_entry_parse(text, len, back, &err), 0, "and read");
    ok(memcmp(entry, back, sizeof(*entry)) == 0,
       "with a path of all bytes but one");
    for (size_t cut = 0; cut + 1 < len; cut++)
        bad += ol_state_entry_parse(text, cut, back, NULL) != -EBADMSG;
    is_int(bad, 0, "cut anywhere, it is refused");
    for (size_t i = 0; i < len; i++) {
        text[i] ^= 1;
        bad += ol_state_entry_parse(text, len, back, NULL) != -EBADMSG;
        text[i] ^= 1;
    }
    is_int(bad, 0, "nor with a bit flipped in any byte, that of sha256 too");
    free(text);

    memset(entry->path, '\xff', OL_STATE_PATH_MAX - 1);
    is_int(ol_state_entry_text(entry, &text, &len), 0, "the longest path");
    ok(len <= OL_STATE_ENTRY_MAX, "fits");
    is_int(ol_state_entry_parse(text, len, back, NULL), 0, "and is read");
    free(text);
    free(entry);
    free(back);
}

static void
test_entry_foreign(void)
{
#define H32 "00000000000000000000000000000000"
#define REST                                                                   \
    ",\"version\":\"1\",\"root\":\"" H32 H32 "\",\"sha256\":\"" H32 H32        \
    "\",\"infohash\":\"" H32 "00000000\""
#define SUM                                                                    \
    ",\"sum\":\"315d38905f25f120d9085a4f6b459627"                              \
    "6f244cbb4670aa9ce85fc2fd56bd16eb\"}"
    static const char good[] = "{\"path\":\"/a\"" REST SUM;
    static const struct {
        const char *text, *reason;
    } refused[] = {
        {"", "JSON"},
        {"[]", "JSON"},
        {"{}", "path"},
        {"{\"path\":\"/a\"" REST "}", "sum"}, /* of earlier versions */
        {"{\"path\":\"/b\"" REST SUM, "sum: of another entry"},
        {"{\"path\":\"\"" REST SUM, "path"},
        {"{\"path\":7" REST SUM, "path"},
        {"{\"path\":\"/%\"" REST SUM, "path"},
        {"{\"path\":\"/%4\"" REST SUM, "path"},
        {"{\"path\":\"/%g0\"" REST SUM, "path"},
        {"{\"path\":\"/%00\"" REST SUM, "path"},
        {"{\"path\":\"/a\",\"path\":\"/a\"" REST SUM, "dup"},
    };
    struct ol_state_entry *entry = malloc(sizeof(*entry));
    unsigned bad = 0;
    char *text = calloc(1, OL_STATE_ENTRY_MAX + 2);
    struct ol_error err;

    is_int(ol_state_entry_parse(good, strlen(good), entry, &err), 0,
           "this is one");
    for (unsigned i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        err.text[0] = '\0';
        if (ol_state_entry_parse(refused[i].text, strlen(refused[i].text),
                                 entry, &err) != -EBADMSG ||
            strstr(err.text, refused[i].reason) == NULL) {
            diag("%s: %s", refused[i].text, err.text);
            bad++;
        }
    }
    is_int(bad, 0, "these are none, and why is told");
    memset(text, 'a', OL_STATE_PATH_MAX + 20);
    memcpy(text, "{\"path\":\"", 9);
    strcpy(text + OL_STATE_PATH_MAX + 20, "\"" REST SUM);
    is_int(ol_state_entry_parse(text, strlen(text), entry, NULL), -EBADMSG,
           "a path that no buffer has room for");
    is_int(ol_state_entry_parse(text, OL_STATE_ENTRY_MAX + 1, entry, NULL),
           -EBADMSG, "too long");
    free(text);
    free(entry);
}

/* Every bit and every length of a table counts. */
static void
test_table(void)
{
    static char data[1 << 16];
    struct ol_state_entry *entry = malloc(sizeof(*entry));
    char name[OL_STATE_NAME_MAX];
    struct ol_digest digest, back;
    struct ol_version version = make_file(path_a, SIZE);
    unsigned bad = 0;
    size_t len;

    digest_of(SIZE, 1, &digest);
    is_int(ol_state_save(dir, path_a, &version, &digest, true, NULL), 0,
           "saved");
    ol_state_entry_name(name, path_a);
    len = read_bytes(in_dir(name), data, sizeof(data));
    is_int(ol_state_entry_parse(data, len, entry, NULL), 0, "its entry");
    ol_state_table_name(name, digest.root);
    len = read_bytes(in_dir(name), data, sizeof(data));
    ok(len > ol_state_metalink_offset(SIZE) + 41 * 64 &&
           memcmp(data, digest.table, 41 * 32) == 0 &&
           memcmp(data + 41 * 32, digest.sha1, 41 * 20) == 0 &&
           memcmp(data + 41 * 52, "<pieces ", 8) == 0,
       "its table: SHA-256, SHA-1, Metalink's list");

    is_int(ol_state_table_parse((uint8_t *)data, len, SIZE, entry, &back, NULL),
           0, "it is believed");
    ok(same_digest(&digest, &back), "and says what was saved");
    ol_digest_clear(&back);
    for (size_t cut = 0; cut < len; cut++)
        bad += ol_state_table_parse((uint8_t *)data, cut, SIZE, entry, &back,
                                    NULL) != -EBADMSG;
    bad += ol_state_table_parse((uint8_t *)data, len + 1, SIZE, entry, &back,
                                NULL) != -EBADMSG;
    is_int(bad, 0, "not if it is shorter or longer");
    for (size_t i = 0; i < len; i++) {
        data[i] ^= (char)(1 << i % 8);
        bad += ol_state_table_parse((uint8_t *)data, len, SIZE, entry, &back,
                                    NULL) != -EBADMSG;
        data[i] ^= (char)(1 << i % 8);
    }
    is_int(bad, 0, "nor with a bit flipped in any byte");
    bad = ol_state_table_parse((uint8_t *)data, len, SIZE - 5, entry, &back,
                               NULL) != -EBADMSG;
    bad += ol_state_table_parse((uint8_t *)data, len, SIZE + 1, entry, &back,
                                NULL) != -EBADMSG;
    bad += ol_state_table_parse((uint8_t *)data, len, 0, entry, &back, NULL) !=
           -EBADMSG;
    is_int(bad, 0, "nor for another size");
    ol_digest_clear(&digest);
    free(entry);
}

static void
test_folder(void)
{
    struct ol_version version = make_file(path_a, SIZE), other;
    struct ol_digest digest, back;
    struct ol_error err;
    char name[OL_STATE_NAME_MAX], longest[OL_STATE_PATH_MAX + 1];

    digest_of(SIZE, 2, &digest);
    is_int(ol_state_load(dir, path_b, &version, &back), -ENOENT,
           "nothing is kept of it");
    is_int(ol_state_save(dir, path_a, &version, &digest, true, NULL), 0,
           "a version in place of another");
    is_int(ol_state_sync(dir, NULL), 0, "and on the disk");
    is_int(ol_state_sync("/nonexistent", NULL), -ENOENT, "no folder");
    is_int(ol_state_load(dir, path_a, &version, &back), 0, "it is kept");
    ok(same_digest(&digest, &back), "as it was");
    ol_digest_clear(&back);
    other = version;
    other.ctime_nsec++;
    is_int(ol_state_load(dir, path_a, &other, &back), -ENOENT,
           "of no other version");

    is_int(ol_state_save("/nonexistent", path_a, &version, &digest, true, &err),
           -ENOENT, "no folder: %s", err.text);
    memset(longest, 'a', OL_STATE_PATH_MAX);
    longest[OL_STATE_PATH_MAX] = '\0';
    is_int(ol_state_save(dir, longest, &version, &digest, true, NULL),
           -ENAMETOOLONG, "a path that is too long");

    ol_state_entry_name(name, path_a);
    if (rename(in_dir(name), path_b) < 0)
        abort();
    ol_state_entry_name(name, path_b);
    if (rename(path_b, in_dir(name)) < 0)
        abort();
    is_int(ol_state_load(dir, path_b, &version, &back), -ENOENT,
           "an entry that lies at another one's place");
    if (unlink(in_dir(name)) < 0 || mkfifo(in_dir(name), 0600) < 0)
        abort();
    is_int(ol_state_load(dir, path_b, &version, &back), -ENOENT,
           "what is no file is not waited for");
    unlink(in_dir(name));
    ol_digest_clear(&digest);
}

static struct ol_collected
collect_at(time_t now, const char *under)
{
    struct ol_collector *collector;
    struct ol_error err = {""};
    int rc = ol_collector_create(dir, under, now, &collector, &err);

    while (rc > 0 || (rc == 0 && collector != NULL)) {
        rc = ol_collector_step(collector, 1, &err);
        if (rc <= 0)
            break;
    }
    struct ol_collected result = ol_collector_result(collector);

    is_int(rc, 0, "a pass%s", err.text);

    ol_collector_free(collector);
    return result;
}

static void
test_collect(void)
{
    struct ol_version a = make_file(path_a, SIZE), b = make_file(path_b, SIZE);
    struct ol_digest digest_a, digest_b, back;
    time_t now = time(NULL), later = now + OL_STATE_KEEP + 60;

    collect_at(later, NULL); /* what the tests before left */
    digest_of(SIZE, 3, &digest_a);
    digest_of(SIZE, 4, &digest_b);
    ol_state_save(dir, path_a, &a, &digest_b, true, NULL);
    ol_state_save(dir, path_a, &a, &digest_a, true, NULL);
    ol_state_save(dir, path_b, &b, &digest_b, true, NULL);
    write_bytes(in_dir("0123456789abcdef.temp"), "x", 1);
    write_bytes(in_dir("somebody's"), "x", 1);

    is_int(collect_at(now, NULL).removed, 0, "nothing that is young");
    unlink(path_b);
    is_int(collect_at(now + OL_STATE_KEEP / 2, "/elsewhere").entries, 2,
           "files of other folders are taken for granted");
    is_int(collect_at(later, NULL).removed, 1,
           "a day after the last mark: what was left half-written");
    is_int(ol_state_load(dir, path_a, &a, &back), 0, "what is in use stays");
    ol_digest_clear(&back);
    is_int(ol_state_load(dir, path_b, &b, &back), 0,
           "a file that went is remembered for a while");
    ol_digest_clear(&back);

    is_int(collect_at(later + OL_STATE_KEEP / 2, NULL).removed, 2,
           "then it is not, nor is its table");
    is_int(ol_state_load(dir, path_b, &b, &back), -ENOENT, "they are gone");
    is_int(ol_state_load(dir, path_a, &a, &back), 0, "the other is not");
    ol_digest_clear(&back);
    make_file(path_a, SIZE + 1);
    is_int(collect_at(later + 3 * OL_STATE_KEEP, NULL).removed, 2,
           "a version that was replaced goes likewise");
    is_int(access(in_dir("somebody's"), F_OK), 0, "what is not ours stays");
    ol_digest_clear(&digest_a);
    ol_digest_clear(&digest_b);
}

/* Names like ours that are something else, before and behind those of ours. */
static void
test_collect_odd(void)
{
    static const char *const folders[] = {"0.file", "x.file", "x.table",
                                          "x.temp"};
    struct ol_version a = make_file(path_a, SIZE);
    time_t later = time(NULL) + OL_STATE_KEEP + 60;
    struct ol_collected got;
    struct ol_digest digest;
    char name[OL_STATE_NAME_MAX];
    struct stat st;

    collect_at(later + OL_STATE_KEEP, NULL);
    digest_of(SIZE, 5, &digest);
    ol_state_save(dir, path_a, &a, &digest, true, NULL);
    write_bytes(in_dir("0123456789abcdef.temp"), "x", 1);
    write_bytes(in_dir("broken.file"), "x", 1);
    for (unsigned i = 0; i < 4; i++)
        if (mkdir(in_dir(folders[i]), 0700) < 0)
            abort();
    if (symlink("nowhere", in_dir("y.file")) < 0 ||
        symlink("x.table", in_dir("y.table")) < 0)
        abort();
    got = collect_at(later, NULL);
    is_int(got.failed, 4, "folders are passed over, and counted");
    ok(strstr(got.reason.text, "Is a directory") != NULL, "%s",
       got.reason.text);
    is_int(got.entries, 1, "the entry that is in use was seen");
    is_int(got.removed, 4, "links and broken files go, as they would else");
    ok(lstat(in_dir("y.file"), &st) < 0 && lstat(in_dir("x.file"), &st) == 0,
       "these, not those");
    ol_state_table_name(name, digest.root);
    ok(stat(in_dir(name), &st) == 0, "its table stays");
    for (unsigned i = 0; i < 4; i++)
        rmdir(in_dir(folders[i]));
    ol_digest_clear(&digest);
}

int
main(void)
{
    char command[128];

    if (mkdtemp(dir) == NULL)
        return 1;
    snprintf(path_a, sizeof(path_a), "%s/a.bin", dir);
    snprintf(path_b, sizeof(path_b), "%s/b.bin", dir);
    test_versions();
    test_layout();
    test_entry();
    test_entry_foreign();
    test_table();
    test_folder();
    test_collect();
    test_collect_odd();
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    if (system(command) != 0)
        return 1;
    return tap_done();
}
