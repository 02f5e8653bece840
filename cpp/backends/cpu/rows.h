// What blocks do with the rows of a pass, each operation in one parallel region. Every operation is per row
// or per output element, so neither the number of threads nor what else is in a pass changes a bit.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "backends/cpu/attention.h"
#include "backends/cpu/experts.h"
#include "backends/cpu/kv.h"
#include "backends/cpu/linear.h"
#include "backends/cpu/rope.h"
#include "backends/cpu/screen.h"
#include "kernels/contract/elementwise.h"
#include "machine/memory.h"
#include "sterna/status.h"
#include "sterna/threads.h"
#include "threads/pool.h"

namespace sterna::cpu {

/// Floats of the rows of a pass, one row after the other.
struct Rows {
  float* data = nullptr;
  size_t width = 0;
  float* operator[](size_t row) const { return data + row * width; }
};

/// The stream that blocks add to: what the last one added is still apart, for the next norm to join.
struct Residual {
  Rows h, delta;
  bool pending = false;
  std::span<const float> post = {};  ///< RMS norm of delta before it is joined; none if empty.
  float post_eps = 0;
  float scale = 1;  ///< Of all deltas, normed or not, before they are joined.
};

/// An activation function of gated FFNs by name, one of the variants of the family glu.
class Glu {
 public:
  explicit Glu(std::string_view name);

 private:
  friend class RowOps;
  kernels::GluFn* function_;
};

/// Rows of a table of tokens, as they lie in a file.
struct Embedding {
  const formats::Format* format = nullptr;
  const uint8_t* rows = nullptr;
  size_t width = 0;
  float scale = 1;       ///< Of the tensor, where its format has one.
  float multiplier = 1;  ///< Of the rows once they are floats.
};

/// Scores of the query at position p count 1 + scale * ln(1 + floor(p / length)) times, from Llama 4.
struct Temperature {
  double scale = 0;  ///< 0: none.
  size_t length = 0;
};

/// What is done to the heads of q and k, in this order: RMS norms, of each head or of all of them together,
/// a rotation, and q's temperature.
struct HeadOps {
  std::span<const float> q_norm, k_norm;  ///< None if empty.
  float eps = 0;
  size_t rotation = kNoRotation;
  Temperature temperature;
  static constexpr size_t kNoRotation = ~size_t(0);
};

class RowOps {
 public:
  explicit RowOps(const Threads& threads);

  // --- while loading ---

  /// Positions turn pairs of elements in this way; returns the number to name it by. `factors` as rope_row().
  size_t add_rotation(const RopeSpec& spec, std::span<const float> factors);
  /// Floats that blocks keep rows in during a pass: `temporary` (0, 1, 2 ...) is as wide as the widest asks.
  void want(size_t temporary, size_t width);
  /// FFNs of this many elements have an activation without a gate.
  void want_ungated(size_t width) { ones_.resize(std::max(ones_.size(), width), 1.0f); }
  /// Rows choose experts in this way, and others.
  void want_experts(const Routing& routing);
  /// Room for passes of n_rows rows times any of `layers`. kOutOfMemory.
  Status reserve(size_t n_rows, std::span<Linear* const> layers);
  /// Heads of attention over pages of this type, with scores capped (0: not), the same for all layers.
  void set_attention(const KvType& type, size_t n_head, float cap);
  /// Attention that sees the last `window` positions; returns the number to name it by. After
  /// set_attention().
  size_t add_window(size_t window);
  /// kind.make() by the threads of the passes.
  Result<std::unique_ptr<Term>> make(const TermKind& kind, std::span<const TensorRows> tensors,
                                     uint8_t* storage) const {
    return kind.make(tensors, storage, pool_);
  }
  /// fingerprint() of the fingerprints of pieces.
  uint64_t fingerprint(std::span<const uint8_t> bytes) const;
  /// Screen::make() likewise.
  Result<std::unique_ptr<Screen>> screen(const TensorRows& rows, const Linear& head) const {
    return Screen::make(rows, head, pool_);
  }

  // --- a pass ---

  /// `spans` stay until the end of the pass; their rows follow each other. kOutOfMemory.
  Status begin(std::span<const Span> spans);
  Rows temporary(size_t i, size_t width) const { return {temporaries_[i].as<float>(), width}; }

