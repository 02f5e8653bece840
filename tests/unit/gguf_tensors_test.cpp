// The GGUF reader: every rule of tensor names, shapes, offsets and types broken once.
#include <doctest/doctest.h>

#include <limits>

#include "gguf_builder.h"
#include "gguf_check.h"
#include "sterna/gguf.h"

TEST_SUITE_BEGIN("unit");

using namespace sterna;
using namespace sterna::testing;

TEST_CASE("gguf: tensor names") {
  for (const size_t n : {size_t{64}, size_t{65}, size_t{1000}}) {
    check_fails(with_tensor({std::string(n, 'n'), {1}, 0, zeros(4), {}, {}, {}}), Code::kCorrupt,
                {"tensor 0", "name length", std::to_string(n), "at most 63"});
  }
  for (const uint64_t n : kExtremes) {
    if (n == 1) continue;
    check_fails(with_tensor({"t", {1}, 0, zeros(4), {}, {}, n}), Code::kCorrupt,
                {"tensor 0", "name length", "got " + std::to_string(n)});
  }
  check_fails(with_tensor({std::string("a\0b", 3), {1}, 0, zeros(4), {}, {}, {}}), Code::kCorrupt,
              {"'a\\x00b'", "NUL"});
  GgufBuilder b;
  for (const char* name : {"a", "b", "a"}) b.tensor(name, {1}, 0, zeros(4));
  check_fails(b, Code::kCorrupt, {"'a'", "used before"});
}

TEST_CASE("gguf: tensor shapes") {
  for (const uint64_t n : kExtremes) {
    CAPTURE(n);
    const TensorSpec dims = {"t", {1}, 0, zeros(4), {}, uint32_t(n), {}};
    if (uint32_t(n) > 4) {
      check_fails(with_tensor(dims), Code::kCorrupt,
                  {"'t'", "number of dimensions", std::to_string(uint32_t(n)), "at most 4"});
    }
    for (int d = 0; d < 4; ++d) {
      std::vector<int64_t> shape(4, 1);
      shape[d] = int64_t(n);
      const TensorSpec spec = {"t", shape, 0, zeros(4), {}, {}, {}};
      if (int64_t(n) <= 0) {
        check_fails(with_tensor(spec), Code::kCorrupt,
                    {"'t'", "dimension", std::to_string(int64_t(n)), "at least 1"});
      } else if (n > 1) {
        check_fails(with_tensor(spec), Code::kCorrupt, {"'t'", "size at byte"});
      }
    }
  }
  check_fails(with_tensor({"t", {1, 1, 1, 1, 1}, 0, zeros(4), {}, {}, {}}), Code::kCorrupt,
              {"'t'", "got 5", "at most 4"});

  SUBCASE("products that overflow, also back into range") {
    constexpr int64_t kHalf = 1ll << 32, kMax = std::numeric_limits<int64_t>::max();
    for (const std::vector<int64_t>& shape : std::vector<std::vector<int64_t>>{{kHalf, kHalf},
                                                                               {kHalf, kHalf, kHalf, kHalf},
                                                                               {1, kHalf, kHalf, 1},
                                                                               {kMax, 2},
                                                                               {kMax, kMax},
                                                                               {1ll << 62, 2},
                                                                               {3, 6148914691236517206}}) {
      check_fails(with_tensor({"t", shape, 0, zeros(64), {}, {}, {}}), Code::kCorrupt,
                  {"'t'", "number of elements", "overflow"});
    }
    check_fails(with_tensor({"t", {kHalf, kHalf, 0, 1}, 0, zeros(64), {}, {}, {}}), Code::kCorrupt,
                {"'t'", "overflow"});
    check_fails(with_tensor({"t", {0, kHalf, kHalf, 1}, 0, zeros(64), {}, {}, {}}), Code::kCorrupt,
                {"'t'", "at least 1"});
  }
  SUBCASE("sizes in bytes that overflow") {
    constexpr int64_t kMost =
        (1ll << 62) + (1ll << 61);  // Elements still fit; 4 or 8 times as many bytes do not.
    for (const int32_t type : {0, 27, 28}) {
      check_fails(with_tensor({"t", {kMost}, type, zeros(64), {}, {}, {}}), Code::kCorrupt,
                  {"'t'", "size", "overflow"});
      check_fails(with_tensor({"t", {1, kMost}, type, zeros(64), {}, {}, {}}), Code::kCorrupt,
                  {"'t'", "size", "overflow"});
    }
    // 2^62 f32 are 2^64 bytes: wraps to 0.
    check_fails(with_tensor({"t", {1ll << 62}, 0, zeros(64), {}, {}, {}}), Code::kCorrupt,
                {"'t'", "overflow"});
    // The largest size in bytes that can be expressed must not wrap when something is added to it.
    check_fails(with_tensor({"t", {std::numeric_limits<int64_t>::max()}, 25, zeros(64), {}, {}, {}}),
                Code::kCorrupt, {"'t'", "18446744073709551614 bytes (I16)"});
    check_fails(with_tensor({"t", {1ll << 62}, 36, zeros(64), {}, {}, {}}), Code::kCorrupt,
                {"'t'", "1152921504606847008"});
  }
  SUBCASE("rows that are not whole blocks") {
    check_fails(with_tensor({"t", {33}, 2, zeros(64), {}, {}, {}}), Code::kCorrupt,
                {"'t'", "first dimension", "33", "multiple of 32 (Q4_0)"});
    check_fails(with_tensor({"t", {16, 2}, 2, zeros(64), {}, {}, {}}), Code::kCorrupt,
                {"'t'", "16", "multiple of 32"});
    check_fails(with_tensor({"t", {128}, 35, zeros(64), {}, {}, {}}), Code::kCorrupt,
                {"'t'", "multiple of 256 (TQ2_0)"});
    check_fails(with_tensor({"t", {64}, 36, zeros(64), {}, {}, {}}), Code::kCorrupt,
                {"'t'", "multiple of 128 (I2_S)"});
  }
}

