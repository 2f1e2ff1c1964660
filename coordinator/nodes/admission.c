/*
 * The operator's choice of nodes: his files, read at the start and whenever
 * they change, and the questions that registration and placement ask of them.
 *
 * Must not know requests or the store.
 */
#include "coordinator/nodes/admission.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "net/log.h"

/* A file as it was last looked at. */
struct watched {
    char *path; /* NULL: none */
    struct stat stat;
};

struct admission {
    const struct options *options;
    enum options_admission mode; /* as last told */
    struct watched nodes, tokens;
    struct admission_list list;
};

static int
file_read(const char *path, char **ret, size_t *ret_len, struct ol_error *err)
{
    FILE *f = fopen(path, "re");
    char *text = NULL;
    int rc = 0;

    if (f == NULL)
        return ol_error_set(err, errno, "%.150s: %s", path, strerror(errno));
    text = malloc(ADMISSION_FILE_MAX + 1);
    if (text == NULL) {
        rc = ol_error_set(err, ENOMEM, "%.150s: no memory", path);
        goto out;
    }
    *ret_len = fread(text, 1, ADMISSION_FILE_MAX + 1, f);
    if (ferror(f))
        rc = ol_error_set(err, EIO, "%.150s: cannot be read", path);
    else if (*ret_len > ADMISSION_FILE_MAX)
        rc = ol_error_set(err, EFBIG, "%.150s: more than %u bytes", path,
                          ADMISSION_FILE_MAX);
out:
    fclose(f);
    if (rc == 0)
        *ret = text;
    else
        free(text);
    return rc;
}

typedef int parse_fn(const char *text, size_t len, struct admission_list *list,
                     struct ol_error *err);

static int
file_parse(const char *path, parse_fn *parse, struct admission_list *list,
           struct ol_error *err)
{
    struct ol_error why = {""};
    char *text = NULL;
    size_t len = 0;
    int rc;

    if (path == NULL)
        return 0;
    rc = file_read(path, &text, &len, err);
    if (rc != 0)
        return rc;
    rc = parse(text, len, list, &why);
    free(text);
    if (rc == 0)
        return 0;
    if (strncmp(why.text, "line ", 5) == 0)
        return ol_error_set(err, -rc, "%.150s:%s", path, why.text + 5);
    return ol_error_set(err, -rc, "%.150s: %s", path, why.text);
}

/* Both or nothing. */
static int
lists_read(struct admission *a, struct ol_error *err)
{
    struct admission_list list = {0};
    int rc = file_parse(a->nodes.path, admission_nodes_parse, &list, err);

    if (rc == 0)
        rc = file_parse(a->tokens.path, admission_tokens_parse, &list, err);
    if (rc != 0) {
        admission_list_clear(&list);
        return rc;
    }
    admission_list_clear(&a->list);
    a->list = list;
    return 0;
}

/* Whether it is another file now, or another path. */
static bool
watched_look(struct watched *w, const char *path)
{
    struct stat now = {0};
    bool other;

    if ((w->path == NULL) != (path == NULL) ||
        (path != NULL && strcmp(w->path, path) != 0)) {
        free(w->path);
        w->path = path == NULL ? NULL : strdup(path);
    }
    if (w->path != NULL)
        (void)stat(w->path, &now);
    other = now.st_ino != w->stat.st_ino || now.st_dev != w->stat.st_dev ||
            now.st_size != w->stat.st_size ||
            now.st_mtim.tv_sec != w->stat.st_mtim.tv_sec ||
            now.st_mtim.tv_nsec != w->stat.st_mtim.tv_nsec;
    w->stat = now;
    return other;
}

bool
admission_refresh(struct admission *a)
{
    bool other = a->mode != a->options->admission;
    bool nodes = watched_look(&a->nodes, a->options->nodes_file);
    bool tokens = watched_look(&a->tokens, a->options->invitations);
    struct ol_error err = {""};

    a->mode = a->options->admission;
    if (!nodes && !tokens)
        return other;
    if (lists_read(a, &err) != 0) {
        log_error("%s; what was read before still counts", err.text);
        return other;
    }
    log_info("who may help is read again: %zu nodes, %zu invitations",
             a->list.node_count, a->list.token_count);
    return true;
}

int
admission_create(const struct options *options, struct admission **ret,
                 struct ol_error *err)
{
    struct admission *a = calloc(1, sizeof(*a));
    int rc;

    if (a == NULL)
        return ol_error_set(err, ENOMEM, "no memory");
    a->options = options;
    a->mode = options->admission;
    watched_look(&a->nodes, options->nodes_file);
    watched_look(&a->tokens, options->invitations);
    rc = lists_read(a, err);
    if (rc == 0)
        *ret = a;
    else
        admission_free(a);
    return rc;
}

void
admission_free(struct admission *a)
{
    if (a == NULL)
        return;
    admission_list_clear(&a->list);
    free(a->nodes.path);
    free(a->tokens.path);
    free(a);
}

/* Questions. */

const struct admission_node *
admission_listed(const struct admission *a, const char *id)
{
    return admission_node_find(&a->list, id);
}

bool
admission_admits(const struct admission *a, const char *id, bool invited)
{
    return a->mode == ADMISSION_OPEN || admission_listed(a, id) != NULL ||
           (a->mode == ADMISSION_INVITE && invited);
}

const struct admission_token *
admission_invitation(const struct admission *a, const char *token,
                     int64_t now_s)
{
    return a->mode == ADMISSION_INVITE && *token != '\0'
               ? admission_token_find(&a->list, token, now_s)
               : NULL;
}

const char *
admission_refusal(const struct admission *a, const char *token)
{
    if (a->mode == ADMISSION_LIST)
        return "this coordinator takes only nodes that are on its operator's "
               "list: ask for this node's id to be added";
    if (*token == '\0')
        return "this coordinator takes nodes that are invited: ask its "
               "operator for an invitation";
    return "the invitation is unknown or has expired: ask for another one";
}
