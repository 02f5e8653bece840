// The list of weight formats and the questions that can be asked of any of them.
#include "formats/format.h"

#include <bit>
#include <cstring>

#include "base/checked_math.h"
#include "formats/codec.h"

namespace sterna::formats {
namespace {

constexpr const Format* kAll[] = {
#define STERNA_FORMAT(name) &k##name,
#include "formats/formats.inc"
#undef STERNA_FORMAT
};

/// Prism's PQ2_0; the same bytes as the group-128 files that carry id 42.
constexpr int32_t kPrismPq2_0 = 142;

struct Refusal {
  int32_t first, last;  ///< Type ids, inclusive.
  const char* text;
};

// Advice for someone who has the file and not the tools that made it: another file of the same model.
#define STERNA_OTHER_FILE "; download another file of the model: "
#define STERNA_USUAL STERNA_OTHER_FILE "Q4_K_M, Q6_K or Q8_0"
#define STERNA_TERNARY STERNA_OTHER_FILE "I2_S, TQ1_0, TQ2_0 or Q2_0"
#define STERNA_IK "is specific to ik_llama.cpp"
constexpr Refusal kRefusals[] = {
    {4, 5, "Q4_2 and Q4_3 were removed from GGUF" STERNA_USUAL},
    {9, 9, "Q8_1 is a format of activations, not of weights" STERNA_USUAL},
    {15, 15, "Q8_K is a format of activations, not of weights" STERNA_USUAL},
    {24, 27, "I8, I16, I32 and I64 tensors are not weights" STERNA_USUAL},
    {28, 28, "F64 is not supported" STERNA_OTHER_FILE "F16, BF16 or Q8_0"},
    {31, 33, "Q4_0_4_4, Q4_0_4_8 and Q4_0_8_8 were removed from GGUF" STERNA_OTHER_FILE "Q4_0"},
    {37, 37, "the id is I8_S (activations) or the removed IQ4_NL_4_8" STERNA_OTHER_FILE "I2_S or IQ4_NL"},
    {38, 38, "TL1 depends on tile sizes that the file does not store" STERNA_TERNARY},
    {43, 43, "STQ1_0 is not supported" STERNA_TERNARY},
    {134, 134, "IQ1_BN " STERNA_IK STERNA_TERNARY},
    {135, 135, "IQ2_BN " STERNA_IK STERNA_TERNARY},
    {143, 143, "the id is PTQ1_0 of PrismML or IQ1_TN of ik_llama.cpp" STERNA_TERNARY},
    {335, 335, "IQ2_BN_R4 " STERNA_IK STERNA_TERNARY},
    // What is left of the ranges in which ik_llama.cpp numbers its own types; the first match counts.
    {133, 158, "the type " STERNA_IK STERNA_USUAL},
    {200, 399, "the type " STERNA_IK STERNA_USUAL},
};
#undef STERNA_OTHER_FILE
#undef STERNA_USUAL
#undef STERNA_TERNARY
#undef STERNA_IK

}  // namespace

std::span<const Format* const> all() { return kAll; }

const Format* by_ggml_type(int32_t id) {
  if (id == kPrismPq2_0) return &kQ2_0_G128;
  for (const Format* f : kAll) {
    if (id >= 0 && f->ggml_type == id) return f;
  }
  return nullptr;
}

const Format* by_name(const char* name) {
  for (const Format* f : kAll) {
    if (std::strcmp(f->name, name) == 0) return f;
  }
  return nullptr;
}

const char* refusal(int32_t id) {
  if (by_ggml_type(id)) return nullptr;
  for (const Refusal& r : kRefusals) {
    if (r.first <= id && id <= r.last) return r.text;
  }
  return nullptr;
}

bool tensor_bytes(const Format& f, uint64_t row_elems, uint64_t rows, uint64_t* bytes) {
  uint64_t row = 0, codes = 0;
  return row_elems % f.block_elems == 0 && checked_mul(row_elems / f.block_elems, f.block_bytes, &row) &&
         checked_mul(row, rows, &codes) && checked_add(codes, f.tail_bytes, bytes);
}

float tensor_scale(const Format& f, const uint8_t* tensor, size_t row_elems, size_t rows) {
  if (f.tail_bytes == 0) return 1.0f;
  return std::bit_cast<float>(load_u32(tensor + row_bytes(f, row_elems) * rows));
}

}  // namespace sterna::formats
