// Reading GGUF files (versions 2 and 3), for people who do not trust them: every count, length, offset and
// type is checked before it is used, and an error names the file, the key or tensor, the offset, what was
// found and what was expected. Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sterna/status.h"

namespace sterna {

/// A metadata value. Integers of every width are widened to int64/uint64, floats to double; arrays keep one
/// type.
using GgufValue =
    std::variant<uint64_t, int64_t, double, bool, std::string, std::vector<uint64_t>, std::vector<int64_t>,
                 std::vector<double>, std::vector<bool>, std::vector<std::string>>;

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

  // Typed access: kCorrupt naming the key if present with another type or out of range; the default if
  // absent.
  Result<uint64_t> get_uint(std::string_view key, uint64_t default_value, uint64_t max = ~0ull) const;
  Result<double> get_float(std::string_view key, double default_value) const;
  Result<bool> get_bool(std::string_view key, bool default_value) const;
  Result<std::string> get_string(std::string_view key, std::string_view default_value) const;

  /// Tells the kernel that the pages of `t` are not needed any more (they are read again from the file if
  /// touched).
  void release(const GgufTensor& t) const;

 private:
  struct Impl;
  explicit GgufFile(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sterna
