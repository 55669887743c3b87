/* LZ4 frames against liblz4's own frame functions, and everything that can be wrong with one. */
#include "test.h"

#include <lz4frame.h>
#include <stdlib.h>

#include "arrow/lz4_frames.h"
#include "arrow/xxh32.h"
#include "base/error.h"
#include "base/mem.h"

/* Bytes that shrink, but not to nothing. */
static void fill(uint8_t *bytes, size_t size) {
  uint32_t random = 1;
  for (size_t i = 0; i < size; i++) {
    random = random * 1664525u + 1013904223u;
    bytes[i] = i % 16 < 9 ? (uint8_t)(random >> 28) : (uint8_t)(i >> 4);
  }
}

static void fill_random(uint8_t *bytes, size_t size) {
  uint32_t random = 7;
  for (size_t i = 0; i < size; i++) bytes[i] = (uint8_t)((random = random * 1664525u + 1013904223u) >> 24);
}

static void append_frame(struct buf *out, const uint8_t *bytes, size_t size, LZ4F_blockSizeID_t block, bool linked, bool block_checksum,
                         bool content_checksum, bool content_size) {
  LZ4F_preferences_t how = LZ4F_INIT_PREFERENCES;
  how.frameInfo.blockSizeID = block;
  how.frameInfo.blockMode = linked ? LZ4F_blockLinked : LZ4F_blockIndependent;
  how.frameInfo.blockChecksumFlag = block_checksum ? LZ4F_blockChecksumEnabled : LZ4F_noBlockChecksum;
  how.frameInfo.contentChecksumFlag = content_checksum ? LZ4F_contentChecksumEnabled : LZ4F_noContentChecksum;
  how.frameInfo.contentSize = content_size ? size : 0;
  size_t room = LZ4F_compressFrameBound(size, &how);
  assert_true(buf_reserve(out, room));
  size_t made = LZ4F_compressFrame(out->data + out->size, room, bytes, size, &how);
  assert_false(LZ4F_isError(made));
  out->size += made;
}

