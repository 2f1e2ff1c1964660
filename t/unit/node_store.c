/*
 * The store: what it says to have is there, whatever was cut off when.
 *
 * Loss of power is played by a shadow: every sync copies what is durable then,
 * and before every step that changes the folder a copy is made in which all
 * bytes that were not synced are gone.  Each copy is opened as a store of its
 * own, and every piece that it vouches for is compared.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int crash_fdatasync(int fd);
static int crash_renameat(int from_dir, const char *from, int to_dir,
                          const char *to);
#define fdatasync crash_fdatasync
#define renameat crash_renameat
#include "node/files.c"
#include "node/store.c"
#undef fdatasync
#undef renameat

#include <ftw.h>
#include <signal.h>
#include <sys/wait.h>

#include "offload/key.h"
#include "tap.h"

#define PIECE OL_PIECE_MIN
#define PIECES 6
#define SIZE ((uint64_t)(PIECES - 1) * PIECE + 1000)

static char base[64];
static uint8_t *bytes, table[PIECES * OL_HASH_BYTES], root[OL_HASH_BYTES];
static uint8_t *durable; /* data as of the last sync */
static bool shadow;
static unsigned crashes, lies, vouched;

static void
make_content(void)
{
    bytes = malloc(SIZE);
    durable = calloc(1, SIZE);
    must(bytes != NULL && durable != NULL);
    for (uint64_t i = 0; i < SIZE; i++)
        bytes[i] = (uint8_t)(i * 2654435761u >> 13);
    for (uint32_t i = 0; i < PIECES; i++)
        ol_sha256(bytes + (size_t)i * PIECE, ol_piece_length(SIZE, i),
                  table + i * OL_HASH_BYTES);
    ol_sha256(table, sizeof(table), root);
}

static const char *
data_path(const char *storage)
{
    static char path[256];
    char hex[OL_ROOT_HEX + 1];

    ol_hex_encode(hex, root, sizeof(root));
    snprintf(path, sizeof(path), "%s/c/%.2s/%s/data", storage, hex, hex);
    return path;
}

/* Compares what a store vouches for with what it should be. */
static int
compare(void *arg, struct store_entry *entry)
{
    struct store *store = arg;
    struct store_file file;

    must(store_open(store, entry->root, entry->size, &file) == 0);
    for (uint32_t i = 0; i < entry->have.count; i++) {
        uint8_t got[PIECE];
        uint32_t len = ol_piece_length(SIZE, i);
        bool right;

        if (!ol_bitmap_get(&entry->have, i))
            continue;
        must(pread(file.fd, got, len, (off_t)i * PIECE) == (ssize_t)len);
        right = memcmp(got, bytes + (size_t)i * PIECE, len) == 0;
        vouched++;
        if (entry->sure && !right)
            lies++;
        if (right != (store_piece_check(&file, i) == 0))
            lies++;
    }
    store_file_clear(&file);
    ol_bitmap_clear(&entry->have);
    return 0;
}

static void
compare_all(const char *path)
{
    struct store *store;
    struct ol_error err;
    bool clean;

    if (store_create(path, &store, &clean, &err) != 0) {
        diag("%s", err.text);
        lies++;
        return;
    }
    must(store_scan(store, compare, store) == 0);
    store_free(store);
}

/* The power fails here; what is left claims to have ended well. */
static struct store *running;

static void
crash_point(void)
{
    char copy[128], clean[160], command[512];
    struct timespec times[2];
    struct stat st;
    int fd;

    if (!shadow)
        return;
    crashes++;
    snprintf(copy, sizeof(copy), "%s/copy", base);
    snprintf(command, sizeof(command), "rm -rf %s && cp -a %s/live %s", copy,
             base, copy);
    must(system(command) == 0);
    if (stat(data_path(copy), &st) == 0) {
        times[0] = st.st_atim;
        times[1] = st.st_mtim;
        fd = open(data_path(copy), O_WRONLY);
        must(pwrite(fd, durable, SIZE, 0) == (ssize_t)SIZE);
        must(futimens(fd, times) == 0);
        close(fd);
    }
    snprintf(clean, sizeof(clean), "%s/clean", copy);
    fd = open(clean, O_WRONLY | O_CREAT, 0600);
    must(write(fd, &running->generation, 8) == 8);
    close(fd);
    compare_all(copy);
}

