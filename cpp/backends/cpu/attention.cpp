// Two ways to share the work, with the same bits since partials merge in the order of chunks either way.
//   Few tokens (decoding): a task is one chunk of one KV head; whoever finishes a head's last chunk merges
//   them. Any number of threads is busy if the context is long, whatever the number of heads.
//   Many tokens (a prompt): a task is a block of tokens of one KV head and goes through the chunks it sees,
//   which stay in the second-level cache for the whole block.
#include "backends/cpu/attention.h"

#include <algorithm>

#include "base/checked_math.h"
#include "kernels/registry.h"

namespace sterna::cpu {

using kernels::kAttentionChunk;

namespace {

/// Queries of a block: enough to outweigh the reading of a chunk, few enough for their partials to stay in
/// cache.
constexpr size_t kBlockQueries = 32;

}  // namespace

Status Attention::reserve(const KvCache::Shape& cache, size_t n_head, int n_threads) {
  n_head_ = n_head;
  group_ = n_head / cache.n_heads;
  block_ = std::max<size_t>(1, kBlockQueries / group_);
  row_ = kernels::partial_floats(cache.head_dim);
  merge_ = kernels::find_fn<kernels::MergeFn>(kernels::Family::merge, "f32");
  left_ = std::make_unique<std::atomic<size_t>[]>(cache.n_heads);
  const size_t rows = block_ * group_ *
                      std::max(cache.n_heads * ceil_div(cache.n_ctx, kAttentionChunk), 2 * size_t(n_threads));
  partials_ = Buffer::allocate(rows * row_ * sizeof(float));
  if (partials_.empty())
    return Status(Code::kOutOfMemory, "[model] no memory for the attention of " +
                                          std::to_string(cache.n_ctx) + " tokens; use a smaller n_ctx");
  return {};
}

void Attention::run(ThreadPool& pool, const KvCache& cache, size_t layer, const float* q, size_t n,
                    size_t pos, float scale, float* out) {
  const size_t hd = cache.shape().head_dim, n_kv = cache.shape().n_heads, width = n_head_ * hd;
  // Chunk `chunk` for tokens first .. first + count - 1; query i's partial goes to rows + i*stride.
  const auto attend = [&](size_t head, size_t first, size_t count, size_t chunk, float* rows, size_t stride) {
    const size_t start = chunk * kAttentionChunk, at = pos + first;
    const size_t before = start > at ? start - at : 0;  // tokens that see nothing of the chunk
    cache.attend(layer, head, chunk,
                 {q + (first + before) * width + head * group_ * hd, width, nullptr, nullptr, count - before,
                  group_, hd, std::min(kAttentionChunk, at + before + 1 - start), scale,
                  rows + before * group_ * stride, stride});
    return before;
  };
  const auto out_row = [&](size_t token, size_t head, size_t i) {
    return out + token * width + (head * group_ + i) * hd;
  };
  const auto chunks_at = [](size_t position) { return position / kAttentionChunk + 1; };

  if (n <= block_) {
    const size_t n_chunks = chunks_at(pos + n - 1), stride = n_chunks * row_;
    for (size_t i = 0; i < n_kv; i++) left_[i].store(n_chunks, std::memory_order_relaxed);
    pool.run(n_kv * n_chunks, [&](size_t task) {
      const size_t head = task / n_chunks, chunk = task % n_chunks;
      float* rows = partials_.as<float>() + head * n * group_ * stride;
      attend(head, 0, n, chunk, rows + chunk * row_, stride);
      if (left_[head].fetch_sub(1, std::memory_order_acq_rel) != 1) return;
      for (size_t t = 0; t < n; t++)
        for (size_t i = 0; i < group_; i++)
          merge_(rows + (t * group_ + i) * stride, row_, chunks_at(pos + t), hd, out_row(t, head, i));
    });
    return;
  }

  const size_t n_blocks = ceil_div(n, block_);
  pool.run(n_kv * n_blocks, [&](size_t task, size_t thread) {
    // The last tokens see most: their tasks come first.
    const size_t head = task % n_kv, first = (n_blocks - 1 - task / n_kv) * block_;
    const size_t count = std::min(block_, n - first), stride = 2 * row_;  // merged, and the next chunk's
    float* rows = partials_.as<float>() + thread * block_ * group_ * stride;
    for (size_t chunk = 0; chunk < chunks_at(pos + first + count - 1); chunk++) {
      const size_t before = attend(head, first, count, chunk, rows + (chunk ? row_ : 0), stride);
      for (size_t i = before * group_; chunk && i < count * group_; i++)
        merge_(rows + i * stride, row_, 2, hd, nullptr);
    }
    for (size_t t = 0; t < count; t++)
      for (size_t i = 0; i < group_; i++)
        merge_(rows + (t * group_ + i) * stride, row_, 1, hd, out_row(first + t, head, i));
  });
}

}  // namespace sterna::cpu
