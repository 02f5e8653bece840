// The public Session: sequences of a model, whose turn they take.
#include "api/session.h"

#include "base/public_call.h"
#include "llm/engine/generate.h"
#include "llm/engine/session_file.h"

namespace sterna {

Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

const std::vector<int32_t>& Session::tokens() const { return impl_->sequence.ids(); }

Result<GenerateResult> generate_in(engine::Runtime& runtime, engine::Sequence& sequence,
                                   std::span<const int32_t> prompt, const GenerateOptions& options,
                                   const std::function<bool(const Token&)>& on_token) {
  return public_call("generate", [&](FloatEnvironment& env) -> Result<GenerateResult> {
    const engine::Request request{prompt, &options, &sequence};
    std::function<bool(size_t, const Token&)> each;
    if (on_token) each = [on_token = env.outside(on_token)](size_t, const Token& t) { return on_token(t); };
    return in_turn(runtime.turn, "generate", [&]() -> Result<GenerateResult> {
      STERNA_ASSIGN(std::vector<GenerateResult> results,
                    engine::generate(runtime, {&request, 1}, each, env.outside(options.keep_going)));
      return std::move(results[0]);
    });
  });
}

Result<GenerateResult> Session::generate(std::span<const int32_t> prompt, const GenerateOptions& options,
                                         const std::function<bool(const Token&)>& on_token) {
  return generate_in(*impl_->runtime, impl_->sequence, prompt, options, on_token);
}

Result<GenerateResult> Session::generate(std::string_view prompt, const GenerateOptions& options,
                                         const std::function<bool(const Token&)>& on_token) {
  const auto tokens = public_call("generate", [&](FloatEnvironment&) -> Result<std::vector<int32_t>> {
    return impl_->runtime->tokenizer->encode_prompt(prompt, options.add_special, options.parse_special);
  });
  STERNA_RETURN_IF_ERROR(tokens.status());
  return generate(std::span<const int32_t>(tokens.value()), options, on_token);
}

Status Session::forward(std::span<const int32_t> tokens, std::span<float> out,
                        const std::function<bool()>& keep_going) {
  return public_call("forward", [&](FloatEnvironment& env) {
    engine::Runtime& r = *impl_->runtime;
    return in_turn(r.turn, "forward",
                   [&] { return r.forward(impl_->sequence, tokens, out, env.outside(keep_going)); });
  });
}

Status Session::truncate(size_t n) {
  return public_call("truncate", [&](FloatEnvironment&) {
    return in_turn(impl_->runtime->turn, "truncate", [&]() -> Status {
      const size_t size = impl_->sequence.size();
      if (n > size)
        return Status(Code::kInvalidArgument, "[truncate] got " + std::to_string(n) +
                                                  ", expected at most the " + std::to_string(size) +
                                                  " tokens there are");
      return impl_->runtime->truncate(impl_->sequence, n);
    });
  });
}

Result<Session> Session::fork() const {
  return public_call("fork", [&](FloatEnvironment&) -> Result<Session> {
    return in_turn(impl_->runtime->turn, "fork", [&]() -> Result<Session> {
      return Session(std::make_unique<Impl>(impl_->runtime, impl_->sequence.fork()));
    });
  });
}

Status Session::save(const std::string& path) const {
  return public_call("save", [&](FloatEnvironment&) {
    return in_turn(impl_->runtime->turn, "save",
                   [&] { return engine::save_sequence(*impl_->runtime, impl_->sequence, path); });
  });
}

}  // namespace sterna