static int
crash_fdatasync(int fd)
{
    int rc;

    crash_point();
    rc = fdatasync(fd);
    if (shadow)
        must(pread(fd, durable, SIZE, 0) == (ssize_t)SIZE);
    crash_point();
    return rc;
}

static int
crash_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    int rc;

    crash_point();
    rc = renameat(from_dir, from, to_dir, to);
    crash_point();
    return rc;
}

static struct store_new
new_content(void)
{
    struct store_new content = {.size = SIZE,
                                .table = table,
                                .manifest = "m",
                                .manifest_len = 1,
                                .assignment = "{}",
                                .assignment_len = 2};

    memcpy(content.root, root, sizeof(root));
    return content;
}

/* Writes the pieces one by one, syncing every second time. */
static void
fill(struct store *store, struct ol_bitmap *have)
{
    struct store_file file;

    must(store_open(store, root, SIZE, &file) == 0);
    for (uint32_t i = 0; i < PIECES; i++) {
        uint32_t index = (i * 5 + 2) % PIECES;

        must(store_piece_write(&file, index, bytes + (size_t)index * PIECE,
                               ol_piece_length(SIZE, index)) == 0);
        crash_point();
        ol_bitmap_put(have, index, true);
        if (i % 2 == 1)
            must(store_sync(store, root, &file, have, true) == 0);
    }
    store_file_clear(&file);
}

static void
test_power_loss(void)
{
    struct store_new content = new_content();
    struct ol_bitmap have;
    struct ol_error err;
    char path[128];
    bool clean;

    snprintf(path, sizeof(path), "%s/live", base);
    must(store_create(path, &running, &clean, &err) == 0);
    ok(clean, "a new storage counts as clean");
    must(ol_bitmap_init(&have, PIECES) == 0);
    shadow = true;
    is_int(store_add(running, &content), 0, "a content is added");
    fill(running, &have);
    is_int(store_replace(running, root, "manifest", "n", 1), 0,
           "its manifest is replaced");
    is_int(store_remove(running, root), 0, "and it is removed");
    shadow = false;
    ok(crashes > 20, "the power failed %u times", crashes);
    ok(vouched > 40, "%u pieces were vouched for afterwards", vouched);
    is_int(lies, 0, "and all of them were there");
    ol_bitmap_clear(&have);
    store_free(running);
}

static void
test_refusals(void)
{
    struct store_new content = new_content();
    struct store *store, *second;
    struct store_file file;
    struct ol_error err;
    char path[128];
    bool clean;

    snprintf(path, sizeof(path), "%s/plain", base);
    must(store_create(path, &store, &clean, &err) == 0);
    is_int(store_create(path, &second, &clean, &err), -EBUSY,
           "a second node is refused");
    has_str(err.text, "in use by another node", "with the reason");
    is_int(store_add(store, &content), 0, "a content is added");
    is_int(store_add(store, &content), -EEXIST, "but not twice");
    must(store_open(store, root, SIZE, &file) == 0);
    is_int(store_piece_write(&file, 0, bytes + 1, PIECE), -EBADMSG,
           "wrong bytes are not written");
    is_int(store_piece_check(&file, 0), -EBADMSG, "what is not there is wrong");
    store_file_clear(&file);
    is_int(store_open(store, root, SIZE + PIECE, &file), -EBADMSG,
           "another size: not this content");
    store_free(store);
    is_int(store_create("/proc/none", &store, &clean, &err), -ENOENT,
           "a folder that cannot be made");
    has_str(err.text, "/proc/none", "is named");
}

static bool found_sure;
static unsigned found;

static int
note(void *arg, struct store_entry *entry)
{
    (void)arg;
    found++;
    found_sure = entry->sure;
    is_str(entry->assignment, "{}", "the assignment comes along");
    ol_bitmap_clear(&entry->have);
    return 0;
}

