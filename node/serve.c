/*
 * The node's HTTP routes (serve.h).
 *
 * Owns: paths and methods.  Must not know how bytes of contents are found.
 */
#include "node/serve.h"

#include <stdlib.h>
#include <string.h>

#include "node/delivery.h"
#include "node/head.h"
#include "node/links.h"
#include "node/node.h"
#include "offload/encoding.h"

#define NONCE_BYTES 16

static void
serve_health(struct http_request *request)
{
    static const char *const headers[] = {"Content-Type: application/json",
                                          HEAD_NO_STORE, NULL};
    static const char body[] = "{\"status\":\"ok\"}\n";

    http_reply(request, 200, headers, body, sizeof(body) - 1);
}

/* Copies the value of one query member, which must be n bytes of base64url. */
static bool
query_bytes(const char *query, const char *name, size_t n,
            char ret[OL_KEY_CHARS + 1])
{
    size_t name_len = strlen(name), len = OL_BASE64URL_LEN(n);
    uint8_t bytes[OL_KEY_BYTES];

    while (query != NULL &&
           (strncmp(query, name, name_len) != 0 || query[name_len] != '=')) {
        query = strchr(query, '&');
        query = query == NULL ? NULL : query + 1;
    }
    if (query == NULL)
        return false;
    query += name_len + 1;
    if (strcspn(query, "&") != len ||
        ol_base64url_decode_exact(bytes, n, query, len) != 0)
        return false;
    memcpy(ret, query, len);
    ret[len] = '\0';
    return true;
}

static void
serve_callback(struct node *node, struct http_request *request)
{
    static const char *const headers[] = {"Content-Type: application/jwt",
                                          HEAD_NO_STORE, NULL};
    const char *query = http_query(request);
    char nonce[OL_KEY_CHARS + 1], aud[OL_KEY_CHARS + 1], *token;
    size_t len;

    if (!query_bytes(query, "nonce", NONCE_BYTES, nonce) ||
        !query_bytes(query, "aud", OL_KEY_BYTES, aud)) {
        http_reply_error(request, 400,
                         "wanted: nonce=<22 characters of base64url>&aud=<id "
                         "of the coordinator>");
        return;
    }
    token = links_callback(node->links, nonce, aud, &len);
    if (token == NULL) {
        http_reply_error(request, 403, "%s is not a coordinator of this node",
                         aud);
        return;
    }
    http_reply(request, 200, headers, token, len);
    free(token);
}

/* "/c/<root>", "/c/<root>/<name>", "/c/<root>/pieces" */
static void
serve_content(struct node *node, struct http_request *request)
{
    const char *path = http_path(request) + 3, *name = path + OL_ROOT_HEX;
    uint8_t root[OL_HASH_BYTES];
    struct content *content;

    if (strlen(path) < OL_ROOT_HEX ||
        ol_hex_decode(root, sizeof(root), path, OL_ROOT_HEX) != 0 ||
        (*name != '\0' && (name[0] != '/' || strchr(name + 1, '/') != NULL))) {
        http_reply_error(request, 404,
                         "wanted: /c/<64 lower-case hex digits>[/<name>]");
        return;
    }
    content = contents_find(node->contents, root);
    if (content == NULL)
        http_reply_error(request, 404, "this node does not hold this content");
    else if (strcmp(name, "/pieces") == 0)
        delivery_table(node, request, content);
    else
        delivery_start(node, request, content);
}

/* Browsers ask before a cross-origin request with unusual headers. */
static void
serve_options(struct http_request *request)
{
    static const char *const headers[] = {
        HEAD_CORS, "Access-Control-Allow-Methods: GET, HEAD",
        "Access-Control-Allow-Headers: Range, If-Range, If-None-Match, "
        "If-Match",
        "Access-Control-Max-Age: 86400", NULL};

    http_reply(request, 204, headers, NULL, 0);
}

static void
serve_not_allowed(struct http_request *request)
{
    static const char *const headers[] = {
        "Allow: GET, HEAD, OPTIONS", "Content-Type: application/json", NULL};
    static const char body[] = "{\"error\":\"only GET and HEAD\"}";

    http_reply(request, 405, headers, body, sizeof(body) - 1);
}

void
serve_request(struct http_request *request, void *arg)
{
    struct node *node = arg;
    const char *path = http_path(request), *method = http_method(request);

    if (strcmp(method, "OPTIONS") == 0)
        serve_options(request);
    else if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        serve_not_allowed(request);
    else if (strncmp(path, "/c/", 3) == 0)
        serve_content(node, request);
    else if (strcmp(path, "/.well-known/offload-node") == 0)
        serve_callback(node, request);
    else if (strcmp(path, "/healthz") == 0)
        serve_health(request);
    else
        http_reply_error(request, 404, "no such path on an Offload node");
}
