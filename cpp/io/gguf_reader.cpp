// GgufFile: one validated view over the file or files of a model.
#include <array>
#include <cstdio>
#include <optional>
#include <utility>

#include "base/public_call.h"
#include "io/gguf_parse.h"
#include "io/gguf_types.h"
#include "io/name_index.h"
#include "machine/mapped_file.h"
#include "sterna/gguf.h"

namespace sterna {

using io::gguf_error;
using io::GgufPart;
using io::quoted;
using machine::MappedFile;

namespace {

constexpr uint64_t kMaxParts = 65535;  // split.count is a u16.

Status wrong_value(const GgufPart& part, std::string_view key, const std::string& got,
                   const std::string& expected) {
  return gguf_error(Code::kCorrupt, part.path, "key " + quoted(key), got, expected);
}

/// The value if it is an unsigned integer of any stored width.
std::optional<uint64_t> as_uint(const GgufValue& value) {
  if (const uint64_t* u = std::get_if<uint64_t>(&value)) return *u;
  const int64_t* i = std::get_if<int64_t>(&value);
  if (i && *i >= 0) return uint64_t(*i);
  return std::nullopt;
}

std::string type_name(const GgufValue& value) {
  constexpr std::array kNames = {"an unsigned integer", "an integer", "a float", "a bool", "a string"};
  const bool array = value.index() >= kNames.size();
  return std::string(array ? "an array" : kNames[value.index()]);
}

Result<uint64_t> uint_of(const GgufPart& part, std::string_view key, uint64_t default_value, uint64_t max) {
  const GgufValue* value = part.find(key);
  if (!value) return default_value;
  const std::optional<uint64_t> u = as_uint(*value);
  if (u && *u <= max) return *u;
  const int64_t* negative = std::get_if<int64_t>(value);
  return wrong_value(part, key,
                     u          ? std::to_string(*u)
                     : negative ? std::to_string(*negative)
                                : type_name(*value),
                     "an integer from 0 to " + std::to_string(max));
}

/// A key of exactly one type, or the default.
template <class T>
Result<T> typed(const GgufPart& part, std::string_view key, T default_value, const char* expected) {
  const GgufValue* value = part.find(key);
  if (!value) return default_value;
  if (const T* v = std::get_if<T>(value)) return *v;
  return wrong_value(part, key, type_name(*value), expected);
}

struct Split {
  uint64_t index = 0, count = 0, tensors = 0;
};

/// The split keys; a count of 0 or 1 means one file, whose other split keys mean nothing.
Result<Split> split_of(const GgufPart& part) {
  Split split;
  STERNA_ASSIGN(split.count, uint_of(part, "split.count", 0, kMaxParts));
  if (split.count <= 1) return split;
  for (const char* key : {"split.no", "split.tensors.count"}) {
    if (!part.find(key)) return wrong_value(part, key, "none", "it in a split file");
  }
  STERNA_ASSIGN(split.index, uint_of(part, "split.no", 0, split.count - 1));
  STERNA_ASSIGN(split.tensors, uint_of(part, "split.tensors.count", 0, ~0ull));
  return split;
}

std::string split_suffix(uint64_t index, uint64_t count) {
  char text[64];
  std::snprintf(text, sizeof(text), "-%05u-of-%05u.gguf", unsigned(index + 1), unsigned(count));
  return text;
}

}  // namespace

struct GgufFile::Impl {
  std::vector<MappedFile> maps;  // One per part, or none for an image in memory.
  std::vector<GgufPart> parts;
  std::vector<GgufTensor> tensors;
  std::vector<uint32_t> tensors_by_name;

  Status add_file(const std::string& path) {
    STERNA_ASSIGN(MappedFile map, MappedFile::open(path));
    maps.push_back(std::move(map));
    return add_image(maps.back().bytes(), path);
  }

  Status add_image(std::span<const uint8_t> bytes, const std::string& name) {
    STERNA_ASSIGN(GgufPart part, io::parse_part(bytes, name));
    parts.push_back(std::move(part));
    return {};
  }

  Status add_siblings() {
    STERNA_ASSIGN(const Split split, split_of(parts[0]));
    if (split.count <= 1) return {};
    const std::string path = parts[0].path, suffix = split_suffix(0, split.count);
    const auto name = [&](uint64_t i) {
      return "file " + std::to_string(i + 1) + " of " + std::to_string(split.count);
    };
    if (split.index != 0 || !path.ends_with(suffix)) {
      const bool first = split.index == 0;
      return gguf_error(
          Code::kInvalidArgument, path, "split model", name(split.index),
          (first ? "its name to end in '" : "file 1, whose name ends in '") + suffix +
              "', from which the names of the other files follow" +
              (first ? "; in the cache of Hugging Face open the file in snapshots/, not in blobs/" : ""));
    }
    const std::string prefix = path.substr(0, path.size() - suffix.size());
    for (uint64_t i = 1; i < split.count; ++i) {
      if (const Status s = add_file(prefix + split_suffix(i, split.count)); !s.ok())
        return {s.code(), s.message() + "; it is " + name(i) +
                              " of a split model, all of which must lie in one folder"};
      const GgufPart& part = parts.back();
      STERNA_ASSIGN(const Split other, split_of(part));
      if (other.index != i) return mismatch(part, "split.no", other.index, i);
      if (other.count != split.count) return mismatch(part, "split.count", other.count, split.count);
      if (other.tensors != split.tensors)
        return mismatch(part, "split.tensors.count", other.tensors, split.tensors);
    }
    uint64_t total = 0;
    for (const GgufPart& part : parts) total += part.tensors.size();
    return total == split.tensors ? Status()
                                  : mismatch(parts[0], "split.tensors.count", split.tensors, total);
  }

