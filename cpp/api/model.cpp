// The public Model: its calls take turns here.
#include "sterna/model.h"

#include <set>

#include "api/session.h"
#include "base/public_call.h"
#include "llm/engine/generate.h"
#include "llm/engine/load.h"
#include "llm/engine/runtime.h"
#include "llm/engine/session_file.h"

namespace sterna {

struct Model::Impl : Session::Impl {
  using Session::Impl::Impl;
};

Model::Model(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;
Model::~Model() = default;

Result<Model> Model::load(const std::string& path, const LoadOptions& options) {
  return public_call("load", [&](FloatEnvironment& env) -> Result<Model> {
    STERNA_RETURN_IF_ERROR(check_options(options));
    LoadOptions ours = options;
    ours.progress = env.outside(options.progress);
    STERNA_ASSIGN(std::shared_ptr<engine::Runtime> runtime, engine::load(path, ours));
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
