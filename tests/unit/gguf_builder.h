// Writes GGUF images for tests: valid ones in a few lines, and, overriding any field, every wrong one.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sterna::testing {

using Bytes = std::vector<uint8_t>;

template <class T>
void append(Bytes& out, T value) {
  out.resize(out.size() + sizeof(value));
  std::memcpy(out.data() + out.size() - sizeof(value), &value, sizeof(value));
}
inline void append(Bytes& out, const Bytes& more) { out.insert(out.end(), more.begin(), more.end()); }
inline void append_string(Bytes& out, std::string_view s) {
  append(out, uint64_t(s.size()));
  out.insert(out.end(), s.begin(), s.end());
}
/// The bytes of some values back to back: packed(uint32_t{4}, 1.0f).
template <class... T>
Bytes packed(T... values) {
  Bytes out;
  (append(out, values), ...);
  return out;
}

enum ValueType : int32_t { kU8, kI8, kU16, kI16, kU32, kI32, kF32, kBool, kString, kArray, kU64, kI64, kF64 };

struct TensorSpec {
  std::string name;
  std::vector<int64_t> shape;  ///< ne[0] first.
  int32_t type = 0;
  Bytes data;
  std::optional<uint64_t> offset;      ///< Written instead of where `data` really goes.
  std::optional<uint32_t> n_dims;      ///< Written instead of shape.size().
  std::optional<uint64_t> name_bytes;  ///< Written instead of name.size().
};

class GgufBuilder {
 public:
  std::string magic = "GGUF";
  uint32_t version = 3;
  uint64_t alignment = 32;  ///< Of the data; write the key "general.alignment" yourself.
  bool final_padding = true;
  std::optional<uint64_t> tensor_count, key_count;

  /// A key with any type and payload.
  GgufBuilder& key(std::string_view name, int32_t type, const Bytes& payload) {
    append_string(keys_, name);
    append(keys_, type);
    append(keys_, payload);
    ++n_keys_;
    return *this;
  }
  GgufBuilder& u32(std::string_view name, uint32_t v) { return key(name, kU32, packed(v)); }
  GgufBuilder& f32(std::string_view name, float v) { return key(name, kF32, packed(v)); }
  GgufBuilder& boolean(std::string_view name, bool v) { return key(name, kBool, packed(v)); }
  GgufBuilder& string(std::string_view name, std::string_view v) {
    Bytes payload;
    append_string(payload, v);
    return key(name, kString, payload);
  }
  /// An array whose count and payload need not agree.
  GgufBuilder& array(std::string_view name, int32_t element_type, uint64_t count, const Bytes& payload) {
    Bytes value = packed(element_type, count);
    append(value, payload);
    return key(name, kArray, value);
  }
  GgufBuilder& strings(std::string_view name, const std::vector<std::string>& values) {
    Bytes payload;
    for (const std::string& v : values) append_string(payload, v);
    return array(name, kString, values.size(), payload);
  }
  GgufBuilder& tensor(TensorSpec t) {
    tensors_.push_back(std::move(t));
    return *this;
  }
  GgufBuilder& tensor(std::string name, std::vector<int64_t> shape, int32_t type, Bytes data) {
    return tensor({std::move(name), std::move(shape), type, std::move(data), {}, {}, {}});
  }

  Bytes build() const {
    Bytes out(magic.begin(), magic.end());
    append(out, version);
    append(out, tensor_count.value_or(tensors_.size()));
    append(out, key_count.value_or(n_keys_));
    append(out, keys_);
    uint64_t at = 0;
    for (const TensorSpec& t : tensors_) {
      append(out, t.name_bytes.value_or(t.name.size()));
      out.insert(out.end(), t.name.begin(), t.name.end());
      append(out, t.n_dims.value_or(uint32_t(t.shape.size())));
      for (const int64_t ne : t.shape) append(out, ne);
      append(out, t.type);
      append(out, t.offset.value_or(at));
      at += padded(t.data.size());
    }
    for (size_t i = 0; i < tensors_.size(); ++i) {
      out.resize(padded(out.size()));
      append(out, tensors_[i].data);
    }
    if (final_padding && !tensors_.empty()) out.resize(padded(out.size()));
    return out;
  }

 private:
  uint64_t padded(uint64_t n) const { return (n + alignment - 1) / alignment * alignment; }

  Bytes keys_;
  uint64_t n_keys_ = 0;
  std::vector<TensorSpec> tensors_;
};

}  // namespace sterna::testing
