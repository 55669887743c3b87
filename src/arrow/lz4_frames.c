#include "arrow/lz4_frames.h"

#include <lz4.h>

#include "arrow/xxh32.h"
#include "base/error.h"
#include "base/mem.h"

#define FRAME_MAGIC 0x184D2204u
#define SKIPPABLE_MAGIC 0x184D2A50u /* the lowest of sixteen */

enum {
  flg_independent = 0x20,
  flg_block_checksum = 0x10,
  flg_content_size = 0x08,
  flg_content_checksum = 0x04,
  flg_reserved = 0x02,
  flg_dictionary = 0x01,
  encoder_block_code = 7, /* 4 MiB */
  encoder_block_size = 4 << 20,
  smallest_output = 4096,
  /* A byte of a block can stand for at most 255 bytes of output; a token of its own adds a few. */
  largest_expansion = 255,
  expansion_slack = 64
};

struct frame_header {
  uint8_t flg;
  size_t block_max;
  uint64_t content_size; /* if flg says so */
};

/* Where the decoded bytes go: a chunk that grows, or a block of fixed size. */
struct output {
  struct chunk *chunk; /* NULL: fixed */
  uint8_t *data;
  size_t size;
  size_t capacity;
  size_t limit;
  bool unverified; /* checksums of blocks and contents are not looked at */
};

static uint32_t load32(const uint8_t *at) {
  return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint64_t load64(const uint8_t *at) {
  return (uint64_t)load32(at) | (uint64_t)load32(at + 4) << 32;
}

static void append32(struct buf *out, uint32_t value) {
  const uint8_t bytes[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16), (uint8_t)(value >> 24)};
  buf_append(out, bytes, 4);
}

static bool is_skippable(uint32_t magic) {
  return (magic & 0xFFFFFFF0u) == SKIPPABLE_MAGIC;
}

bool lz4_frames_look_like(struct slice bytes) {
  if (bytes.size < 4) return false;
  uint32_t magic = load32(bytes.data);
  return magic == FRAME_MAGIC || is_skippable(magic);
}

static dbsql_status truncated(size_t frame, dbsql_error **error) {
  return error_set(error, DBSQL_ERROR_DRIVER, NULL, "LZ4 frame %zu is truncated", frame);
}

/* Takes the header that begins at bytes[*at], of which there are 8 bytes at least, and moves `at` behind it. */
static dbsql_status read_header(struct slice bytes, size_t *at, size_t frame, struct frame_header *header, dbsql_error **error) {
  const uint8_t *start = bytes.data + *at + 4;
  size_t left = bytes.size - *at;
  header->flg = start[0];
  uint8_t bd = start[1];
  if (header->flg >> 6 != 1)
    return error_set(error, DBSQL_ERROR_DRIVER, NULL, "LZ4 frame %zu has version %d, not 1", frame, header->flg >> 6);
  size_t described = 2 + (header->flg & flg_content_size ? 8u : 0u) + (header->flg & flg_dictionary ? 4u : 0u);
  if (left < 4 + described + 1) return truncated(frame, error);
  if (start[described] != (uint8_t)(xxh32(start, described) >> 8))
    return error_set(error, DBSQL_ERROR_DRIVER, NULL, "LZ4 frame %zu: the checksum of the header is wrong", frame);
  if (header->flg & flg_dictionary)
    return error_set(error, DBSQL_ERROR_DRIVER, NULL, "LZ4 frame %zu needs a dictionary, which is not supported", frame);
  int code = bd >> 4 & 7;
  if (header->flg & flg_reserved || bd & 0x8F || code < 4)
    return error_set(error, DBSQL_ERROR_DRIVER, NULL, "LZ4 frame %zu has an unknown header (flags 0x%02X 0x%02X)", frame, header->flg, bd);
  header->block_max = (size_t)1 << (8 + 2 * code);
  header->content_size = header->flg & flg_content_size ? load64(start + 2) : 0;
  *at += 4 + described + 1;
  return DBSQL_OK;
}

/* Makes room for `more` bytes, or for as many as the limit allows; grows by half at least. */
static dbsql_status make_room(struct output *output, size_t more, dbsql_error **error) {
  size_t allowed = output->limit - output->size;
  if (more > allowed) more = allowed;
  size_t needed = output->size + more;
  if (needed <= output->capacity || !output->chunk) return DBSQL_OK;
  size_t capacity = output->capacity;
  capacity = capacity > output->limit - capacity / 2 ? output->limit : capacity + capacity / 2;
  if (capacity < needed) capacity = needed;
  output->chunk->size = output->size;
  if (!chunk_grow(output->chunk, capacity)) return error_no_memory(error);
  output->data = output->chunk->data;
  output->capacity = output->chunk->capacity;
  return DBSQL_OK;
}

