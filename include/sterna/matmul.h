// The raw low-bit matmul: pack integer codes once, multiply by many activations.
//   y[t][r] = sum over k of value(r, k) * x[t][k],   value = scale * (mul*code - zero)
// x is quantized to 4, 8 or 16 bits per token (one scale per row of weights) or per block (block scales), as
// the arithmetic of the library prescribes; the result has the same bits on every instruction set and for
// every number of threads.
//
// Activations. With amax the largest |x| of the token or block and L = 7, 127 or 32639 for 4, 8 or 16 bits:
//   code = rne(x * (L / amax)), scale = amax / L.
// Where L / amax is not finite (zeros, and amax below about L * 2^-128) codes and scale are 0; where an
// element is not finite the scale is NaN, and so is all of the token's output.
// 16 bits are two planes of int8, code = 256*hi + lo with lo in -128..127 (hence L = 127*256 + 127):
//   y = y(hi, 256*scale) + y(lo, scale), each as with 8 bits, one f32 addition.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "sterna/status.h"
#include "sterna/threads.h"

namespace sterna {

struct PackOptions {
  int bits = 2;      ///< 1 to 8; codes must be < 2^bits. 7 takes the memory of 8.
  int zero = 1;      ///< value = scale * (code - zero); 1 bit ignores it: value = scale * (2*code - 1).
  size_t block = 0;  ///< Elements per scale: 0 = one scale per row; else a multiple of 32 that divides depth.
  /// If not empty, 2^bits values (bits up to 4; takes the memory of 4): value = scale * codebook[code].
  std::span<const int8_t> codebook = {};
};

/// Packed weights of a matrix (rows x depth), immutable, usable from several threads at once.
class PackedWeights {
 public:
  /// codes: rows*depth bytes, row-major. scales: rows, or rows*depth/block floats, row-major, finite.
  /// Errors: kInvalidArgument naming the argument; kOutOfMemory.
  static Result<PackedWeights> pack(std::span<const uint8_t> codes, std::span<const float> scales,
                                    size_t rows, size_t depth, const PackOptions& options);
  /// Binary-coded weights (BCQ): value(r, k) = sum over planes p of scale_p * (2*code_p - 1), 1 to 8 planes.
  /// codes: [planes][rows][depth] of 0 and 1, scales: [planes][rows] or [planes][rows][depth/block].
  /// The planes' products are added in order, in f32.
  static Result<PackedWeights> pack_bcq(std::span<const uint8_t> codes, std::span<const float> scales,
                                        size_t n_planes, size_t rows, size_t depth, size_t block);
  PackedWeights(PackedWeights&&) noexcept;
  PackedWeights& operator=(PackedWeights&&) noexcept;
  ~PackedWeights();

  /// x: n_tokens rows of depth floats, out: n_tokens rows of rows() floats, both contiguous, not overlapping;
  /// no tokens give nothing. n_threads: 1..1024. act_bits: 4, 8 or 16. Calls on one PackedWeights take turns.
  /// Errors: kInvalidArgument naming sizes; kOutOfMemory; kUnsupported in a forked child if another thread
  /// was in this call at the time of the fork.
  Status matmul(std::span<const float> x, std::span<float> out, size_t n_tokens, int n_threads,
                int act_bits = 8) const;
  /// The same by threads that others share.
  Status matmul(std::span<const float> x, std::span<float> out, size_t n_tokens, const Threads& threads,
                int act_bits = 8) const;

  size_t rows() const;
  size_t depth() const;
  int bits() const;            ///< Of a code; planes of pack_bcq().
  size_t bytes() const;        ///< Packed size in memory.
  const char* kernel() const;  ///< The kernel in use, e.g. "qgemm_w2_row_avx512".

 private:
  struct Impl;
  explicit PackedWeights(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Decodes whole rows of a GGUF weight format ("Q4_K", "TQ2_0", ...) to floats, as the format defines them.
/// data: rows back to back (plus the trailing f32 scale for I2_S; nothing for no rows). The layouts are those
/// of GGUF (ggml). Errors: kUnsupported for an unknown name, kInvalidArgument if sizes do not fit,
/// kOutOfMemory.
Status dequantize(const char* format, std::span<const uint8_t> data, size_t row_elems, std::span<float> out);

}  // namespace sterna
