// The sum of terms, and the split of products into tasks.
#include "backends/cpu/linear.h"

#include <algorithm>

#include "base/checked_math.h"

namespace sterna::cpu {

size_t Linear::bytes() const {
  size_t n = 0;
  for (const auto& t : terms) n += t->bytes();
  return n;
}

size_t Linear::unit() const {
  size_t n = 1;
  for (const auto& t : terms) n = std::max(n, t->unit);
  return n;
}

Status Linear::bind(Activations& acts, size_t n_rows) {
  for (const auto& t : terms) STERNA_RETURN_IF_ERROR(t->bind(acts, n_rows));
  return {};
}

void Linear::multiply(const Activations& acts, size_t first, size_t n, size_t row, size_t n_rows, float* out,
                      size_t stride) const {
  terms[0]->multiply(acts, first, n, row, n_rows, out, stride);
  constexpr size_t kFloats = 8192;  // 64 rows for each of kTokenBlock
  for (size_t i = 1; i < terms.size(); i++) {
    float product[kFloats];
    const size_t width = kFloats / n / 16 * 16;
    for (size_t r = 0; r < n_rows; r += width) {
      const size_t now = std::min(width, n_rows - r);
      terms[i]->multiply(acts, first, n, row + r, now, product, now);
      for (size_t t = 0; t < n; t++)
        for (size_t j = 0; j < now; j++) out[t * stride + r + j] += product[t * now + j];
    }
  }
  if (scale == 1.0f && !bias) return;
  for (size_t t = 0; t < n; t++)
    for (size_t r = 0; r < n_rows; r++) {
      float& y = out[t * stride + r];
      y *= scale;
      if (bias) y += bias[row + r];
    }
}

void begin(Activations& acts, Readers readers) {
  acts.begin(readers[0]->depth);
  for (const Linear* l : readers)
    for (const auto& t : l->terms) acts.read(t->form());
}

namespace {

/// What terms need of the products' rows begin .. end - 1. There is room for that of one block of rows; where
/// several ranges of rows do not fit, terms do without.
void prepare(ThreadPool& pool, Activations& acts, std::span<const Product> products, size_t begin,
             size_t end) {
  size_t from = ~size_t(0), to = 0;
  for (const Product& p : products) {
    if (begin >= p.n) continue;
    from = std::min(from, p.first + begin), to = std::max(to, p.first + std::min(end, p.n));
  }
  if (to - from > kTokenBlock) return;
  for (const Product& p : products)
    for (const auto& t : p.linear->terms)
      if (begin < p.n && t->prepares(std::min(end, p.n) - begin)) t->prepare(pool, acts, from, to - from);
}

}  // namespace

void matmul(ThreadPool& pool, Activations& acts, std::span<const Product> products) {
  bool prepares = false;
  size_t n_max = 0, total_rows = 0;
  for (const Product& p : products) {
    n_max = std::max(n_max, p.n), total_rows += p.n_rows;
    for (const auto& t : p.linear->terms) {
      prepares |= t->prepares(std::min(p.n, kTokenBlock));
      if (p.n > kTokenBlock && p.n % kTokenBlock) prepares |= t->prepares(p.n % kTokenBlock);
    }
  }
  // Rows per task: a few tasks per thread so that a slow core can take fewer; a multiple of 64 keeps four
  // panels together.
  const size_t per_task = round_up(std::clamp<size_t>(total_rows / (size_t(pool.size()) * 6), 64, 512), 64);
  size_t n_tasks = 0;
  for (const Product& p : products) n_tasks += ceil_div(p.n_rows, per_task);
  const size_t per_region = prepares ? kTokenBlock : n_max;
  for (size_t begin = 0; begin < n_max; begin += per_region) {
    const size_t end = std::min(n_max, begin + per_region);
    if (prepares) prepare(pool, acts, products, begin, end);
    pool.run(n_tasks, [&](size_t task) {
      const Product* p = products.data();
      for (; task >= ceil_div(p->n_rows, per_task); p++) task -= ceil_div(p->n_rows, per_task);
      const size_t row = task * per_task, rows = std::min(per_task, p->n_rows - row);
      for (size_t i = begin; i < std::min(end, p->n); i += kTokenBlock)
        p->linear->multiply(acts, p->first + i, std::min(kTokenBlock, std::min(end, p->n) - i), p->row + row,
                            rows, p->out + i * p->stride + row, p->stride);
    });
  }
}

}  // namespace sterna::cpu
