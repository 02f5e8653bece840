// Generation: reuse of the cached prefix, the sampling loop with looked-up drafts, stop texts, UTF-8-safe
// streaming.
#include <algorithm>
#include <chrono>

#include "llm/engine/lookup.h"
#include "llm/engine/sampler.h"
#include "llm/engine/session.h"

namespace sterna::engine {
namespace {

using Clock = std::chrono::steady_clock;
double seconds(Clock::time_point from) { return std::chrono::duration<double>(Clock::now() - from).count(); }

/// Text on its way out: holds back what may be the beginning of a stop text. Texts of control tokens are
/// compared with stop texts, but not shown.
class Output {
 public:
  explicit Output(std::vector<std::string> stop) : stop_(std::move(stop)) {}
  bool stopped() const { return stopped_; }

  /// Takes new text; returns what can be shown. After a stop text nothing more comes.
  std::string push(std::string_view text, bool shown = true) {
    held_ += text;
    shown_.append(text.size(), shown);
    size_t cut = std::string::npos;
    for (const std::string& s : stop_)
      if (!s.empty()) cut = std::min(cut, held_.find(s));
    if (cut != std::string::npos) {
      stopped_ = true;
      held_.resize(cut);
      return flush();
    }
    size_t keep = 0;
    for (const std::string& s : stop_)
      for (size_t n = std::min(s.size(), held_.size()); n > keep; n--)
        if (held_.compare(held_.size() - n, n, s, 0, n) == 0) keep = n;
    return take(held_.size() - keep);
  }
  std::string flush() { return take(held_.size()); }

 private:
  std::string take(size_t n) {
    std::string out;
    for (size_t i = 0; i < n; i++)
      if (shown_[i]) out += held_[i];
    held_.erase(0, n);
    shown_.erase(0, n);
    return out;
  }

  std::vector<std::string> stop_;
  std::string held_, shown_;  // the bytes, and for each whether it is to be shown
  bool stopped_ = false;
};

/// The texts to stop before: the caller's, and how the tokenizer spells them where that differs.
std::vector<std::string> stop_texts(const text::Tokenizer& tokenizer, const std::vector<std::string>& stop) {
  std::vector<std::string> texts = stop;
  for (const std::string& s : stop)
    if (std::string spelled = tokenizer.as_generated(s); spelled != s) texts.push_back(std::move(spelled));
  return texts;
}

/// A bos that several put in front (the tokenizer, a chat template, the text itself) counts once.
std::span<const int32_t> with_one_bos(std::span<const int32_t> prompt, int32_t bos) {
  while (prompt.size() > 1 && bos >= 0 && prompt[0] == bos && prompt[1] == bos) prompt = prompt.subspan(1);
  return prompt;
}

}  // namespace

Result<GenerateResult> Session::generate(std::span<const int32_t> prompt, const GenerateOptions& o,
                                         const std::function<bool(const Token&)>& on_token) {
  STERNA_RETURN_IF_ERROR(check_options(o));
  prompt = with_one_bos(prompt, tokenizer->bos());
  STERNA_RETURN_IF_ERROR(check_tokens(prompt, "generate"));
  GenerateResult result;
  result.n_prompt = prompt.size();
  const auto start = Clock::now();

  // The common prefix is in the cache already, to the same bits; the last prompt token runs again for its
  // logits.
  size_t common = 0;
  while (common < std::min(cached.size(), prompt.size() - 1) && cached[common] == prompt[common]) common++;
  cached.resize(common);
  result.n_reused = common;
  if (Status s = extend(prompt.subspan(common), 1, o.keep_going); !s.ok()) {
    if (s.code() != Code::kCancelled) return s;
    result.stop = GenerateResult::Stop::kCallback;
    return result;
  }
  std::vector<int32_t> history(prompt.begin(), prompt.end());
  Sampler sampler(o);
  Lookup lookup(size_t(o.lookup));
  std::vector<int32_t> draft;  // guesses that the last pass ran after the newest token ...
  size_t confirmed = 0;        // ... and how many of them were generated since
  // Rows beyond the tokenizer's texts are padding of the matrix.
  const cpu::Query query = sampler.query(std::min(decoder->n_vocab(), tokenizer->size()));
  const ScreenStats before = decoder->screen_stats();
  std::vector<cpu::Candidate> candidates;
  text::Utf8Stream utf8;
  Output output(stop_texts(*tokenizer, o.stop));
  const auto emit = [&](int32_t id, const std::string& text) {
    result.text += text;
    return !on_token || on_token({id, text});
  };
  result.prompt_seconds = seconds(start);
  const auto decode_start = Clock::now();

  result.stop = GenerateResult::Stop::kLength;
  while (o.max_tokens < 0 || result.tokens.size() < size_t(o.max_tokens)) {
    STERNA_RETURN_IF_ERROR(decoder->candidates(confirmed, query, candidates));
    const int32_t id = sampler.sample(candidates, history);
    if (tokenizer->is_eog(id) && !o.ignore_eos) {
      result.stop = GenerateResult::Stop::kEnd;
      break;
    }
    result.tokens.push_back(id);
    history.push_back(id);
    std::string shown = output.push(utf8.push(tokenizer->piece(id, false)));
    if (tokenizer->is_hidden(id)) shown += output.push(tokenizer->text(id), false);
    const bool go_on = emit(id, shown);
    if (output.stopped() || !go_on) {
      result.stop = output.stopped() ? GenerateResult::Stop::kStopText : GenerateResult::Stop::kCallback;
      break;
    }
    if (confirmed < draft.size() && draft[confirmed] == id) {  // the pass went on with this token
      confirmed++, result.n_accepted++;
      continue;
    }
    cached.resize(cached.size() - (draft.size() - confirmed));
    if (cached.size() >= decoder->n_ctx()) {
      result.stop = GenerateResult::Stop::kContext;
      break;
    }
    if (result.tokens.size() == size_t(o.max_tokens)) break;
    lookup.learn(draft.size(), confirmed);
    size_t room = std::min(decoder->n_batch(), decoder->n_ctx() - cached.size()) - 1;
    if (o.max_tokens >= 0) room = std::min(room, size_t(o.max_tokens) - result.tokens.size() - 1);
    draft = lookup.propose(history, room);
    confirmed = 0, result.n_drafted += draft.size();
    std::vector<int32_t> pass{id};
    pass.insert(pass.end(), draft.begin(), draft.end());
    if (Status s = extend(pass, pass.size(), o.keep_going); !s.ok()) {
      if (s.code() != Code::kCancelled) return s;
      result.stop = GenerateResult::Stop::kCallback;
      break;
    }
  }
  if (!output.stopped()) {
    const std::string rest = output.push(utf8.flush()) + output.flush();
    if (!rest.empty()) emit(result.tokens.empty() ? -1 : result.tokens.back(), rest);
  }
  result.decode_seconds = seconds(decode_start);
  const ScreenStats& after = decoder->screen_stats();
  result.screen = {after.tokens - before.tokens, after.full - before.full, after.after_4 - before.after_4,
                   after.after_8 - before.after_8, after.bytes - before.bytes};
  return result;
}

}  // namespace sterna::engine