/* Decodes what fits into the room that is there; a negative number if the block is bad or the room too small. */
static int decode_into_room(const struct frame_header *header, const uint8_t *source, size_t size, const struct output *output,
                            size_t frame_start, size_t room) {
  const char *from = (const char *)source;
  char *to = (char *)output->data + output->size;
  if (header->flg & flg_independent) return LZ4_decompress_safe(from, to, (int)size, (int)room);
  size_t dictionary = output->size - frame_start;
  if (dictionary > 65536) dictionary = 65536;
  return LZ4_decompress_safe_usingDict(from, to, (int)size, (int)room, to - dictionary, (int)dictionary);
}

static dbsql_status decode_block(const struct frame_header *header, const uint8_t *source, size_t size, bool stored, struct output *output,
                                 size_t frame_start, size_t frame, size_t block, dbsql_error **error) {
  size_t most = size * largest_expansion + expansion_slack;
  if (stored) most = size;
  if (most > header->block_max) most = header->block_max;
  dbsql_status status;
  if (stored) {
    if ((status = make_room(output, size, error)) != DBSQL_OK) return status;
    if (size > output->capacity - output->size)
      return error_set(error, DBSQL_ERROR_DRIVER, NULL, "LZ4 frame %zu, block %zu: decodes to more than the limit of %zu bytes", frame,
                       block, output->limit);
    memcpy(output->data + output->size, source, size);
    output->size += size;
    return DBSQL_OK;
  }
  /* The room that is there is tried first, so that a good size hint is never outgrown for the last block. */
  for (int attempt = 0; attempt < 2; attempt++) {
    if (attempt == 1 && (status = make_room(output, most, error)) != DBSQL_OK) return status;
    size_t room = output->capacity - output->size;
    if (room > most) room = most;
    if (attempt == 0 && room < size && room < most) continue;
    int decoded = decode_into_room(header, source, size, output, frame_start, room);
    if (decoded >= 0) {
      output->size += (size_t)decoded;
      return DBSQL_OK;
    }
    if (room == most) return error_set(error, DBSQL_ERROR_DRIVER, NULL, "LZ4 frame %zu, block %zu is corrupt", frame, block);
  }
  return error_set(error, DBSQL_ERROR_DRIVER, NULL, "LZ4 frame %zu, block %zu: corrupt, or decodes to more than the limit of %zu bytes",
                   frame, block, output->limit);
}

/* Decodes the frame that begins at bytes[*at] and moves `at` behind it. */
static dbsql_status decode_frame(struct slice bytes, size_t *at, size_t frame, struct output *output, dbsql_error **error) {
  struct frame_header header = {0};
  dbsql_status status = read_header(bytes, at, frame, &header, error);
  if (status != DBSQL_OK) return status;
  size_t frame_start = output->size;
  if (header.flg & flg_content_size) {
    if (header.content_size > output->limit - output->size)
      return error_set(error, DBSQL_ERROR_DRIVER, NULL, "LZ4 frame %zu decodes to more than the limit of %zu bytes", frame, output->limit);
    if (header.content_size / largest_expansion > bytes.size - *at)
      return error_set(error, DBSQL_ERROR_DRIVER, NULL, "LZ4 frame %zu claims to hold more than its bytes can", frame);
    if ((status = make_room(output, (size_t)header.content_size, error)) != DBSQL_OK) return status;
  }
  size_t checksum_size = header.flg & flg_block_checksum ? 4 : 0;
  for (size_t block = 1;; block++) {
    if (bytes.size - *at < 4) return truncated(frame, error);
    uint32_t word = load32(bytes.data + *at);
    *at += 4;
    if (word == 0) break;
    size_t size = word & 0x7FFFFFFFu;
    if (size > header.block_max)
      return error_set(error, DBSQL_ERROR_DRIVER, NULL, "LZ4 frame %zu, block %zu is larger than its frame allows", frame, block);
    if (bytes.size - *at < size + checksum_size) return truncated(frame, error);
    const uint8_t *source = bytes.data + *at;
    *at += size + checksum_size;
    if (checksum_size != 0 && !output->unverified && load32(source + size) != xxh32(source, size))
      return error_set(error, DBSQL_ERROR_DRIVER, NULL, "LZ4 frame %zu, block %zu: the checksum is wrong", frame, block);
    status = decode_block(&header, source, size, word >> 31 != 0, output, frame_start, frame, block, error);
    if (status != DBSQL_OK) return status;
  }
  size_t decoded = output->size - frame_start;
  if (header.flg & flg_content_checksum) {
    if (bytes.size - *at < 4) return truncated(frame, error);
    if (!output->unverified && load32(bytes.data + *at) != xxh32(output->data + frame_start, decoded))
      return error_set(error, DBSQL_ERROR_DRIVER, NULL, "LZ4 frame %zu: the checksum of its content is wrong", frame);
    *at += 4;
  }
  if (header.flg & flg_content_size && header.content_size != decoded)
    return error_set(error, DBSQL_ERROR_DRIVER, NULL, "LZ4 frame %zu holds %zu bytes, not the %llu of its header", frame, decoded,
                     (unsigned long long)header.content_size);
  return DBSQL_OK;
}

