// Choosing experts row by row, and a counting sort of what was chosen.
#include "backends/cpu/experts.h"

#include <algorithm>
#include <cmath>

#include "kernels/registry.h"

namespace sterna::cpu {

void Slots::reserve(size_t n_rows, const Routing& r) {
  softmax_ = kernels::find_fn<kernels::SoftmaxFn>(kernels::Family::softmax, "f32");
  uses_.resize(n_rows * r.n_used), row_of_.resize(n_rows * r.n_used);
  counts_.resize(r.n_experts), groups_.reserve(r.n_experts);
}

void Slots::choose(float* p, Use* uses) const {
  constexpr float kTaken = -1;  // no probability
  softmax_(p, routing_.n_experts, p);
  float sum = 0;
  for (size_t i = 0; i < routing_.n_used; i++) {
    size_t best = 0;
    while (p[best] == kTaken) best++;
    for (size_t e = best + 1; e < routing_.n_experts; e++)
      if (p[e] > p[best]) best = e;
    uses[i] = {best, 0, p[best]};
    sum += p[best];
    p[best] = kTaken;
  }
  for (size_t i = 0; i < routing_.n_used; i++) {
    if (routing_.renormalize) uses[i].weight /= sum;
    uses[i].weight *= routing_.scale;
  }
}

void Slots::route(ThreadPool& pool, const Routing& routing, float* logits, size_t n_rows) {
  routing_ = routing, n_rows_ = n_rows;
  pool.run(n_rows, [&](size_t t) { choose(logits + t * routing.n_experts, &uses_[t * routing.n_used]); });
  std::fill_n(counts_.begin(), routing.n_experts, 0);
  for (size_t i = 0; i < size(); i++) counts_[uses_[i].expert]++;
  groups_.clear();
  size_t first = 0;
  for (size_t e = 0; e < routing.n_experts; e++) {
    const size_t n = counts_[e];
    if (n) groups_.push_back({e, first, n});
    counts_[e] = first;  // from here on where the expert's next slot is
    first += n;
  }
  for (size_t i = 0; i < size(); i++) {
    uses_[i].slot = counts_[uses_[i].expert]++;
    row_of_[uses_[i].slot] = i / routing.n_used;
  }
}

void Slots::join(size_t row, const float* y, size_t width, float* out) const {
  const Use* const uses = &uses_[row * routing_.n_used];
  for (size_t i = 0; i < routing_.n_used; i++) {
    const float* const from = y + uses[i].slot * width;
    const float w = uses[i].weight;
    for (size_t d = 0; d < width; d++) out[d] = i ? std::fma(w, from[d], out[d]) : w * from[d];
  }
}

}  // namespace sterna::cpu
