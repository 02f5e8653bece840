// Attention of a pass's rows over the pages of their sequences, shared out among threads. A task serves all
// query heads of one KV head, so that keys and values are read once for the group.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "backends/cpu/kv.h"
#include "machine/memory.h"
#include "sterna/status.h"
#include "threads/pool.h"

namespace sterna::cpu {

/// Rows of a pass that belong to one sequence: rows first .. first + n - 1 are its positions from `position`
/// on.
struct Span {
  const KvState* states = nullptr;  ///< [layer]; positions up to the last of the rows have pages.
  size_t first = 0, n = 0, position = 0;
};

class Attention {
 public:
  /// `cap`: of the scores; 0: none.
  Attention(const KvShape& shape, size_t n_head, size_t window, float cap, int n_threads);
  size_t window() const { return window_; }

  /// Shares out the rows of a pass. `spans` must stay until the next plan. kOutOfMemory.
  Status plan(std::span<const Span> spans);
  /// out[row][n_head][head_dim] of all rows of the plan, whose keys and values are in the pages. q is laid
  /// out like out.
  void run(ThreadPool& pool, size_t layer, const float* q, float scale, float* out);

 private:
  /// The tasks of a span, from `task` on: for each KV head its pages (few rows) or its blocks of rows (many).
  struct Item {
    const Span* span;
    bool few;
    size_t task, parts;
    size_t first_page;      ///< Few: the first that its first row sees.
    size_t left, partials;  ///< Few: where its counters and its partial results begin.
  };
  size_t first_page(size_t position) const { return first_seen(position, window_) / kPagePositions; }
  void attend(const Span& s, size_t layer, size_t head, size_t first, size_t count, size_t page,
              const float* q, float scale, float* rows, size_t stride) const;
  void run_page(const Item& item, size_t task, size_t layer, const float* q, float scale, float* out);
  void run_block(const Item& item, size_t task, size_t thread, size_t layer, const float* q, float scale,
                 float* out);

  KvShape shape_;
  size_t window_;
  float cap_;
  size_t n_head_, group_, block_, row_, n_threads_;  // group: heads per KV head; row: floats of a partial
  kernels::MergeFn* merge_;
  std::vector<Item> items_;
  size_t n_tasks_ = 0, n_left_ = 0, n_partials_ = 0;
  Buffer partials_;  // of few-row items, then two for each query of a block a thread
  std::unique_ptr<std::atomic<size_t>[]> left_;  // pages of a KV head that are not done
};

}  // namespace sterna::cpu