TEST_CASE("gguf: tensor offsets") {
  for (const uint64_t offset : kExtremes) {
    CAPTURE(offset);
    if (offset == 0) continue;
    const GgufBuilder b = with_tensor({"t", {8}, 0, zeros(32), offset, {}, {}});
    if (offset % 32 != 0) {
      check_fails(b, Code::kCorrupt, {"'t'", "offset at byte", std::to_string(offset), "a multiple of 32"});
    } else {
      check_fails(b, Code::kCorrupt, {"'t'", "offset at byte", std::to_string(offset), "at most 32"});
    }
  }
  SUBCASE("positions that wrap when the start of the data is added") {
    check_fails(with_tensor({"t", {8}, 0, zeros(32), ~uint64_t{0} - 31, {}, {}}), Code::kCorrupt,
                {"'t'", "at most 32"});
    check_fails(with_tensor({"t", {8}, 0, zeros(32), ~uint64_t{0} - 127, {}, {}}), Code::kCorrupt,
                {"'t'", "at most 32"});
  }
  SUBCASE("just past the end") {
    check_fails(with_tensor({"t", {8}, 0, zeros(32), 32, {}, {}}), Code::kCorrupt,
                {"'t'", "0 bytes up to the end of the file"});
    check_fails(with_tensor({"t", {8}, 0, zeros(32), 64, {}, {}}), Code::kCorrupt,
                {"'t'", "64", "at most 32"});
    check_fails(with_tensor({"t", {9}, 0, zeros(32), {}, {}, {}}), Code::kCorrupt,
                {"'t'", "32 bytes up to", "36 bytes (F32)"});
  }
  SUBCASE("overlap") {
    for (const uint64_t second : {0, 32}) {
      GgufBuilder b;
      b.tensor({"b", {8}, 0, zeros(32), second, {}, {}});
      b.tensor({"a", {16}, 0, zeros(64), 0, {}, {}});
      check_fails(b, Code::kCorrupt,
                  {second == 0 ? "'b'" : "'a'", "bytes up to tensor ", second == 0 ? "'a'" : "'b'"});
    }
  }
  SUBCASE("no data section") {
    GgufBuilder b = GgufBuilder().tensor("t", {1}, 0, {});
    b.final_padding = false;
    Bytes bytes = b.build();
    bytes.resize(57);  // The table of tensors, without the padding after it.
    check_fails(bytes, Code::kCorrupt, {"tensor data", "a file of 57 bytes"});
  }
}

