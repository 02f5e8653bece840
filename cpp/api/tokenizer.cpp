// The public Tokenizer: the one of a file's metadata, with failed allocations as errors.
#include "sterna/tokenizer.h"

#include <utility>

#include "base/public_call.h"
#include "llm/text/tokenizer.h"
#include "sterna/gguf.h"

namespace sterna {
struct Tokenizer::Impl {
  text::Tokenizer tokenizer;
};

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Result<Tokenizer> Tokenizer::load(const std::string& path, const std::string& pre) {
  return public_call("load tokenizer", [&](FloatEnvironment&) -> Result<Tokenizer> {
    STERNA_ASSIGN(const GgufFile file, GgufFile::open(path));
    STERNA_ASSIGN(text::Tokenizer tokenizer, text::Tokenizer::from_gguf(file, {pre}));
    return Tokenizer(std::make_unique<Impl>(Impl{std::move(tokenizer)}));
  });
}

Result<std::vector<int32_t>> Tokenizer::encode(std::string_view text, bool add_special,
                                               bool parse_special) const {
  return public_call("encode", [&](FloatEnvironment&) -> Result<std::vector<int32_t>> {
    return impl_->tokenizer.encode(text, add_special, parse_special);
  });
}

Result<std::string> Tokenizer::decode(std::span<const int32_t> ids, bool special) const {
  return public_call("decode", [&](FloatEnvironment&) -> Result<std::string> {
    return impl_->tokenizer.decode(ids, special);
  });
}

size_t Tokenizer::size() const { return impl_->tokenizer.size(); }
const std::string& Tokenizer::model() const { return impl_->tokenizer.model(); }
const std::string& Tokenizer::pre() const { return impl_->tokenizer.pre(); }
int32_t Tokenizer::bos() const { return impl_->tokenizer.bos(); }
int32_t Tokenizer::eos() const { return impl_->tokenizer.eos(); }
int32_t Tokenizer::eot() const { return impl_->tokenizer.eot(); }
bool Tokenizer::add_bos() const { return impl_->tokenizer.add_bos(); }
bool Tokenizer::add_eos() const { return impl_->tokenizer.add_eos(); }
bool Tokenizer::is_eog(int32_t id) const { return impl_->tokenizer.is_eog(id); }
const std::string& Tokenizer::text(int32_t id) const { return impl_->tokenizer.text(id); }
const std::vector<std::string>& Tokenizer::warnings() const { return impl_->tokenizer.warnings(); }

}  // namespace sterna
