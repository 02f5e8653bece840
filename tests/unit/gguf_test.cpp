// The GGUF reader: a file known byte by byte, what is allowed, and every rule of the header and the keys
// broken once. Rules of tensors are in gguf_tensors_test.cpp, files in gguf_files_test.cpp.
#include "sterna/gguf.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "gguf_builder.h"
#include "gguf_check.h"

TEST_SUITE_BEGIN("unit");

using namespace sterna;
using namespace sterna::testing;

namespace {
template <class T>
std::vector<T> numbers(const GgufValue& v) {
  const auto& a = std::get<GgufNumbers<T>>(v);
  return {a.begin(), a.end()};
}
}  // namespace

TEST_CASE("gguf: the minimal file, byte by byte") {
  Bytes bytes = {
      0x47, 0x47, 0x55, 0x46, 0x03, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  //
      0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  //
      0x67, 0x65, 0x6e, 0x65, 0x72, 0x61, 0x6c, 0x2e, 0x61, 0x72, 0x63, 0x68, 0x69, 0x74, 0x65, 0x63,  //
      0x74, 0x75, 0x72, 0x65, 0x08, 0x00, 0x00, 0x00, 0x05, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  //
      0x6c, 0x6c, 0x61, 0x6d, 0x61, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x78, 0x2e, 0x61,  //
      0x09, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  //
      0x07, 0x00, 0x00, 0x00, 0x09, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  //
      0x74, 0x01, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  //
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  //
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  //
      0x00, 0x00, 0x80, 0x3f, 0x00, 0x00, 0x00, 0x40, 0x00, 0x00, 0x40, 0x40, 0x00, 0x00, 0x80, 0x40};
  bytes.resize(192);

  // The builder writes the same file; so the tests below start from known ground.
  const GgufBuilder b = GgufBuilder()
                            .string("general.architecture", "llama")
                            .array("x.a", kU32, 2, packed(uint32_t{7}, uint32_t{9}))
                            .tensor("t", {4}, 0, packed(1.0f, 2.0f, 3.0f, 4.0f));
  CHECK(b.build() == bytes);

  for (const uint32_t version : {2, 3}) {
    bytes[4] = uint8_t(version);
    const Opened o = open_image(bytes);
    REQUIRE(o.file.ok());
    const GgufFile& f = o.file.value();
    CHECK(f.version() == version);
    CHECK(f.path() == "test.gguf");
    CHECK(f.file_bytes() == 192);
    REQUIRE(f.keys().size() == 2);
    CHECK(f.keys()[0].name == "general.architecture");
    CHECK(std::get<std::string>(f.keys()[0].value) == "llama");
    REQUIRE(f.find("x.a") != nullptr);
    CHECK(numbers<uint64_t>(*f.find("x.a")) == std::vector<uint64_t>{7, 9});
    REQUIRE(f.tensors().size() == 1);
    const GgufTensor* t = f.find_tensor("t");
    REQUIRE(t != nullptr);
    CHECK(t->format == "F32");
    CHECK(t->type_id == 0);
    CHECK(t->shape == std::vector<uint64_t>{4});
    CHECK(t->offset == 0xa0);
    CHECK(t->bytes == 16);
    float last = 0;
    std::memcpy(&last, t->data + 12, 4);
    CHECK(last == 4.0f);
    CHECK(f.find("x.b") == nullptr);
    CHECK(f.find("") == nullptr);
    CHECK(f.find_tensor("u") == nullptr);
  }
}

