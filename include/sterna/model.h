// Loading a GGUF model and generating text with it.
//   auto model = sterna::Model::load("model.gguf", {});
//   if (!model.ok()) { puts(model.status().message().c_str()); return 1; }
//   auto show = [](const sterna::Token& t) { return fputs(t.text.c_str(), stdout) >= 0; };
//   auto result = model.value().generate("Once upon", {}, show);
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sterna/options.h"
#include "sterna/status.h"

namespace sterna {

class Session;

struct Token {
  int32_t id;
  std::string
      text;  ///< Valid UTF-8 that can be printed now (possibly empty while a character is incomplete).
};

/// How much of the output matrix a generation read.
struct ScreenStats {
  uint64_t tokens = 0;   ///< Tokens that were sampled from screened logits.
  uint64_t full = 0;     ///< Tokens for which all logits were computed.
  uint64_t after_4 = 0;  ///< Rows that the first plane could not rule out, over all screened tokens,
  uint64_t after_8 = 0;  ///< and both planes together: these were multiplied exactly.
  uint64_t bytes = 0;    ///< Of planes and matrix read for the screened tokens.
};

struct GenerateResult {
  std::string text;
  std::vector<int32_t> tokens;  ///< Generated ids, without the one that ended the generation.
  enum class Stop { kEnd, kLength, kContext, kStopText, kCallback } stop;
  size_t n_prompt = 0;                   ///< Prompt tokens.
  size_t n_reused = 0;                   ///< Of these, already in the KV cache from the call before.
  size_t n_drafted = 0, n_accepted = 0;  ///< Tokens guessed by lookup; of these, generated.
  double prompt_seconds = 0, decode_seconds = 0;
  ScreenStats screen;
};

/// One of several texts that Model::generate() generates together.
struct GenerateRequest {
  std::vector<int32_t> prompt;   ///< Token ids, as prompt_tokens() gives them.
  GenerateOptions options = {};  ///< But for keep_going, which is not asked.
  Session* session = nullptr;    ///< Of the model, in which to do it; null: in none that stays.
};

struct TensorInfo {
  std::string name, format;
  std::vector<uint64_t> shape;  ///< ne[0] first.
  uint64_t bytes;               ///< In the file.
  std::string kernel;           ///< That multiplies with it; "" if none does.
  std::string why;              ///< Why this kernel, in words.
};

struct ModelInfo {
  std::string path, name, architecture, tokenizer, pre, activation;
  uint64_t file_bytes = 0, n_params = 0;
  uint64_t weight_bytes = 0;        ///< In memory: packed matrices, float matrices and the embedding.
  uint64_t bytes_per_token = 0;     ///< Weight bytes read to decode one token, without screening.
  uint64_t screen_bytes = 0;        ///< In memory besides the weights, for screening; 0: no screening.
  uint64_t kv_bytes_per_token = 0;  ///< KV cache, taken as tokens come; of local layers up to window.
  size_t n_layer_local = 0, window = 0;  ///< Layers whose attention sees the last `window` tokens only.
  size_t n_layer = 0, n_embd = 0, n_ff = 0, n_head = 0, n_head_kv = 0, head_dim = 0, n_vocab = 0,
         n_ctx_train = 0, n_ctx = 0;
  int n_threads = 0;
  std::string isa;            ///< The best instruction set in use.
  std::string main_format;    ///< The format that holds most weights, e.g. "I2_S".
  std::string chat_template;  ///< Jinja source from the file; empty if there is none.
  std::string bos_text, eos_text;
  bool add_bos = false;
  int32_t bos = -1, eos = -1, eot = -1;
  std::vector<std::string> warnings;  ///< What had to be guessed or ignored.
  double load_seconds = 0;
};

/// A model and a first sequence, which generate() and the other calls here use; session() gives more. Calls
/// on one Model and its sessions are serialized by the library; it may be moved between threads. After load()
/// the file is not used any more. A call from a callback of another one on the same Model that runs it is
/// kInvalidArgument. In a forked child the model works, in one thread; but if another thread was using it at
/// the time of the fork, each call there that runs it is kUnsupported.
class Model {
 public:
  /// Errors: those of GgufFile::open; kCorrupt for missing, misshapen or non-finite weights; kUnsupported for
  /// an architecture, tokenizer or graph difference that is not implemented; kInvalidArgument for options;
  /// kOutOfMemory; kCancelled.
  static Result<Model> load(const std::string& path, const LoadOptions& options);
  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;
  ~Model();

