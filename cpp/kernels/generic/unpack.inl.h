// From the lines of a chunk to quads of codes, a byte each; layout in contract/qgemm.h.
#pragma once

#include <cstdint>

namespace {
namespace qgemm {

#ifndef STERNA_INLINE  // forced: what works on a tile has to find all of it in registers
#define STERNA_INLINE inline __attribute__((always_inline))
#endif

/// Puts bit 4h + i of `line` into bit `to` of quad i. Forced inline, as others here that GCC 12 else calls
/// from the inner loop, with all operands in memory.
template <int to>
STERNA_INLINE void add_bit(B line, int h, B q[4]) {
  if (h == 0) {
    q[0] = q[0] | move_bits<0, 1, to>(line), q[1] = q[1] | move_bits<1, 1, to>(line);
    q[2] = q[2] | move_bits<2, 1, to>(line), q[3] = q[3] | move_bits<3, 1, to>(line);
  } else {
    q[0] = q[0] | move_bits<4, 1, to>(line), q[1] = q[1] | move_bits<5, 1, to>(line);
    q[2] = q[2] | move_bits<6, 1, to>(line), q[3] = q[3] | move_bits<7, 1, to>(line);
  }
}

/// The four quads of half `h` (16 k) of a chunk.
template <int bits>
STERNA_INLINE void unpack(const uint8_t* chunk, int h, B q[4]) {
  const auto line = [&](int i) { return B::load(chunk + 64 * i); };
  if constexpr (bits == 1) {
    q[0] = q[1] = q[2] = q[3] = B::zero();
    add_bit<0>(line(0), h, q);
  } else if constexpr (bits == 2 || bits == 3) {
    const B l = line(h);
    q[0] = move_bits<0, 2, 0>(l), q[1] = move_bits<2, 2, 0>(l), q[2] = move_bits<4, 2, 0>(l),
    q[3] = move_bits<6, 2, 0>(l);
    if constexpr (bits == 3) add_bit<2>(line(2), h, q);
  } else if constexpr (bits == 8) {
    for (int i = 0; i < 4; i++) q[i] = line(4 * h + i);
  } else {
    const B l0 = line(2 * h), l1 = line(2 * h + 1);
    q[0] = move_bits<0, 4, 0>(l0), q[1] = move_bits<4, 4, 0>(l0), q[2] = move_bits<0, 4, 0>(l1),
    q[3] = move_bits<4, 4, 0>(l1);
    if constexpr (bits == 5) add_bit<4>(line(4), h, q);
    if constexpr (bits == 6) {
      const B b = line(4 + h);
      q[0] = q[0] | move_bits<0, 2, 4>(b), q[1] = q[1] | move_bits<2, 2, 4>(b);
      q[2] = q[2] | move_bits<4, 2, 4>(b), q[3] = q[3] | move_bits<6, 2, 4>(b);
    }
  }
}

}  // namespace qgemm
}  // namespace
