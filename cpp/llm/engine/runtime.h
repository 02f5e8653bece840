// A loaded model in use: what all its sequences share, and the passes over any of them.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "llm/engine/prefixes.h"
#include "llm/engine/sequence.h"
#include "llm/head/head.h"
#include "llm/models/decoder.h"
#include "llm/text/tokenizer.h"
#include "sterna/model.h"
#include "sterna/threads.h"
#include "threads/pool.h"
#include "threads/turn.h"

namespace sterna::engine {

using KeepGoing = std::function<bool()>;

/// Tokens that a pass appends to a sequence.
struct Part {
  Sequence* sequence;
  std::span<const int32_t> tokens;
  size_t n_wanted = 0;  ///< Logits may be asked for the last of them.
};

struct Runtime {
  explicit Runtime(const Threads& t) : threads(t) {}

  Threads threads;
  std::unique_ptr<text::Tokenizer> tokenizer;
  std::unique_ptr<models::Decoder> decoder;
  size_t n_ctx = 0;
  ModelInfo info;
  std::vector<std::pair<std::string, std::string>> metadata;
  Turn turn;  ///< Of every public call that runs the model.
  Prefixes prefixes;
  head::Logits logits;  ///< Of the last pass: the wanted rows of its first part, then of its second ...

  /// One pass over parts of different sequences, together at most n_batch tokens. If it fails no sequence has
  /// changed. Errors: those of Decoder::forward().
  Status run(std::span<const Part> parts, const KeepGoing& keep_going);
  /// Appends tokens to a sequence in passes of n_batch. `logits` then has the last min(n_wanted, size of the
  /// last pass) tokens'. `each_pass` (may be empty) is called after every pass with its first token's index
  /// and its length; with n_wanted SIZE_MAX `logits` has all of that pass.
  Status extend(Sequence& s, std::span<const int32_t> tokens, size_t n_wanted, const KeepGoing& keep_going,
                const std::function<Status(size_t, size_t)>& each_pass = {});
  /// Forgets all but the first n tokens. Those whose keys and values are gone already, out of the window of
  /// the model's attention, run again, to the same bits. If that fails the sequence has not changed.
  Status truncate(Sequence& s, size_t n);
  /// The error for ids outside the vocabulary, no tokens, or more than fit after the `used` ones of a
  /// context; ok otherwise.
  Status check_tokens(std::span<const int32_t> tokens, const char* who, size_t used = 0) const;

  /// Appends tokens; out[n][n_vocab] gets the logits of all of them.
  Status forward(Sequence& s, std::span<const int32_t> tokens, std::span<float> out,
                 const KeepGoing& keep_going);
  Result<Model::Perplexity> perplexity(Sequence& s, std::span<const int32_t> tokens, size_t window,
                                       const std::function<bool(const Model::Perplexity&)>& progress);
  Result<double> bench(Sequence& s, size_t n_prompt, size_t n_gen, size_t n_depth,
                       const KeepGoing& keep_going);

 private:
  // Of run(), kept so that decoding allocates nothing.
  std::vector<int32_t> tokens_;
  std::vector<cpu::Span> spans_;
  std::vector<size_t> wanted_;
};

}  // namespace sterna::engine
