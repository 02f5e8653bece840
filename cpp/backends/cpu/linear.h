// Linear layers: the sum of the products of their terms, then the epilogue; and the product of several layers
// with the same rows of activations, in parallel.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backends/cpu/activations.h"
#include "backends/cpu/terms/term.h"
#include "sterna/status.h"
#include "threads/pool.h"

namespace sterna::cpu {

struct Linear {
  size_t rows = 0, depth = 0;
  std::vector<std::unique_ptr<Term>> terms;  ///< Their products are added in this order.
  float scale = 1.0f;                        ///< Then the sum is multiplied with it (side-car scale tensors),
  const float* bias = nullptr;               ///< and this is added; [rows], or null. Owned by others.
  size_t n_experts = 0;                      ///< Of a mixture: matrices of as many rows each in this one.

  Linear() = default;
  /// Of one term, and no epilogue.
  explicit Linear(std::unique_ptr<Term> term) : rows(term->rows), depth(term->depth) {
    terms.push_back(std::move(term));
  }
  size_t bytes() const;
  size_t unit() const;  ///< Rows row .. of multiply() begin at multiples of it.
  /// All terms'; kOutOfMemory.
  Status bind(Activations& acts, size_t n_rows);
  /// Rows row .. row + n_rows - 1 times rows first .. first + n - 1 (at most kTokenBlock) of the activations,
  /// by the calling thread: out[i * stride + r], i and r from 0.
  void multiply(const Activations& acts, size_t first, size_t n, size_t row, size_t n_rows, float* out,
                size_t stride) const;
};

/// Layers that are multiplied with the same rows.
using Readers = std::span<const Linear* const>;

/// Starts a step: rows are given to these.
void begin(Activations& acts, Readers readers);

/// Rows of a layer times rows of the activations.
struct Product {
  const Linear* linear;
  size_t row, n_rows;  ///< Of the layer: row a multiple of its unit().
  size_t first, n;     ///< Of the activations.
  float* out;          ///< out[i * stride + r], i and r from 0.
  size_t stride;

  /// With all rows of the layer.
  static Product whole(const Linear& l, size_t first, size_t n, float* out) {
    return {&l, 0, l.rows, first, n, out, l.rows};
  }
};
/// All products, by all threads. Splitting never changes a result: every output element is computed by one
/// thread from one row of each.
void matmul(ThreadPool& pool, Activations& acts, std::span<const Product> products);

}  // namespace sterna::cpu
