// The forward pass. Every operation is per token or per output element, so neither the number of threads nor
// the way a prompt is cut into passes changes a bit.
#include "llm/models/decoder.h"

#include <cmath>
#include <cstring>

#include "llm/models/decoder_kernels.h"

namespace sterna::models {

Decoder::Decoder(DecoderSpec spec, ThreadPool& pool)
    : spec_(std::move(spec)), pool_(pool), kernels_(std::make_shared<const Kernels>(spec_)) {}

Status Decoder::allocate(cpu::KvType kv_type) {
  const DecoderSpec& s = spec_;
  const size_t q = s.n_head * s.head_dim, kv = s.n_head_kv * s.head_dim, n = n_batch_;
  const auto floats = [&](Buffer& b, size_t width) {
    b = Buffer::allocate(n * width * sizeof(float));
    return !b.empty();
  };
  const bool ok = floats(h_, s.n_embd) && floats(q_, q) && floats(k_, kv) && floats(v_, kv) &&
                  floats(gate_, s.n_ff) && floats(up_, s.n_ff) && floats(out_, s.n_embd) &&
                  floats(cos_, s.rope.n_rot / 2) && floats(sin_, s.rope.n_rot / 2);
  if (!ok)
    return Status(Code::kOutOfMemory,
                  "[model] no memory for passes of " + std::to_string(n) + " tokens; use a smaller n_batch");
  STERNA_RETURN_IF_ERROR(kv_cache_.reserve(kv_type, {s.n_layer, s.n_head_kv, s.head_dim, n_ctx_}));
  STERNA_RETURN_IF_ERROR(attention_.reserve(kv_cache_.shape(), s.n_head, pool_.size()));
  return acts_.reserve(n, std::max({s.n_embd, q, s.n_ff}), weights_);
}

uint64_t Decoder::weight_bytes() const { return storage_.bytes() + embedding_copy_.bytes(); }

uint64_t Decoder::bytes_per_token() const {
  return storage_.bytes() + formats::row_bytes(*embedding_format_, spec_.n_embd);
}

void Decoder::embed(int32_t token, float* out) const {
  const formats::Format& f = *embedding_format_;
  f.decode(embedding_ + size_t(token) * formats::row_bytes(f, spec_.n_embd), spec_.n_embd, embedding_scale_,
           out);
}

Status Decoder::forward(std::span<const int32_t> tokens, size_t pos, size_t n_wanted,
                        const std::function<bool()>& keep_going) {
  const DecoderSpec& s = spec_;
  const Kernels& kn = *kernels_;
  const size_t n = tokens.size(), hd = s.head_dim, q_dim = s.n_head * hd, kv_dim = s.n_head_kv * hd,
               half = s.rope.n_rot / 2;
  float* const h = h_.as<float>();
  float* const out = out_.as<float>();

  pool_.run(n, [&](size_t t) {
    embed(tokens[t], h + t * s.n_embd);
    rope_row(s.rope, rope_factors_, pos + t, cos_.as<float>() + t * half, sin_.as<float>() + t * half);
  });
  for (size_t layer = 0; layer < s.n_layer; layer++) {
    if (keep_going && !keep_going()) return Status(Code::kCancelled, "[forward] cancelled");
    const Layer& l = layers_[layer];
    // h += out of the block before (if any); activations = RMS(h).
    const auto norm_into = [&](const std::vector<float>& weight, bool add,
                               std::initializer_list<const cpu::Weight*> readers) {
      acts_.begin(s.n_embd, {readers.begin(), readers.size()});
      pool_.run(n, [&](size_t t) {
        if (add) kn.add(out + t * s.n_embd, s.n_embd, h + t * s.n_embd);
        kn.rmsnorm(h + t * s.n_embd, weight.data(), s.n_embd, s.eps, acts_.row(t));
        acts_.quantize(t);
      });
    };
    const auto product = [&](std::initializer_list<cpu::Product> products) {
      cpu::matmul(pool_, acts_, 0, n, {products.begin(), products.size()});
    };

    norm_into(l.attn_norm, layer > 0, {&l.q, &l.k, &l.v});
    product({{&l.q, q_.as<float>(), q_dim}, {&l.k, k_.as<float>(), kv_dim}, {&l.v, v_.as<float>(), kv_dim}});
    const auto rotate_and_store = [&](size_t t) {
      const float* cos = cos_.as<float>() + t * half;
      const float* sin = sin_.as<float>() + t * half;
      const auto rotate = [&](float* x, const std::vector<float>& norm) {
        if (s.qk_norms) kn.rmsnorm(x, norm.data(), hd, s.eps, x);
        kn.rope(x, cos, sin, s.rope.n_rot);
      };
      for (size_t i = 0; i < s.n_head; i++) rotate(q_.as<float>() + t * q_dim + i * hd, l.q_norm);
      for (size_t i = 0; i < s.n_head_kv; i++) rotate(k_.as<float>() + t * kv_dim + i * hd, l.k_norm);
      kv_cache_.store(layer, pos + t, k_.as<float>() + t * kv_dim, v_.as<float>() + t * kv_dim);
    };
    constexpr size_t kGroup = cpu::KvCache::kStoreGroup;
    pool_.run((pos + n - 1) / kGroup - pos / kGroup + 1, [&](size_t i) {
      const size_t from = std::max(pos, (pos / kGroup + i) * kGroup);
      for (size_t p = from; p < pos + n && (p == from || p % kGroup != 0); p++) rotate_and_store(p - pos);
    });

    const cpu::Weight* const o_reader[] = {&l.o};
    acts_.begin(q_dim, o_reader);
    attention_.run(pool_, kv_cache_, layer, q_.as<float>(), n, pos, s.attention_scale, acts_.row(0));
    pool_.run(n, [&](size_t t) {
      if (s.sub_norms) kn.rmsnorm(acts_.row(t), l.attn_sub_norm.data(), q_dim, s.eps, acts_.row(t));
      acts_.quantize(t);
    });
    product({{&l.o, out, s.n_embd}});

    norm_into(l.ffn_norm, true, {&l.gate, &l.up});
    product({{&l.gate, gate_.as<float>(), s.n_ff}, {&l.up, up_.as<float>(), s.n_ff}});
    const cpu::Weight* const down_reader[] = {&l.down};
    acts_.begin(s.n_ff, down_reader);
    pool_.run(n, [&](size_t t) {
      kn.glu(gate_.as<float>() + t * s.n_ff, up_.as<float>() + t * s.n_ff, s.n_ff, acts_.row(t));
      if (s.sub_norms) kn.rmsnorm(acts_.row(t), l.ffn_sub_norm.data(), s.n_ff, s.eps, acts_.row(t));
      acts_.quantize(t);
    });
    product({{&l.down, out, s.n_embd}});
  }

  n_wanted_ = n_wanted, group_.n = 0;
  const cpu::Weight* const head_reader[] = {&head_};
  acts_.begin(s.n_embd, head_reader);
  bool finite = true;
  for (size_t i = 0; i < n_wanted; i++) {
    float* const x = h + (n - n_wanted + i) * s.n_embd;
    kn.add(out + (n - n_wanted + i) * s.n_embd, s.n_embd, x);
    kn.rmsnorm(x, output_norm_.data(), s.n_embd, s.eps, acts_.row(i));
    for (size_t d = 0; d < s.n_embd; d++) finite &= std::isfinite(acts_.row(i)[d]);
    acts_.quantize(i);
  }
  if (!finite)
    return Status(Code::kCorrupt,
                  "[forward] the hidden state is not finite: the model's weights are damaged");
  return {};
}

Status Decoder::logits(size_t first, size_t n, float* out) {
  const cpu::Product product{&head_, out, n_vocab_};
  cpu::matmul(pool_, acts_, first, n, {&product, 1});
  bool finite = true;
  for (size_t i = 0; i < n * n_vocab_; i++) finite &= out[i] - out[i] == 0;
  if (!finite)
    return Status(Code::kCorrupt, "[forward] a logit is not finite: the model's output matrix is damaged");
  return {};
}

Status Decoder::candidates(size_t token, const cpu::Query& query, std::vector<cpu::Candidate>& out) {
  constexpr size_t kGroup = 8;  // tokens that share one pass over the matrix; bounds memory
  if (token - group_.first >= group_.n) {
    const size_t n = std::min(kGroup, n_wanted_ - token);
    group_ = {token, 0, query.all() || !screen_ || !screen_->worthwhile(n)};
    if (group_.full) {
      logits_.resize(std::max(logits_.size(), n * n_vocab_));
      STERNA_RETURN_IF_ERROR(logits(token, n, logits_.data()));
    } else {
      STERNA_RETURN_IF_ERROR(screen_->scan(acts_, token, n));
    }
    group_.n = n;
  }
  const size_t at = token - group_.first;
  if (!group_.full && screen_->candidates(at, query, out, screen_stats_)) return {};
  const float* row = logits_.data() + at * n_vocab_;
  if (!group_.full) {
    logits_.resize(std::max(logits_.size(), n_vocab_));
    STERNA_RETURN_IF_ERROR(logits(token, 1, logits_.data()));
    row = logits_.data();
  }
  screen_stats_.full++;
  out.clear();
  for (size_t r = 0; r < query.rows; r++) out.push_back({int32_t(r), row[r]});
  return {};
}

}  // namespace sterna::models
