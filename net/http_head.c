/*
 * Whether the head of a request can be read in one way only.  What another
 * server in front might read differently ends another request than here, and
 * somebody's next one begins with what is left (RFC 9112 section 11.2).
 *
 * Must not know what is asked for.
 */
#include <string.h>
#include <strings.h>

#include "net/httpd_parts.h"

struct head {
    const char *coding, *length;
    unsigned codings, lengths, hosts;
    bool garbled;
};

static bool
name_is_good(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)name[i] <= ' ' || name[i] == 0x7f)
            return false;
    return len > 0;
}

/* libmicrohttpd ends a line at CR LF or LF, and takes all else. */
static enum MHD_Result
on_header(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_len,
          const char *value, size_t len)
{
    struct head *head = arg;

    (void)kind;
    if (!name_is_good(name, name_len) ||
        (len > 0 && (memchr(value, '\r', len) != NULL ||
                     memchr(value, '\0', len) != NULL)))
        head->garbled = true;
    else if (name_len == 17 && strcasecmp(name, "Transfer-Encoding") == 0)
        head->coding = head->codings++ == 0 ? value : "";
    else if (name_len == 14 && strcasecmp(name, "Content-Length") == 0)
        head->length = head->lengths++ == 0 ? value : "";
    else if (name_len == 4 && strcasecmp(name, "Host") == 0)
        head->hosts++;
    return MHD_YES;
}

const char *
head_judge(struct http_request *r, const char **ret_length)
{
    struct head head = {.coding = NULL};

    MHD_get_connection_values_n(r->connection, MHD_HEADER_KIND, on_header,
                                &head);
    *ret_length = head.length;
    if (head.garbled)
        return "a header's name has a blank, or its value a control character";
    if (head.lengths > 1 || head.hosts > 1)
        return "Content-Length and Host may stand there once";
    if (head.codings > 1 ||
        (head.codings == 1 &&
         (head.lengths > 0 || strcasecmp(head.coding, "chunked") != 0)))
        return "Transfer-Encoding: only \"chunked\", once and without "
               "Content-Length, is understood";
    return NULL;
}