TEST_CASE("gguf: values of every type") {
  const GgufBuilder b = GgufBuilder()
                            .key("u8", kU8, packed(uint8_t{255}))
                            .key("i8", kI8, packed(int8_t{-128}))
                            .key("u16", kU16, packed(uint16_t{65535}))
                            .key("i16", kI16, packed(int16_t{-32768}))
                            .key("u32", kU32, packed(0xffffffffu))
                            .key("i32", kI32, packed(std::numeric_limits<int32_t>::min()))
                            .key("u64", kU64, packed(~uint64_t{0}))
                            .key("i64", kI64, packed(std::numeric_limits<int64_t>::min()))
                            .key("f32", kF32, packed(0.1f))
                            .key("f64", kF64, packed(0.1))
                            .boolean("no", false)
                            .boolean("yes", true)
                            .string("s", std::string("a\0\xff", 3))
                            .string("empty", "")
                            .array("a.i8", kI8, 3, packed(int8_t{-1}, int8_t{0}, int8_t{1}))
                            .array("a.u16", kU16, 2, packed(uint16_t{1}, uint16_t{65535}))
                            .array("a.f32", kF32, 2, packed(0.5f, -2.0f))
                            .array("a.bool", kBool, 3, {1, 0, 1})
                            .array("a.none", kU64, 0, {})
                            .strings("a.s", {"", "x", "long enough to be on the heap"});
  const Opened o = open_image(b.build());
  REQUIRE(o.file.ok());
  const GgufFile& f = o.file.value();
  CHECK(std::get<uint64_t>(*f.find("u8")) == 255);
  CHECK(std::get<int64_t>(*f.find("i8")) == -128);
  CHECK(std::get<uint64_t>(*f.find("u16")) == 65535);
  CHECK(std::get<int64_t>(*f.find("i16")) == -32768);
  CHECK(std::get<uint64_t>(*f.find("u32")) == 0xffffffffu);
  CHECK(std::get<int64_t>(*f.find("i32")) == std::numeric_limits<int32_t>::min());
  CHECK(std::get<uint64_t>(*f.find("u64")) == ~uint64_t{0});
  CHECK(std::get<int64_t>(*f.find("i64")) == std::numeric_limits<int64_t>::min());
  CHECK(std::get<double>(*f.find("f32")) == double(0.1f));
  CHECK(std::get<double>(*f.find("f64")) == 0.1);
  CHECK(std::get<bool>(*f.find("no")) == false);
  CHECK(std::get<bool>(*f.find("yes")) == true);
  CHECK(std::get<std::string>(*f.find("s")) == std::string("a\0\xff", 3));
  CHECK(std::get<std::string>(*f.find("empty")).empty());
  CHECK(numbers<int64_t>(*f.find("a.i8")) == std::vector<int64_t>{-1, 0, 1});
  CHECK(numbers<uint64_t>(*f.find("a.u16")) == std::vector<uint64_t>{1, 65535});
  CHECK(numbers<double>(*f.find("a.f32")) == std::vector<double>{0.5, -2.0});
  CHECK(std::get<std::vector<bool>>(*f.find("a.bool")) == std::vector<bool>{true, false, true});
  CHECK(numbers<uint64_t>(*f.find("a.none")).empty());
  CHECK(std::get<std::vector<std::string>>(*f.find("a.s"))[2] == "long enough to be on the heap");

  SUBCASE("typed access") {
    CHECK(f.get_uint("u8", 0).value() == 255);
    CHECK(f.get_uint("u64", 0).value() == ~uint64_t{0});
    CHECK(f.get_uint("absent", 17, 3).value() == 17);
    CHECK(f.get_float("f32", 0).value() == double(0.1f));
    CHECK(f.get_float("absent", 2.5).value() == 2.5);
    CHECK(f.get_bool("yes", false).value());
    CHECK(f.get_bool("absent", true).value());
    CHECK(f.get_string("s", "").value().size() == 3);
    CHECK(f.get_string("absent", "d").value() == "d");
    CHECK(f.get_uint("u8", 0, 255).value() == 255);
    check_error(f.get_uint("u8", 0, 254).status(), Code::kCorrupt, {"test.gguf", "'u8'", "255", "0 to 254"});
    check_error(f.get_uint("i8", 0).status(), Code::kCorrupt, {"'i8'", "-128"});
    check_error(f.get_uint("i64", 0).status(), Code::kCorrupt, {"'i64'", "-9223372036854775808"});
    for (const char* key : {"f32", "yes", "s", "a.u16"}) {
      check_error(f.get_uint(key, 0).status(), Code::kCorrupt, {"'" + std::string(key) + "'", "an integer"});
    }
    for (const char* key : {"u8", "i8", "yes", "s", "a.f32"}) {
      check_error(f.get_float(key, 0).status(), Code::kCorrupt, {"'" + std::string(key) + "'", "a float"});
    }
    for (const char* key : {"u8", "i8", "f32", "s", "a.bool"}) {
      check_error(f.get_bool(key, false).status(), Code::kCorrupt, {"'" + std::string(key) + "'", "a bool"});
    }
    for (const char* key : {"u8", "i8", "f32", "yes", "a.s"}) {
      check_error(f.get_string(key, "").status(), Code::kCorrupt, {"'" + std::string(key) + "'", "a string"});
    }
  }
}

