// Keys and values as int8: attention is two products of low-bit matmul. K is a matrix of 8-bit codes whose
// rows are positions, V one whose rows are dimensions, both in the panels that the qgemm kernels read. A page
// is, per head, the panels of K, those of V, and a scale of V for each position.
#include <algorithm>
#include <cstring>

#include "backends/cpu/kv.h"
#include "base/checked_math.h"
#include "kernels/contract/elementwise.h"
#include "kernels/contract/qgemm.h"
#include "kernels/registry.h"
#include "packing/packing.h"

namespace sterna::cpu {
namespace {

using kernels::Family;
using kernels::kMaxHeadDim;

constexpr uint8_t kZero = 128;   // code of the value 0
constexpr size_t kBlock = 32;    // positions that share a scale of the weights, or dimensions one of K
constexpr size_t kQueries = 16;  // queries that go through the products together
constexpr size_t kMaxBlocks = kMaxHeadDim / kBlock;
constexpr uint16_t kOneF16 = 0x3c00;

/// Dimensions of K that share a scale, 0: all. One large dimension costs all others of its scale their
/// precision: of heads with 256 dimensions (Gemma 3) that is most of what int8 loses.
size_t k_block(const KvShape& shape) {
  return shape.head_dim > 128 && shape.head_dim % kBlock == 0 ? kBlock : 0;
}

formats::CodeSpec codes(Fold fold, size_t block) {
  formats::CodeSpec s;
  s.fold = fold, s.bits = 8, s.zero = kZero, s.block = uint16_t(block);
  return s;
}

PackedLayout k_layout(const KvShape& shape) {
  formats::CodeSpec s = codes(k_block(shape) ? Fold::kBlock : Fold::kRow, k_block(shape));
  s.f32_scales = k_block(shape) != 0;
  return packed_layout(s, kPagePositions, shape.head_dim);
}
PackedLayout v_layout(const KvShape& shape) {
  return packed_layout(codes(Fold::kBlock, kBlock), shape.head_dim, kPagePositions);
}
size_t head_bytes(const KvShape& shape) {
  return k_layout(shape).bytes() + v_layout(shape).bytes() + kPagePositions * sizeof(float);
}

class KvInt8 : public KvType {
 public:
  explicit KvInt8(const KvShape& shape)
      : KvType(shape, shape.n_heads * head_bytes(shape)),
        k_panels_(k_layout(shape)),
        v_panels_(v_layout(shape)),
        scores_(kernels::find_fn(k_panels_.variant())),
        values_(kernels::find_fn(v_panels_.variant())) {}

  void store(uint8_t* page, size_t place, const float* k, const float* v) const override;
  void attend(const uint8_t* page, size_t head, const kernels::AttentionArgs& args) const override;
  void copy(const uint8_t* from, size_t n, uint8_t* to) const override;

 private:
  /// The parts of a head.
  template <class Byte>
  struct Head {
    Byte *k, *v, *v_scales;
  };
  template <class Byte>
  Head<Byte> head_of(Byte* page, size_t head) const {
    Byte* const k = page + head * head_bytes(shape());
    return {k, k + k_panels_.bytes(), k + k_panels_.bytes() + v_panels_.bytes()};
  }
  /// Of a position: where its first quad of K's codes and the scale of its row are, and its column of V.
  size_t k_lane(size_t place) const { return place / 16 * k_panels_.panel_bytes + 4 * (place % 16); }
  /// From there on: the code of dimension d.
  size_t k_code(size_t d) const {
    const size_t b = k_blocks_ > 1 ? d / kBlock : 0, at = d - b * kBlock;
    return k_panels_.codes_at(b) + at / 4 * 64 + at % 4;
  }
  size_t v_column(size_t place) const {
    return v_panels_.codes_at(place / kBlock) + place % kBlock / 4 * 64 + place % 4;
  }
  size_t v_row(size_t d) const { return d / 16 * v_panels_.panel_bytes + 4 * (d % 16); }

