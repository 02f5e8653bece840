// Parsing of one GGUF file. Nothing read from the file is used before it is compared with what the file can
// hold; sizes are compared by subtraction or division, so that no check can wrap.
#include "io/gguf_parse.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

#include "base/checked_math.h"
#include "io/file_kind.h"
#include "io/gguf_types.h"
#include "io/name_index.h"

namespace sterna::io {
namespace {

static_assert(std::endian::native == std::endian::little,
              "GGUF files are read on little-endian machines only");

// What the smallest possible entry takes in the file.
constexpr uint64_t kMinKeyBytes = 8 + 1 + 4 + 1;         // name, value type, value
constexpr uint64_t kMinTensorBytes = 8 + 1 + 4 + 4 + 8;  // name, n_dims, type, offset

// Policy limits, far above any real model, so that a small file cannot cost much time or memory.
constexpr uint64_t kMaxKeys = 1 << 16;
constexpr uint64_t kMaxTensors = 1 << 20;
constexpr uint64_t kMaxStringBytes = 64 << 20;
constexpr uint64_t kMaxArrayElements = 1 << 24;
constexpr uint64_t kMaxStrings = 1 << 23;  // In all arrays together: each takes four times its 8 bytes.
constexpr uint64_t kMaxAlignment = 64 << 10;

constexpr uint64_t kMaxTensorNameBytes = 63;
constexpr uint32_t kMaxDims = 4;

enum ValueType : int32_t { kU8, kI8, kU16, kI16, kU32, kI32, kF32, kBool, kString, kArray, kU64, kI64, kF64 };

/// Ends the messages about files that end too early.
constexpr const char* kCut = "; the file is incomplete: download it again, or join its pieces";

class Parser {
 public:
  explicit Parser(GgufPart* part) : part_(*part) {}

  Status run() {
    uint64_t n_tensors = 0, n_keys = 0;
    STERNA_RETURN_IF_ERROR(header(&n_tensors, &n_keys));
    for (uint64_t i = 0; i < n_keys; ++i) STERNA_RETURN_IF_ERROR(key(i));
    part_.keys_by_name = order_by_name(part_.keys);
    if (const GgufKey* twice = find_duplicate(part_.keys, part_.keys_by_name)) {
      return gguf_error(Code::kCorrupt, part_.path, "key " + quoted(twice->name), "it twice",
                        "distinct keys");
    }
    for (uint64_t i = 0; i < n_tensors; ++i) STERNA_RETURN_IF_ERROR(tensor_info(i));
    return place_tensors();
  }

 private:
  uint64_t remaining() const { return part_.bytes.size() - pos_; }

  Status fail(Code code, uint64_t at, const char* field, const std::string& got,
              const std::string& expected) const {
    return gguf_error(code, part_.path, where_ + ", " + field + " at byte " + std::to_string(at), got,
                      expected);
  }
  Status corrupt(uint64_t at, const char* field, const std::string& got, const std::string& expected) const {
    return fail(Code::kCorrupt, at, field, got, expected);
  }
  Status at_most(uint64_t at, const char* field, uint64_t got, uint64_t max,
                 const std::string& note = "") const {
    return corrupt(at, field, std::to_string(got), "at most " + std::to_string(max) + note);
  }

  template <class T>
  Status number(T* out, const char* field) {
    if (remaining() < sizeof(T)) {
      return corrupt(pos_, field, std::to_string(remaining()) + " bytes until the end of the file",
                     std::to_string(sizeof(T)) + " bytes" + kCut);
    }
    std::memcpy(out, part_.bytes.data() + pos_, sizeof(T));
    pos_ += sizeof(T);
    return {};
  }

  Status text(std::string* out, const char* field, uint64_t max_bytes) {
    const uint64_t at = pos_;
    uint64_t length = 0;
    STERNA_RETURN_IF_ERROR(number(&length, field));
    if (length > max_bytes || length > remaining()) {
      return at_most(at, field, length, std::min(max_bytes, remaining()), length <= max_bytes ? kCut : "");
    }
    out->assign(reinterpret_cast<const char*>(part_.bytes.data()) + pos_, length);
    pos_ += length;
    return {};
  }

