// Reading GGUF files (versions 2 and 3), for people who do not trust them: every count, length, offset and
// type is checked before it is used, and an error names the file, the key or tensor, the offset, what was
// found and what was expected. Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "sterna/status.h"

namespace sterna {

/// An array of numbers, kept as wide as the file has them and widened when an element is read. `Wide` is
/// uint64_t, int64_t or double.
template <class Wide>
class GgufNumbers {
 public:
  using value_type = Wide;
  /// `bytes`: elements of `width` bytes: 1, 2, 4 or 8, of double 4 or 8.
  GgufNumbers(std::span<const uint8_t> bytes, size_t width)
      : bytes_(bytes.begin(), bytes.end()), width_(width) {}

  size_t size() const { return bytes_.size() / width_; }
  bool empty() const { return bytes_.empty(); }
  Wide operator[](size_t i) const {
    const uint8_t* at = bytes_.data() + i * width_;
    if constexpr (std::is_floating_point_v<Wide>) return width_ == 4 ? load<float>(at) : load<double>(at);
    if constexpr (std::is_signed_v<Wide>)
      return width_ == 1   ? load<int8_t>(at)
             : width_ == 2 ? load<int16_t>(at)
             : width_ == 4 ? load<int32_t>(at)
                           : load<int64_t>(at);
    return width_ == 1   ? load<uint8_t>(at)
           : width_ == 2 ? load<uint16_t>(at)
           : width_ == 4 ? load<uint32_t>(at)
                         : load<uint64_t>(at);
  }

  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Wide;
    using difference_type = std::ptrdiff_t;
    using pointer = const Wide*;
    using reference = Wide;
    Iterator(const GgufNumbers* of, size_t i) : of_(of), i_(i) {}
    Wide operator*() const { return (*of_)[i_]; }
    Iterator& operator++() { return ++i_, *this; }
    Iterator operator++(int) { return {of_, i_++}; }
    bool operator==(const Iterator& o) const { return i_ == o.i_; }

   private:
    const GgufNumbers* of_;
    size_t i_;
  };
  Iterator begin() const { return {this, 0}; }
  Iterator end() const { return {this, size()}; }

 private:
  template <class Stored>
  static Wide load(const uint8_t* at) {
    Stored v;
    std::memcpy(&v, at, sizeof(v));
    return Wide(v);
  }

  std::vector<uint8_t> bytes_;
  size_t width_;
};

/// A metadata value. Integers are widened to int64 or uint64, floats to double; arrays keep one type.
using GgufValue =
    std::variant<uint64_t, int64_t, double, bool, std::string, GgufNumbers<uint64_t>, GgufNumbers<int64_t>,
                 GgufNumbers<double>, std::vector<bool>, std::vector<std::string>>;

struct GgufKey {
  std::string name;
  GgufValue value;
};

/// One tensor's description; `data` points into the mapped file and is valid while the GgufFile lives.
struct GgufTensor {
  std::string name;
  std::string format;  ///< "Q2_0", "I2_S", ...; "Q2_0_G128" for the 128-element layout under the same id.
  std::vector<uint64_t> shape;  ///< ne[0] (fastest) first, 1 to 4 entries, all > 0; {1} for a scalar.
  int32_t type_id = 0;
  uint64_t offset = 0;  ///< From the start of the file.
  const uint8_t* data = nullptr;
  uint64_t bytes = 0;
};

class GgufFile {
 public:
  /// Maps and validates `path`. For a split file (`-00001-of-00003`), maps and validates its siblings too.
  /// Errors: kNotFound, kIo, kCorrupt (a rule is broken), kUnsupported (big-endian, version 1, unknown or
  /// refused type), kInvalidArgument (`path` is a part of a split file, but not the first), kOutOfMemory.
  static Result<GgufFile> open(const std::string& path);
  /// Validates a file image in memory; `bytes` must outlive the GgufFile. `name` stands in messages. Errors:
  /// kCorrupt, kUnsupported (also for a part of a split file), kOutOfMemory.
  static Result<GgufFile> from_memory(std::span<const uint8_t> bytes, const std::string& name);

  GgufFile(GgufFile&&) noexcept;
  GgufFile& operator=(GgufFile&&) noexcept;
  ~GgufFile();

  const std::string& path() const;
  uint32_t version() const;
  uint64_t file_bytes() const;            ///< All splits together.
  std::span<const GgufKey> keys() const;  ///< Of the first file of a split model.
  std::span<const GgufTensor> tensors() const;
  const GgufValue* find(std::string_view key) const;           ///< Null if absent.
  const GgufTensor* find_tensor(std::string_view name) const;  ///< Null if absent.

  // Typed access: the default if absent. Errors: kCorrupt naming the key if it has another type or is out of
  // range; kOutOfMemory.
  Result<uint64_t> get_uint(std::string_view key, uint64_t default_value, uint64_t max = ~0ull) const;
  Result<double> get_float(std::string_view key, double default_value) const;
  Result<bool> get_bool(std::string_view key, bool default_value) const;
  Result<std::string> get_string(std::string_view key, std::string_view default_value) const;

  /// kIo if a file was written to since it was opened: what was read from it may be a mixture.
  Status check_unchanged() const;

  /// Tells the system that the pages of `t` are not needed any more; touching them reads the file again.
  void release(const GgufTensor& t) const;

 private:
  struct Impl;
  explicit GgufFile(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sterna
