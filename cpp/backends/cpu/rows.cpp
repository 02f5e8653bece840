// The operations of a pass, shared out row by row.
#include "backends/cpu/rows.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <string>

#include "base/detmath.h"
#include "base/fingerprint.h"
#include "formats/format.h"
#include "kernels/registry.h"

namespace sterna::cpu {

using kernels::Family;

namespace {

/// In double, rounded once.
float score_factor(const Temperature& t, size_t position) {
  if (t.scale == 0) return 1;
  return float(1 + t.scale * detmath::log(double(1 + position / t.length)));
}

}  // namespace

Glu::Glu(std::string_view name) : function_(kernels::find_fn<kernels::GluFn>(Family::glu, name)) {}

RowOps::RowOps(const Threads& threads)
    : threads_(threads),
      pool_(*threads.pool()),
      rmsnorm_(kernels::find_fn<kernels::RmsNormFn>(Family::rmsnorm, "f32")),
      add_(kernels::find_fn<kernels::AddFn>(Family::add, "f32")) {}

size_t RowOps::add_rotation(const RopeSpec& spec, std::span<const float> factors) {
  rotations_.push_back({spec,
                        {factors.begin(), factors.end()},
                        kernels::find_fn<kernels::RopeFn>(Family::rope, spec.interleaved ? "norm" : "neox"),
                        {},
                        {}});
  return rotations_.size() - 1;
}

void RowOps::want(size_t temporary, size_t width) {
  widths_.resize(std::max(widths_.size(), temporary + 1));
  widths_[temporary] = std::max(widths_[temporary], width);
}

void RowOps::want_experts(const Routing& r) {
  widest_.n_experts = std::max(widest_.n_experts, r.n_experts);
  widest_.n_used = std::max(widest_.n_used, r.n_used);
}

Status RowOps::reserve(size_t n_rows, std::span<Linear* const> layers) {
  bool ok = true;
  const auto floats = [&](size_t width) {
    Buffer b = Buffer::allocate(n_rows * width * sizeof(float));
    ok &= !b.empty();
    return b;
  };
  temporaries_.clear();
  for (const size_t width : widths_) temporaries_.push_back(floats(width));
  for (Rotation& r : rotations_) r.cos = floats(r.spec.n_rot / 2), r.sin = floats(r.spec.n_rot / 2);
  if (!ok)
    return Status(Code::kOutOfMemory, "[model] no memory for passes of " + std::to_string(n_rows) +
                                          " tokens; use a smaller n_batch");
  const size_t n_slots = n_rows * widest_.n_used;
  for (Linear* l : layers)
    STERNA_RETURN_IF_ERROR(l->n_experts ? l->bind(slots_.acts, n_slots) : l->bind(rows_.acts, n_rows));
  products_.reserve(4 * std::max<size_t>(1, widest_.n_experts));
  if (n_slots) {
    experts_.reserve(n_rows, widest_);
    STERNA_RETURN_IF_ERROR(slots_.acts.reserve());
  }
  return rows_.acts.reserve();
}

uint64_t RowOps::fingerprint(std::span<const uint8_t> bytes) const {
  constexpr size_t kPiece = 1 << 20;
  std::vector<uint64_t> pieces((bytes.size() + kPiece - 1) / kPiece);
  pool_.run(pieces.size(), [&](size_t i) {
    pieces[i] = sterna::fingerprint(&bytes[i * kPiece], std::min(kPiece, bytes.size() - i * kPiece));
  });
  uint64_t h = 0;
  for (const uint64_t p : pieces) h = mix(h, p);
  return h;
}

void RowOps::set_attention(const KvType& type, size_t n_head, float cap) {
  kv_type_ = &type, n_head_ = n_head, attention_cap_ = cap;
}

size_t RowOps::add_window(size_t window) {
  size_t i = 0;
  while (i < attentions_.size() && attentions_[i].window() != window) i++;
  if (i == attentions_.size())
    attentions_.emplace_back(kv_type_->shape(), n_head_, window, attention_cap_, pool_.size());
  return i;
}

Status RowOps::begin(std::span<const Span> spans) {
  given_ = &rows_;
  rows_.n = 0;
  positions_.clear(), store_tasks_.clear();
  constexpr size_t kGroup = KvType::kStoreGroup;
  for (const Span& s : spans) {
    rows_.n += s.n;
    for (size_t i = 0; i < s.n; i++) positions_.push_back(s.position + i);
    for (size_t p = s.position, end; p < s.position + s.n; p = end) {
      end = std::min(s.position + s.n, (p / kGroup + 1) * kGroup);
      store_tasks_.push_back({&s, p, end - p});
    }
  }
  for (Attention& a : attentions_) STERNA_RETURN_IF_ERROR(a.plan(spans));
  return {};
}

void RowOps::embed(const Embedding& from, std::span<const int32_t> tokens, Rows out) {
  const size_t bytes = formats::row_bytes(*from.format, from.width);
  pool_.run(rows_.n, [&](size_t t) {
    from.format->decode(from.rows + size_t(tokens[t]) * bytes, from.width, from.scale, out[t]);
    for (size_t d = 0; from.multiplier != 1 && d < from.width; d++) out[t][d] *= from.multiplier;
    for (const Rotation& r : rotations_) {
      const size_t half = r.spec.n_rot / 2;
      rope_row(r.spec, r.factors, positions_[t], r.cos.as<float>() + t * half, r.sin.as<float>() + t * half);
    }
  });
}

void RowOps::norm(Residual& x, std::span<const float> weight, float eps, Readers readers) {
  Activations& acts = give(readers);
  pool_.run(rows_.n, [&](size_t t) {
    join(x, t);
    if (weight.empty())
      std::copy_n(x.h[t], x.h.width, acts.row(t));
    else
      rms(x.h[t], weight, eps, acts.row(t));
    acts.quantize(t);
  });
  x.pending = false, x.post = {};
}

bool RowOps::norm(const Residual& x, std::span<const size_t> rows, std::span<const float> weight, float eps,
                  Readers readers) {
  Activations& acts = give(readers);
  std::atomic<bool> finite{true};
  pool_.run(rows.size(), [&](size_t i) {
    join(x, rows[i]);
    rms(x.h[rows[i]], weight, eps, acts.row(i));
    bool ok = true;
    for (size_t d = 0; d < x.h.width; d++) ok &= std::isfinite(acts.row(i)[d]);
    if (!ok) finite = false;
    acts.quantize(i);
  });
  return finite;
}

void RowOps::multiply(std::initializer_list<Rows> outs) {
  products_.clear();
  const Linear* const* reader = given_->readers.data();
  for (const Rows& out : outs) {
    const Linear& l = **reader++;
    if (given_ == &rows_) products_.push_back({&l, 0, l.rows, 0, rows_.n, out.data, out.width});
    if (given_ == &slots_)
      for (const Slots::Group& g : experts_.groups()) {
        const size_t n = l.rows / l.n_experts;
        products_.push_back({&l, g.expert * n, n, g.first, g.n, out[g.first], out.width});
      }
  }
  matmul(pool_, given_->acts, products_);
}

void RowOps::choose_experts(const Routing& routing, Rows logits, Readers readers) {
  experts_.route(pool_, routing, logits.data, rows_.n);
  given_ = &slots_;
  slots_.n = experts_.size();
  Activations& acts = give(readers);
  pool_.run(slots_.n, [&](size_t i) {
    std::copy_n(rows_.acts.row(experts_.row_of(i)), readers[0]->depth, acts.row(i));
    acts.quantize(i);
  });
}

void RowOps::join_experts(Rows y, Rows out) {
  given_ = &rows_;
  pool_.run(rows_.n, [&](size_t t) { experts_.join(t, y.data, y.width, out[t]); });
}

void RowOps::rotate_and_store(size_t layer, const HeadOps& heads, Rows q, Rows k, Rows v) {
  const Rotation* const r = heads.rotation == HeadOps::kNoRotation ? nullptr : &rotations_[heads.rotation];
  const size_t hd = kv_type_->shape().head_dim, half = r ? r->spec.n_rot / 2 : 0;
  const auto row = [&](const Span& s, size_t p) {
    const size_t t = s.first + p - s.position;
    const auto rotate = [&](float* x, size_t n_heads, std::span<const float> norm) {
      for (size_t i = 0; i * norm.size() < n_heads * hd && !norm.empty(); i++)
        rms(x + i * norm.size(), norm, heads.eps, x + i * norm.size());
      for (size_t i = 0; r && i < n_heads; i++)
        r->rope(x + i * hd, r->cos.as<float>() + t * half, r->sin.as<float>() + t * half, r->spec.n_rot);
    };
    rotate(q[t], n_head_, heads.q_norm);
    rotate(k[t], kv_type_->shape().n_heads, heads.k_norm);
    const float factor = score_factor(heads.temperature, p);
    for (size_t d = 0; factor != 1 && d < q.width; d++) q[t][d] *= factor;
    kv_type_->store(s.states[layer].page(p / kPagePositions), p % kPagePositions, k[t], v[t]);
  };
  pool_.run(store_tasks_.size(), [&](size_t i) {
    const StoreTask& task = store_tasks_[i];
    for (size_t p = task.position; p < task.position + task.n; p++) row(*task.span, p);
  });
}

void RowOps::attend(size_t layer, size_t window, Rows q, float scale, std::span<const float> weight,
                    float eps, Readers readers) {
  Activations& acts = give(readers);
  attentions_[window].run(pool_, layer, q.data, scale, acts.row(0));
  pool_.run(rows_.n, [&](size_t t) {
    if (!weight.empty()) rms(acts.row(t), weight, eps, acts.row(t));
    acts.quantize(t);
  });
}

void RowOps::softcap(float* x, size_t n, float cap) {
  constexpr size_t kPiece = 1 << 10;
  pool_.run((n + kPiece - 1) / kPiece, [&](size_t piece) {
    for (size_t i = piece * kPiece; i < std::min(n, (piece + 1) * kPiece); i++)
      x[i] = detmath::softcapf(x[i], cap);
  });
}

void RowOps::glu(const Glu& activation, Rows gate, Rows up, std::span<const float> weight, float eps,
                 Readers readers) {
  Activations& acts = give(readers);
  pool_.run(given_->n, [&](size_t t) {
    activation.function_(gate[t], up[t], gate.width, acts.row(t));
    if (!weight.empty()) rms(acts.row(t), weight, eps, acts.row(t));
    acts.quantize(t);
  });
}

}  // namespace sterna::cpu
