// What the public Model and Session share.
#pragma once

#include <memory>

#include "llm/engine/runtime.h"
#include "sterna/session.h"

namespace sterna {

struct Session::Impl {
  explicit Impl(std::shared_ptr<engine::Runtime> r) : Impl(r, engine::Sequence(*r->decoder, r->n_ctx)) {}
  Impl(std::shared_ptr<engine::Runtime> r, engine::Sequence s)
      : runtime(std::move(r)), sequence(std::move(s)) {
    sequence.reserve_ids();
  }
  std::shared_ptr<engine::Runtime> runtime;
  engine::Sequence sequence;
};

/// generate() of both.
Result<GenerateResult> generate_in(engine::Runtime& runtime, engine::Sequence& sequence,
                                   std::span<const int32_t> prompt, const GenerateOptions& options,
                                   const std::function<bool(const Token&)>& on_token);

}  // namespace sterna
