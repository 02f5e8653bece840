// Passes over token sequences: forward, perplexity, benchmark runs. Generation is in generate.cpp.
#include "llm/engine/runtime.h"

#include <algorithm>
#include <chrono>

#include "base/detmath.h"
#include "kernels/contract/elementwise.h"
#include "kernels/registry.h"

namespace sterna::engine {
namespace {

/// Tokens whose logits are computed at a time when all are wanted: bounds the memory of [tokens][vocabulary]
/// floats.
constexpr size_t kLogitRows = 64;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

Status Runtime::check_tokens(std::span<const int32_t> tokens, const char* who, size_t used) const {
  const auto bad = [&](const std::string& what) {
    return Status(Code::kInvalidArgument, std::string("[") + who + "] " + what);
  };
  if (tokens.empty()) return bad("the sequence is empty, expected at least one token");
  if (tokens.size() > n_ctx - used)
    return bad("got " + std::to_string(tokens.size()) + " tokens" +
               (used ? " after " + std::to_string(used) : "") + ", expected at most the context of " +
               std::to_string(n_ctx));
  for (size_t i = 0; i < tokens.size(); i++)
    if (tokens[i] < 0 || size_t(tokens[i]) >= decoder->n_vocab())
      return bad("token " + std::to_string(i) + ", got id " + std::to_string(tokens[i]) + ", expected 0 to " +
                 std::to_string(decoder->n_vocab() - 1));
  return {};
}

Status Runtime::run(std::span<const Part> parts, const KeepGoing& keep_going) {
  tokens_.clear(), spans_.clear(), wanted_.clear();
  for (const Part& p : parts) {
    STERNA_RETURN_IF_ERROR(p.sequence->extend(p.tokens.size()));
    spans_.push_back({p.sequence->states().data(), tokens_.size(), p.tokens.size(), p.sequence->size()});
    tokens_.insert(tokens_.end(), p.tokens.begin(), p.tokens.end());
    for (size_t i = tokens_.size() - p.n_wanted; i < tokens_.size(); i++) wanted_.push_back(i);
  }
  STERNA_RETURN_IF_ERROR(decoder->forward({tokens_, spans_, wanted_}, logits, keep_going));
  for (const Part& p : parts) {
    const size_t page = p.sequence->size() / cpu::kPagePositions;
    p.sequence->append(p.tokens);
    prefixes.publish(*p.sequence, page);
  }
  return {};
}

Status Runtime::extend(Sequence& s, std::span<const int32_t> tokens, size_t n_wanted,
                       const KeepGoing& keep_going, const std::function<Status(size_t, size_t)>& each_pass) {
  for (size_t i = 0; i < tokens.size();) {
    const size_t n = std::min(decoder->n_batch(), tokens.size() - i);
    const size_t wanted = i + n == tokens.size() || n_wanted == SIZE_MAX ? std::min(n, n_wanted) : 0;
    const Part part{&s, tokens.subspan(i, n), wanted};
    STERNA_RETURN_IF_ERROR(run({&part, 1}, keep_going));
    if (each_pass) STERNA_RETURN_IF_ERROR(each_pass(i, n));
    i += n;
  }
  return {};
}

Status Runtime::truncate(Sequence& s, size_t n) {
  if (!s.keeps(n)) {
    const std::span<const int32_t> ids(s.ids().data(), n);
    Sequence again(*decoder, n_ctx);
    again.reserve_ids();
    const size_t adopted = prefixes.adopt(again, ids);
    STERNA_RETURN_IF_ERROR(extend(again, ids.subspan(adopted), 0, {}));
    s = std::move(again);
  }
  s.truncate(n);
  return {};
}

Status Runtime::forward(Sequence& s, std::span<const int32_t> tokens, std::span<float> out,
                        const KeepGoing& keep_going) {
  STERNA_RETURN_IF_ERROR(check_tokens(tokens, "forward", s.size()));
  const size_t n_vocab = decoder->n_vocab();
  if (out.size() != tokens.size() * n_vocab)
    return Status(Code::kInvalidArgument, "[forward] out, got " + std::to_string(out.size()) +
                                              " elements, expected " + std::to_string(tokens.size()) + " x " +
                                              std::to_string(n_vocab));
  return extend(s, tokens, SIZE_MAX, keep_going,
                [&](size_t first, size_t n) { return logits.full(0, n, out.data() + first * n_vocab); });
}

Result<Model::Perplexity> Runtime::perplexity(Sequence& s, std::span<const int32_t> tokens, size_t window,
                                              const std::function<bool(const Model::Perplexity&)>& progress) {
  STERNA_RETURN_IF_ERROR(check_tokens(tokens.first(std::min(tokens.size(), n_ctx)), "perplexity"));
  if (window < 2 || window > n_ctx || window > tokens.size())
    return Status(Code::kInvalidArgument, "[perplexity] window, got " + std::to_string(window) +
                                              ", expected 2 to " +
                                              std::to_string(std::min(n_ctx, tokens.size())));
  auto* softmax = kernels::find_fn<kernels::SoftmaxFn>(kernels::Family::softmax, "f32");
  const size_t n_vocab = decoder->n_vocab();
  std::vector<float> floats(kLogitRows * n_vocab);
  std::vector<double> nll(kLogitRows);
  Model::Perplexity total;
  for (size_t start = 0; start + window <= tokens.size(); start += window) {
    const auto part = tokens.subspan(start, window);
    STERNA_RETURN_IF_ERROR(check_tokens(part, "perplexity"));
    s.truncate(0);
    STERNA_RETURN_IF_ERROR(extend(s, part, SIZE_MAX, {}, [&](size_t first, size_t n) -> Status {
      for (size_t i = 0; i < n; i += kLogitRows) {
        const size_t rows = std::min(kLogitRows, n - i);
        STERNA_RETURN_IF_ERROR(logits.full(i, rows, floats.data()));
        threads.pool()->run(rows, [&](size_t r) {
          // -ln p = (max - x) - ln p_max: the small difference and a probability that cannot underflow.
          float* row = floats.data() + r * n_vocab;
          const size_t t = first + i + r;
          if (t + 1 >= window) return void(nll[r] = 0);
          const float* best = std::max_element(row, row + n_vocab);
          const size_t at = size_t(best - row);
          const double gap = double(*best) - double(row[part[t + 1]]);
          softmax(row, n_vocab, row);
          nll[r] = gap - detmath::log(double(row[at]));
        });
        for (size_t r = 0; r < rows; r++) total.nll += nll[r];
      }
      return {};
    }));
    total.count += window - 1;
    if (progress && !progress(total)) return Status(Code::kCancelled, "[perplexity] cancelled");
  }
  return total;
}

Result<double> Runtime::bench(Sequence& s, size_t n_prompt, size_t n_gen, size_t n_depth,
                              const KeepGoing& keep_going) {
  if (n_prompt + n_gen == 0 || n_prompt > n_ctx || n_gen > n_ctx || n_depth > n_ctx ||
      n_depth + n_prompt + n_gen > n_ctx)
    return Status(Code::kInvalidArgument, "[bench] " + std::to_string(n_depth) + " + " +
                                              std::to_string(n_prompt) + " + " + std::to_string(n_gen) +
                                              " tokens, expected 1 to the context of " +
                                              std::to_string(n_ctx));
  std::vector<int32_t> tokens(n_depth + n_prompt + n_gen);
  for (size_t i = 0; i < tokens.size(); i++)
    tokens[i] = int32_t((i * 2654435761u + 12345) % decoder->n_vocab());
  const std::span<const int32_t> all(tokens);
  std::vector<float> floats(decoder->n_vocab());
  // What a run before left of the same depth is used again: filling a long context takes minutes.
  const size_t common = s.keep_common(all, n_depth);
  STERNA_RETURN_IF_ERROR(extend(s, all.subspan(common, n_depth - common), 0, keep_going));
  const double start = now();
  if (n_prompt) {
    STERNA_RETURN_IF_ERROR(extend(s, all.subspan(n_depth, n_prompt), 1, keep_going));
    STERNA_RETURN_IF_ERROR(logits.full(0, 1, floats.data()));
  }
  for (size_t i = 0; i < n_gen; i++) {
    STERNA_RETURN_IF_ERROR(extend(s, all.subspan(n_depth + n_prompt + i, 1), 1, keep_going));
    STERNA_RETURN_IF_ERROR(logits.full(0, 1, floats.data()));
  }
  return now() - start;
}

}  // namespace sterna::engine
