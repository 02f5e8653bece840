// Mixtures of experts: which rows go to which experts. A row becomes a slot for each expert that it uses;
// slots are in the order of experts, so that an expert's are rows one after the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/contract/elementwise.h"
#include "threads/pool.h"

namespace sterna::cpu {

/// How a row chooses: p = softmax(logits); the n_used experts of the largest p (of equals the first), in that
/// order, with the weights p, divided by their sum (added in that order) if `renormalize`, times `scale`.
struct Routing {
  size_t n_experts = 0, n_used = 0;
  bool renormalize = true;
  float scale = 1;
};

class Slots {
 public:
  struct Group {
    size_t expert, first, n;  ///< Slots first .. first + n - 1.
  };

  /// Memory for n_rows rows of any routing up to this one.
  void reserve(size_t n_rows, const Routing& routing);
  /// Of n_rows rows of logits, which it may change. Allocates nothing.
  void route(ThreadPool& pool, const Routing& routing, float* logits, size_t n_rows);

  size_t size() const { return n_rows_ * routing_.n_used; }
  std::span<const Group> groups() const { return groups_; }
  size_t row_of(size_t slot) const { return row_of_[slot]; }
  /// out = sum of the row's experts' y, in their order: the first's product with its weight, then one fma
  /// each.
  void join(size_t row, const float* y, size_t width, float* out) const;

 private:
  struct Use {
    size_t expert, slot;
    float weight;
  };
  void choose(float* logits, Use* uses) const;

  Routing routing_;
  size_t n_rows_ = 0;
  kernels::SoftmaxFn* softmax_ = nullptr;
  std::vector<Use> uses_;  ///< [rows][n_used]
  std::vector<size_t> row_of_, counts_;
  std::vector<Group> groups_;
};

}  // namespace sterna::cpu