TEST_CASE("gguf: type ids") {
  const auto opened_as = [](int32_t type, std::vector<int64_t> shape, size_t bytes) {
    const Opened o = open_image(with_tensor({"t", std::move(shape), type, zeros(bytes), {}, {}, {}}).build());
    INFO(o.file.status().message());
    REQUIRE(o.file.ok());
    const GgufTensor& t = o.file.value().tensors()[0];
    CHECK(t.type_id == type);
    CHECK(t.bytes == bytes);
    return t.format;
  };
  CHECK(opened_as(1, {3, 2}, 12) == "F16");
  CHECK(opened_as(16, {256, 2}, 132) == "IQ2_XXS");
  CHECK(opened_as(17, {256, 2}, 148) == "IQ2_XS");
  CHECK(opened_as(18, {256, 2}, 196) == "IQ3_XXS");
  CHECK(opened_as(19, {256, 2}, 100) == "IQ1_S");
  CHECK(opened_as(21, {256, 2}, 220) == "IQ3_S");
  CHECK(opened_as(22, {256, 2}, 164) == "IQ2_S");
  CHECK(opened_as(23, {256, 2}, 272) == "IQ4_XS");
  CHECK(opened_as(24, {3}, 3) == "I8");
  CHECK(opened_as(25, {3}, 6) == "I16");
  CHECK(opened_as(26, {3}, 12) == "I32");
  CHECK(opened_as(27, {3}, 24) == "I64");
  CHECK(opened_as(28, {3}, 24) == "F64");
  CHECK(opened_as(29, {256, 2}, 112) == "IQ1_M");
  CHECK(opened_as(30, {3}, 6) == "BF16");
  CHECK(opened_as(34, {256, 2}, 108) == "TQ1_0");
  CHECK(opened_as(35, {256, 2}, 132) == "TQ2_0");
  CHECK(opened_as(36, {128, 3}, 96 + 32) == "I2_S");
  CHECK(opened_as(39, {32, 2}, 34) == "MXFP4");
  CHECK(opened_as(40, {64, 2}, 72) == "NVFP4");
  CHECK(opened_as(41, {128, 2}, 36) == "Q1_0");
  CHECK(opened_as(142, {128, 2}, 68) == "Q2_0_G128");

  const auto refused = [](int32_t type, const std::vector<std::string>& words) {
    std::vector<std::string> all = {"'t' of type id " + std::to_string(type), "type at byte"};
    all.insert(all.end(), words.begin(), words.end());
    check_fails(with_tensor({"t", {256}, type, zeros(512), {}, {}, {}}), Code::kUnsupported, all);
  };
  refused(38, {"TL1", "I2_S"});
  refused(43, {"STQ1_0"});
  refused(135, {"ik_llama.cpp"});
  for (const int32_t type :
       {-1, 44, 1000, std::numeric_limits<int32_t>::max(), std::numeric_limits<int32_t>::min()}) {
    refused(type, {"unknown type", "forked"});
  }
}

TEST_CASE("gguf: id 39 with less space than MXFP4 takes is TL2") {
  GgufBuilder b;
  b.tensor("t0", {256, 3}, 39, zeros(3 * 56));  // 1.75 bits
  b.tensor("t1", {256, 3}, 39, zeros(3 * 136));
  check_fails(b, Code::kUnsupported, {"'t0' of type id 39", "TL2", "MXFP4", "I2_S"});
}

TEST_CASE("gguf: id 40 is NVFP4, unless a tensor has just the space of Q1_0 with groups of 32") {
  constexpr size_t kNvfp4 = 4096 / 64 * 36, kEarly = 4096 / 32 * 6;
  const auto file = [](int64_t elements, std::initializer_list<size_t> sizes) {
    GgufBuilder b;
    int i = 0;
    for (const size_t bytes : sizes) b.tensor("t" + std::to_string(i++), {elements}, 40, zeros(bytes));
    return b;
  };
  const auto is_nvfp4 = [](const GgufBuilder& b) {
    const Opened o = open_image(b.build());
    INFO(o.file.status().message());
    REQUIRE(o.file.ok());
    for (const GgufTensor& t : o.file.value().tensors()) CHECK(t.format == "NVFP4");
    return true;
  };
  CHECK(is_nvfp4(file(4096, {kNvfp4})));
  CHECK(is_nvfp4(file(4096, {kNvfp4, kNvfp4})));
  CHECK(is_nvfp4(file(4096, {kNvfp4, kNvfp4 + 100})));
  CHECK(is_nvfp4(file(64, {36, 36})));
  const std::vector<std::string> early = {"'t0' of type id 40", "Q1_0 with groups of 32", "another file"};
  check_fails(file(4096, {kEarly, kEarly}), Code::kUnsupported, early);
  check_fails(file(4096, {kEarly}), Code::kUnsupported, early);
  check_fails(file(96, {18, 18}), Code::kUnsupported, early);  // rows that NVFP4 cannot have
  // Neither: what llama.cpp would say.
  check_fails(file(4096, {kNvfp4 - 64, kNvfp4}), Code::kCorrupt, {"'t0'", "2304 bytes (NVFP4)"});
  check_fails(file(96, {64, 64}), Code::kCorrupt, {"'t0'", "a multiple of 64 (NVFP4)"});
  // Padded so far that both sizes fit: llama.cpp's meaning.
  GgufBuilder wide = GgufBuilder().u32("general.alignment", 128).tensor("t", {64}, 40, zeros(36));
  wide.alignment = 128;
  CHECK(is_nvfp4(wide.tensor("u", {64}, 40, zeros(36))));
}

