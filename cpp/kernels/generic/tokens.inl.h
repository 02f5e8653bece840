// The activations of a tile's tokens, for the inner loops of qgemm_unpacked.inl.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace {
namespace qgemm {

/// T rows that lie `stride` apart.
template <int T>
struct Tokens {
  const int8_t* act;
  size_t stride;
  /// Those of token t from k on.
  const int8_t* at(int t, size_t k) const { return act + size_t(t) * stride + k; }
};

}  // namespace qgemm
}  // namespace
