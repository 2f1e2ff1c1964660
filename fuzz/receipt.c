/*
 * The text of a receipt.  There is one spelling of each: what is taken is what
 * would be written.
 */
#include "fuzz.h"

#include "offload/encoding.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char text[OL_RECEIPT_MAX + 1], epoch[32], mac[32];
    struct ol_receipt receipt;
    struct ol_error err;
    int n;

    if (ol_receipt_parse((const char *)data, len, &receipt, &err) != 0)
        return 0;
    MUST(receipt.peer_count >= 1 && receipt.peer_count <= OL_MANIFEST_PEERS);
    ol_base64url_encode(epoch, receipt.epoch, sizeof(receipt.epoch));
    ol_base64url_encode(mac, receipt.mac, sizeof(receipt.mac));
    n = snprintf(
        text, sizeof(text), "1.%s.%u-%lu.%llu.%.*s", epoch, receipt.lane,
        (unsigned long)receipt.counter, (unsigned long long)receipt.exp,
        (int)(receipt.peer_count * OL_RECEIPT_PEER_CHARS), receipt.peers);
    MUST(n == (int)receipt.sealed_len);
    n += snprintf(text + n, sizeof(text) - (size_t)n, ".%s", mac);
    MUST(n == (int)len && memcmp(text, data, len) == 0);
    return 0;
}
