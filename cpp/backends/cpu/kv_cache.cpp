// Layout of the cache, storing, and attention over a chunk. The int8 kind is two products of low-bit matmul:
// K is a matrix of 8-bit codes whose rows are positions, V one whose rows are dimensions, both in the panels
// that the qgemm kernels read.
#include "backends/cpu/kv_cache.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "base/checked_math.h"
#include "base/half.h"
#include "kernels/registry.h"

namespace sterna::cpu {

using kernels::Family;
using kernels::kAttentionChunk;
using kernels::kMaxHeadDim;

namespace {

constexpr uint8_t kZero = 128;   // code of the value 0
constexpr size_t kBlock = 32;    // positions that share a scale of the weights
constexpr size_t kQueries = 16;  // queries that go through the products together
constexpr uint16_t kOneF16 = 0x3c00;

formats::CodeSpec codes(Fold fold, size_t block) {
  formats::CodeSpec s;
  s.fold = fold, s.bits = 8, s.zero = kZero, s.block = uint16_t(block);
  return s;
}

}  // namespace

Result<KvType> kv_type(std::string_view name) {
  if (name == "f16") return KvType::kF16;
  if (name == "int8") return KvType::kInt8;
  return Status(Code::kInvalidArgument,
                "[load] kv_type, got '" + std::string(name) + "', expected 'f16' or 'int8'");
}

Status KvCache::reserve(KvType type, const Shape& shape) {
  type_ = type, shape_ = shape;
  n_chunks_ = ceil_div(shape.n_ctx, kAttentionChunk);
  attention_ = kernels::find_fn<kernels::AttentionFn>(Family::attention, "f16");
  k_bytes_ = v_bytes_ = kAttentionChunk * shape.head_dim * sizeof(uint16_t);
  const size_t n = shape.n_layer * shape.n_heads * n_chunks_;
  if (type == KvType::kInt8) {
    weigh_ = kernels::find_fn<kernels::WeighFn>(Family::weigh, "f32");
    quantize_row_ = kernels::find_fn<kernels::QuantizeFn>(Family::quantize, "row");
    quantize_block_ = kernels::find_fn<kernels::QuantizeFn>(Family::quantize, "block");
    k_panels_ = packed_layout(codes(Fold::kRow, 0), kAttentionChunk, shape.head_dim, false);
    v_panels_ = packed_layout(codes(Fold::kBlock, kBlock), shape.head_dim, kAttentionChunk, false);
    scores_ = kernels::find_fn(k_panels_.variant());
    values_ = kernels::find_fn(v_panels_.variant());
    k_bytes_ = k_panels_.bytes(), v_bytes_ = v_panels_.bytes();
    v_scales_ = Buffer::allocate(n * kAttentionChunk * sizeof(float));
  }
  k_ = Buffer::allocate(n * k_bytes_);
  v_ = Buffer::allocate(n * v_bytes_);
  if (k_.empty() || v_.empty() || (type == KvType::kInt8 && v_scales_.empty()))
    return Status(Code::kOutOfMemory, "[model] no memory for a context of " + std::to_string(shape.n_ctx) +
                                          " tokens (" + std::to_string(n * (k_bytes_ + v_bytes_)) +
                                          " bytes of KV cache); use a smaller n_ctx");
  return {};
}

size_t KvCache::bytes_per_token() const {
  const size_t scales = type_ == KvType::kInt8 ? sizeof(float) : 0;
  return shape_.n_layer * shape_.n_heads * ((k_bytes_ + v_bytes_) / kAttentionChunk + scales);
}

void KvCache::store(size_t layer, size_t position, const float* k, const float* v) {
  type_ == KvType::kF16 ? store_f16(layer, position, k, v) : store_int8(layer, position, k, v);
}

void KvCache::store_f16(size_t layer, size_t position, const float* k, const float* v) {
  const size_t hd = shape_.head_dim, chunk = position / kAttentionChunk, row = position % kAttentionChunk;
  for (size_t head = 0; head < shape_.n_heads; head++, k += hd, v += hd) {
    const size_t at = chunk_at(layer, head, chunk, k_bytes_) / sizeof(uint16_t) + row * hd;
    for (size_t d = 0; d < hd; d++) k_.as<uint16_t>()[at + d] = f32_to_f16(k[d]);
    for (size_t d = 0; d < hd; d++) v_.as<uint16_t>()[at + d] = f32_to_f16(v[d]);
  }
}

void KvCache::store_int8(size_t layer, size_t position, const float* k, const float* v) {
  const size_t hd = shape_.head_dim, chunk = position / kAttentionChunk, row = position % kAttentionChunk;
  int8_t code[kMaxHeadDim];
  float scale;
  int32_t sum;
  for (size_t head = 0; head < shape_.n_heads; head++, k += hd, v += hd) {
    // K: row `row`, quads of dimensions.
    quantize_row_({k, hd, 0, 0, code, &scale, &sum});
    uint8_t* lane = k_.data() + chunk_at(layer, head, chunk, k_bytes_) + row / 16 * k_panels_.panel_bytes +
                    4 * (row % 16);
    std::memcpy(lane + k_panels_.meta_at(0), &scale, sizeof scale);
    for (size_t d = 0; d < k_panels_.n_chunks * 32; d++)
      lane[k_panels_.codes_at(0) + d / 4 * 64 + d % 4] = uint8_t(code[d]) ^ kZero;

    // V: rows are dimensions, column `row`. The panel's scales are 1: those of positions are in the weights.
    quantize_row_({v, hd, 0, 0, code, &scale, &sum});
    uint8_t* first = v_.data() + chunk_at(layer, head, chunk, v_bytes_);
    uint8_t* column = first + v_panels_.codes_at(row / kBlock) + row % kBlock / 4 * 64 + row % 4;
    for (size_t d = 0; d < hd; d++)
      column[d / 16 * v_panels_.panel_bytes + 4 * (d % 16)] = uint8_t(code[d]) ^ kZero;
    for (size_t p = 0; row % kBlock == 0 && p < v_panels_.n_panels; p++) {
      auto* ones = first + p * v_panels_.panel_bytes + v_panels_.meta_at(row / kBlock);
      std::fill_n(reinterpret_cast<uint16_t*>(ones), 16, kOneF16);
    }
    v_scales_.as<float>()[chunk_at(layer, head, chunk, kAttentionChunk) + row] = scale;
  }
}

void KvCache::attend(size_t layer, size_t head, size_t chunk, const kernels::AttentionArgs& args) const {
  if (type_ == KvType::kInt8) return attend_int8(layer, head, chunk, args);
  kernels::AttentionArgs full = args;
  full.k = k_.as<uint16_t>() + chunk_at(layer, head, chunk, k_bytes_) / sizeof(uint16_t);
  full.v = v_.as<uint16_t>() + chunk_at(layer, head, chunk, v_bytes_) / sizeof(uint16_t);
  attention_(full);
}

void KvCache::attend_int8(size_t layer, size_t head, size_t chunk, const kernels::AttentionArgs& g) const {
  constexpr size_t kBlocks = kAttentionChunk / kBlock;
  alignas(64) int8_t q[kQueries][kMaxHeadDim], p[kQueries][kAttentionChunk];
  alignas(64) float s[kQueries][kAttentionChunk];
  float q_scale[kQueries], p_scale[kQueries][kBlocks];
  int32_t q_sum[kQueries], p_sum[kQueries][kBlocks];
  const uint8_t* k = k_.data() + chunk_at(layer, head, chunk, k_bytes_);
  const uint8_t* v = v_.data() + chunk_at(layer, head, chunk, v_bytes_);
  const float* v_scale = v_scales_.as<float>() + chunk_at(layer, head, chunk, kAttentionChunk);
  const auto seen = [&](size_t query) {
    return std::min(g.n_positions + query / g.n_heads, kAttentionChunk);
  };

  for (size_t first = 0, n = 0; first < g.n_tokens * g.n_heads; first += n) {
    n = std::min(kQueries, g.n_tokens * g.n_heads - first);
    const size_t most = seen(first + n - 1), blocks = ceil_div(most, kBlock);
    for (size_t i = 0; i < n; i++) {
      const size_t t = (first + i) / g.n_heads, h = (first + i) % g.n_heads;
      quantize_row_(
          {g.q + t * g.token_stride + h * g.head_dim, g.head_dim, 0, 0, q[i], &q_scale[i], &q_sum[i]});
      q_scale[i] *= g.scale;
    }
    kernels::QGemmArgs scores = k_panels_.args(k);
    scores.act = q[0], scores.act_stride = kMaxHeadDim;
    scores.a_scale = q_scale, scores.a_scale_stride = 1, scores.a_sum = q_sum, scores.a_sum_stride = 1;
    scores.out = s[0], scores.out_stride = kAttentionChunk, scores.n_rows = most, scores.n_tokens = n;
    scores_(scores);
    for (size_t i = 0; i < n; i++) {
      float* partial = g.partials + (first + i) * g.partial_stride;
      const size_t mine = seen(first + i);
      weigh_(s[i], v_scale, mine, s[i], partial + kernels::partial_m(g.head_dim),
             partial + kernels::partial_l(g.head_dim));
      std::fill(s[i] + mine, s[i] + blocks * kBlock, 0.0f);
      quantize_block_({s[i], blocks * kBlock, kBlock, kBlock, p[i], p_scale[i], p_sum[i]});
    }
    kernels::QGemmArgs values = v_panels_.args(v);
    values.n_chunks = blocks * kBlock / 32;  // of positions that there are
    values.act = p[0], values.act_stride = kAttentionChunk;
    values.a_scale = p_scale[0], values.a_scale_stride = kBlocks;
    values.a_sum = p_sum[0], values.a_sum_stride = kBlocks;
    values.out = g.partials + first * g.partial_stride, values.out_stride = g.partial_stride;
    values.n_rows = g.head_dim, values.n_tokens = n;
    values_(values);
  }
}

}  // namespace sterna::cpu
