// The steps of a generation: reuse of the cached prefix, sampling with looked-up drafts, stop texts,
// UTF-8-safe streaming.
#include "llm/engine/generation.h"

#include <algorithm>

namespace sterna::engine {
namespace {

/// The texts to stop before: the caller's, and how the tokenizer spells them where that differs.
std::vector<std::string> stop_texts(const text::Tokenizer& tokenizer, const std::vector<std::string>& stop) {
  std::vector<std::string> texts = stop;
  for (const std::string& s : stop)
    if (std::string spelled = tokenizer.as_generated(s); spelled != s) texts.push_back(std::move(spelled));
  return texts;
}

double seconds(std::chrono::steady_clock::duration d) { return std::chrono::duration<double>(d).count(); }

}  // namespace

std::span<const int32_t> with_one_bos(std::span<const int32_t> prompt, int32_t bos) {
  while (prompt.size() > 1 && bos >= 0 && prompt[0] == bos && prompt[1] == bos) prompt = prompt.subspan(1);
  return prompt;
}

Generation::Generation(Runtime& runtime, Sequence& s, std::span<const int32_t> prompt,
                       const GenerateOptions& options, OnToken on_token)
    : runtime_(runtime),
      s_(s),
      options_(options),
      on_token_(std::move(on_token)),
      sampler_(options),
      lookup_(size_t(options.lookup)),
      output_(stop_texts(*runtime.tokenizer, options.stop)),
      // Rows beyond the tokenizer's texts are padding of the matrix.
      query_(sampler_.query(std::min(runtime.decoder->n_vocab(), runtime.tokenizer->size()))),
      history_(prompt.begin(), prompt.end()) {
  result_.n_prompt = prompt.size();
  result_.stop = GenerateResult::Stop::kLength;
  // The common prefix is in the cache already, to the same bits; the last prompt token runs again for its
  // logits.
  n_run_ = result_.n_reused = s.keep_common(prompt, prompt.size() - 1);
}

void Generation::adopt() {
  if (!prompting()) return;
  const size_t n = runtime_.prefixes.adopt(s_, prompt());
  n_run_ += n, result_.n_reused += n;
}

Part Generation::next(size_t room) {
  if (prompting()) {
    const auto part = prompt().subspan(n_run_, std::min(room, prompt().size() - n_run_));
    return {&s_, part, n_run_ + part.size() == prompt().size() ? size_t(1) : 0};
  }
  room = std::min(room, s_.n_ctx() - s_.size()) - 1;
  if (options_.max_tokens >= 0)
    room = std::min(room, size_t(options_.max_tokens) - result_.tokens.size() - 1);
  const std::vector<int32_t> guesses = lookup_.propose(history_, room);
  pass_.assign(1, history_.back());
  pass_.insert(pass_.end(), guesses.begin(), guesses.end());
  return {&s_, pass_, pass_.size()};
}

Status Generation::took(const Part& part, size_t first) {
  if (prompting()) {
    n_run_ += part.tokens.size();
    if (prompting()) return {};
    decode_start_ = Clock::now();
    result_.prompt_seconds = seconds(decode_start_ - start_);
    guesses_ = 0;
  } else {
    guesses_ = part.tokens.size() - 1;
    result_.n_drafted += guesses_;
  }
  confirmed_ = 0;
  while (!done_) {
    if (full()) {
      stop(GenerateResult::Stop::kLength);
      break;
    }
    STERNA_RETURN_IF_ERROR(
        runtime_.logits.candidates(first + confirmed_, query_, candidates_, result_.screen));
    take(sampler_.sample(candidates_, history_));
    if (done_) break;
    if (confirmed_ < guesses_ &&
        pass_[1 + confirmed_] == history_.back()) {  // the pass went on with this token
      confirmed_++, result_.n_accepted++;
      continue;
    }
    lookup_.learn(guesses_, confirmed_);
    drop_guesses();
    if (s_.size() >= s_.n_ctx())
      stop(GenerateResult::Stop::kContext);
    else if (full())
      stop(GenerateResult::Stop::kLength);
    break;
  }
  return {};
}

void Generation::take(int32_t id) {
  const text::Tokenizer& tokenizer = *runtime_.tokenizer;
  if (tokenizer.is_eog(id) && !options_.ignore_eos) return stop(GenerateResult::Stop::kEnd);
  result_.tokens.push_back(id);
  history_.push_back(id);
  std::string shown = output_.push(utf8_.push(tokenizer.piece(id, false)));
  if (tokenizer.is_hidden(id)) shown += output_.push(tokenizer.text(id), false);
  emit(id, shown);
  if (output_.stopped()) stop(GenerateResult::Stop::kStopText);
}

void Generation::emit(int32_t id, const std::string& text) {
  result_.text += text;
  if (on_token_ && !on_token_({id, text})) cancel();
}

void Generation::drop_guesses() {
  s_.truncate(s_.size() - (guesses_ - confirmed_));
  guesses_ = confirmed_;
}

GenerateResult Generation::finish() {
  drop_guesses();
  if (!output_.stopped()) {
    const std::string rest = output_.push(utf8_.flush()) + output_.flush();
    const auto why = result_.stop;
    if (why == GenerateResult::Stop::kCallback) on_token_ = {};  // who said stop is not called again
    if (!rest.empty()) emit(result_.tokens.empty() ? -1 : result_.tokens.back(), rest);
    result_.stop = why;  // nothing is left for the callback to stop
  }
  if (!prompting()) result_.decode_seconds = seconds(Clock::now() - decode_start_);
  return std::move(result_);
}

}  // namespace sterna::engine