static void assert_decodes(struct slice bytes, size_t hint, const uint8_t *expected, size_t size) {
  struct chunk *chunk;
  dbsql_error *error = NULL;
  if (lz4_frames_decode(bytes, hint, size, &chunk, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
  assert_int_equal(chunk->size, size);
  if (size) assert_memory_equal(chunk->data, expected, size);
  chunk_unref(chunk);
}

static void assert_fails(struct slice bytes, size_t limit, const char *text) {
  struct chunk *chunk;
  dbsql_error *error = NULL;
  assert_int_equal(lz4_frames_decode(bytes, 0, limit, &chunk, &error), DBSQL_ERROR_DRIVER);
  assert_null(chunk);
  if (!strstr(dbsql_error_message(error), text)) fail_msg("\"%s\" is not in \"%s\"", text, dbsql_error_message(error));
  error_clear(&error);
}

static void every_form_of_frame_is_read(void **state) {
  (void)state;
  static const size_t sizes[] = {0, 1, 100, 65535, 65536, 65537, 300000, 5000000};
  static const LZ4F_blockSizeID_t blocks[] = {LZ4F_max64KB, LZ4F_max256KB, LZ4F_max1MB, LZ4F_max4MB};
  uint8_t *bytes = malloc(5000000);
  for (int random = 0; random < 2; random++) {
    if (random)
      fill_random(bytes, 5000000);
    else
      fill(bytes, 5000000);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
      for (int form = 0; form < 64; form++) {
        if (sizes[s] > 100000 && form % 7 != 0) continue; /* enough of the large ones */
        struct buf out = BUF_INIT;
        append_frame(&out, bytes, sizes[s], blocks[form & 3], form & 4, form & 8, form & 16, form & 32);
        size_t hints[] = {0, sizes[s], sizes[s] / 2, sizes[s] * 2};
        assert_decodes(buf_slice(&out), hints[form & 3], bytes, sizes[s]);
        if (sizes[s] > 0) assert_fails(buf_slice(&out), sizes[s] - 1, "limit");
        buf_free(&out);
      }
    }
  }
  free(bytes);
}

static void frames_follow_each_other(void **state) {
  (void)state;
  uint8_t bytes[3000];
  struct buf out = BUF_INIT;
  static const uint8_t skippable[] = {0x5A, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 'a', 'b', 'c'};
  fill(bytes, sizeof bytes);
  buf_append(&out, skippable, sizeof skippable);
  for (size_t at = 0; at < sizeof bytes; at += 500) {
    append_frame(&out, bytes + at, 500, LZ4F_max64KB, at % 1000 != 0, true, true, false);
    append_frame(&out, bytes, 0, LZ4F_max64KB, false, false, false, false);
    buf_append(&out, skippable, sizeof skippable);
  }
  assert_true(lz4_frames_look_like(buf_slice(&out)));
  for (size_t size = 0; size < 4; size++) {
    uint8_t *few = malloc(size ? size : 1);
    memcpy(few, out.data, size);
    assert_false(lz4_frames_look_like(slice_of(few, size)));
    free(few);
  }
  assert_false(lz4_frames_look_like(slice_of("\xFF\xFF\xFF\xFF", 4)));
  assert_decodes(buf_slice(&out), 0, bytes, sizeof bytes);
  assert_decodes(buf_slice(&out), 10, bytes, sizeof bytes);
  /* A linked frame must not see the bytes of the frame before it: liblz4 would not let it, and neither do we. */
  size_t whole = out.size;
  for (size_t extra = 1; extra < 12; extra++) {
    buf_append_byte(&out, 0);
    assert_fails(buf_slice(&out), 1 << 20, extra < 8 ? "truncated" : "begin no frame");
  }
  out.size = whole;
  buf_append(&out, skippable, sizeof skippable - 1);
  assert_fails(buf_slice(&out), 1 << 20, "is truncated");
  out.size = whole;
  buf_append_text(&out, "no frame at all");
  assert_fails(buf_slice(&out), 1 << 20, "begin no frame");
  assert_fails(slice_of(NULL, 0), 100, "no LZ4 frame");
  buf_free(&out);
}

/* Any byte cut off and any bit turned is noticed. */
static void damage_is_noticed(void **state) {
  (void)state;
  uint8_t bytes[1500];
  struct chunk *chunk;
  struct buf out = BUF_INIT;
  fill(bytes, sizeof bytes);
  append_frame(&out, bytes, sizeof bytes, LZ4F_max64KB, false, true, true, true);
  for (size_t size = 0; size < out.size; size++) {
    uint8_t *exact = malloc(size ? size : 1); /* so that a read behind the end is seen */
    memcpy(exact, out.data, size);
    assert_int_equal(lz4_frames_decode(slice_of(exact, size), 0, 1 << 20, &chunk, NULL), DBSQL_ERROR_DRIVER);
    free(exact);
  }
  for (size_t at = 0; at < out.size; at++) {
    for (int bit = 0; bit < 8; bit++) {
      out.data[at] ^= (uint8_t)(1 << bit);
      /* A damaged magic number may be that of a frame to skip, which then ends elsewhere. */
      assert_int_equal(lz4_frames_decode(buf_slice(&out), 0, 1 << 20, &chunk, NULL), DBSQL_ERROR_DRIVER);
      out.data[at] ^= (uint8_t)(1 << bit);
    }
  }
  assert_decodes(buf_slice(&out), 0, bytes, sizeof bytes);
  buf_free(&out);
}

static void finish_header(uint8_t *frame, size_t described) {
  frame[4 + described] = (uint8_t)(xxh32(frame + 4, described) >> 8);
}

static void headers_are_checked(void **state) {
  (void)state;
  uint8_t frame[] = {0x04, 0x22, 0x4D, 0x18, 0x60, 0x40, 0, 1, 0, 0, 0x80, 'x', 0, 0, 0, 0};
  const struct slice all = slice_of(frame, sizeof frame);
  finish_header(frame, 2);
  assert_decodes(all, 0, (const uint8_t *)"x", 1);
  static const struct {
    uint8_t flg, bd;
    const char *text;
  } cases[] = {{0xA0, 0x40, "version"},
               {0x62, 0x40, "unknown header"},
               {0x60, 0x30, "unknown header"},
               {0x60, 0xC0, "unknown header"},
               {0x60, 0x41, "unknown header"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    frame[4] = cases[i].flg;
    frame[5] = cases[i].bd;
    finish_header(frame, 2);
    assert_fails(all, 100, cases[i].text);
  }
  frame[4] = 0x60;
  frame[5] = 0x40;
  finish_header(frame, 2);
  frame[6] ^= 1;
  assert_fails(all, 100, "checksum of the header");
  frame[6] ^= 1;
  frame[10] = 0; /* a packed block whose only byte asks for seven literals */
  assert_fails(all, 100000, "block 1 is corrupt");
  frame[10] = 0x80;
  frame[9] = 1; /* a block of 65537 bytes */
  assert_fails(all, 100, "larger than its frame allows");
  /* A dictionary id, and a size that the bytes cannot have. */
  uint8_t dictionary[] = {0x04, 0x22, 0x4D, 0x18, 0x61, 0x40, 1, 2, 3, 4, 0, 0, 0, 0, 0};
  finish_header(dictionary, 6);
  assert_fails(slice_of(dictionary, sizeof dictionary), 100, "dictionary");
  uint8_t sized[] = {0x04, 0x22, 0x4D, 0x18, 0x68, 0x40, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0};
  finish_header(sized, 10);
  assert_fails(slice_of(sized, sizeof sized), SIZE_MAX / 2, "claims to hold more");
  assert_fails(slice_of(sized, sizeof sized), 100, "limit");
  sized[10] = 0;
  sized[6] = 5;
  finish_header(sized, 10);
  assert_fails(slice_of(sized, sizeof sized), 100, "not the 5");
}

/* Little memory for little input, whatever the hint and the block size say. */
static void memory_follows_the_input(void **state) {
  (void)state;
  struct buf out = BUF_INIT;
  struct chunk *chunk;
  append_frame(&out, (const uint8_t *)"small", 5, LZ4F_max4MB, true, false, false, false);
  assert_int_equal(lz4_frames_decode(buf_slice(&out), SIZE_MAX / 4, SIZE_MAX / 2, &chunk, NULL), DBSQL_OK);
  assert_true(chunk->capacity < 20000);
  chunk_unref(chunk);
  assert_int_equal(lz4_frames_decode(buf_slice(&out), 0, 5, &chunk, NULL), DBSQL_OK);
  assert_int_equal(chunk->capacity, 5);
  chunk_unref(chunk);
  buf_free(&out);
}

static void both_writers_are_imitated(void **state) {
  (void)state;
  static const size_t sizes[] = {0, 1, 13, 5000, 4 << 20, (4 << 20) + 1, 9000000};
  uint8_t *bytes = malloc(9000000), *back = malloc(9000001);
  for (int random = 0; random < 2; random++) {
    if (random)
      fill_random(bytes, 9000000);
    else
      fill(bytes, 9000000);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
      for (int checksums = 0; checksums < 2; checksums++) {
        struct buf out = BUF_INIT;
        buf_append_byte(&out, 'x'); /* it appends */
        assert_int_equal(lz4_frame_encode(slice_of(bytes, sizes[s]), checksums, &out, NULL), DBSQL_OK);
        struct slice frame = slice_of(out.data + 1, out.size - 1);
        assert_int_equal(frame.data[4], checksums ? 0x74 : 0x60); /* results.md 1.7 */
        assert_int_equal(frame.data[5], 0x70);
        assert_decodes(frame, 0, bytes, sizes[s]);
        LZ4F_dctx *context;
        size_t room = 9000001, left = frame.size, hint;
        assert_false(LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)));
        hint = LZ4F_decompress(context, back, &room, frame.data, &left, NULL);
        if (LZ4F_isError(hint)) fail_msg("%s", LZ4F_getErrorName(hint));
        assert_int_equal(hint, 0);
        assert_int_equal(left, frame.size);
        assert_int_equal(room, sizes[s]);
        assert_true(sizes[s] == 0 || memcmp(back, bytes, room) == 0);
        LZ4F_freeDecompressionContext(context);
        if (random) assert_true(frame.size < sizes[s] + 64); /* what does not shrink is stored */
        buf_free(&out);
      }
    }
  }
  free(bytes);
  free(back);
}