  static Status mismatch(const GgufPart& part, const char* key, uint64_t got, uint64_t expected) {
    return wrong_value(part, key, std::to_string(got), std::to_string(expected));
  }

  /// Resolves types and joins the tensors of all parts.
  Status finish() {
    STERNA_RETURN_IF_ERROR(io::resolve_types(parts));
    for (GgufPart& part : parts) {
      for (io::RawTensor& raw : part.tensors) tensors.push_back(std::move(raw.tensor));
    }
    tensors_by_name = io::order_by_name(tensors);
    if (const GgufTensor* twice = io::find_duplicate(tensors, tensors_by_name)) {
      size_t index = size_t(twice - tensors.data()), p = 0;
      while (index >= parts[p].tensors.size()) index -= parts[p++].tensors.size();
      return gguf_error(Code::kCorrupt, parts[p].path,
                        "tensor " + quoted(twice->name) + ", data at byte " + std::to_string(twice->offset),
                        "a name used before", "distinct names");
    }
    for (GgufPart& part : parts) part.tensors = {};
    return {};
  }
};

Result<GgufFile> GgufFile::open(const std::string& path) {
  return public_call("open", [&](FloatEnvironment&) -> Result<GgufFile> {
    auto impl = std::make_unique<Impl>();
    STERNA_RETURN_IF_ERROR(impl->add_file(path));
    STERNA_RETURN_IF_ERROR(impl->add_siblings());
    STERNA_RETURN_IF_ERROR(impl->finish());
    return GgufFile(std::move(impl));
  });
}

Result<GgufFile> GgufFile::from_memory(std::span<const uint8_t> bytes, const std::string& name) {
  return public_call("open", [&](FloatEnvironment&) -> Result<GgufFile> {
    auto impl = std::make_unique<Impl>();
    STERNA_RETURN_IF_ERROR(impl->add_image(bytes, name));
    STERNA_ASSIGN(const Split split, split_of(impl->parts[0]));
    if (split.count > 1) {
      return gguf_error(Code::kUnsupported, name, "key 'split.count'", std::to_string(split.count),
                        "one file: a split model can be opened by its path only");
    }
    STERNA_RETURN_IF_ERROR(impl->finish());
    return GgufFile(std::move(impl));
  });
}

GgufFile::GgufFile(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
GgufFile::GgufFile(GgufFile&&) noexcept = default;
GgufFile& GgufFile::operator=(GgufFile&&) noexcept = default;
GgufFile::~GgufFile() = default;

const std::string& GgufFile::path() const { return impl_->parts[0].path; }
uint32_t GgufFile::version() const { return impl_->parts[0].version; }
uint64_t GgufFile::file_bytes() const {
  uint64_t total = 0;
  for (const GgufPart& part : impl_->parts) total += part.bytes.size();
  return total;
}
std::span<const GgufKey> GgufFile::keys() const { return impl_->parts[0].keys; }
std::span<const GgufTensor> GgufFile::tensors() const { return impl_->tensors; }
const GgufValue* GgufFile::find(std::string_view key) const { return impl_->parts[0].find(key); }
const GgufTensor* GgufFile::find_tensor(std::string_view name) const {
  return io::find_by_name(impl_->tensors, impl_->tensors_by_name, name);
}

Result<uint64_t> GgufFile::get_uint(std::string_view key, uint64_t default_value, uint64_t max) const {
  return public_call("get_uint",
                     [&](FloatEnvironment&) { return uint_of(impl_->parts[0], key, default_value, max); });
}
Result<double> GgufFile::get_float(std::string_view key, double default_value) const {
  return public_call(
      "get_float", [&](FloatEnvironment&) { return typed(impl_->parts[0], key, default_value, "a float"); });
}
Result<bool> GgufFile::get_bool(std::string_view key, bool default_value) const {
  return public_call("get_bool",
                     [&](FloatEnvironment&) { return typed(impl_->parts[0], key, default_value, "a bool"); });
}
Result<std::string> GgufFile::get_string(std::string_view key, std::string_view default_value) const {
  return public_call("get_string", [&](FloatEnvironment&) {
    return typed(impl_->parts[0], key, std::string(default_value), "a string");
  });
}

Status GgufFile::check_unchanged() const {
  for (size_t i = 0; i < impl_->maps.size(); i++)
    if (impl_->maps[i].changed())
      return gguf_error(Code::kIo, impl_->parts[i].path, "the file", "other content than when it was opened",
                        "one that nobody writes to meanwhile");
  return {};
}

void GgufFile::release(const GgufTensor& t) const {
  for (const MappedFile& map : impl_->maps) map.release({t.data, size_t(t.bytes)});
}

}  // namespace sterna
