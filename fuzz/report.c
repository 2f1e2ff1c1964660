/*
 * The body of POST report.  What is taken keeps its promises, and is taken
 * again when it is written down anew.
 */
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct ol_report report, again;
    struct ol_error err;
    uint64_t sum = 0;
    char *text;

    if (ol_report_parse((const char *)data, len, &report, &err) != 0) {
        MUST(memchr(err.text, '\0', sizeof(err.text)) != NULL);
        return 0;
    }
    MUST(report.peer_count >= 1 && report.peer_count <= OL_MANIFEST_PEERS);
    for (size_t i = 0; i < report.peer_count; i++) {
        MUST(strlen(report.peers[i].id) == OL_KEY_CHARS);
        sum += report.peers[i].bytes;
    }
    MUST(sum == report.bytes);

    text = json_dumps(report.json, JSON_COMPACT);
    if (strlen(text) <= OL_REPORT_MAX) {
        MUST(ol_report_parse(text, strlen(text), &again, NULL) == 0);
        MUST(again.bytes == report.bytes &&
             ol_report_peers_ok(&again) == ol_report_peers_ok(&report));
        ol_report_clear(&again);
    }
    free(text);
    ol_report_clear(&report);
    return 0;
}
