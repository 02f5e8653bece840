// A sequence of tokens with what a model keeps for them, apart from the model: any number may share one.
//   auto session = model.value().session();
//   session.value().generate("Once upon", {}, {});
//   auto other = session.value().fork();  // goes on from there, too
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sterna/model.h"
#include "sterna/status.h"

namespace sterna {

/// Belongs to the Model that made it, with whose calls its own take turns, and keeps that alive. Sessions
/// that begin with the same 256, 512, ... tokens share the memory of these.
class Session {
 public:
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  /// The tokens that the model has seen, from position 0.
  const std::vector<int32_t>& tokens() const;

  /// As Model::generate(): `prompt` is the whole text from position 0, of which what this session (or another
  /// one) has seen already is not computed again. Afterwards tokens() are the prompt and what was generated,
  /// but for the last token or two, which the model has not seen.
  Result<GenerateResult> generate(std::string_view prompt, const GenerateOptions& options,
                                  const std::function<bool(const Token&)>& on_token);
  Result<GenerateResult> generate(std::span<const int32_t> prompt, const GenerateOptions& options,
                                  const std::function<bool(const Token&)>& on_token);

  /// Appends tokens; out[n][n_vocab] gets the logits after each of them. Errors: as Model::forward(); what
  /// passes before the error have appended stays, as tokens() says.
  Status forward(std::span<const int32_t> tokens, std::span<float> out,
                 const std::function<bool()>& keep_going);
  /// Forgets all but the first n tokens. Where the model's attention has a window, what is out of it is not
  /// kept: tokens that would see it again are run again, which takes their time and changes nothing.
  /// kInvalidArgument if there are fewer; kOutOfMemory, from which the session has not changed.
  Status truncate(size_t n);
  /// Another session with the same tokens, which shares their memory until one of the two changes it.
  Result<Session> fork() const;
  /// Writes a file that Model::load_session() reads, also on another machine. Errors: kIo, kOutOfMemory.
  Status save(const std::string& path) const;

 private:
  friend class Model;
  struct Impl;
  explicit Session(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sterna
