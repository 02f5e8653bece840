// The packing of ternary codes, five digits a byte (kernels/contract/trits.h): a fifth less memory than two
// bits each.
#include "kernels/contract/trits.h"

#include "base/checked_math.h"
#include "packing/groups.h"

namespace sterna::cpu {
namespace {

void pack_codes(int, const uint8_t* codes, size_t n, uint8_t* lane) {
  const size_t padded = round_up(n, 32);
  const auto digit = [&](size_t k) { return k < n ? codes[k] : 0; };
  for (size_t k = 0; k < padded;) {
    const bool whole = padded - k >= 80;
    for (size_t l = 0; l < (whole ? 4 : 1); l++, lane += 64)
      for (size_t j = 0; j < 4; j++) {
        const size_t first = k + 16 * l + j;
        lane[j] = kernels::encode_trits(digit(first), digit(first + 4), digit(first + 8), digit(first + 12),
                                        whole ? digit(k + 64 + 4 * l + j) : 0);
      }
    k += whole ? 80 : 16;
  }
}

}  // namespace

const Packing packing::trits{
    "trits",
    [](const formats::CodeSpec& s) { return s.ternary; },
    [](const formats::CodeSpec& s, size_t rows, size_t depth) {
      return layout_of_groups(packing::trits, s, rows, depth,
                              64 * kernels::trit_lines(codes_of_span(s, depth) / 16));
    },
    [](const PackedLayout& l, const PanelSource& source, uint8_t* panel) {
      pack_groups(l, source, pack_codes, panel);
    },
    [](const formats::CodeSpec& s) {
      return kernels::QGemmVariant{.bits = s.bits, .fold = s.fold, .trits = true};
    },
};

}  // namespace sterna::cpu