  PackedLayout k_panels_, v_panels_;
  size_t k_blocks_ = k_block(shape()) ? shape().head_dim / kBlock : 1;  // scales of K of a position
  kernels::QGemmFn *scores_, *values_;
  kernels::WeighFn* weigh_ = kernels::find_fn<kernels::WeighFn>(Family::weigh, "f32");
  kernels::QuantizeFn* quantize_row_ = kernels::find_fn<kernels::QuantizeFn>(Family::quantize, "row");
  kernels::QuantizeFn* quantize_block_ = kernels::find_fn<kernels::QuantizeFn>(Family::quantize, "block");
  kernels::QuantizeFn* quantize_k_ = k_blocks_ > 1 ? quantize_block_ : quantize_row_;  // and queries
};

void KvInt8::store(uint8_t* page, size_t place, const float* k, const float* v) const {
  const size_t hd = shape().head_dim;
  int8_t code[kMaxHeadDim];
  float k_scale[kMaxBlocks], scale;
  int32_t sum[kMaxBlocks];
  for (size_t head = 0; head < shape().n_heads; head++, k += hd, v += hd) {
    const auto to = head_of(page, head);
    quantize_k_({k, hd, kBlock, kBlock, code, k_scale, sum});
    uint8_t* lane = to.k + k_lane(place);
    for (size_t b = 0; b < k_blocks_; b++)
      std::memcpy(lane + k_panels_.meta_at(b), &k_scale[b], sizeof(float));
    for (size_t d = 0; d < k_panels_.n_chunks * 32; d++) lane[k_code(d)] = uint8_t(code[d]) ^ kZero;

    // The panels' scales are 1: those of V's positions are in the weights.
    quantize_row_({v, hd, 0, 0, code, &scale, sum});
    for (size_t d = 0; d < hd; d++) to.v[v_row(d) + v_column(place)] = uint8_t(code[d]) ^ kZero;
    for (size_t p = 0; place % kBlock == 0 && p < v_panels_.n_panels; p++) {
      auto* ones = to.v + p * v_panels_.panel_bytes + v_panels_.meta_at(place / kBlock);
      std::fill_n(reinterpret_cast<uint16_t*>(ones), 16, kOneF16);
    }
    std::memcpy(to.v_scales + place * sizeof scale, &scale, sizeof scale);
  }
}

void KvInt8::copy(const uint8_t* from, size_t n, uint8_t* to) const {
  for (size_t head = 0; head < shape().n_heads; head++) {
    const auto source = head_of(from, head);
    const auto target = head_of(to, head);
    const auto copy = [](const uint8_t* a, uint8_t* b, size_t at, size_t bytes) {
      std::memcpy(b + at, a + at, bytes);
    };
    for (size_t place = 0; place < n; place++) {
      const size_t lane = k_lane(place), column = v_column(place);
      for (size_t b = 0; b < k_blocks_; b++)
        copy(source.k, target.k, lane + k_panels_.meta_at(b), sizeof(float));
      for (size_t d = 0; d < k_panels_.n_chunks * 32; d += 4) copy(source.k, target.k, lane + k_code(d), 4);
      for (size_t d = 0; d < shape().head_dim; d++) copy(source.v, target.v, v_row(d) + column, 1);
      for (size_t p = 0; place % kBlock == 0 && p < v_panels_.n_panels; p++)
        copy(source.v, target.v, p * v_panels_.panel_bytes + v_panels_.meta_at(place / kBlock), 32);
    }
    std::memcpy(target.v_scales, source.v_scales, n * sizeof(float));
  }
}

void KvInt8::attend(const uint8_t* page, size_t head, const kernels::AttentionArgs& g) const {
  constexpr size_t kBlocks = kPagePositions / kBlock;
  alignas(64) int8_t q[kQueries][kMaxHeadDim], p[kQueries][kPagePositions];
  alignas(64) float s[kQueries][kPagePositions];
  float q_scale[kQueries][kMaxBlocks], p_scale[kQueries][kBlocks];
  int32_t q_sum[kQueries][kMaxBlocks], p_sum[kQueries][kBlocks];
  const auto kept = head_of(page, head);
  const auto* v_scale = reinterpret_cast<const float*>(kept.v_scales);
  const auto end = [&](size_t query) { return g.n_positions + query / g.n_heads; };

  for (size_t first = 0, n = 0; first < g.n_tokens * g.n_heads; first += n) {
    n = std::min(kQueries, g.n_tokens * g.n_heads - first);
    const size_t most = kernels::sees_to(end(first + n - 1)), blocks = ceil_div(most, kBlock);
    for (size_t i = 0; i < n; i++) {
      const size_t t = (first + i) / g.n_heads, h = (first + i) % g.n_heads;
      const float* query = g.q + t * g.token_stride + h * g.head_dim;
      quantize_k_({query, g.head_dim, kBlock, kBlock, q[i], q_scale[i], q_sum[i]});
      for (size_t b = 0; b < k_blocks_; b++) q_scale[i][b] *= g.scale;
    }
    kernels::QGemmArgs scores = k_panels_.args(kept.k);
    scores.act = q[0], scores.act_stride = kMaxHeadDim;
    scores.a_scale = q_scale[0], scores.a_scale_stride = kMaxBlocks;
    scores.a_sum = q_sum[0], scores.a_sum_stride = kMaxBlocks;
    scores.out = s[0], scores.out_stride = kPagePositions, scores.n_rows = most, scores.n_tokens = n;
    scores_(scores);
    for (size_t i = 0; i < n; i++) {
      float* partial = g.partials + (first + i) * g.partial_stride;
      const size_t from = kernels::sees_from(end(first + i), g.window), to = kernels::sees_to(end(first + i));
      weigh_(s[i] + from, v_scale + from, to - from, g.cap, s[i] + from,
             partial + kernels::partial_m(g.head_dim), partial + kernels::partial_l(g.head_dim));
      std::fill(s[i], s[i] + from, 0.0f);
      std::fill(s[i] + to, s[i] + blocks * kBlock, 0.0f);
      quantize_block_({s[i], blocks * kBlock, kBlock, kBlock, p[i], p_scale[i], p_sum[i]});
    }
    kernels::QGemmArgs values = v_panels_.args(kept.v);
    values.n_chunks = blocks * kBlock / 32;  // of positions that there are
    values.act = p[0], values.act_stride = kPagePositions;
    values.a_scale = p_scale[0], values.a_scale_stride = kBlocks;
    values.a_sum = p_sum[0], values.a_sum_stride = kBlocks;
    values.out = g.partials + first * g.partial_stride, values.out_stride = g.partial_stride;
    values.n_rows = g.head_dim, values.n_tokens = n;
    values_(values);
  }
}

}  // namespace

std::unique_ptr<const KvType> make_kv_int8(const KvShape& shape) { return std::make_unique<KvInt8>(shape); }

}  // namespace sterna::cpu