TEST_CASE("gguf: non-negative signed integers count as unsigned") {
  const Opened o = open_image(GgufBuilder().key("i32", kI32, packed(int32_t{7})).build());
  REQUIRE(o.file.ok());
  CHECK(o.file.value().get_uint("i32", 0).value() == 7);
  CHECK(!o.file.value().get_uint("i32", 0, 6).ok());
}

TEST_CASE("gguf: what is allowed besides the usual") {
  SUBCASE("no keys, no tensors") { check_opens(GgufBuilder()); }
  SUBCASE("no tensors: the file ends with the keys, unpadded") {
    check_opens(GgufBuilder().boolean("k", true));
  }
  SUBCASE("four dimensions") {
    const Opened o = open_image(GgufBuilder().tensor("t", {32, 2, 3, 5}, 2, zeros(30 * 18)).build());
    REQUIRE(o.file.ok());
    const GgufTensor& t = o.file.value().tensors()[0];
    CHECK(t.shape == std::vector<uint64_t>{32, 2, 3, 5});
    CHECK(t.bytes == 30 * 18);
    CHECK(t.format == "Q4_0");
  }
  SUBCASE("no dimension is a scalar") {
    const Opened o = open_image(GgufBuilder().tensor("t", {}, 0, zeros(4)).build());
    REQUIRE(o.file.ok());
    CHECK(o.file.value().tensors()[0].shape == std::vector<uint64_t>{1});
    CHECK(o.file.value().tensors()[0].bytes == 4);
  }
  SUBCASE("no padding at the end, but every byte of the last tensor") {
    GgufBuilder b = GgufBuilder().tensor("t", {5}, 0, zeros(20));
    b.final_padding = false;
    Bytes bytes = b.build();
    CHECK(open_image(bytes).file.ok());
    bytes.pop_back();
    check_fails(bytes, Code::kCorrupt, {"'t'", "19 bytes up to the end of the file", "20 bytes (F32)"});
  }
  SUBCASE("alignment 64, 1 and the largest") {
    for (const uint32_t a : {64u, 1u, 65536u}) {
      GgufBuilder b = GgufBuilder().u32("general.alignment", a);
      b.alignment = a;
      b.tensor("a", {3}, 0, packed(1.0f, 2.0f, 3.0f)).tensor("b", {1}, 0, packed(4.0f));
      const Opened o = open_image(b.build());
      REQUIRE(o.file.ok());
      const GgufTensor* t = o.file.value().find_tensor("b");
      REQUIRE(t != nullptr);
      CHECK(t->offset % a == 0);
      float v = 0;
      std::memcpy(&v, t->data, 4);
      CHECK(v == 4.0f);
    }
  }
  SUBCASE("tensors in another order than their data, and gaps") {
    GgufBuilder b;
    b.tensor({"last", {8}, 0, zeros(32), 256, {}, {}});
    b.tensor({"first", {8}, 0, zeros(32), 0, {}, {}});
    b.tensor({"middle", {8}, 0, zeros(256), 64, {}, {}});
    const Opened o = open_image(b.build());
    REQUIRE(o.file.ok());
    const std::span<const GgufTensor> t = o.file.value().tensors();
    CHECK(t[0].name == "last");  // The order of the table is kept.
    CHECK(t[0].offset - t[1].offset == 256);
    CHECK(t[2].offset - t[1].offset == 64);
  }
  SUBCASE("a name of 63 bytes") {
    check_opens(with_tensor({std::string(63, 'n'), {1}, 0, zeros(4), {}, {}, {}}));
  }
}