  Status header(uint64_t* n_tensors, uint64_t* n_keys) {
    where_ = "header";
    const std::string_view magic(reinterpret_cast<const char*>(part_.bytes.data()),
                                 std::min<size_t>(part_.bytes.size(), 4));
    if (magic != std::string_view("GGUF").substr(0, magic.size())) {
      const FileKind kind = other_kind(part_.bytes);
      return kind.what.empty()
                 ? corrupt(0, "magic", quoted(magic), "'GGUF'")
                 : gguf_error(Code::kCorrupt, part_.path, "the file", kind.what, "a GGUF file" + kind.advice);
    }
    if (remaining() < 24)
      return corrupt(0, "size of the file", std::to_string(remaining()),
                     std::string("at least 24 bytes") + kCut);
    pos_ = 4;
    uint32_t& version = part_.version;
    STERNA_RETURN_IF_ERROR(number(&version, "version"));
    if (version != 2 && version != 3) {
      // The only sign of a big-endian file is a version with its bytes reversed.
      const bool reversed = version != 0 && (version & 0xffff) == 0;
      return fail(Code::kUnsupported, 4, "version", reversed ? "a big-endian file" : std::to_string(version),
                  "2 or 3, little-endian");
    }
    STERNA_RETURN_IF_ERROR(count(n_tensors, "tensor count", kMinTensorBytes, kMaxTensors));
    return count(n_keys, "key count", kMinKeyBytes, kMaxKeys);
  }

  Status count(uint64_t* n, const char* field, uint64_t min_bytes, uint64_t max) {
    const uint64_t at = pos_;
    STERNA_RETURN_IF_ERROR(number(n, field));
    const uint64_t limit = std::min(max, remaining() / min_bytes);
    return *n <= limit ? Status() : at_most(at, field, *n, limit, *n <= max ? kCut : "");
  }

  Status key(uint64_t index) {
    where_ = "key " + std::to_string(index);
    const uint64_t at = pos_;
    GgufKey key;
    STERNA_RETURN_IF_ERROR(text(&key.name, "name length", kMaxStringBytes));
    if (key.name.empty()) return corrupt(at, "name length", "0", "at least 1");
    where_ = "key " + quoted(key.name);

    uint64_t type_at = pos_;
    int32_t type = 0;
    STERNA_RETURN_IF_ERROR(number(&type, "value type"));
    std::optional<uint64_t> count;
    if (type == kArray) {
      type_at = pos_;
      STERNA_RETURN_IF_ERROR(number(&type, "array element type"));
      if (type == kArray) return corrupt(type_at, "array element type", "9 (array)", "0 to 12 without 9");
      STERNA_RETURN_IF_ERROR(number(&count.emplace(), "array length"));
    }
    const uint64_t value_at = pos_;
    STERNA_RETURN_IF_ERROR(value(type, type_at, count, &key.value));
    if (key.name == "general.alignment") {
      STERNA_RETURN_IF_ERROR(alignment(type, count.has_value(), value_at, key.value));
    }
    part_.keys.push_back(std::move(key));
    return {};
  }

  /// A scalar, or an array if `count` is set.
  Status value(int32_t type, uint64_t type_at, std::optional<uint64_t> count, GgufValue* out) {
    switch (type) {
      case kU8:
        return numbers<uint8_t, uint64_t>(count, out);
      case kI8:
        return numbers<int8_t, int64_t>(count, out);
      case kU16:
        return numbers<uint16_t, uint64_t>(count, out);
      case kI16:
        return numbers<int16_t, int64_t>(count, out);
      case kU32:
        return numbers<uint32_t, uint64_t>(count, out);
      case kI32:
        return numbers<int32_t, int64_t>(count, out);
      case kU64:
        return numbers<uint64_t, uint64_t>(count, out);
      case kI64:
        return numbers<int64_t, int64_t>(count, out);
      case kF32:
        return numbers<float, double>(count, out);
      case kF64:
        return numbers<double, double>(count, out);
      case kBool:
        return bools(count, out);
      case kString:
        return strings(count, out);
      default:
        return corrupt(type_at, "value type", std::to_string(type), "0 to 12");
    }
  }

