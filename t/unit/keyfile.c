/*
 * Key files: everything that is refused at a program's start, each with a text
 * that names the file and the cause; and that saving never overwrites.
 */
#include "../../lib/keyfile.c"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>

#include "tap.h"

static char dir[] = "/tmp/offload-keyfile-XXXXXX";

static const char *
path_of(const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static void
file_write(const char *name, const char *data, size_t len, mode_t mode)
{
    FILE *f = fopen(path_of(name), "wb");

    must(f != NULL && fwrite(data, 1, len, f) == len && fclose(f) == 0);
    must(chmod(path_of(name), mode) == 0);
}

static void
refuses(const char *name, int code, const char *why)
{
    struct ol_error err = {""};
    struct ol_key *key = NULL;

    is_int(ol_key_load(path_of(name), &key, &err), -code, "refused: %s", name);
    has_str(err.text, path_of(name), "the text names the file");
    has_str(err.text, why, "and the cause");
    ok(key == NULL, "nothing written");
}

static void
test_save_and_load(void)
{
    struct ol_error err = {""};
    struct ol_key *key, *again, *public_key;
    struct stat st;

    must(ol_key_generate(&key) == 0);
    umask(0277); /* a hostile one: the owner could not even write */
    is_int(ol_key_save(key, path_of("good"), &err), 0, "saved %s", err.text);
    umask(022);
    must(stat(path_of("good"), &st) == 0);
    is_int(st.st_mode & 07777, 0600, "for the owner alone");
    is_int(ol_key_load(path_of("good"), &again, &err), 0, "loaded");
    is_str(ol_key_id(again), ol_key_id(key), "it is the same");
    ok(ol_key_is_private(again), "and private");
    ol_key_free(again);

    must(ol_key_generate(&again) == 0);
    is_int(ol_key_save(again, path_of("good"), &err), -EEXIST, "not again");
    has_str(err.text, "good: File exists", "which it says");
    ol_key_free(again);
    must(ol_key_load(path_of("good"), &again, &err) == 0);
    is_str(ol_key_id(again), ol_key_id(key), "the old one is still there");
    ol_key_free(again);

    is_int(ol_key_save(key, path_of("none/x"), &err), -ENOENT, "no folder");
    must(ol_key_from_x(ol_key_x(key), OL_KEY_CHARS, &public_key, NULL) == 0);
    is_int(ol_key_save(public_key, path_of("public"), &err), -EINVAL,
           "a public key has no file");
    is_int(access(path_of("public"), F_OK), -1, "and left none");
    must(symlink("/nowhere/at/all", path_of("dangling")) == 0);
    is_int(ol_key_save(key, path_of("dangling"), &err), -EEXIST,
           "a dangling link is not followed");
    ol_key_free(public_key);
    ol_key_free(key);
}

static void
test_permissions(void)
{
    static const mode_t modes[] = {0644, 0640, 0620, 0604, 0602, 0666};
    struct ol_key *key = NULL;

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        must(chmod(path_of("good"), modes[i]) == 0);
        refuses("good", EACCES, "chmod 600");
    }
    must(chmod(path_of("good"), 0400) == 0);
    is_int(ol_key_load(path_of("good"), &key, NULL), 0, "0400 is as good");
    ol_key_free(key);
}

static void
test_other_files(void)
{
    static char big[OL_KEYFILE_MAX + 1];
    EVP_PKEY *rsa = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    FILE *f;

    refuses("missing", ENOENT, "No such file");
    must(mkdir(path_of("folder"), 0700) == 0);
    refuses("folder", EINVAL, "not a regular file");
    must(mkfifo(path_of("fifo"), 0600) == 0);
    refuses("fifo", EINVAL, "not a regular file");
    memset(big, 'x', sizeof(big));
    file_write("big", big, sizeof(big), 0600);
    refuses("big", EFBIG, "larger than 16384 bytes");
    file_write("garbage", big, 1000, 0600);
    refuses("garbage", EBADMSG, "no private key");
    file_write("empty", "", 0, 0600);
    refuses("empty", EBADMSG, "no private key");
    must(symlink("loop", path_of("loop")) == 0);
    refuses("loop", ELOOP, "symbolic links");

    f = fopen(path_of("rsa"), "wb");
    must(f != NULL && rsa != NULL);
    must(PEM_write_PKCS8PrivateKey(f, rsa, NULL, NULL, 0, NULL, NULL) == 1);
    must(fclose(f) == 0 && chmod(path_of("rsa"), 0600) == 0);
    refuses("rsa", EBADMSG, "type RSA");
    f = fopen(path_of("pub"), "wb");
    must(f != NULL && PEM_write_PUBKEY(f, rsa) == 1 && fclose(f) == 0);
    must(chmod(path_of("pub"), 0600) == 0);
    refuses("pub", EBADMSG, "PUBLIC KEY");
    EVP_PKEY_free(rsa);
}

/* Root may read everything, so as somebody else. */
static void
test_unreadable(void)
{
    struct ol_error err = {""};
    struct ol_key *key = NULL;

    must(chmod(path_of("good"), 0000) == 0);
    if (geteuid() == 0)
        must(chmod(dir, 0755) == 0 && seteuid(65534) == 0);
    is_int(ol_key_load(path_of("good"), &key, &err), -EACCES, "unreadable");
    has_str(err.text, "good: Permission denied", "and says so");
    if (getuid() == 0)
        must(seteuid(0) == 0);
}

int
main(void)
{
    static const char *const names[] = {"good", "dangling", "folder", "fifo",
                                        "big",  "garbage",  "empty",  "loop",
                                        "rsa",  "pub"};

    must(mkdtemp(dir) != NULL);
    test_save_and_load();
    test_permissions();
    test_other_files();
    test_unreadable();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        remove(path_of(names[i]));
    is_int(rmdir(dir), 0, "nothing else was left behind");
    return tap_done();
}