TEST_CASE("gguf: header") {
  for (size_t n = 0; n < 24; ++n) {
    Bytes bytes = GgufBuilder().build();
    bytes.resize(n);
    check_fails(bytes, Code::kCorrupt, {"header", "byte 0", "at least 24 bytes"});
  }

  GgufBuilder b;
  b.magic = "GGML";
  check_fails(b, Code::kCorrupt, {"magic at byte 0", "'GGML'", "'GGUF'"});
  b.magic = "\x7fGG\xff";
  check_fails(b, Code::kCorrupt, {"'\\x7fGG\\xff'"});
  b.magic = "GGUF";
  for (const uint32_t version : {0u, 1u, 4u, 0xffffu, 0x7fffffffu, 0xffffffffu}) {
    b.version = version;
    check_fails(b, Code::kUnsupported, {"version at byte 4", std::to_string(version), "2 or 3"});
  }
  for (const uint32_t version : {0x02000000u, 0x03000000u}) {
    b.version = version;
    check_fails(b, Code::kUnsupported, {"a big-endian file", "little-endian"});
  }
}

TEST_CASE("gguf: counts beyond the file") {
  for (const uint64_t n : kExtremes) {
    CAPTURE(n);
    if (n == 0) continue;
    GgufBuilder tensors, keys;
    tensors.tensor_count = n;
    check_fails(tensors, Code::kCorrupt, {"tensor count at byte 8", std::to_string(n), "at most 0"});
    keys.key_count = n;
    check_fails(keys, Code::kCorrupt, {"key count at byte 16", std::to_string(n), "at most 0"});
  }
  SUBCASE("as many as the bytes could hold at most, but not there") {
    GgufBuilder b = GgufBuilder().string("k", std::string(100, 'v'));
    b.tensor_count = 4;
    check_fails(b, Code::kCorrupt, {"tensor 0", "name length"});
    b.tensor_count = 0;
    b.key_count = 2;
    check_fails(b, Code::kCorrupt, {"key 1", "name length"});
  }
  SUBCASE("policy: 2^16 keys, 2^20 tensors") {
    Bytes bytes = GgufBuilder().build();
    bytes.resize(32 << 20);
    bytes[8 + 2] = 0x10;
    bytes[8] = 1;
    check_fails(bytes, Code::kCorrupt, {"tensor count", "1048577", "at most 1048576"});
    bytes[8] = bytes[8 + 2] = 0;
    bytes[16 + 2] = 1;
    bytes[16] = 1;
    check_fails(bytes, Code::kCorrupt, {"key count", "65537", "at most 65536"});
  }
}

TEST_CASE("gguf: strings") {
  const Bytes header = [] {
    GgufBuilder b;
    b.key_count = 1;
    return b.build();
  }();
  for (const uint64_t n : kExtremes) {
    CAPTURE(n);
    Bytes name = header;
    append(name, n);
    append(name, zeros(8));
    if (n == 0) check_fails(name, Code::kCorrupt, {"key 0", "name length at byte 24", "got 0"});
    if (n > 1)
      check_fails(name, Code::kCorrupt, {"key 0", "name length at byte 24", std::to_string(n), "at most 8"});
    if (n < 2) continue;
    check_fails(GgufBuilder().key("k", kString, packed(n)), Code::kCorrupt,
                {"'k'", "string length at byte 37", std::to_string(n), "at most 0"});
    check_fails(GgufBuilder().array("k", kString, 2, packed(uint64_t{0}, n, uint32_t{0})), Code::kCorrupt,
                {"'k'", "string length at byte 57", std::to_string(n), "at most 4"});
  }
  SUBCASE("one byte more than the file has") {
    check_fails(GgufBuilder().key("k", kString, packed(uint64_t{5}, uint32_t{0})), Code::kCorrupt,
                {"'k'", "string length at byte 37", "got 5", "at most 4"});
    Bytes name = header;
    append(name, packed(uint64_t{9}, uint64_t{0}));
    check_fails(name, Code::kCorrupt, {"key 0", "name length at byte 24", "got 9", "at most 8"});
  }
  SUBCASE("one string more than the file can hold") {
    check_fails(GgufBuilder().array("k", kString, 3, zeros(23)), Code::kCorrupt,
                {"'k'", "array length at byte 41", "got 3", "at most 2"});
  }
  SUBCASE("policy: 64 MiB") {
    const std::string longest(64 << 20, 'x');
    check_opens(GgufBuilder().string("k", longest));
    check_fails(GgufBuilder().string("k", longest + 'x'), Code::kCorrupt,
                {"'k'", "67108865", "at most 67108864"});
  }
}

