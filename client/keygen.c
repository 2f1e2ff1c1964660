/*
 * `offload keygen`: a new Ed25519 key in a file of mode 0600, and what others
 * need to know of it on standard output.
 *
 * Owns the command's options and words.  Knows no network.
 */
#include "client/keygen.h"

#include <getopt.h>
#include <stdio.h>

#include "offload/key.h"

#define DEFAULT_FILE "offload.pem"

static const char usage[] =
    "usage: offload keygen [-o FILE]\n"
    "\n"
    "Makes an Ed25519 key and writes it to FILE (default: " DEFAULT_FILE "),\n"
    "mode 0600, never over an existing file.  Prints the public key (as\n"
    "configuration names it), the key's id and the file.\n";

static enum outcome
keygen_run(const char *path)
{
    struct ol_key *key = NULL;
    struct ol_error err;

    if (ol_key_generate(&key) != 0) {
        fprintf(stderr, "offload keygen: OpenSSL cannot make a key\n");
        return OUTCOME_FAILED;
    }
    if (ol_key_save(key, path, &err) != 0) {
        fprintf(stderr, "offload keygen: %s\n", err.text);
        ol_key_free(key);
        return OUTCOME_FAILED;
    }
    printf("public key: %s\nid:         %s\nfile:       %s\n", ol_key_x(key),
           ol_key_id(key), path);
    ol_key_free(key);
    return OUTCOME_OK;
}

enum outcome
keygen_main(int argc, char **argv)
{
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0}};
    const char *path = DEFAULT_FILE;
    int c;

    while ((c = getopt_long(argc, argv, "o:h", options, NULL)) != -1) {
        switch (c) {
        case 'o':
            path = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            return OUTCOME_OK;
        default:
            fputs(usage, stderr);
            return OUTCOME_USAGE;
        }
    }
    if (optind != argc) {
        fputs(usage, stderr);
        return OUTCOME_USAGE;
    }
    return keygen_run(path);
}
