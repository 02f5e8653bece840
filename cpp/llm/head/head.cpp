// Loading the output matrix, and logits of rows.
#include "llm/head/head.h"

#include <algorithm>

namespace sterna::head {

Status Head::load(blocks::Loader& loader, const std::string& tensor, size_t n_embd, size_t n_vocab, float eps,
                  const cpu::LogitMap& map, const HeadOptions& options) {
  eps_ = eps, map_ = map;
  STERNA_RETURN_IF_ERROR(loader.vector("output_norm.weight", n_embd, true, norm_));
  STERNA_RETURN_IF_ERROR(loader.matrix(tensor, n_vocab, n_embd, matrix_));
  if (options.bits == 0) return {};
  blocks::Loader::Plan& p = loader.weight_of(matrix_);
  const formats::Format& f = *formats::by_name(options.bits == 8   ? "Q8_0"
                                               : options.bits == 6 ? "Q6_K"
                                                                   : "Q4_0");
  if (n_embd % f.block_elems)
    return Status(Code::kInvalidArgument, "[load] head_bits, got " + std::to_string(options.bits) +
                                              " for rows of " + std::to_string(n_embd) +
                                              " elements, expected a multiple of " +
                                              std::to_string(f.block_elems));
  p.encode_as(f);
  return {};
}

Status Head::screen(blocks::Loader& loader, const HeadOptions& options) {
  using Choice = HeadOptions::Screen;
  const blocks::Loader::Plan& p = loader.weight_of(matrix_);
  const cpu::TensorRows& rows = p.sources.back();
  const formats::CodeSpec& codes = rows.format->codes;
  const bool large = (codes.fold == Fold::kFloat || codes.bits >= 8) && rows.rows >= 16384 &&
                     matrix_.linear.bytes() > (size_t(32) << 20);
  if (options.screen == Choice::kOff || (options.screen == Choice::kAuto && !large)) return {};
  if (const std::string why = cpu::Screen::refusal(rows, matrix_.linear); !why.empty()) {
    if (options.screen == Choice::kAuto) return {};
    return loader.error(p.tensors.back()->name, why, Code::kUnsupported);
  }
  auto screen = loader.ops().screen(rows, matrix_.linear);
  if (!screen.ok())
    return loader.error(p.tensors.back()->name, screen.status().message(), screen.status().code());
  screen_ = std::move(screen.value());
  return {};
}

Status Logits::begin(Head& head, cpu::RowOps& ops, const cpu::Residual& x, std::span<const size_t> rows) {
  head_ = &head, ops_ = &ops, n_ = rows.size(), group_ = {};
  if (ops.norm(x, rows, head.norm_, head.eps_, head.readers_)) return {};
  return Status(Code::kCorrupt, "[forward] the hidden state is not finite: the model's weights are damaged");
}

Status Logits::full(size_t first, size_t n, float* out) {
  ops_->multiply(first, n, out);
  const cpu::LogitMap& map = head_->map_;
  bool finite = true;
  for (size_t i = 0; map.scale != 1 && i < n * head_->n_vocab(); i++) out[i] *= map.scale;
  for (size_t i = 0; i < n * head_->n_vocab(); i++) finite &= out[i] - out[i] == 0;
  if (!finite)
    return Status(Code::kCorrupt, "[forward] a logit is not finite: the model's output matrix is damaged");
  if (map.cap != 0) ops_->softcap(out, n * head_->n_vocab(), map.cap);
  return {};
}

/// As full() does.
void Logits::map(std::vector<cpu::Candidate>& products) {
  const cpu::LogitMap& map = head_->map_;
  if (map.identity()) return;
  mapped_.clear();
  for (const cpu::Candidate& c : products) mapped_.push_back(c.logit * map.scale);
  if (map.cap != 0) ops_->softcap(mapped_.data(), mapped_.size(), map.cap);
  for (size_t i = 0; i < products.size(); i++) products[i].logit = mapped_[i];
}

Status Logits::candidates(size_t i, const cpu::Query& query, std::vector<cpu::Candidate>& out,
                          ScreenStats& stats) {
  constexpr size_t kGroup = 8;  // rows that share one pass over the matrix; bounds memory
  const size_t n_vocab = head_->n_vocab();
  cpu::Screen* const screen = head_->screen_.get();
  if (i - group_.first >= group_.n) {
    const size_t n = std::min(kGroup, n_ - i);
    group_ = {i, 0, query.all() || !screen || !screen->worthwhile(n)};
    if (group_.full) {
      floats_.resize(std::max(floats_.size(), n * n_vocab));
      STERNA_RETURN_IF_ERROR(full(i, n, floats_.data()));
    } else {
      STERNA_RETURN_IF_ERROR(screen->scan(ops_->activations(), i, n));
    }
    group_.n = n;
  }
  const size_t at = i - group_.first;
  cpu::Query of_products = query;
  of_products.map = head_->map_;
  if (!group_.full && screen->candidates(at, of_products, out, stats)) {
    map(out);
    return {};
  }
  const float* row = floats_.data() + at * n_vocab;
  if (!group_.full) {
    floats_.resize(std::max(floats_.size(), n_vocab));
    STERNA_RETURN_IF_ERROR(full(i, 1, floats_.data()));
    row = floats_.data();
  }
  stats.full++;
  out.clear();
  for (size_t r = 0; r < query.rows; r++) out.push_back({int32_t(r), row[r]});
  return {};
}

}  // namespace sterna::head