TEST_CASE("gguf: id 42 is decided by the sizes of all its tensors") {
  constexpr int64_t kRow = 4096;
  constexpr size_t kG64 = kRow / 64 * 18, kG128 = kRow / 128 * 34, kStq = kRow / 256 * 42;
  const auto file = [](std::initializer_list<size_t> sizes) {
    GgufBuilder b;
    int i = 0;
    for (const size_t bytes : sizes) b.tensor("t" + std::to_string(i++), {kRow, 2}, 42, zeros(2 * bytes));
    return b;
  };
  const auto formats = [](const GgufBuilder& b) {
    const Opened o = open_image(b.build());
    INFO(o.file.status().message());
    REQUIRE(o.file.ok());
    for (const GgufTensor& t : o.file.value().tensors())
      CHECK(t.format == o.file.value().tensors()[0].format);
    return o.file.value().tensors()[0].format;
  };
  CHECK(formats(file({kG64})) == "Q2_0");
  CHECK(formats(file({kG64, kG64, kG64})) == "Q2_0");
  CHECK(formats(file({kG128})) == "Q2_0_G128");
  CHECK(formats(file({kG128, kG128, kG128})) == "Q2_0_G128");
  check_fails(file({kStq, kStq}), Code::kUnsupported, {"'t0' of type id 42", "STQ1_0"});
  check_fails(file({kG64, kG128}), Code::kCorrupt, {"'t1'", "2176 bytes up to the end", "2304 bytes (Q2_0)"});
  check_fails(file({kG128, kG64, kG64}), Code::kCorrupt, {"'t1' of type id 42", "tensors before it"});
  check_fails(file({kG64 + 100, kG64}), Code::kCorrupt,
              {"'t0'", "(Q2_0) or ", "(Q2_0_G128) or ", "(STQ1_0)"});
  check_fails(file({kG64, kG64 / 2}), Code::kCorrupt,
              {"'t1'", "up to the end of the file", "2304 bytes (Q2_0)"});
  // A truncated last tensor is not taken for a smaller format, unless it ends exactly where that one would.
  Bytes truncated = file({kG64}).build();
  truncated.resize(truncated.size() - 2 * (kG64 - kG128) + 1);
  check_fails(truncated, Code::kCorrupt, {"'t0'", "up to the end of the file"});

  // Bytes after the last tensor say nothing, whatever their number, and are accepted as after other types.
  for (const size_t tail : {1, 31, 32, 33, 100, 4096, int(2 * (kG64 - kG128)), int(kG64), int(2 * kG64)}) {
    CAPTURE(tail);
    CHECK(formats(file({kG64, kG64 + tail})) == "Q2_0");
    CHECK(formats(file({kG128, kG128 + tail})) == "Q2_0_G128");
    CHECK(formats(file({kG128, kG128, kG128 + tail})) == "Q2_0_G128");
    CHECK(formats(file({kG64 + tail})) == "Q2_0");
    check_fails(file({kStq, kStq + tail}), Code::kUnsupported, {"'t0' of type id 42", "STQ1_0"});
  }
  check_fails(with_tensor({"t", {63}, 42, zeros(64), {}, {}, {}}), Code::kCorrupt, {"'t'", "multiple of 64"});

  // The padding of the last tensor may be missing.
  GgufBuilder unpadded =
      GgufBuilder().u32("general.alignment", 128).tensor("t", {kRow, 3}, 42, zeros(3 * kG128));
  unpadded.alignment = 128;
  CHECK(formats(unpadded) == "Q2_0_G128");
  unpadded.final_padding = false;
  CHECK(formats(unpadded) == "Q2_0_G128");

  // A tensor too small to tell follows the others; alone it is llama.cpp's type.
  CHECK(formats(file({kG128}).tensor("small", {128}, 42, zeros(34))) == "Q2_0_G128");
  CHECK(formats(file({kG64}).tensor("small", {128}, 42, zeros(36))) == "Q2_0");
  CHECK(formats(GgufBuilder().tensor("small", {128}, 42, zeros(36))) == "Q2_0");
}

TEST_SUITE_END();
