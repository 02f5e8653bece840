// Type ids of llama.cpp and of the forks that extended its list in different ways.
#include "io/gguf_types.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "base/checked_math.h"
#include "formats/format.h"

namespace sterna::io {
namespace {

using formats::Format;

/// Types that a file may contain but no model uses as weights: they can be shown, not decoded.
constexpr Format kPlainTypes[] = {
    {"I8", 24, 1, 1, 0, {}, nullptr, nullptr},  {"I16", 25, 1, 2, 0, {}, nullptr, nullptr},
    {"I32", 26, 1, 4, 0, {}, nullptr, nullptr}, {"I64", 27, 1, 8, 0, {}, nullptr, nullptr},
    {"F64", 28, 1, 8, 0, {}, nullptr, nullptr},
};

/// Id 39: MXFP4 in llama.cpp; bitnet.cpp's TL2, which is less than half as large.
constexpr int32_t kMxfp4OrTl2 = 39;

/// Id 40: NVFP4 in llama.cpp; Q1_0 with groups of 32 in PrismML's first fork, a third as large.
constexpr int32_t kNvfp4OrQ1_0 = 40;
constexpr Format kQ1_0_G32 = {"Q1_0 with groups of 32", -1, 32, 6, 0, {}, nullptr, nullptr};

/// Id 42: groups of 64 in llama.cpp, of 128 in older files of PrismML; STQ1_0 in Tencent's first files.
constexpr int32_t kSharedId = 42;
constexpr Format kStq1_0 = {"STQ1_0", -1, 256, 42, 0, {}, nullptr, nullptr};

struct Candidates {
  const Format* formats[3] = {formats::by_name("Q2_0"), formats::by_name("Q2_0_G128"), &kStq1_0};
};

uint64_t rows(const GgufTensor& t) {  // The parser checked that the product of all dimensions is below 2^63.
  return std::accumulate(t.shape.begin() + 1, t.shape.end(), uint64_t{1}, std::multiplies<>());
}

Status type_error(Code code, const GgufPart& part, const RawTensor& raw, const char* field,
                  const std::string& got, const std::string& expected) {
  const std::string where =
      "tensor " + quoted(raw.tensor.name) + " of type id " + std::to_string(raw.tensor.type_id);
  return gguf_error(code, part.path, where + ", " + field + " at byte " + std::to_string(raw.info_at), got,
                    expected);
}

/// Whether a tensor of format `f` takes just the space up to the next one or the file's end, padded or not.
bool fills_extent(const Format& f, const RawTensor& raw, uint64_t alignment) {
  uint64_t bytes = 0;
  return formats::tensor_bytes(f, raw.tensor.shape[0], rows(raw.tensor), &bytes) && bytes <= raw.extent &&
         (bytes == raw.extent || round_up(bytes, alignment) == raw.extent);
}

std::string extent_text(const RawTensor& raw) {
  return std::to_string(raw.extent) + " bytes up to " +
         (raw.next.empty() ? "the end of the file" : "tensor " + quoted(raw.next));
}

std::string sizes_text(const RawTensor& raw) {
  std::string sizes;
  for (const Format* f : Candidates().formats) {
    uint64_t bytes = 0;
    if (formats::tensor_bytes(*f, raw.tensor.shape[0], rows(raw.tensor), &bytes))
      sizes += (sizes.empty() ? "" : " or ") + std::to_string(bytes) + " (" + f->name + ")";
  }
  return sizes.empty() ? "rows of a multiple of 64 elements" : sizes + " and padding";
}

/// The one format that the sizes of all tensors with kSharedId agree on. A tensor that another follows must
/// fill its space; after the last of a file anything may lie, so it is asked only if the others are too small
/// to tell. If none can tell, llama.cpp's meaning holds.
Result<const Format*> resolve_shared_id(std::span<GgufPart> parts) {
  const Candidates candidates;
  unsigned possible = 7;  // Bit i: formats[i].
  const auto fitting = [&](const GgufPart& part, const RawTensor& raw) {
    unsigned fit = 0;
    for (unsigned i = 0; i < 3; ++i)
      fit |= unsigned{fills_extent(*candidates.formats[i], raw, part.alignment)} << i;
    return fit;
  };
  for (const bool last : {false, true}) {
    for (const GgufPart& part : parts) {
      for (const RawTensor& raw : part.tensors) {
        if (raw.tensor.type_id != kSharedId || raw.next.empty() != last) continue;
        const unsigned fit = fitting(part, raw);
        if (last) {
          possible = possible & fit ? possible & fit : possible;
        } else if (fit == 0) {
          return type_error(Code::kCorrupt, part, raw, "size", extent_text(raw), sizes_text(raw));
        } else if ((possible & fit) == 0) {
          return type_error(Code::kCorrupt, part, raw, "size", extent_text(raw),
                            "the format that the tensors before it have");
        } else {
          possible &= fit;
        }
      }
    }
  }
  return candidates.formats[possible & 1 ? 0 : possible & 2 ? 1 : 2];
}

const Format* format_of(int32_t id) {
  if (const Format* f = formats::by_ggml_type(id)) return f;
  for (const Format& f : kPlainTypes) {
    if (f.ggml_type == id) return &f;
  }
  return nullptr;
}

Status refuse(const GgufPart& part, const RawTensor& raw, const char* reason) {
  std::string known;
  for (const Format* f : formats::all()) known += (known.empty() ? "one of " : ", ") + std::string(f->name);
  return type_error(Code::kUnsupported, part, raw, "type",
                    reason ? reason : "an unknown type (of a newer or forked llama.cpp)", known);
}

/// Whether a tensor of format `f` ends before the next one or the file's end.
bool has_space(const Format& f, const RawTensor& raw) {
  uint64_t bytes = 0;
  return formats::tensor_bytes(f, raw.tensor.shape[0], rows(raw.tensor), &bytes) && bytes <= raw.extent;
}

Status apply(const GgufPart& part, RawTensor& raw, const Format& f) {
  GgufTensor& t = raw.tensor;
  if (t.type_id == kNvfp4OrQ1_0 && !has_space(f, raw) && fills_extent(kQ1_0_G32, raw, part.alignment))
    return refuse(part, raw,
                  "an early Q1_0 with groups of 32 (NVFP4 would be larger); download another file of the "
                  "model: Q1_0 with groups of 128, Q4_K_M or Q8_0");
  if (t.shape[0] % f.block_elems != 0) {
    return type_error(Code::kCorrupt, part, raw, "first dimension", std::to_string(t.shape[0]),
                      "a multiple of " + std::to_string(f.block_elems) + " (" + f.name + ")");
  }
  if (!formats::tensor_bytes(f, t.shape[0], rows(t), &t.bytes)) {
    return type_error(Code::kCorrupt, part, raw, "size", "an overflow", "less than 2^64 bytes");
  }
  if (t.bytes > raw.extent) {
    if (t.type_id == kMxfp4OrTl2 && !raw.next.empty())
      return refuse(part, raw,
                    "TL2 (MXFP4 would be larger), which depends on tile sizes that the file does not store; "
                    "download an I2_S or TQ2_0 file of the model");
    return type_error(Code::kCorrupt, part, raw, "size", extent_text(raw),
                      std::to_string(t.bytes) + " bytes (" + f.name + ")" + missing_text(part));
  }
  t.format = f.name;
  return {};
}

}  // namespace

uint64_t content_end(std::span<const RawTensor> tensors, uint64_t start) {
  uint64_t end = start;
  for (const RawTensor& raw : tensors) {
    const GgufTensor& t = raw.tensor;
    const Format* f = t.type_id == kSharedId ? Candidates().formats[1] : format_of(t.type_id);
    uint64_t bytes = 0;
    if (f && formats::tensor_bytes(*f, t.shape[0], rows(t), &bytes) && checked_add(bytes, t.offset, &bytes) &&
        checked_add(bytes, start, &bytes))
      end = std::max(end, bytes);
  }
  return end;
}

Status resolve_types(std::span<GgufPart> parts) {
  STERNA_ASSIGN(const Format* shared, resolve_shared_id(parts));
  for (GgufPart& part : parts) {
    for (RawTensor& raw : part.tensors) {
      const int32_t id = raw.tensor.type_id;
      const Format* f = id == kSharedId ? shared : format_of(id);
      if (f == &kStq1_0)
        return refuse(part, raw,
                      "STQ1_0, which is not supported; download a TQ1_0, TQ2_0 or Q2_0 file of the model");
      if (!f) return refuse(part, raw, formats::refusal(id));
      STERNA_RETURN_IF_ERROR(apply(part, raw, *f));
    }
  }
  return {};
}

}  // namespace sterna::io