TEST_CASE("gguf: value types") {
  for (const int32_t type :
       {-1, 13, 255, 1 << 30, std::numeric_limits<int32_t>::max(), std::numeric_limits<int32_t>::min()}) {
    check_fails(GgufBuilder().key("k", type, zeros(16)), Code::kCorrupt,
                {"'k'", "value type at byte 33", std::to_string(type), "0 to 12"});
    check_fails(GgufBuilder().array("k", type, 0, zeros(16)), Code::kCorrupt,
                {"'k'", "value type at byte 37", std::to_string(type), "0 to 12"});
  }
  check_fails(GgufBuilder().array("k", kArray, 1, packed(int32_t{kU8}, uint64_t{0})), Code::kCorrupt,
              {"'k'", "array element type at byte 37", "9 (array)"});
  for (const uint8_t v : {2, 128, 255}) {
    check_fails(GgufBuilder().key("k", kBool, {v}), Code::kCorrupt,
                {"'k'", "byte 37", std::to_string(v), "0 or 1"});
    check_fails(GgufBuilder().array("k", kBool, 2, {1, v}), Code::kCorrupt,
                {"'k'", "byte 50", std::to_string(v), "0 or 1"});
  }
}

TEST_CASE("gguf: array lengths") {
  constexpr int32_t kElementTypes[] = {kU8,  kI8,   kU16,    kI16, kU32, kI32,
                                       kF32, kBool, kString, kU64, kI64, kF64};
  for (const int32_t type : kElementTypes) {
    CAPTURE(type);
    for (const uint64_t n : kExtremes) {
      CAPTURE(n);
      if (n < 2) continue;
      check_fails(GgufBuilder().array("k", type, n, zeros(15)), Code::kCorrupt,
                  {"'k'", "array length at byte 41", std::to_string(n), "at most "});
    }
    // Lengths whose size in bytes wraps to something small.
    for (const int shift : {61, 62, 63}) {
      check_fails(GgufBuilder().array("k", type, (1ull << shift) + 1, zeros(15)), Code::kCorrupt,
                  {"'k'", "array length"});
    }
    check_opens(GgufBuilder().array("k", type, 0, {}));
  }
  SUBCASE("policy: 2^24 elements") {
    check_fails(GgufBuilder().array("k", kU8, (1 << 24) + 1, zeros((1 << 24) + 1)), Code::kCorrupt,
                {"'k'", "16777217", "at most 16777216"});
  }
}

TEST_CASE("gguf: key names") {
  check_fails(GgufBuilder().u32("a", 1).u32("b", 2).string("a", "x"), Code::kCorrupt, {"'a'", "twice"});
  check_fails(GgufBuilder().u32("", 1), Code::kCorrupt, {"key 0", "name length", "got 0"});
  // Messages stay printable and short whatever the name is.
  check_fails(GgufBuilder().key("\x1b[2J\xff", 13, {}), Code::kCorrupt, {"'\\x1b[2J\\xff'"});
  check_fails(GgufBuilder().key(std::string(1000, 'k'), 13, {}), Code::kCorrupt,
              {std::string(80, 'k') + "...'"});
}