  Status array_fits(uint64_t count, uint64_t min_element_bytes, uint64_t max = kMaxArrayElements) const {
    const uint64_t limit = std::min(max, remaining() / min_element_bytes);
    return count <= limit
               ? Status()
               : at_most(pos_ - sizeof(count), "array length", count, limit, count <= max ? kCut : "");
  }

  template <class Stored, class Wide>
  Status numbers(std::optional<uint64_t> count, GgufValue* out) {
    Stored v = 0;
    if (!count) {
      STERNA_RETURN_IF_ERROR(number(&v, "value"));
      out->emplace<Wide>(v);
      return {};
    }
    STERNA_RETURN_IF_ERROR(array_fits(*count, sizeof(Stored)));
    const size_t bytes = *count * sizeof(Stored);
    out->emplace<GgufNumbers<Wide>>(part_.bytes.subspan(pos_, bytes), sizeof(Stored));
    pos_ += bytes;
    return {};
  }

  Status bools(std::optional<uint64_t> count, GgufValue* out) {
    if (count) STERNA_RETURN_IF_ERROR(array_fits(*count, 1));
    std::vector<bool> array;
    for (uint64_t i = 0; i < count.value_or(1); ++i) {
      uint8_t v = 0;
      STERNA_RETURN_IF_ERROR(number(&v, "value"));
      if (v > 1) return corrupt(pos_ - 1, "bool value", std::to_string(v), "0 or 1");
      array.push_back(v == 1);
    }
    if (count) {
      out->emplace<std::vector<bool>>(std::move(array));
    } else {
      out->emplace<bool>(array[0]);
    }
    return {};
  }

  Status strings(std::optional<uint64_t> count, GgufValue* out) {
    if (!count) return text(&out->emplace<std::string>(), "string length", kMaxStringBytes);
    STERNA_RETURN_IF_ERROR(array_fits(*count, sizeof(uint64_t), kMaxStrings - n_strings_));
    n_strings_ += *count;
    auto& array = out->emplace<std::vector<std::string>>(*count);
    for (std::string& s : array) STERNA_RETURN_IF_ERROR(text(&s, "string length", kMaxStringBytes));
    return {};
  }

  /// It decides where the data are; so, unlike other keys, it must have exactly the specification's type.
  Status alignment(int32_t type, bool is_array, uint64_t at, const GgufValue& value) {
    const uint64_t* a = type == kU32 && !is_array ? std::get_if<uint64_t>(&value) : nullptr;
    if (!a || !std::has_single_bit(*a) || *a > kMaxAlignment) {
      return corrupt(at, "value", a ? std::to_string(*a) : "a value that is not a u32",
                     "a power of two up to " + std::to_string(kMaxAlignment));
    }
    part_.alignment = *a;
    return {};
  }

  Status tensor_info(uint64_t index) {
    where_ = "tensor " + std::to_string(index);
    RawTensor raw;
    GgufTensor& t = raw.tensor;
    uint64_t at = pos_;
    STERNA_RETURN_IF_ERROR(text(&t.name, "name length", kMaxTensorNameBytes));
    if (t.name.empty()) return corrupt(at, "name length", "0", "1 to 63");
    where_ = "tensor " + quoted(t.name);
    if (t.name.find('\0') != std::string::npos) return corrupt(at + 8, "name", "a NUL byte", "none");

    at = pos_;
    uint32_t n_dims = 0;
    STERNA_RETURN_IF_ERROR(number(&n_dims, "number of dimensions"));
    if (n_dims > kMaxDims) return at_most(at, "number of dimensions", n_dims, kMaxDims);
    uint64_t elements = 1;
    for (uint32_t d = 0; d < n_dims; ++d) {
      int64_t ne = 0;
      STERNA_RETURN_IF_ERROR(number(&ne, "dimension"));
      if (ne <= 0) return corrupt(pos_ - 8, "dimension", std::to_string(ne), "at least 1");
      t.shape.push_back(uint64_t(ne));
      if (!checked_mul(elements, uint64_t(ne), &elements) ||
          elements > uint64_t(std::numeric_limits<int64_t>::max())) {
        return corrupt(pos_ - 8, "number of elements", "an overflow", "less than 2^63");
      }
    }
    if (n_dims == 0) t.shape = {1};  // A scalar.

    raw.info_at = pos_;
    STERNA_RETURN_IF_ERROR(number(&t.type_id, "type id"));
    STERNA_RETURN_IF_ERROR(number(&t.offset, "offset"));
    part_.tensors.push_back(std::move(raw));
    return {};
  }