  const ModelInfo& info() const;
  const std::vector<TensorInfo>& tensors() const;
  /// Keys and printable values (arrays shortened).
  const std::vector<std::pair<std::string, std::string>>& metadata() const;

  /// Token ids of any bytes. `add_special`: bos (and eos) as the file's tokenizer asks. `parse_special`:
  /// texts of control tokens become these. Errors: kOutOfMemory.
  Result<std::vector<int32_t>> tokenize(std::string_view text, bool add_special, bool parse_special) const;
  /// The bytes of tokens; `special`: those of control tokens, too. Ids outside the vocabulary give nothing.
  /// Errors: kOutOfMemory.
  Result<std::string> detokenize(std::span<const int32_t> tokens, bool special) const;
  bool is_eog(int32_t token) const;
  /// The tokens with which generate() begins for a text: bos as the model asks and `options` allow, but never
  /// an eos, which would end what is to be continued. Error: kOutOfMemory.
  Result<std::vector<int32_t>> prompt_tokens(std::string_view prompt, const GenerateOptions& options) const;

  /// Logits of every token of a sequence from position 0: out[n_tokens][n_vocab]. Errors: kInvalidArgument
  /// for no tokens, an id outside the vocabulary, more tokens than the context, or a wrong size of out.
  /// `keep_going` (may be empty) is asked between layers; false cancels (kCancelled).
  Status forward(std::span<const int32_t> tokens, std::span<float> out,
                 const std::function<bool()>& keep_going);

  /// Generates after `prompt`; a bos that it begins with several times counts once. `on_token` (may be empty)
  /// sees every token, and the last one once more if text of it was held back; false stops (Stop::kCallback).
  /// Errors: kInvalidArgument for an empty prompt (no tokens), one that does not fit the context, or bad
  /// options.
  Result<GenerateResult> generate(std::string_view prompt, const GenerateOptions& options,
                                  const std::function<bool(const Token&)>& on_token);
  Result<GenerateResult> generate(std::span<const int32_t> prompt, const GenerateOptions& options,
                                  const std::function<bool(const Token&)>& on_token);

  /// Generates several texts together, which takes less time where a model is larger than the caches; each
  /// gets the bits that it gets alone, and prompts that begin alike are computed once. `on_token` (may be
  /// empty) is told whose token it is; false ends that text. `keep_going` (may be empty) is asked between
  /// layers; false ends all (Stop::kCallback). Errors: as above for any of them, before anything is
  /// generated; kInvalidArgument for a session of another model or in two requests.
  Result<std::vector<GenerateResult>> generate(std::span<const GenerateRequest> requests,
                                               const std::function<bool(size_t, const Token&)>& on_token,
                                               const std::function<bool()>& keep_going);

  /// A new, empty sequence (sterna/session.h). Error: kOutOfMemory.
  Result<Session> session() const;
  /// The sequence that Session::save() wrote. Errors: kNotFound, kIo; kCorrupt for a file that is damaged or
  /// none of these; kUnsupported for one of another model, KV type or version, or longer than the context;
  /// kOutOfMemory.
  Result<Session> load_session(const std::string& path) const;

  /// Sum of -ln p(token | all before) and the number of predictions, over consecutive windows of `window`
  /// tokens (each from an empty context; the first of each window is not predicted; a shorter rest is left
  /// out). `progress` (may be empty) is called after each window; false cancels.
  struct Perplexity {
    double nll = 0;
    size_t count = 0;
  };
  Result<Perplexity> perplexity(std::span<const int32_t> tokens, size_t window,
                                const std::function<bool(const Perplexity&)>& progress);

  /// Seconds for one benchmark run as llama-bench does it: with `n_depth` arbitrary tokens already in the
  /// context, process a prompt of n_prompt arbitrary tokens (logits of the last), then decode n_gen tokens
  /// one by one. `keep_going` (may be empty) is asked between passes; false cancels.
  Result<double> bench(size_t n_prompt, size_t n_gen, size_t n_depth,
                       const std::function<bool()>& keep_going);

 private:
  struct Impl;
  explicit Model(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sterna
