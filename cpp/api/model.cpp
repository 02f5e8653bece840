// The public Model: loading, and the one place where calls are serialized.
#include "sterna/model.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <set>

#include "api/session.h"
#include "base/public_call.h"
#include "kernels/registry.h"
#include "llm/engine/generate.h"
#include "llm/engine/runtime.h"
#include "llm/engine/session_file.h"
#include "llm/models/architecture.h"
#include "sterna/cpu.h"

namespace sterna {
namespace {

std::string printable(const GgufValue& value) {
  const auto one = [](const auto& x) -> std::string {
    using T = std::decay_t<decltype(x)>;
    if constexpr (std::is_same_v<T, std::string>)
      return x;
    else if constexpr (std::is_same_v<T, bool>)
      return x ? "true" : "false";
    else
      return std::to_string(x);
  };
  return std::visit(
      [&](const auto& v) -> std::string {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, std::string> || std::is_arithmetic_v<T>) {
          return one(v);
        } else {
          std::string s = "[";
          for (size_t i = 0; i < std::min<size_t>(v.size(), 8); i++)
            s += (i ? ", " : "") + one(typename T::value_type(v[i]));
          return s + (v.size() > 8 ? ", ...] (" + std::to_string(v.size()) + ")" : "]");
        }
      },
      value);
}

head::HeadOptions head_options(const LoadOptions& o) {
  using Choice = head::HeadOptions::Screen;
  head::HeadOptions head;
  head.screen = o.screen == "on" ? Choice::kOn : o.screen == "off" ? Choice::kOff : Choice::kAuto;
  head.bits = o.head_bits;
  return head;
}

/// What the file says of itself, for info().
Status describe_file(const GgufFile& file, ModelInfo& i) {
  STERNA_ASSIGN(i.name, file.get_string("general.name", ""));
  STERNA_ASSIGN(i.architecture, file.get_string("general.architecture", ""));
  STERNA_ASSIGN(i.chat_template, file.get_string("tokenizer.chat_template", ""));
  i.file_bytes = file.file_bytes();
  std::map<std::string, uint64_t> by_format;
  for (const GgufTensor& tensor : file.tensors()) {
    uint64_t n = 1;
    for (uint64_t ne : tensor.shape) n *= ne;
    i.n_params += n;
    if (tensor.name.rfind("blk.", 0) == 0) by_format[tensor.format] += n;
  }
  uint64_t most = 0;
  for (const auto& [format, n] : by_format)
    if (n > most) most = n, i.main_format = format;
  return {};
}

void describe_model(const engine::Runtime& s, ModelInfo& i) {
  const models::DecoderSpec& d = s.decoder->spec();
  const text::Tokenizer& t = *s.tokenizer;
  i.tokenizer = t.model(), i.pre = t.pre(), i.activation = d.activation;
  i.weight_bytes = s.decoder->weight_bytes(), i.bytes_per_token = s.decoder->bytes_per_token();
  i.kv_bytes_per_token = s.decoder->kv_bytes_per_token();
  i.screen_bytes = s.decoder->screen_bytes();
  i.n_layer = d.n_layer, i.n_embd = d.n_embd, i.n_ff = d.n_ff, i.n_head = d.n_head, i.n_head_kv = d.n_head_kv;
  i.head_dim = d.head_dim, i.n_vocab = s.decoder->n_vocab(), i.n_ctx_train = d.n_ctx_train;
  i.n_ctx = s.n_ctx;
  i.n_threads = s.threads.size();
  const auto text_of = [&](int32_t id) { return id >= 0 ? t.text(id) : std::string(); };
  i.bos = t.bos(), i.eos = t.eos(), i.eot = t.eot(), i.add_bos = t.add_bos();
  i.bos_text = text_of(i.bos), i.eos_text = text_of(i.eos);
  i.warnings = t.warnings();
  i.warnings.insert(i.warnings.end(), d.warnings.begin(), d.warnings.end());
}

Result<std::shared_ptr<engine::Runtime>> load_runtime(const std::string& path, const LoadOptions& o) {
  const auto start = std::chrono::steady_clock::now();
  STERNA_RETURN_IF_ERROR(check_options(o));
  if (o.threads && o.n_threads && o.threads->size() != *o.n_threads)
    return Status(Code::kInvalidArgument, "[load] n_threads, got " + std::to_string(*o.n_threads) + " and " +
                                              std::to_string(o.threads->size()) +
                                              " threads, expected one of the two");
  STERNA_RETURN_IF_ERROR(cpu::check_kv_type(o.kv_type));
  STERNA_ASSIGN(const size_t first_isa, kernels::first_active_isa());

  STERNA_ASSIGN(GgufFile file, GgufFile::open(path));
  STERNA_ASSIGN(models::DecoderSpec spec, models::read_spec(file, {o.activation}));
  STERNA_ASSIGN(text::Tokenizer tokenizer, text::Tokenizer::from_gguf(file, {o.pre}));
  std::optional<Threads> threads = o.threads;
  if (!threads) {
    STERNA_ASSIGN(threads, Threads::create(o.n_threads));
  }
  auto s = std::make_shared<engine::Runtime>(*threads);
  s->tokenizer = std::make_unique<text::Tokenizer>(std::move(tokenizer));

  const size_t n_ctx = !o.n_ctx        ? std::min<size_t>(4096, spec.n_ctx_train)
                       : *o.n_ctx == 0 ? spec.n_ctx_train
                                       : size_t(*o.n_ctx);
  if (n_ctx > spec.n_ctx_max)
    return Status(Code::kUnsupported,
                  "[load] n_ctx, got " + std::to_string(n_ctx) + ", expected at most the " +
                      std::to_string(spec.n_ctx_max) +
                      " tokens of the model's attention window: windowed attention is not implemented");
  if (n_ctx > spec.n_ctx_train)
    spec.warnings.push_back("a context of " + std::to_string(n_ctx) + " tokens is longer than the " +
                            std::to_string(spec.n_ctx_train) + " that the model was made for");
  s->n_ctx = n_ctx;
  STERNA_ASSIGN(
      s->decoder,
      models::Decoder::load(file, std::move(spec), *threads,
                            {std::min(size_t(o.n_batch), n_ctx), o.kv_type, head_options(o)}, o.progress));
  STERNA_RETURN_IF_ERROR(file.check_unchanged());
  if (s->tokenizer->size() > s->decoder->n_vocab())
    return Status(Code::kCorrupt, "[load] " + path + ": the tokenizer has " +
                                      std::to_string(s->tokenizer->size()) +
                                      " tokens, but tensor 'token_embd.weight' only " +
                                      std::to_string(s->decoder->n_vocab()) + " rows");

  s->info.path = path;
  STERNA_RETURN_IF_ERROR(describe_file(file, s->info));
  describe_model(*s, s->info);
  s->info.isa = kernels::isas()[first_isa].name;
  for (const GgufKey& k : file.keys()) s->metadata.emplace_back(k.name, printable(k.value));
  s->info.load_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return s;
}

}  // namespace