  /// Makes offsets absolute and finds which tensor follows which.
  Status place_tensors() {
    std::vector<RawTensor>& tensors = part_.tensors;
    if (tensors.empty()) return {};
    const uint64_t size = part_.bytes.size(), start = round_up(pos_, part_.alignment);
    part_.content_bytes = content_end(tensors, start);
    where_ = "tensor data";
    if (start > size)
      return corrupt(start, "start", "a file of " + std::to_string(size) + " bytes",
                     "a data section" + missing_text(part_));
    for (RawTensor& raw : tensors) {
      GgufTensor& t = raw.tensor;
      where_ = "tensor " + quoted(t.name);
      if (t.offset % part_.alignment != 0) {
        return corrupt(raw.info_at + 4, "offset", std::to_string(t.offset),
                       "a multiple of " + std::to_string(part_.alignment));
      }
      if (t.offset > size - start)
        return at_most(raw.info_at + 4, "offset", t.offset, size - start, missing_text(part_));
      t.offset += start;
      t.data = part_.bytes.data() + t.offset;
    }
    std::vector<uint32_t> order(tensors.size());
    std::iota(order.begin(), order.end(), 0u);
    std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
      return std::pair(tensors[a].tensor.offset, a) < std::pair(tensors[b].tensor.offset, b);
    });
    for (size_t i = 0; i < order.size(); ++i) {
      RawTensor& raw = tensors[order[i]];
      const RawTensor* next = i + 1 < order.size() ? &tensors[order[i + 1]] : nullptr;
      raw.extent = (next ? next->tensor.offset : size) - raw.tensor.offset;
      if (next) raw.next = next->tensor.name;
    }
    return {};
  }

  GgufPart& part_;
  uint64_t pos_ = 0, n_strings_ = 0;
  std::string where_;  // What is being read, for messages.
};

}  // namespace

const GgufValue* GgufPart::find(std::string_view key) const {
  const GgufKey* k = find_by_name(keys, keys_by_name, key);
  return k ? &k->value : nullptr;
}

Result<GgufPart> parse_part(std::span<const uint8_t> bytes, const std::string& path) {
  GgufPart part;
  part.path = path;
  part.bytes = bytes;
  STERNA_RETURN_IF_ERROR(Parser(&part).run());
  return part;
}

std::string missing_text(const GgufPart& part) {
  const uint64_t size = part.bytes.size(), whole = part.content_bytes;
  if (whole <= size) return "";
  return "; the file is incomplete: it ends after " + std::to_string(size) + " of at least " +
         std::to_string(whole) + " bytes, " + std::to_string(whole - size) +
         " are missing: download it again, or join its pieces";
}

Status gguf_error(Code code, const std::string& path, const std::string& where, const std::string& got,
                  const std::string& expected) {
  return {code, "[gguf] " + path + ": " + where + ", got " + got + ", expected " + expected};
}

std::string quoted(std::string_view name) {
  constexpr size_t kShown = 80;
  constexpr char kHex[] = "0123456789abcdef";
  std::string out = "'";
  for (const char c : name.substr(0, kShown)) {
    if (c >= 0x20 && c < 0x7f) {
      out += c;
    } else {
      out += {'\\', 'x', kHex[uint8_t(c) >> 4], kHex[c & 15]};
    }
  }
  return out + (name.size() > kShown ? "...'" : "'");
}

}  // namespace sterna::io
