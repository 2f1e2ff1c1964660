/*
 * Where a download goes: a file, or a pipe.
 *
 * A file is written sparse as FILE.part beside its place, in any order, and
 * renamed at the end; an interrupted FILE.part is used again.  A pipe (`-o -`,
 * a device) gets its bytes in order through a buffer of OUTPUT_BUFFER bytes at
 * most.  Behind both a thread follows in order, for the SHA-256 of the whole
 * and for writes that may block.
 */
#ifndef CLIENT_OUTPUT_H
#define CLIENT_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "offload/content.h"
#include "offload/error.h"

#define OUTPUT_BUFFER (64u << 20) /* four of the largest pieces */

struct output;

/*
 * path: "-" is standard output.  on_progress is called in the loop's thread
 * when the thread behind has got on or has failed.
 */
int output_open(uv_loop_t *loop, const char *path,
                void (*on_progress)(void *arg), void *arg, struct output **ret,
                struct ol_error *err);
/* Leaves FILE.part for another time, unless committed. */
void output_close(struct output *out);

/* A content whose pieces are known.  May be begun again with another one,
   while output_is_untouched(). */
int output_begin_pieces(struct output *out, uint64_t size,
                        struct ol_error *err);
/* Is this piece in FILE.part, from an earlier time? */
bool output_recall(struct output *out, const uint8_t *table, uint32_t piece);
/* Bytes of a piece under way, at their place in the whole. */
int output_put(struct output *out, uint64_t pos, const void *data, size_t len);
/* The piece is whole and right. */
void output_keep(struct output *out, uint32_t piece);
/* Pieces from here on do not fit into the buffer yet. */
uint32_t output_window(const struct output *out);
/* The thread behind has dealt with all; its SHA-256 is then this. */
bool output_is_drained(const struct output *out);
int output_sha256(struct output *out, uint8_t ret[OL_HASH_BYTES]);

/*
 * A stream of which nothing is known but its URL and its strong ETag (or "").
 * output_resume_at tells how much of it is there already; the stream begins at
 * offset 0 or there.
 */
uint64_t output_resume_at(struct output *out, const char *url, char *ret_etag,
                          size_t cap);
int output_begin_stream(struct output *out, uint64_t offset, const char *url,
                        const char *etag, struct ol_error *err);
int output_append(struct output *out, const void *data, size_t len);
/* Append no more until on_progress. */
bool output_is_full(const struct output *out);

/* 0, or what went wrong in the thread behind (-errno). */
int output_error(const struct output *out);
/* The thread behind is at work. */
bool output_is_busy(const struct output *out);
/* A thread that waits for the reader of a pipe gives up, soon. */
void output_stop(struct output *out);
/* Nothing has left through the pipe: one may still start over. */
bool output_is_untouched(const struct output *out);
bool output_is_pipe(const struct output *out);
/* All bytes are on disk under their name (or out of the pipe). */
int output_commit(struct output *out, struct ol_error *err);

#endif
