// Two ways to share the work, with the same bits since partials merge in the order of pages either way.
//   Few rows of a sequence (decoding): a task is one page of one KV head; whoever finishes a head's last page
//   merges them. Any number of threads is busy if the context is long, whatever the number of heads.
//   Many rows (a prompt): a task is a block of rows of one KV head and goes through the pages it sees, which
//   stay in the second-level cache for the whole block.
#include "backends/cpu/attention.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "base/checked_math.h"
#include "kernels/registry.h"

namespace sterna::cpu {
namespace {

/// Queries of a block: enough to outweigh the reading of a page, few enough for their partials to stay in
/// cache.
constexpr size_t kBlockQueries = 32;

constexpr size_t pages_at(size_t position) { return position / kPagePositions + 1; }

}  // namespace

Attention::Attention(const KvShape& shape, size_t n_head, size_t window, float cap, int n_threads)
    : shape_(shape),
      window_(window),
      cap_(cap),
      n_head_(n_head),
      group_(n_head / shape.n_heads),
      block_(std::max<size_t>(1, kBlockQueries / group_)),
      row_(kernels::partial_floats(shape.head_dim)),
      n_threads_(size_t(n_threads)),
      merge_(kernels::find_fn<kernels::MergeFn>(kernels::Family::merge, "f32")) {}

Status Attention::plan(std::span<const Span> spans) {
  items_.clear();
  n_tasks_ = 0;
  size_t left = 0, partials = 0;
  for (const bool few : {false, true})  // long tasks first
    for (const Span& s : spans) {
      if (s.n == 0 || (s.n <= block_) != few) continue;
      const size_t page = few ? first_page(s.position) : 0;
      const size_t parts = few ? pages_at(s.position + s.n - 1) - page : ceil_div(s.n, block_);
      items_.push_back({&s, few, n_tasks_, parts, page, left, partials});
      n_tasks_ += shape_.n_heads * parts;
      if (few) left += shape_.n_heads, partials += shape_.n_heads * s.n * group_ * parts;
    }
  if (n_left_ < left) {
    left_ = std::make_unique<std::atomic<size_t>[]>(left);
    n_left_ = left;
  }
  n_partials_ = partials;
  const size_t bytes = (partials + n_threads_ * block_ * group_ * 2) * row_ * sizeof(float);
  if (partials_.bytes() < bytes) {
    partials_ = Buffer::allocate(bytes + bytes / 4);  // a context grows
    if (partials_.empty())
      return Status(Code::kOutOfMemory, "[model] no memory for attention; use a smaller n_ctx or n_batch");
  }
  return {};
}

/// One page for those of rows first .. first + count - 1 of the span that see something of it; query i's
/// partial goes to rows + i * stride.
void Attention::attend(const Span& s, size_t layer, size_t head, size_t first, size_t count, size_t page,
                       const float* q, float scale, float* rows, size_t stride) const {
  const size_t start = page * kPagePositions, at = s.position + first, width = n_head_ * shape_.head_dim;
  const size_t last = start + kPagePositions - 1;
  const size_t before = start > at ? start - at : 0;  // rows that see nothing of the page yet
  const size_t upto = at + count <= window_ ? count : std::min(count, last + window_ - at);  // nothing more
  const KvState& state = s.states[layer];
  state.type().attend(state.page(page), head,
                      {q + (s.first + first + before) * width + head * group_ * shape_.head_dim, width,
                       nullptr, nullptr, upto - before, group_, shape_.head_dim, at + before + 1 - start,
                       scale, rows + before * group_ * stride, stride, window_, cap_});
}

void Attention::run_page(const Item& item, size_t task, size_t layer, const float* q, float scale,
                         float* out) {
  const Span& s = *item.span;
  const size_t head = task / item.parts, part = task % item.parts, stride = item.parts * row_;
  float* const rows = partials_.as<float>() + item.partials * row_ + head * s.n * group_ * stride;
  attend(s, layer, head, 0, s.n, item.first_page + part, q, scale, rows + part * row_, stride);
  if (left_[item.left + head].fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  for (size_t t = 0; t < s.n; t++) {
    const size_t first = first_page(s.position + t), n = pages_at(s.position + t) - first;
    for (size_t i = 0; i < group_; i++)
      merge_(rows + (t * group_ + i) * stride + (first - item.first_page) * row_, row_, n, shape_.head_dim,
             out + ((s.first + t) * n_head_ + head * group_ + i) * shape_.head_dim);
  }
}

void Attention::run_block(const Item& item, size_t task, size_t thread, size_t layer, const float* q,
                          float scale, float* out) {
  const Span& s = *item.span;
  // The last rows see most: their tasks come first.
  const size_t head = task % shape_.n_heads, first = (item.parts - 1 - task / shape_.n_heads) * block_;
  const size_t count = std::min(block_, s.n - first), stride = 2 * row_;  // merged, and the next page's
  float* const rows = partials_.as<float>() + (n_partials_ + thread * block_ * group_ * 2) * row_;
  const size_t at = s.position + first;
  for (size_t page = first_page(at); page < pages_at(at + count - 1); page++) {
    attend(s, layer, head, first, count, page, q, scale, rows + row_, stride);
    for (size_t i = 0; i < count * group_; i++) {
      const size_t position = at + i / group_, begin = first_page(position);
      float* const row = rows + i * stride;
      if (page == begin)
        std::memcpy(row, row + row_, row_ * sizeof(float));
      else if (page > begin && page < pages_at(position))
        merge_(row, row_, 2, shape_.head_dim, nullptr);
    }
  }
  for (size_t t = 0; t < count; t++)
    for (size_t i = 0; i < group_; i++)
      merge_(rows + (t * group_ + i) * stride, row_, 1, shape_.head_dim,
             out + ((s.first + first + t) * n_head_ + head * group_ + i) * shape_.head_dim);
}

void Attention::run(ThreadPool& pool, size_t layer, const float* q, float scale, float* out) {
  for (const Item& item : items_)
    for (size_t head = 0; item.few && head < shape_.n_heads; head++)
      left_[item.left + head].store(item.parts, std::memory_order_relaxed);
  pool.run(n_tasks_, [&](size_t task, size_t thread) {
    const auto after = [](size_t t, const Item& item) { return t < item.task; };
    const Item& item = *std::prev(std::upper_bound(items_.begin(), items_.end(), task, after));
    if (item.few)
      run_page(item, task - item.task, layer, q, scale, out);
    else
      run_block(item, task - item.task, thread, layer, q, scale, out);
  });
}

}  // namespace sterna::cpu
