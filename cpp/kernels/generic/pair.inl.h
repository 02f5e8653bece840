// The scales of two sub-blocks of each row, multiplied by a token's two sums of activations.
#pragma once

#include <cstdint>

namespace {
namespace qgemm {

/// Two numbers of 16 bits per row.
struct Pair {
  I first, second;
};
/// p's first * xy[0] + its second * xy[1]; xy fit 16 bits.
inline I dot2(const Pair& p, const int32_t* xy) {
  return p.first * I::set1(xy[0]) + p.second * I::set1(xy[1]);
}

}  // namespace qgemm
}  // namespace