  /// out = the rows of these tokens.
  void embed(const Embedding& from, std::span<const int32_t> tokens, Rows out);
  /// Joins the residual, and gives the readers its RMS norm, or the stream itself if `weight` is empty.
  void norm(Residual& x, std::span<const float> weight, float eps, Readers readers);
  /// The same for some rows of the pass only, which become rows 0, 1, ... of the readers. False if an element
  /// of the norm is not a finite number.
  bool norm(const Residual& x, std::span<const size_t> rows, std::span<const float> weight, float eps,
            Readers readers);
  /// outs[i] = the readers[i] of the last operation with readers, times the rows given to them.
  void multiply(std::initializer_list<Rows> outs);
  /// From the logits of the experts on, rows are slots: each row that the last norm() gave, once for each of
  /// its experts. They are given to the readers, of which only the slot's expert multiplies it, and so on
  /// with glu() and multiply() until join_experts().
  void choose_experts(const Routing& routing, Rows logits, Readers readers);
  /// out = the sums over each row's experts, and rows are rows again.
  void join_experts(Rows y, Rows out);
  /// Norms and rotates the heads of q and k; keeps k and v.
  void rotate_and_store(size_t layer, const HeadOps& heads, Rows q, Rows k, Rows v);
  /// Gives the readers the attention of q, with an RMS norm if `weight` is not empty.
  void attend(size_t layer, size_t window, Rows q, float scale, std::span<const float> weight, float eps,
              Readers readers);
  /// Gives the readers activation(gate) * up, with an RMS norm if `weight` is not empty.
  void glu(const Glu& activation, Rows gate, Rows up, std::span<const float> weight, float eps,
           Readers readers);
  /// The same of activation(x): act(x) * 1 is act(x), to the bit.
  void activate(const Glu& activation, Rows x, std::span<const float> weight, float eps, Readers readers) {
    glu(activation, x, {ones_.data(), 0}, weight, eps, readers);
  }
  /// x[n] = detmath's softcap of x.
  void softcap(float* x, size_t n, float cap);

  /// out = rows first .. first + n - 1 of what the last norm() gave, times its only reader.
  void multiply(size_t first, size_t n, float* out) {
    const Product product = Product::whole(*rows_.readers[0], first, n, out);
    matmul(pool_, rows_.acts, {&product, 1});
  }
  /// What the last norm() gave, for a screen.
  const Activations& activations() const { return rows_.acts; }

 private:
  struct Rotation {
    RopeSpec spec;
    std::vector<float> factors;
    kernels::RopeFn* rope;
    Buffer cos, sin;
  };
  /// Rows of a span whose places in a page may not be written from several threads.
  struct StoreTask {
    const Span* span;
    size_t position, n;
  };
  /// What operations give to their readers.
  struct Given {
    size_t n = 0;
    Activations acts;
    Readers readers;
  };
  /// Rows follow that these read until the next step: they must stay.
  Activations& give(Readers readers) {
    given_->readers = readers;
    cpu::begin(given_->acts, readers);
    return given_->acts;
  }
  /// Adds row t of what the last block gave to the stream.
  void join(const Residual& x, size_t t) const {
    if (!x.pending) return;
    if (!x.post.empty()) rms(x.delta[t], x.post, x.post_eps, x.delta[t]);
    for (size_t d = 0; x.scale != 1 && d < x.delta.width; d++) x.delta[t][d] *= x.scale;
    add_(x.delta[t], x.h.width, x.h[t]);
  }
  void rms(const float* x, std::span<const float> weight, float eps, float* y) const {
    rmsnorm_(x, weight.data(), weight.size(), eps, y);
  }

  Threads threads_;
  ThreadPool& pool_;
  kernels::RmsNormFn* rmsnorm_;
  kernels::AddFn* add_;
  std::vector<Rotation> rotations_;
  std::vector<size_t> widths_;
  std::vector<Buffer> temporaries_;
  Given rows_, slots_;
  Given* given_ = &rows_;
  Routing widest_;  ///< Of all want_experts().
  Slots experts_;
  std::vector<Product> products_;
  std::vector<Attention> attentions_;  // one for each window
  const KvType* kv_type_ = nullptr;
  size_t n_head_ = 0;
  float attention_cap_ = 0;
  std::vector<float> ones_;  // the gates of FFNs that have none

  std::vector<size_t> positions_;
  std::vector<StoreTask> store_tasks_;
};

}  // namespace sterna::cpu