struct Model::Impl : Session::Impl {
  using Session::Impl::Impl;
};

Model::Model(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;
Model::~Model() = default;

Result<Model> Model::load(const std::string& path, const LoadOptions& options) {
  return public_call("load", [&](FloatEnvironment& env) -> Result<Model> {
    LoadOptions ours = options;
    ours.progress = env.outside(options.progress);
    STERNA_ASSIGN(std::shared_ptr<engine::Runtime> runtime, load_runtime(path, ours));
    return Model(std::make_unique<Impl>(std::move(runtime)));
  });
}

const ModelInfo& Model::info() const { return impl_->runtime->info; }
const std::vector<TensorInfo>& Model::tensors() const { return impl_->runtime->decoder->tensors(); }
const std::vector<std::pair<std::string, std::string>>& Model::metadata() const {
  return impl_->runtime->metadata;
}

Result<std::vector<int32_t>> Model::tokenize(std::string_view text, bool add_special,
                                             bool parse_special) const {
  return public_call("tokenize", [&](FloatEnvironment&) -> Result<std::vector<int32_t>> {
    return impl_->runtime->tokenizer->encode(text, add_special, parse_special);
  });
}
Result<std::string> Model::detokenize(std::span<const int32_t> tokens, bool special) const {
  return public_call("detokenize", [&](FloatEnvironment&) -> Result<std::string> {
    return impl_->runtime->tokenizer->decode(tokens, special);
  });
}
bool Model::is_eog(int32_t token) const { return impl_->runtime->tokenizer->is_eog(token); }

Result<std::vector<int32_t>> Model::prompt_tokens(std::string_view prompt,
                                                  const GenerateOptions& options) const {
  return public_call("generate", [&](FloatEnvironment&) -> Result<std::vector<int32_t>> {
    return impl_->runtime->tokenizer->encode_prompt(prompt, options.add_special, options.parse_special);
  });
}

Status Model::forward(std::span<const int32_t> tokens, std::span<float> out,
                      const std::function<bool()>& keep_going) {
  return public_call("forward", [&](FloatEnvironment& env) {
    engine::Runtime& r = *impl_->runtime;
    return in_turn(r.turn, "forward", [&] {
      impl_->sequence.truncate(0);
      return r.forward(impl_->sequence, tokens, out, env.outside(keep_going));
    });
  });
}

Result<GenerateResult> Model::generate(std::string_view prompt, const GenerateOptions& options,
                                       const std::function<bool(const Token&)>& on_token) {
  STERNA_ASSIGN(const std::vector<int32_t> tokens, prompt_tokens(prompt, options));
  return generate(std::span<const int32_t>(tokens), options, on_token);
}

Result<GenerateResult> Model::generate(std::span<const int32_t> prompt, const GenerateOptions& options,
                                       const std::function<bool(const Token&)>& on_token) {
  return generate_in(*impl_->runtime, impl_->sequence, prompt, options, on_token);
}

Result<std::vector<GenerateResult>> Model::generate(std::span<const GenerateRequest> requests,
                                                    const std::function<bool(size_t, const Token&)>& on_token,
                                                    const std::function<bool()>& keep_going) {
  return public_call("generate", [&](FloatEnvironment& env) -> Result<std::vector<GenerateResult>> {
    std::vector<engine::Request> ours;
    std::set<const Session*> seen;
    for (const GenerateRequest& r : requests) {
      if (r.session && (r.session->impl_->runtime != impl_->runtime || !seen.insert(r.session).second))
        return Status(Code::kInvalidArgument, "[generate] session of prompt " + std::to_string(ours.size()) +
                                                  ", expected one of this model that no other prompt has");
      ours.push_back({r.prompt, &r.options, r.session ? &r.session->impl_->sequence : nullptr});
    }
    return in_turn(impl_->runtime->turn, "generate", [&] {
      return engine::generate(*impl_->runtime, ours, env.outside(on_token), env.outside(keep_going));
    });
  });
}

Result<Session> Model::session() const {
  return public_call("session", [&](FloatEnvironment&) -> Result<Session> {
    return Session(std::make_unique<Session::Impl>(impl_->runtime));
  });
}

Result<Session> Model::load_session(const std::string& path) const {
  return public_call("load_session", [&](FloatEnvironment&) -> Result<Session> {
    STERNA_ASSIGN(engine::Sequence sequence, engine::load_sequence(*impl_->runtime, path));
    return Session(std::make_unique<Session::Impl>(impl_->runtime, std::move(sequence)));
  });
}

Result<Model::Perplexity> Model::perplexity(std::span<const int32_t> tokens, size_t window,
                                            const std::function<bool(const Perplexity&)>& progress) {
  return public_call("perplexity", [&](FloatEnvironment& env) -> Result<Perplexity> {
    engine::Runtime& r = *impl_->runtime;
    return in_turn(r.turn, "perplexity",
                   [&] { return r.perplexity(impl_->sequence, tokens, window, env.outside(progress)); });
  });
}

Result<double> Model::bench(size_t n_prompt, size_t n_gen, size_t n_depth,
                            const std::function<bool()>& keep_going) {
  return public_call("bench", [&](FloatEnvironment& env) -> Result<double> {
    engine::Runtime& r = *impl_->runtime;
    return in_turn(r.turn, "bench", [&] {
      return r.bench(impl_->sequence, n_prompt, n_gen, n_depth, env.outside(keep_going));
    });
  });
}

}  // namespace sterna