static void exact_wants_one_frame_of_that_size(void **state) {
  (void)state;
  uint8_t bytes[100], back[101];
  struct buf out = BUF_INIT;
  dbsql_error *error = NULL;
  fill(bytes, sizeof bytes);
  append_frame(&out, bytes, sizeof bytes, LZ4F_max64KB, false, true, true, false);
  assert_int_equal(lz4_frame_decode_exact(buf_slice(&out), back, 100, &error), DBSQL_OK);
  assert_memory_equal(bytes, back, 100);
  assert_int_equal(lz4_frame_decode_exact(buf_slice(&out), back, 99, &error), DBSQL_ERROR_DRIVER);
  error_clear(&error);
  assert_int_equal(lz4_frame_decode_exact(buf_slice(&out), back, 101, &error), DBSQL_ERROR_DRIVER);
  error_clear(&error);
  buf_append_byte(&out, 0);
  assert_int_equal(lz4_frame_decode_exact(buf_slice(&out), back, 100, &error), DBSQL_ERROR_DRIVER);
  error_clear(&error);
  out.data[0] = 0x50;
  assert_int_equal(lz4_frame_decode_exact(buf_slice(&out), back, 100, &error), DBSQL_ERROR_DRIVER);
  assert_string_equal(dbsql_error_message(error), "the bytes begin no LZ4 frame");
  error_clear(&error);
  uint8_t *few = malloc(3);
  memcpy(few, "\x04\x22\x4D", 3);
  assert_int_equal(lz4_frame_decode_exact(slice_of(few, 3), back, 100, &error), DBSQL_ERROR_DRIVER);
  error_clear(&error);
  free(few);
  buf_free(&out);
}

