/*
 * What an operator writes: the configuration file, the nodes that may register
 * and the invitations, and where Redis is.  The first byte says which.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "coordinator/nodes/admission_list.h"
#include "coordinator/options.h"
#include "coordinator/store/redis_url.h"
#include "target.h"

static void
check_options(const uint8_t *data, size_t len)
{
    static int file = -1;
    char path[32];
    char *argv[] = {"offload-coordinator", "--config", path, NULL};
    struct options options;
    struct ol_error err;

    if (file < 0)
        file = memfd_create("config", 0);
    MUST(file >= 0 && ftruncate(file, 0) == 0);
    MUST(pwrite(file, data, len, 0) == (ssize_t)len);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    if (options_parse(3, argv, &options, &err) == 0) {
        MUST(options.workers >= 1 && options.announce_interval >= 60);
        MUST(options.listen != NULL && options.redis != NULL);
        MUST(options.holders <= options.holders_max);
        options_free(&options);
    } else {
        MUST(err.text[0] != '\0');
    }
}

static void
check_nodes(const char *text, size_t len)
{
    struct admission_list list = {0};
    struct ol_error err;

    if (admission_nodes_parse(text, len, &list, &err) == 0)
        for (size_t i = 0; i < list.node_count; i++) {
            const struct admission_node *n = &list.nodes[i];

            MUST(strlen(n->id) == OL_KEY_CHARS && n->weight >= 1);
            MUST(n->weight <= ADMISSION_WEIGHT_MAX);
            MUST(admission_node_find(&list, n->id) != NULL);
        }
    admission_list_clear(&list);
}

static void
check_tokens(const char *text, size_t len)
{
    struct admission_list list = {0};
    struct ol_error err;

    if (admission_tokens_parse(text, len, &list, &err) == 0)
        for (size_t i = 0; i < list.token_count; i++)
            MUST(list.tokens[i].uses >= 1 &&
                 list.tokens[i].uses <= ADMISSION_USES_MAX);
    admission_list_clear(&list);
}

static void
check_url(const char *text)
{
    struct redis_url url;
    struct ol_error err;

    if (redis_url_parse(text, &url, &err) != 0)
        return;
    MUST((url.path != NULL) != (url.host != NULL));
    MUST(url.host == NULL || (url.port >= 1 && url.port <= 65535));
    redis_url_clear(&url);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *text;

    if (len == 0)
        return 0;
    text = malloc(len);
    memcpy(text, data + 1, len - 1);
    text[len - 1] = '\0';
    switch (data[0]) {
    case 'c':
        check_options(data + 1, len - 1);
        break;
    case 'n':
        check_nodes(text, len - 1);
        break;
    case 't':
        check_tokens(text, len - 1);
        break;
    case 'u':
        check_url(text);
        break;
    }
    free(text);
    return 0;
}
