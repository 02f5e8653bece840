// Lossless screening of a large output matrix: which rows can hold the logits that sampling looks at, found
// from a fraction of the matrix's bytes. Only those rows are then multiplied by the exact kernel, so what
// comes out are the very floats of the full product; a row is left out only if it is proven not to matter.
//
// Two planes stand for the matrix W: C1, 4-bit codes with one scale a row (w4_row panels), and C2, the rest
// W - C1 again in 4 bits with a scale per 32 (Q4_0 panels). Both are real matrices, known exactly.
//   W = C1 + D1 = C1 + C2 + D2
// The activations x are quantized to int8 twice, first x, then what that left, and both go through one qgemm
// call as two tokens, which costs no memory traffic: x = x8 + y8 + e with |e| about 2^-15 |x|. Let v be the
// sum of the two results for C1, in double. |.| are Euclidean norms, u = 2^-24.
//
// Bound after plane 1. Let z be the exact kernel's float for a row w. By Cauchy and Schwarz
//   |z - v| <= |w.x - z| + |D1.x| + |C1.e| + |C1.(x8 + y8) - v|
//           <= g |w| |x| + |D1| |x| + |C1| |e| + g |C1| (|x8| + |y8|),      |w| <= |C1| + |D1|.
// g = n u / (1 - n u) with n = depth/16 + 32 covers every float rounding of a kernel: fgemm adds depth/16
// products per lane and 4 times more in its tree; qgemm rounds an integer sum, a product of scales and one
// fma per block (at most depth/32 of them), without cancellation inside a term, because formats with minima
// are not screened. If the matrix is quantized, its kernel sees int8 activations; then x is what these stand
// for, so their quantization is no error here; rounding x to float is one more u in n.
//
// Bound after plane 2, v now with C2's results, e' and x8', y8' from its own quantization of x:
//   |z - v| <= |D2| |x| + |C1| (|e| + g (|x| + |x8| + |y8|)) + |D1| g |x| + |C2| (|e'| + g (|x8'| + |y8'|)),
//   |C2| <= |D1| + |D2|.
// Norms are sums of squares in double of floats whose own rounding (u each) is added, rounded up to float; a
// last factor 1 + 2^-20 covers the arithmetic of the bound itself, and 2^-100 every underflow, which is below
// 2^-108 while |x| is in the range that usable() asks for; there no product overflows either.
//
// The threshold is an exact logit, not a lower bound: the rows with the largest v are multiplied exactly
// first, which halves the distance that a row must stay below. Ties with the threshold always stay, also
// those that a map of the logits makes (logit_map.h).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backends/cpu/linear.h"
#include "backends/cpu/logit_map.h"
#include "sterna/model.h"
#include "sterna/status.h"
#include "threads/pool.h"

namespace sterna::cpu {

struct Candidate {
  int32_t id;
  float logit;
};

/// The logits that a caller needs: all that may be among the top_k largest and at most `gap` below the
/// largest.
struct Query {
  size_t rows = 0;   ///< Rows from here on are padding.
  size_t top_k = 0;  ///< 0: any number.
  double gap = std::numeric_limits<double>::infinity();
  LogitMap map = {};  ///< Of the products that a screen finds; the logits are what it gives.
  bool all() const { return top_k == 0 && gap == std::numeric_limits<double>::infinity(); }
  /// What no product that is asked for is below, by the products of some rows, largest first, top_k at least.
  /// The k-th largest of all is at least the k-th largest of some, the largest at least theirs.
  double threshold(std::span<const float> some) const {
    return std::max(top_k ? map.bound(double(some[top_k - 1]), 0) : -HUGE_VAL,
                    map.bound(double(some[0]), gap));
  }
};

class Screen {
 public:
  /// Why a matrix cannot be screened, "" if it can.
  static std::string refusal(const TensorRows& rows, const Linear& head);
  /// `rows` is only read here; `head` is the matrix that they were packed to and must stay. kCorrupt for an
  /// element that is not finite, kOutOfMemory.
  static Result<std::unique_ptr<Screen>> make(const TensorRows& rows, const Linear& head, ThreadPool& pool);

  size_t bytes() const;  ///< Of the planes and norms, in memory.

  /// Whether screening the next n tokens is worth trying: not for a while after it cost more than the full
  /// product.
  bool worthwhile(size_t n);
  /// Multiplies plane 1 with activations first .. first + n - 1, which must stay until candidates().
  /// kOutOfMemory.
  Status scan(const Activations& acts, size_t first, size_t n);
  /// The products that `query` asks for, of scanned token i (and perhaps others), by increasing id. False if
  /// the full product is needed because it is cheaper or because of the size of the activations.
  bool candidates(size_t i, const Query& query, std::vector<Candidate>& out, ScreenStats& stats);

  /// |exact logit - value| <= error.
  struct Estimate {
    double value, error;
  };
  Estimate coarse(size_t i, size_t row) const;               ///< After scan().
  Estimate fine(size_t i, size_t row) const;                 ///< After refine() of the row's panel.
  void refine(size_t i, std::span<const uint32_t> panels);   ///< Multiplies panels of plane 2 with token i.
  bool usable(size_t i) const { return tokens_[i].usable; }  ///< Whether the bounds hold.

 private:
  struct Plane {
    Buffer panels;
    Linear linear;
    Activations acts;  ///< Rows 2i and 2i + 1: token i, and what quantizing it left.
  };
  struct RowNorms {
    float code1, rest1, rest2;  ///< |C1|, |D1|, |D2|
  };
  struct Token {
    bool usable;
    // Factors of the row's norms in the bounds after plane 1 and plane 2.
    double coarse_code1, coarse_rest1, fine_code1, fine_rest1, fine_rest2;
  };

  Screen(const Linear& head, ThreadPool& pool) : head_(head), pool_(pool) {}
  Status build(const TensorRows& rows);
  double quantize(Plane& plane, size_t i, const float* x, double norm_x);
  uint64_t exact(size_t i, std::span<const uint32_t> rows);
  template <class Keep>
  std::vector<uint32_t> select(size_t n, Keep keep);
  std::vector<uint32_t> best(size_t i, size_t rows, size_t n);
  class Marks;

  /// Whether the exact kernel sees integers instead of the activations.
  bool quantized() const { return head_.terms[0]->form() != Activations::kFloats; }

  const Linear& head_;
  ThreadPool& pool_;
  Plane planes_[2];
  std::vector<RowNorms> norms_;
  double largest_row_ = 0, g_ = 0;

  // The tokens of the last scan.
  const Activations* acts_ = nullptr;
  size_t first_ = 0, room_ = 0;  ///< room_: tokens that the planes' activations have memory for.
  std::vector<Token> tokens_;
  std::vector<float> coarse_;   ///< [2 * tokens][rows]
  std::vector<float> fine_;     ///< [2][rows], panels of the last refine()
  std::vector<float> logits_;   ///< [rows], of the last exact()
  std::vector<uint8_t> marks_;  ///< [rows], zeros between calls
  std::vector<float> x_, rest_;

  size_t pause_ = 0;
};

}  // namespace sterna::cpu
