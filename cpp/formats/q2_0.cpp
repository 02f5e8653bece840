// Q2_0: 2 bits per weight, f16 scale per group; ternary models use codes 0..2 only. Two formats:
//   Q2_0 (id 42) has groups of 64.
//   Q2_0_G128 has groups of 128: PrismML's PQ2_0 (id 142), and its older files, which carry id 42 and differ
//             from Q2_0 by the sizes of their tensors only.
//
// Layout  per group of G elements: d f16 [0], qs[G / 4] [2]: 18 bytes for 64, 34 for 128.
// Order   element j in byte 2 + j / 4, bits 2 * (j % 4).
// Value   d * (code - 1): -d, 0, +d, +2d.
// Fold    activations int8 in blocks of G; isum = sum (code - 1) * a, |isum| <= 2^15;
//         acc = fma(float(isum), d * a_scale, acc).
// Choice  The activations could have a scale per 32 (llama.cpp), which rounds them less. A trained 8 M model
//         with groups of 64 (128 windows of 512 tokens) has perplexity 9.6477 with float activations, 9.6477
//         with blocks of 64 and 9.6482 with 32; its logits are off by 0.85 and 0.71 % of their spread in rms.
//         AVX2 kernels with a scale of both kinds per 32 execute 1.17 times the instructions for one token
//         and 1.29 times for 128 (6144 x 2048; in time 1.15 and 1.15 to 1.3 times, best and median of
//         interleaved calls on a busy machine). So the weights' block it is.
// Example 00 38 E4 00 ... 40 -> e0..3 = -0.5, 0, 0.5, 1; last element 0; all others -0.5
#include "formats/codec.h"

namespace sterna::formats {
namespace {

template <int kGroup>
struct Q2 {
  static constexpr uint32_t kElems = kGroup, kBytes = 2 + kGroup / 4;
  static constexpr CodeSpec kSpec{.fold = Fold::kBlock, .bits = 2, .zero = 1, .block = kElems};
  static void unpack(const uint8_t* __restrict b, uint8_t* __restrict codes, const RowCodes& out) {
    *out.d = load_u16(b);
    runs<2, kGroup / 4>(b + 2, codes);
  }
};

}  // namespace

constinit const Format kQ2_0 = make_format<Q2<64>>("Q2_0", 42);
constinit const Format kQ2_0_G128 = make_format<Q2<128>>("Q2_0_G128", -1);

}  // namespace sterna::formats