/* Runs once over a filled storage after `damage`; how many pieces pass. */
static unsigned
after(const char *name, bool end_clean, void (*damage)(const char *path))
{
    struct store_new content = new_content();
    struct ol_bitmap have;
    struct store *store;
    struct store_file file;
    struct ol_error err;
    char path[128];
    bool clean;
    unsigned good = 0;

    snprintf(path, sizeof(path), "%s/%s", base, name);
    must(store_create(path, &store, &clean, &err) == 0);
    must(ol_bitmap_init(&have, PIECES) == 0);
    must(store_add(store, &content) == 0);
    fill(store, &have);
    if (end_clean)
        must(store_close_clean(store) == 0);
    store_free(store);
    damage(path);
    must(store_create(path, &store, &clean, &err) == 0);
    ok(clean == end_clean, "%s: known whether it ended well", name);
    found = 0;
    must(store_scan(store, note, NULL) == 0);
    if (found == 1 && store_open(store, root, SIZE, &file) == 0) {
        for (uint32_t i = 0; i < PIECES; i++)
            good += store_piece_check(&file, i) == 0;
        store_file_clear(&file);
    }
    ol_bitmap_clear(&have);
    store_free(store);
    return good;
}

static void
damage_nothing(const char *path)
{
    (void)path;
}

static void
damage_cut(const char *path)
{
    must(truncate(data_path(path), 2 * PIECE + 5) == 0);
}

static void
damage_zero(const char *path)
{
    uint8_t zeros[PIECE] = {0};
    int fd = open(data_path(path), O_WRONLY);

    must(pwrite(fd, zeros, PIECE, 4 * PIECE) == PIECE);
    close(fd);
}

static void
damage_have(const char *path)
{
    char have[256];
    int fd;

    snprintf(have, sizeof(have), "%.*shave", (int)(strlen(data_path(path)) - 4),
             data_path(path));
    fd = open(have, O_WRONLY);
    must(pwrite(fd, "x", 1, 30) == 1);
    close(fd);
}

static void
test_damage(void)
{
    is_int(after("good", true, damage_nothing), PIECES, "all pieces pass");
    ok(found_sure, "and are believed after a good end");
    is_int(after("killed", false, damage_nothing), PIECES, "all pieces pass");
    ok(!found_sure, "but are checked again after a bad one");
    is_int(after("cut", true, damage_cut), 2, "cut: what is before passes");
    ok(!found_sure, "and the cut is seen");
    is_int(after("zeroed", true, damage_zero), PIECES - 1,
           "zeroed: the others pass");
    ok(!found_sure, "and the change is seen");
    after("have", true, damage_have);
    is_int(found, 0, "a damaged bitmap: the content is given up");
}

/* Adds, fills and removes until it is killed. */
static void
work_until_killed(const char *path)
{
    struct store_new content = new_content();
    struct ol_bitmap have;
    struct store *store;
    struct ol_error err;
    bool clean;

    must(store_create(path, &store, &clean, &err) == 0);
    must(ol_bitmap_init(&have, PIECES) == 0);
    while (true) {
        store_add(store, &content);
        memset(have.bits, 0, ol_bitmap_bytes(PIECES));
        have.set = 0;
        fill(store, &have);
        store_remove(store, root);
    }
}

static void
test_kill(void)
{
    char path[128];
    int status;

    snprintf(path, sizeof(path), "%s/kills", base);
    lies = vouched = 0;
    for (unsigned i = 0; i < 40; i++) {
        pid_t pid = fork();

        must(pid >= 0);
        if (pid == 0)
            work_until_killed(path);
        usleep(1000 + i * 1777 % 30000);
        must(kill(pid, SIGKILL) == 0);
        must(waitpid(pid, &status, 0) == pid);
        must(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        compare_all(path);
    }
    ok(vouched > 0, "%u pieces were found after 40 kills", vouched);
    is_int(lies, 0, "all of them as they should be");
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

int
main(void)
{
    snprintf(base, sizeof(base), "/tmp/node_store.XXXXXX");
    must(mkdtemp(base) != NULL);
    make_content();
    test_power_loss();
    test_refusals();
    test_damage();
    test_kill();
    nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(bytes);
    free(durable);
    return tap_done();
}
