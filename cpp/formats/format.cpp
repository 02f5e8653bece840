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

constexpr Refusal kRefusals[] = {
    {4, 5, "Q4_2 and Q4_3 were removed from GGUF; convert the original model again, to Q4_0 or Q4_1"},
    {9, 9, "Q8_1 is a format of activations, not of weights; convert the model to Q8_0"},
    {15, 15, "Q8_K is a format of activations, not of weights; convert the model to Q8_0 or Q6_K"},
    {16, 16, "IQ2_XXS is not supported; convert the model to Q2_K, or to TQ2_0 if it is ternary"},
    {17, 17, "IQ2_XS is not supported; convert the model to Q2_K, or to TQ2_0 if it is ternary"},
    {18, 18, "IQ3_XXS is not supported; convert the model to Q3_K"},
    {19, 19, "IQ1_S is not supported; convert the model to Q2_K, or to TQ1_0 if it is ternary"},
    {21, 21, "IQ3_S is not supported; convert the model to Q3_K"},
    {22, 22, "IQ2_S is not supported; convert the model to Q2_K, or to TQ2_0 if it is ternary"},
    {23, 23, "IQ4_XS is not supported; convert the model to IQ4_NL or Q4_K"},
    {24, 27, "I8, I16, I32 and I64 tensors are not weights; convert the model to F16 or a quantized format"},
    {28, 28, "F64 is not supported; convert the model to F32"},
    {29, 29, "IQ1_M is not supported; convert the model to Q2_K, or to TQ1_0 if it is ternary"},
    {31, 33, "Q4_0_4_4, Q4_0_4_8 and Q4_0_8_8 were removed from GGUF; convert the model to Q4_0"},
    {37, 37, "the id is I8_S (activations) or the removed IQ4_NL_4_8; convert the model to I2_S or IQ4_NL"},
    {38, 38, "TL1 depends on tile sizes that the file does not store; convert the model to I2_S, TQ2_0 or Q2_0"},
    {39, 39,
     "the id is TL2, which depends on tile sizes that the file does not store, or MXFP4, which is not "
     "supported; convert the model to I2_S, TQ2_0 or Q2_0 if it is ternary, else to Q4_0"},
    {40, 40, "the id is NVFP4 or an early Q1_0 with groups of 32; convert the model to Q4_0 or Q1_0"},
    {43, 43, "STQ1_0 is not supported; convert the model to TQ1_0, TQ2_0 or Q2_0"},
    {134, 134, "IQ1_BN is specific to ik_llama.cpp; convert the model to I2_S or TQ1_0"},
    {135, 135, "IQ2_BN is specific to ik_llama.cpp; convert the model to I2_S or TQ2_0"},
    {143, 143, "the id is PTQ1_0 of PrismML or IQ1_TN of ik_llama.cpp; convert the model to TQ1_0 or Q2_0"},
    {335, 335, "IQ2_BN_R4 is specific to ik_llama.cpp; convert the model to I2_S or TQ2_0"},
    // What is left of the ranges in which ik_llama.cpp numbers its own types; the first match counts.
    {133, 158, "the type is specific to ik_llama.cpp; convert the model to a K-quant, Q4_K for example"},
    {200, 399, "the type is specific to ik_llama.cpp; convert the model to a K-quant, Q4_K for example"},
};

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
