// Which rows the passes of several generations have.
#include "llm/engine/generate.h"

#include <algorithm>
#include <list>
#include <memory>
#include <string>

#include "llm/engine/generation.h"

namespace sterna::engine {
namespace {

/// Generations at a time: their keys and values are in memory together. The others wait for one to end.
constexpr size_t kMaxActive = 64;

class Batch {
 public:
  Batch(Runtime& runtime, std::span<const Request> requests,
        const std::function<bool(size_t, const Token&)>& on_token)
      : runtime_(runtime), requests_(requests), on_token_(on_token), results_(requests.size()) {}

  Result<std::vector<GenerateResult>> run(const KeepGoing& keep_going) {
    while (admit(), !active_.empty()) {
      choose_parts();
      const Status s = runtime_.run(parts_, keep_going);
      if (s.code() == Code::kCancelled) {
        for (Active& a : active_) a.generation.cancel();
      } else {
        STERNA_RETURN_IF_ERROR(s);
        STERNA_RETURN_IF_ERROR(hand_out());
      }
      retire(s.code() == Code::kCancelled);
    }
    return std::move(results_);
  }

 private:
  struct Active {
    size_t index;
    std::unique_ptr<Sequence> own;
    Generation generation;
  };

  void admit() {
    for (; active_.size() < kMaxActive && next_ < requests_.size(); next_++) {
      const size_t index = next_;
      const Request& r = requests_[index];
      auto own = r.sequence ? nullptr : std::make_unique<Sequence>(*runtime_.decoder, runtime_.n_ctx);
      Sequence& s = r.sequence ? *r.sequence : *own;
      Generation::OnToken on_token;
      if (on_token_) on_token = [this, index](const Token& t) { return on_token_(index, t); };
      active_.push_back(
          {index, std::move(own), Generation(runtime_, s, r.prompt, *r.options, std::move(on_token))});
    }
  }

  /// Those that decode come first: a text does not stand still because others begin.
  void choose_parts() {
    parts_.clear(), chosen_.clear();
    size_t room = runtime_.decoder->n_batch(), decoding = 0;
    for (const Active& a : active_) decoding += !a.generation.prompting();
    if (decoding > room)
      active_.splice(active_.end(), active_, active_.begin());  // others are left out each time
    const auto add = [&](Active& a, size_t most) {
      parts_.push_back(a.generation.next(most));
      chosen_.push_back(&a);
      room -= parts_.back().tokens.size();
    };
    for (Active& a : active_) {
      if (a.generation.prompting() || room == 0) continue;
      decoding--;
      add(a, room - std::min(decoding, room - 1));  // guesses leave the others their tokens
    }
    for (Active& a : active_) {
      if (!a.generation.prompting() || room == 0) continue;
      a.generation.adopt();
      if (!waits(a)) add(a, room);
    }
  }

  /// Whether an earlier text is about to compute the page of the prompt that comes next.
  bool waits(const Active& a) const {
    constexpr size_t kPage = cpu::kPagePositions;
    const auto prompt = a.generation.prompt();
    const size_t at = a.generation.n_run(), end = at + kPage;
    if (at % kPage || end >= prompt.size()) return false;
    for (const Active& other : active_) {
      if (&other == &a) return false;
      const auto theirs = other.generation.prompt();
      if (other.generation.n_run() < end && theirs.size() > end &&
          std::equal(prompt.begin(), prompt.begin() + ptrdiff_t(end), theirs.begin()))
        return true;
    }
    return false;
  }

  Status hand_out() {
    size_t row = 0;
    for (size_t i = 0; i < parts_.size(); i++) {
      STERNA_RETURN_IF_ERROR(chosen_[i]->generation.took(parts_[i], row));
      row += parts_[i].n_wanted;
    }
    return {};
  }

  void retire(bool all) {
    for (auto a = active_.begin(); a != active_.end();) {
      if (!all && !a->generation.done()) {
        ++a;
        continue;
      }
      results_[a->index] = a->generation.finish();
      a = active_.erase(a);
    }
    for (; all && next_ < requests_.size(); next_++) {
      results_[next_].n_prompt = requests_[next_].prompt.size();
      results_[next_].stop = GenerateResult::Stop::kCallback;
    }
  }

  Runtime& runtime_;
  std::span<const Request> requests_;
  const std::function<bool(size_t, const Token&)>& on_token_;
  std::vector<GenerateResult> results_;
  size_t next_ = 0;  ///< Of the requests that are not admitted yet.
  std::list<Active> active_;
  std::vector<Part> parts_;
  std::vector<Active*> chosen_;  ///< Whose parts they are.
};

}  // namespace

Result<std::vector<GenerateResult>> generate(Runtime& runtime, std::span<const Request> requests,
                                             const std::function<bool(size_t, const Token&)>& on_token,
                                             const KeepGoing& keep_going) {
  std::vector<Request> ours(requests.begin(), requests.end());
  for (size_t i = 0; i < ours.size(); i++) {
    Request& r = ours[i];
    const auto named = [&](Status s) {
      return s.ok() || ours.size() == 1
                 ? s
                 : Status(s.code(), s.message() + " (prompt " + std::to_string(i) + ")");
    };
    STERNA_RETURN_IF_ERROR(named(check_options(*r.options)));
    r.prompt = with_one_bos(r.prompt, runtime.tokenizer->bos());
    STERNA_RETURN_IF_ERROR(named(runtime.check_tokens(r.prompt, "generate")));
  }
  return Batch(runtime, ours, on_token).run(keep_going);
}

}  // namespace sterna::engine
