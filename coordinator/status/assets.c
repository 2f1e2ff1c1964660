/*
 * The status page's files, embedded in the program.
 *
 * Must not know what they say.
 */
#include "coordinator/status/assets.h"

#include <stdint.h>

#define ASSET(name, file)                                                      \
    __asm__(".pushsection .rodata\n" name "_begin:\n"                          \
            ".incbin \"coordinator/status/" file "\"\n" name "_end:\n"         \
            ".byte 0\n"                                                        \
            ".popsection\n")

ASSET("asset_page", "page.html");
ASSET("asset_script", "status.js");
ASSET("asset_style", "status.css");

#define HIDDEN __attribute__((visibility("hidden")))
extern const char asset_page_begin[] HIDDEN, asset_page_end[] HIDDEN;
extern const char asset_script_begin[] HIDDEN, asset_script_end[] HIDDEN;
extern const char asset_style_begin[] HIDDEN, asset_style_end[] HIDDEN;

static const struct {
    const char *begin, *end;
} assets[] = {
    [ASSET_PAGE] = {asset_page_begin, asset_page_end},
    [ASSET_SCRIPT] = {asset_script_begin, asset_script_end},
    [ASSET_STYLE] = {asset_style_begin, asset_style_end},
};

const char *
asset_text(enum asset asset, size_t *ret_len)
{
    *ret_len =
        (size_t)((uintptr_t)assets[asset].end - (uintptr_t)assets[asset].begin);
    return assets[asset].begin;
}
