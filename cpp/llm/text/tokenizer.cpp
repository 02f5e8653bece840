// The frame around both kinds of vocabulary: special tokens are cut out of the text first, and printed or
// not.
#include "llm/text/tokenizer.h"

#include <algorithm>
#include <bitset>
#include <map>
#include <utility>

#include "llm/text/encoder.h"
#include "llm/text/nfc.h"
#include "llm/text/pretokenize.h"
#include "llm/text/vocab.h"

namespace sterna::text {
namespace {

/// A special token found in a text.
struct Special {
  size_t begin, size;
  int32_t id;
};

/// Finds special tokens in text: longer ones first, wherever they are, then from left to right.
class SpecialFinder {
 public:
  /// `controls`: control and unknown tokens too, not only user-defined ones.
  SpecialFinder(const Vocab& vocab, bool controls) : vocab_(vocab), controls_(controls) {
    for (size_t id = 0; id < vocab.texts.size(); ++id) {
      const std::string& text = vocab.texts[id];
      if (is_special(static_cast<int32_t>(id))) first_bytes_[text.size()].set(static_cast<uint8_t>(text[0]));
    }
  }

  std::vector<Special> find(std::string_view text) const {
    std::vector<Special> found;
    std::vector<bool> taken(text.size());
    for (const auto& [size, first_bytes] : first_bytes_) {
      for (size_t at = 0; at + size <= text.size();) {
        int32_t id = -1;
        // What is taken has at least this size, so it cannot lie inside without covering an end.
        if (first_bytes[static_cast<uint8_t>(text[at])] && !taken[at] && !taken[at + size - 1]) {
          id = vocab_.find(text.substr(at, size));
        }
        if (id < 0 || !is_special(id)) {
          ++at;
          continue;
        }
        found.push_back({at, size, id});
        std::fill_n(taken.begin() + static_cast<ptrdiff_t>(at), size, true);
        at += size;
      }
    }
    std::sort(found.begin(), found.end(),
              [](const Special& a, const Special& b) { return a.begin < b.begin; });
    return found;
  }

 private:
  bool is_special(int32_t id) const {
    const TokenType type = vocab_.type(id);
    if (type == TokenType::kControl || type == TokenType::kUnknown) return controls_;
    return type == TokenType::kUserDefined;
  }

  const Vocab& vocab_;
  bool controls_;
  std::map<size_t, std::bitset<256>, std::greater<>> first_bytes_;  ///< Of the special texts, by their size.
};

/// The name of the pre-tokenizer: the caller's, else the file's, else a guess with a warning.
Result<std::string> pre_name(const GgufFile& file, const TokenizerOptions& options, Vocab& vocab) {
  if (!options.pre.empty()) return options.pre;
  STERNA_ASSIGN(std::string name, file.get_string("tokenizer.ggml.pre", ""));
  if (!name.empty()) return name;
  // Files of BitNet-2B-4T lack the key; "default" is not what the model was trained with.
  const bool llama3 = vocab.texts.size() == 128256 && vocab.texts[128000] == "<|begin_of_text|>";
  name = llama3 ? "llama-bpe" : "default";
  vocab.warnings.push_back("key 'tokenizer.ggml.pre' is missing; '" + name + "' is used" +
                           (llama3 ? " because the vocabulary is that of Llama 3" : "") +
                           " (override: option pre, --pre)");
  return name;
}

}  // namespace

struct Tokenizer::Impl {
  explicit Impl(Vocab v) : vocab(std::move(v)) {}

  Vocab vocab;
  std::string pre;
  bool composes = false;        ///< Unicode NFC, before anything else.
  bool unknown_is_text = true;  ///< The unknown token also stands for characters that cannot be spelled.
  std::unique_ptr<Encoder> encoder;
  std::unique_ptr<SpecialFinder> user_defined, specials;

  /// Calls plain(text) and special(found) for the parts of a text, in order.
  template <class Plain, class Found>
  void split(std::string_view text, const std::vector<Special>& found, Plain plain, Found special) const {
    size_t begin = 0;
    const auto plain_until = [&](size_t end) {
      const std::string_view part = text.substr(begin, end - begin);
      if (part.empty()) return;
      composes && !is_nfc(part) ? plain(std::string_view(nfc(part))) : plain(part);
    };
    for (const Special& s : found) {
      plain_until(s.begin);
      special(s);
      begin = s.begin + s.size;
    }
    plain_until(text.size());
  }

  /// The ids of a text, between bos and eos unless the text has them itself.
  std::vector<int32_t> encode(std::string_view text, bool bos, bool eos, bool parse_special) const {
    const std::vector<Special> found = (parse_special ? specials : user_defined)->find(text);
    const bool has_bos = !found.empty() && found.front().begin == 0 && found.front().id == vocab.bos;
    const bool has_eos = !found.empty() && found.back().begin + found.back().size == text.size() &&
                         found.back().id == vocab.eos;
    std::vector<int32_t> ids;
    if (bos && !has_bos) ids.push_back(vocab.bos);
    split(
        text, found, [&](std::string_view part) { encoder->encode(part, ids); },
        [&](const Special& s) { ids.push_back(s.id); });
    if (eos && !has_eos) ids.push_back(vocab.eos);
    return ids;
  }

