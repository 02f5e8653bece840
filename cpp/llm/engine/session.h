// A model in use: its decoder, tokenizer, threads and the tokens whose keys and values are in the cache.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "llm/models/decoder.h"
#include "llm/text/tokenizer.h"
#include "sterna/model.h"
#include "threads/pool.h"
#include "threads/turn.h"

namespace sterna::engine {

using KeepGoing = std::function<bool()>;

struct Session {
  std::unique_ptr<text::Tokenizer> tokenizer;
  std::unique_ptr<ThreadPool> pool;
  std::unique_ptr<models::Decoder> decoder;
  ModelInfo info;
  std::vector<std::pair<std::string, std::string>> metadata;
  Turn turn;                    ///< Of every public call that runs the model.
  std::vector<int32_t> cached;  ///< Tokens at positions 0 .. size-1 of the KV cache.

  /// The error for ids outside the vocabulary or a sequence that is empty or longer than the context; ok
  /// otherwise.
  Status check_tokens(std::span<const int32_t> tokens, const char* who) const;
  /// Appends tokens to the cache in passes of n_batch. Afterwards the decoder can give the logits of the last
  /// min(n_wanted, size of the last pass) tokens. `each_pass` (may be empty) is called after every pass with
  /// its first token's index and its length; it may call decoder->logits for all of the pass if n_wanted is
  /// SIZE_MAX.
  Status extend(std::span<const int32_t> tokens, size_t n_wanted, const KeepGoing& keep_going,
                const std::function<Status(size_t, size_t)>& each_pass = {});
  Result<GenerateResult> generate(std::span<const int32_t> prompt, const GenerateOptions& options,
                                  const std::function<bool(const Token&)>& on_token);
  Status forward(std::span<const int32_t> tokens, std::span<float> out, const KeepGoing& keep_going);
  Result<Model::Perplexity> perplexity(std::span<const int32_t> tokens, size_t window,
                                       const std::function<bool(const Model::Perplexity&)>& progress);
  Result<double> bench(size_t n_prompt, size_t n_gen, size_t n_depth, const KeepGoing& keep_going);
};

}  // namespace sterna::engine