static void memory_may_run_out_anywhere(void **state) {
  (void)state;
  uint8_t *bytes = malloc(300000);
  struct buf frame = BUF_INIT;
  fill(bytes, 300000);
  append_frame(&frame, bytes, 300000, LZ4F_max64KB, true, false, true, false);
  int64_t live = mem_test_live_blocks();
  uint64_t n = 0;
  bool failed;
  do {
    struct chunk *chunk = NULL;
    struct buf out = BUF_INIT;
    dbsql_error *error = NULL;
    mem_test_fail_at(++n);
    dbsql_status status = lz4_frames_decode(buf_slice(&frame), 1, SIZE_MAX / 2, &chunk, &error);
    if (status == DBSQL_OK) status = lz4_frame_encode(slice_of(chunk->data, chunk->size), true, &out, &error);
    failed = mem_test_failed();
    mem_test_fail_at(0);
    assert_int_equal(status, failed ? DBSQL_ERROR_NO_MEMORY : DBSQL_OK);
    chunk_unref(chunk);
    buf_free(&out);
    error_clear(&error);
    assert_int_equal(mem_test_live_blocks(), live);
  } while (failed);
  assert_true(n > 5);
  buf_free(&frame);
  free(bytes);
}

static void a_chunk_of_the_callers_is_filled(void **state) {
  (void)state;
  enum { size = 300000 };
  static uint8_t bytes[size];
  fill(bytes, size);
  struct buf frames = BUF_INIT;
  append_frame(&frames, bytes, size, LZ4F_max64KB, false, true, true, false);
  frames.data[frames.size - 1] ^= 1; /* the checksum of the content */
  dbsql_error *error = NULL;
  for (size_t capacity = 1; capacity <= 2 * size; capacity += size - 1) {
    struct chunk *chunk = chunk_new(capacity);
    if (lz4_frames_decode_into(buf_slice(&frames), size, false, chunk, &error) != DBSQL_OK) fail_msg("%s", dbsql_error_message(error));
    assert_int_equal(chunk->size, size);
    assert_memory_equal(chunk->data, bytes, size);
    chunk_unref(chunk);
  }
  struct chunk *chunk = chunk_new(2 * size);
  assert_int_equal(lz4_frames_decode_into(buf_slice(&frames), size, true, chunk, &error), DBSQL_ERROR_DRIVER);
  assert_non_null(strstr(dbsql_error_message(error), "the checksum of its content is wrong"));
  dbsql_error_free(error);
  error = NULL;
  chunk->size = 0;
  assert_int_equal(lz4_frames_decode_into(buf_slice(&frames), size - 1, false, chunk, &error), DBSQL_ERROR_DRIVER);
  assert_non_null(strstr(dbsql_error_message(error), "limit"));
  dbsql_error_free(error);
  chunk_unref(chunk);
  buf_free(&frames);
  assert_int_equal(lz4_frames_capacity(1000000, 0, SIZE_MAX), 2500000);
  assert_int_equal(lz4_frames_capacity(1000000, 3000000, SIZE_MAX), 3000000);
  assert_int_equal(lz4_frames_capacity(1000000, 3000000, 2000000), 2000000);
  assert_true(lz4_frames_capacity(100, SIZE_MAX, SIZE_MAX) < 40000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_form_of_frame_is_read),
      cmocka_unit_test(frames_follow_each_other),
      cmocka_unit_test(damage_is_noticed),
      cmocka_unit_test(headers_are_checked),
      cmocka_unit_test(memory_follows_the_input),
      cmocka_unit_test(both_writers_are_imitated),
      cmocka_unit_test(exact_wants_one_frame_of_that_size),
      cmocka_unit_test(a_chunk_of_the_callers_is_filled),
      cmocka_unit_test(memory_may_run_out_anywhere),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
