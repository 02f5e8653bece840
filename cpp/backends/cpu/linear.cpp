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

void matmul(ThreadPool& pool, Activations& acts, size_t first, size_t n, std::span<const Product> products) {
  bool prepares = false;
  for (const Product& p : products)
    for (const auto& t : p.linear->terms) {
      prepares |= t->prepares(std::min(n, kTokenBlock));
      if (n > kTokenBlock && n % kTokenBlock) prepares |= t->prepares(n % kTokenBlock);
    }
  // Rows per task: a few tasks per thread so that a slow core can take fewer; a multiple of 64 keeps four
  // panels together.
  size_t total_rows = 0;
  for (const Product& p : products) total_rows += p.linear->rows;
  const size_t per_task = round_up(std::clamp<size_t>(total_rows / (size_t(pool.size()) * 6), 64, 512), 64);
  size_t n_tasks = 0;
  for (const Product& p : products) n_tasks += ceil_div(p.linear->rows, per_task);
  // What is prepared may be larger than what it is made from: there is room for that of one block of rows.
  const size_t per_region = prepares ? kTokenBlock : n;
  for (size_t begin = 0; begin < n; begin += per_region) {
    const size_t end = std::min(n, begin + per_region);
    if (prepares)
      for (const Product& p : products)
        for (const auto& t : p.linear->terms) t->prepare(pool, acts, first + begin, end - begin);
    pool.run(n_tasks, [&](size_t task) {
      const Product* p = products.data();
      for (; task >= ceil_div(p->linear->rows, per_task); p++) task -= ceil_div(p->linear->rows, per_task);
      const size_t row = task * per_task, rows = std::min(per_task, p->linear->rows - row);
      for (size_t i = begin; i < end; i += kTokenBlock)
        p->linear->multiply(acts, first + i, std::min(kTokenBlock, end - i), row, rows,
                            p->out + i * p->stride + row, p->stride);
    });
  }
}

}  // namespace sterna::cpu
