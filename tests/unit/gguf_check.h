// What the tests of the GGUF reader share: opening an image, and stating how that must fail.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "gguf_builder.h"
#include "sterna/gguf.h"

namespace sterna::testing {

// Values that break 32-bit, signed and unsigned arithmetic.
constexpr uint64_t kExtremes[] = {0, 1, 1ull << 31, (1ull << 32) - 1, 1ull << 62, (1ull << 63) - 1, ~0ull};

/// An opened image in a heap block of exactly its size: a sanitizer sees every byte read past its end.
struct Opened {
  std::unique_ptr<uint8_t[]> image;
  Result<GgufFile> file;
};

inline Opened open_image(const Bytes& bytes) {
  auto image = std::make_unique<uint8_t[]>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), image.get());
  const std::span<const uint8_t> view(image.get(), bytes.size());
  return {std::move(image), GgufFile::from_memory(view, "test.gguf")};
}

inline void check_error(const Status& s, Code code, const std::vector<std::string>& words) {
  INFO("message: " << s.message());
  CHECK(int(s.code()) == int(code));
  for (const std::string& w : words) {
    INFO("should contain: " << w);
    CHECK(s.message().find(w) != std::string::npos);
  }
}

inline void check_fails(const Bytes& bytes, Code code, std::vector<std::string> words) {
  words.push_back("[gguf] test.gguf: ");
  words.push_back(", got ");
  words.push_back(", expected ");
  check_error(open_image(bytes).file.status(), code, words);
}

inline void check_fails(const GgufBuilder& b, Code code, const std::vector<std::string>& words) {
  check_fails(b.build(), code, words);
}

inline void check_opens(const GgufBuilder& b) {
  const Opened o = open_image(b.build());
  INFO(o.file.status().message());
  CHECK(o.file.ok());
}

inline GgufBuilder with_tensor(const TensorSpec& t) {
  return GgufBuilder().string("general.architecture", "x").tensor(t);
}

inline Bytes zeros(size_t n) { return Bytes(n, 0); }

}  // namespace sterna::testing
