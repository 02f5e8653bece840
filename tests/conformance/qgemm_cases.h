// Matrices and activations for the conformance tests of qgemm: shapes, data and scales chosen to hurt.
#pragma once

#include <string>

#include "conformance/kernel_cases.h"
#include "reference/pack.h"
#include "reference/qgemm.h"

namespace sterna::testing {

using kernels::QGemmVariant;

enum class Codes { kRandom, kMax, kZero, kTernary };
enum class Acts { kRandom, kMax, kMin, kLowest, kSparse };  ///< kMin = -127, kLowest = -128.
enum class Scales {
  kNormal,
  kDenormal,
  kMixed,  ///< Zero, denormal, huge and negative among normal ones.
  kNan,    ///< Of activations: NaN where quantize gives it, with codes 0; of weights as kNormal.
};

struct QData {
  Codes codes;
  Acts acts;
  Scales scales;
};
constexpr QData kQData[] = {
    {Codes::kRandom, Acts::kRandom, Scales::kNormal}, {Codes::kMax, Acts::kMax, Scales::kNormal},
    {Codes::kMax, Acts::kLowest, Scales::kNormal},    {Codes::kRandom, Acts::kLowest, Scales::kMixed},
    {Codes::kZero, Acts::kRandom, Scales::kNormal},   {Codes::kTernary, Acts::kRandom, Scales::kNormal},
    {Codes::kTernary, Acts::kMin, Scales::kMixed},    {Codes::kRandom, Acts::kMin, Scales::kDenormal},
    {Codes::kRandom, Acts::kSparse, Scales::kMixed},  {Codes::kRandom, Acts::kRandom, Scales::kNan},
};

/// What differs between formats of one variant.
struct QShape {
  size_t depth, block;
  int zero;
  bool f32_scales;
};

/// Small depths of every block size and zero that the variant can meet, and some larger ones.
std::vector<QShape> qgemm_shapes(const QGemmVariant& v);

reference::QMatrix make_matrix(const QGemmVariant& v, const QShape& s, const QData& data, size_t rows,
                               uint64_t seed);
reference::QActivations make_activations(const reference::QMatrix& w, const QData& data, size_t tokens,
                                         uint64_t seed);

std::string describe(const QShape& s, const QData& data);

}  // namespace sterna::testing
