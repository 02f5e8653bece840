// Q1_0 (id 41): binary, f16 scale per 128.
//
// Layout  18 bytes per 128 elements: d f16 [0], qs[16] [2].
// Order   element j in byte 2 + j / 8, bit j % 8.
// Value   d * (2 * code - 1): +d or -d, there is no zero.
// Fold    activations int8 in blocks of 128; isum = sum (2 * code - 1) * a, |isum| <= 2^14;
//         acc = fma(float(isum), d * a_scale, acc).
// Choice  The activations could have a scale per 32 (llama.cpp), which rounds them less. A trained 8 M model
//         (128 windows of 512 tokens) has perplexity 11.3962 with float activations, 11.3995 with blocks of
//         128 (+0.030 %) and 11.3975 with 32 (+0.012 %); its logits are off by 0.86 and 0.62 % of their
//         spread in rms. AVX2 kernels with a scale of both kinds per 32 execute 1.9 times the instructions
//         for one token and for 128 (6144 x 2048; in time 1.7 and 2 to 3 times, best and median of
//         interleaved calls on a busy machine): finer scales make larger codes, so that 43 % instead of 15 %
//         of the tables' vectors need their high bytes (normal activations). So the weights' block it is.
// Example 00 38 05 00 ... 80 -> e0 = 0.5, e1 = -0.5, e2 = 0.5, e127 = 0.5, all others -0.5
#include "formats/codec.h"

namespace sterna::formats {
namespace {

struct Q1_0 {
  static constexpr uint32_t kElems = 128, kBytes = 18;
  static constexpr CodeSpec kSpec{.fold = Fold::kBlock, .bits = 1, .mul = 2, .zero = 1, .block = kElems};
  static void unpack(const uint8_t* __restrict b, uint8_t* __restrict codes, const RowCodes& out) {
    *out.d = load_u16(b);
    runs<1, 16>(b + 2, codes);
  }
};

}  // namespace

constinit const Format kQ1_0 = make_format<Q1_0>("Q1_0", 41);

}  // namespace sterna::formats