TEST_CASE("gguf: alignment") {
  for (const uint32_t a : {0u, 3u, 31u, 33u, 1u << 17, 1u << 31, 0xffffffffu}) {
    check_fails(GgufBuilder().u32("general.alignment", a), Code::kCorrupt,
                {"'general.alignment'", "value at byte 53", std::to_string(a), "power of two up to 65536"});
  }
  const std::vector<std::string> words = {"'general.alignment'", "byte 53", "not a u32"};
  check_fails(GgufBuilder().key("general.alignment", kI32, packed(int32_t{32})), Code::kCorrupt, words);
  check_fails(GgufBuilder().key("general.alignment", kU64, packed(uint64_t{32})), Code::kCorrupt, words);
  check_fails(GgufBuilder().f32("general.alignment", 32), Code::kCorrupt, words);
  check_fails(GgufBuilder().string("general.alignment", "32"), Code::kCorrupt, words);
  check_fails(GgufBuilder().array("general.alignment", kU32, 1, packed(uint32_t{32})), Code::kCorrupt,
              {"'general.alignment'", "not a u32"});
}

TEST_CASE("gguf: truncation at every byte") {
  GgufBuilder b = GgufBuilder()
                      .string("general.architecture", "llama")
                      .u32("k.u32", 7)
                      .key("k.f64", kF64, packed(1.5))
                      .array("k.array", kI16, 3, packed(int16_t{1}, int16_t{2}, int16_t{3}))
                      .strings("k.tokens", {"a", "", "the"})
                      .array("k.bools", kBool, 2, {1, 0})
                      .tensor("t.plain", {5, 2}, 0, zeros(40))
                      .tensor("t.q2", {256}, 42, zeros(72))
                      .tensor("t.q4", {64}, 2, zeros(36));
  b.final_padding = false;
  const Bytes whole = b.build();
  REQUIRE(open_image(whole).file.ok());
  for (size_t n = 0; n < whole.size(); ++n) {
    CAPTURE(n);
    const Status s = open_image(Bytes(whole.begin(), whole.begin() + n)).file.status();
    CAPTURE(s.message());
    CHECK(int(s.code()) == int(Code::kCorrupt));
    // What was being read: the last key or tensor whose name is complete, or the index of the next one.
    const std::string& m = s.message();
    CHECK((m.find(": header, ") != m.npos || m.find(": key ") != m.npos || m.find(": tensor ") != m.npos));
    CHECK(m.find(" at byte ") != m.npos);
    for (const char* name : {"general.architecture", "k.u32", "k.f64", "k.array", "k.tokens", "k.bools"}) {
      const auto at = std::search(whole.begin(), whole.end(), name, name + std::strlen(name)) - whole.begin();
      // Cut inside the type or the first bytes of the value of this key.
      const size_t end = size_t(at) + std::strlen(name);
      if (n >= 24 + 6 * 14 + 3 * 25 && n >= end && n < end + 6)
        CHECK(m.find("'" + std::string(name) + "'") != m.npos);
    }
  }
}

TEST_CASE("gguf: one byte changed never goes past the file") {
  // Correct answers are not known here; sanitizers and the bounds of every returned tensor are the check.
  const Bytes whole = GgufBuilder()
                          .string("general.architecture", "llama")
                          .u32("general.alignment", 32)
                          .strings("k.tokens", {"a", "", "the"})
                          .tensor("t.plain", {5, 2}, 0, zeros(40))
                          .tensor("t.q2", {256}, 42, zeros(72))
                          .build();
  int opened = 0;
  for (size_t i = 0; i < whole.size(); ++i) {
    for (const uint8_t v : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      Bytes changed = whole;
      changed[i] = v;
      const Opened o = open_image(changed);
      if (!o.file.ok()) continue;
      ++opened;
      for (const GgufTensor& t : o.file.value().tensors()) {
        CHECK(t.offset <= changed.size());
        CHECK(t.bytes <= changed.size() - t.offset);
        CHECK(t.data == o.image.get() + t.offset);
      }
    }
  }
  CHECK(opened > 0);
}

TEST_SUITE_END();
