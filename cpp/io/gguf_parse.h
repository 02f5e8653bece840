// The container of one GGUF file: header, keys, tensors and their places; gguf_types.h resolves the types.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sterna/gguf.h"

namespace sterna::io {

/// A tensor as the file describes it. `tensor.format` and `.bytes` are empty until resolve_types().
struct RawTensor {
  GgufTensor tensor;
  uint64_t info_at = 0;  ///< Byte of the type id in the file; the tensor's offset field follows it.
  uint64_t extent = 0;   ///< Bytes up to the next tensor, or to the end of the file.
  std::string next;      ///< Name of the next tensor in the file; empty for the last one.
};

/// One file: a model is one part or, when split, several.
struct GgufPart {
  std::string path;
  std::span<const uint8_t> bytes;
  uint32_t version = 0;
  uint64_t alignment = 32;     ///< Of tensor offsets; the default of the specification.
  uint64_t content_bytes = 0;  ///< The least length for its tensors, as far as their types are known.
  std::vector<GgufKey> keys;
  std::vector<uint32_t> keys_by_name;
  std::vector<RawTensor> tensors;  ///< In the order of the file's table.

  const GgufValue* find(std::string_view key) const;
};

/// Checks everything that does not depend on tensor types. `bytes` must outlive the part.
Result<GgufPart> parse_part(std::span<const uint8_t> bytes, const std::string& path);

/// "[gguf] path: where, got ..., expected ..."
Status gguf_error(Code code, const std::string& path, const std::string& where, const std::string& got,
                  const std::string& expected);
/// For the end of a message: how many bytes are missing at the end of the file; "" if none are.
std::string missing_text(const GgufPart& part);
/// A name from a file, quoted for a message: cut at 80 bytes, bytes outside printable ASCII as \xNN.
std::string quoted(std::string_view name);

}  // namespace sterna::io
