// Tables for matmul by lookup (contract/tables.h), 64 entries at a time. An entry adds |a| for each bit that
// is set where a > 0, or clear where a < 0: the sum of the set bits' activations, less the least sum there
// is. Bytes wrap around, which leaves the low byte right; the high bytes are made only where a sum needs
// them.
#pragma once

#include "kernels/contract/tables.h"

namespace {
namespace tables {

using sterna::kernels::TablesArgs;
using sterna::kernels::TablesVariant;

/// Bit i of the entry's number, all ones if set.
alignas(64) constexpr int8_t kBit[4][16] = {{0, -1, 0, -1, 0, -1, 0, -1, 0, -1, 0, -1, 0, -1, 0, -1},
                                            {0, 0, -1, -1, 0, 0, -1, -1, 0, 0, -1, -1, 0, 0, -1, -1},
                                            {0, 0, 0, 0, -1, -1, -1, -1, 0, 0, 0, 0, -1, -1, -1, -1},
                                            {0, 0, 0, 0, 0, 0, 0, 0, -1, -1, -1, -1, -1, -1, -1, -1}};

/// Where quarter j of a vector (group j) finds its i-th activation among 16.
struct Picks {
  uint8_t of[4][64];
};
constexpr Picks picks() {
  Picks p{};
  for (int i = 0; i < 4; i++)
    for (int b = 0; b < 64; b++) p.of[i][b] = uint8_t(4 * i + b / 16);
  return p;
}
alignas(64) constexpr Picks kPicks = picks();

/// The high bytes of a vector whose groups' activations are a[j], a[4 + j], ...
template <int bits>
inline void make_high(const int8_t* a, uint8_t* high) {
  for (int j = 0; j < 4; j++, high += 16) {
    I entry = I::zero();
    for (int i = 0; i < 4; i++) {
      const int32_t x = bits == 1 ? a[4 * i + j] : a[4 * (i / 2) + j] * (i % 2 ? 2 : 1);
      entry = entry + (I::set1(x) & I::load_i8(kBit[i])) + I::set1(x < 0 ? -x : 0);
    }
    store_i8(shift_right<8>(entry), reinterpret_cast<int8_t*>(high));
  }
}

template <TablesVariant w>
void run(const TablesArgs& args) {
  constexpr int bits = w.bits;
  const auto pattern = [](int i) { return broadcast16(reinterpret_cast<const uint8_t*>(kBit[i])); };
  const int8_t* act = args.act;
  for (size_t c = 0; c < args.n_chunks; c++, act += 32) {
    int32_t least = 0;
    for (int k = 0; k < 32; k++) least += act[k] < 0 ? act[k] : 0;
    args.to.least[c] = bits == 1 ? least : 3 * least;
    for (int half = 0; half < 2; half++) {
      const B x = broadcast16(reinterpret_cast<const uint8_t*>(act + 16 * half));
      const B size = magnitude(x), negative = sign_mask(x);
      for (int part = 0; part < bits; part++) {
        const size_t v = 2 * bits * c + size_t(bits * half + part);
        B entries = B::zero(), largest = B::zero();
        for (int i = 0; i < 4 / bits; i++) {
          const B pick = B::load(kPicks.of[2 * part + i]);
          const B a = lookup16(size, pick), flip = lookup16(negative, pick);
          for (int bit = 0; bit < bits; bit++)
            for (int times = 0; times < 1 + bit; times++) {
              entries = add_bytes(entries, a & (flip ^ pattern(bits * i + bit)));
              largest = add_saturated(largest, a);
            }
        }
        entries.store(args.to.low + 64 * v);
        args.to.wide[v] = any_full(largest);
        if (args.to.wide[v]) make_high<bits>(act + 16 * half + 8 * part, args.to.high + 64 * v);
      }
    }
  }
}

}  // namespace tables
}  // namespace
