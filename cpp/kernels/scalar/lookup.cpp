// Matmul by lookup for scalar: the generic source on plain arrays.
#define STERNA_ISA scalar
#include "kernels/scalar/vec.h"

namespace {
namespace qgemm {

constexpr int kLookupPanels = 1;
constexpr size_t kSpanLines = 8;

struct Sums {
  int32_t of[16];
  static Sums zero() { return {}; }
  void add(B x) {
    for (int i = 0; i < 64; i++) of[i / 4] += x.v[i];
  }
  void add_high(B x) {
    for (int i = 0; i < 64; i++) of[i / 4] += 256 * x.v[i];
  }
  I total() const {
    return lanes<I>([&](int r) { return of[r]; });
  }
};
inline B load_groups(const uint8_t* line) { return B::load(line); }
/// Of each byte, nibble h and the table.
template <int h>
inline B table_index(B line) {
  for (int i = 0; i < 64; i++) line.v[i] = uint8_t(i % 4 * 16 + (line.v[i] >> 4 * h & 15));
  return line;
}
inline B look_up(B tables, B index) {
  for (int i = 0; i < 64; i++) index.v[i] = tables.v[index.v[i]];
  return index;
}

}  // namespace qgemm
}  // namespace

// the source, for those
#include "kernels/generic/define.h"
#include "kernels/generic/lookup.inl.h"
// the lists, defined from that source
#include "kernels/generic/lookup.inc"
#include "kernels/generic/lookup2.inc"