  /// Whether the text after this token was encoded as one that begins anew.
  bool ends_part(int32_t id) const {
    const TokenType type = vocab.type(id);
    return type == TokenType::kControl || type == TokenType::kUserDefined ||
           (type == TokenType::kUnknown && !unknown_is_text);
  }

  void append(int32_t id, bool special, std::string& out) const {
    if (!vocab.has(id)) return;
    const std::string& text = vocab.texts[static_cast<size_t>(id)];
    switch (vocab.type(id)) {
      case TokenType::kUnknown:
      case TokenType::kControl:
        if (special) out += text;
        break;
      case TokenType::kUserDefined:
        out += text;
        break;
      case TokenType::kByte:
        out += static_cast<char>(byte_of(text));
        break;
      default:
        encoder->append_bytes(text, out);
    }
  }
};

Result<Tokenizer> Tokenizer::from_gguf(const GgufFile& file, const TokenizerOptions& options) {
  STERNA_ASSIGN(Vocab vocab, read_vocab(file));
  auto impl = std::make_unique<Impl>(std::move(vocab));
  Vocab& v = impl->vocab;
  if (v.model == "llama") {
    if (!options.pre.empty())
      v.warnings.push_back("option pre is ignored: model 'llama' has no pre-tokenizer");
    STERNA_RETURN_IF_ERROR(read_special_tokens(file, false, v));
    impl->encoder = make_spm(v);
    impl->unknown_is_text = v.find("<0x80>") < 0;
  } else {
    STERNA_ASSIGN(impl->pre, pre_name(file, options, v));
    const PreTokenizer* pre = find_pre_tokenizer(impl->pre);
    if (!pre) {
      return tokenizer_error(Code::kUnsupported, file.path(),
                             "pre-tokenizer (key 'tokenizer.ggml.pre'; override: option pre, --pre)",
                             "'" + impl->pre + "'", "one of: " + pre_tokenizer_names());
    }
    STERNA_RETURN_IF_ERROR(read_special_tokens(file, pre->add_bos, v));
    STERNA_ASSIGN(impl->encoder, make_bpe(file, v, *pre));
    impl->composes = pre->nfc;
  }
  impl->user_defined = std::make_unique<SpecialFinder>(v, false);
  impl->specials = std::make_unique<SpecialFinder>(v, true);
  return Tokenizer(std::move(impl));
}

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

std::vector<int32_t> Tokenizer::encode(std::string_view text, bool add_special, bool parse_special) const {
  const Vocab& v = impl_->vocab;
  return impl_->encode(text, add_special && v.add_bos, add_special && v.add_eos, parse_special);
}

std::vector<int32_t> Tokenizer::encode_prompt(std::string_view text, bool add_special,
                                              bool parse_special) const {
  return impl_->encode(text, add_special && impl_->vocab.add_bos, false, parse_special);
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool special) const {
  std::string out;
  const bool prefix = impl_->vocab.add_space_prefix;
  bool begins = prefix;  // The next space is the one that encoding put first.
  for (const int32_t id : ids) {
    const size_t from = out.size();
    impl_->append(id, special, out);
    if (!impl_->vocab.has(id)) continue;
    if (impl_->ends_part(id)) {
      begins = prefix;
    } else if (out.size() > from) {
      if (begins && out[from] == ' ') out.erase(from, 1);
      begins = false;
    }
  }
  return out;
}

std::string Tokenizer::as_generated(std::string_view text) const {
  std::string out;
  impl_->split(
      text, impl_->specials->find(text),
      [&](std::string_view part) {
        if (!out.empty() && impl_->vocab.add_space_prefix) out += ' ';
        out += part;
      },
      [&](const Special& s) { out += text.substr(s.begin, s.size); });
  return out;
}

std::string Tokenizer::piece(int32_t id, bool special) const {
  std::string out;
  impl_->append(id, special, out);
  return out;
}

size_t Tokenizer::size() const { return impl_->vocab.texts.size(); }
const std::string& Tokenizer::text(int32_t id) const {
  static const std::string none;
  return impl_->vocab.has(id) ? impl_->vocab.texts[static_cast<size_t>(id)] : none;
}
const std::string& Tokenizer::model() const { return impl_->vocab.model; }
const std::string& Tokenizer::pre() const { return impl_->pre; }
bool Tokenizer::add_bos() const { return impl_->vocab.add_bos; }
bool Tokenizer::add_eos() const { return impl_->vocab.add_eos; }
int32_t Tokenizer::bos() const { return impl_->vocab.bos; }
int32_t Tokenizer::eos() const { return impl_->vocab.eos; }
int32_t Tokenizer::eot() const { return impl_->vocab.eot; }
int32_t Tokenizer::pad() const { return impl_->vocab.padding; }
bool Tokenizer::is_eog(int32_t id) const {
  return impl_->vocab.has(id) && impl_->vocab.ends_generation[static_cast<size_t>(id)];
}
bool Tokenizer::is_control(int32_t id) const {
  return impl_->vocab.has(id) && impl_->vocab.type(id) == TokenType::kControl;
}
bool Tokenizer::is_hidden(int32_t id) const {
  return is_control(id) || (impl_->vocab.has(id) && impl_->vocab.type(id) == TokenType::kUnknown);
}
const std::vector<std::string>& Tokenizer::warnings() const { return impl_->vocab.warnings; }

}  // namespace sterna::text