size_t lz4_frames_capacity(size_t size, size_t size_hint, size_t limit) {
  /* Nothing decodes to more than this, so a hint cannot make us allocate more than the bytes justify. */
  size_t most = size > (SIZE_MAX - smallest_output) / largest_expansion ? SIZE_MAX : size * largest_expansion + smallest_output;
  size_t capacity = size_hint ? size_hint : size / 2 * 5; /* the usual ratio, results.md 8.3 */
  if (capacity < smallest_output) capacity = smallest_output;
  if (capacity > most) capacity = most;
  return capacity < limit ? capacity : limit;
}

dbsql_status lz4_frames_decode_into(struct slice bytes, size_t limit, bool verify, struct chunk *chunk, dbsql_error **error) {
  dbsql_status status = DBSQL_OK;
  struct output output = {chunk, chunk->data, 0, chunk->capacity < limit ? chunk->capacity : limit, limit, !verify};
  size_t at = 0, frame = 0;
  if (bytes.size == 0) status = error_set(error, DBSQL_ERROR_DRIVER, NULL, "there is no LZ4 frame in 0 bytes");
  while (status == DBSQL_OK && at < bytes.size) {
    frame++;
    if (bytes.size - at < 8) {
      status = truncated(frame, error);
      break;
    }
    uint32_t magic = load32(bytes.data + at);
    if (magic == FRAME_MAGIC) {
      status = decode_frame(bytes, &at, frame, &output, error);
    } else if (is_skippable(magic)) {
      uint32_t size = load32(bytes.data + at + 4);
      if (size > bytes.size - at - 8)
        status = truncated(frame, error);
      else
        at += 8 + (size_t)size;
    } else {
      status = error_set(error, DBSQL_ERROR_DRIVER, NULL, "LZ4 frame %zu: the bytes at %zu begin no frame (0x%08X)", frame, at, magic);
    }
  }
  chunk->size = output.size;
  if (status != DBSQL_OK) error_set_category(error, CATEGORY_DECOMPRESSION);
  return status;
}

dbsql_status lz4_frames_decode(struct slice bytes, size_t size_hint, size_t limit, struct chunk **out, dbsql_error **error) {
  *out = NULL;
  struct chunk *chunk = chunk_new(lz4_frames_capacity(bytes.size, size_hint, limit));
  if (!chunk) return error_no_memory(error);
  dbsql_status status = lz4_frames_decode_into(bytes, limit, true, chunk, error);
  if (status == DBSQL_OK)
    *out = chunk;
  else
    chunk_unref(chunk);
  return status;
}

dbsql_status lz4_frame_decode_exact(struct slice bytes, uint8_t *out, size_t size, dbsql_error **error) {
  struct output output = {NULL, out, 0, size, size, false};
  size_t at = 0;
  if (bytes.size < 8) return truncated(1, error);
  if (load32(bytes.data) != FRAME_MAGIC) return error_set(error, DBSQL_ERROR_DRIVER, NULL, "the bytes begin no LZ4 frame");
  dbsql_status status = decode_frame(bytes, &at, 1, &output, error);
  if (status != DBSQL_OK) return status;
  if (at != bytes.size) return error_set(error, DBSQL_ERROR_DRIVER, NULL, "%zu bytes follow the LZ4 frame", bytes.size - at);
  if (output.size != size) return error_set(error, DBSQL_ERROR_DRIVER, NULL, "the LZ4 frame holds %zu bytes, not %zu", output.size, size);
  return DBSQL_OK;
}

dbsql_status lz4_frame_encode(struct slice bytes, bool checksums, struct buf *out, dbsql_error **error) {
  size_t before = out->size;
  uint8_t described[2] = {0x40 | flg_independent, encoder_block_code << 4};
  if (checksums) described[0] |= flg_block_checksum | flg_content_checksum;
  append32(out, FRAME_MAGIC);
  buf_append(out, described, 2);
  buf_append_byte(out, (uint8_t)(xxh32(described, 2) >> 8));
  for (size_t at = 0; at < bytes.size;) {
    size_t size = bytes.size - at < encoder_block_size ? bytes.size - at : encoder_block_size;
    const uint8_t *source = bytes.data + at;
    at += size;
    size_t head = out->size;
    append32(out, 0);
    /* One byte less than the source: what does not shrink is stored. */
    uint8_t *room = buf_extend(out, size);
    if (!room) break;
    int packed = size > 1 ? LZ4_compress_default((const char *)source, (char *)room, (int)size, (int)size - 1) : 0;
    uint32_t word = (uint32_t)packed;
    if (packed <= 0) {
      memcpy(room, source, size);
      packed = (int)size;
      word = (uint32_t)size | 0x80000000u;
    }
    out->size = head + 4 + (size_t)packed;
    for (int i = 0; i < 4; i++) out->data[head + (size_t)i] = (uint8_t)(word >> 8 * i);
    if (checksums) append32(out, xxh32(room, (size_t)packed));
  }
  append32(out, 0);
  if (checksums) append32(out, xxh32(bytes.data, bytes.size));
  if (!buf_failed(out)) return DBSQL_OK;
  out->size = before;
  return error_no_memory(error);
}
