// Which ids mean begin, end, unknown or padding, and which end a generation: from the file's keys, else by
// well-known texts.
#include <span>

#include "text/vocab.h"

namespace sterna::text {
namespace {

using Texts = std::span<const std::string_view>;

constexpr std::string_view kEndOfTurn[] = {
    "<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>",         "<|endoftext|>",     "<|end_of_text|>",
    "<EOT>",      "_<EOT>",     "[EOT]",   "<｜end▁of▁sentence｜>", "<end_of_utterance>"};
constexpr std::string_view kEndOfGeneration[] = {"<|eot_id|>",
                                                 "<|im_end|>",
                                                 "<|end|>",
                                                 "<|return|>",
                                                 "<|call|>",
                                                 "<|flush|>",
                                                 "<|calls|>",
                                                 "<end_of_turn>",
                                                 "<|endoftext|>",
                                                 "</s>",
                                                 "<|eom_id|>",
                                                 "<EOT>",
                                                 "_<EOT>",
                                                 "[EOT]",
                                                 "[EOS]",
                                                 "<|end_of_text|>",
                                                 "<end_of_utterance>",
                                                 "<eos>",
                                                 "<turn|>",
                                                 "<|tool_response>",
                                                 "<｜end▁of▁sentence｜>",
                                                 "[e~["};
constexpr std::string_view kEndOfMessage[] = {"<|eom_id|>"};
constexpr std::string_view kFimPadding[] = {"<|fim_pad|>", "<fim-pad>", "<fim_pad>"};
constexpr std::string_view kFimRepository[] = {"<|fim_repo|>", "<|repo_name|>", "<reponame>"};
constexpr std::string_view kFimSeparator[] = {"<|file_sep|>"};
// Not control tokens even where the file calls them that: they frame what is to be printed.
constexpr std::string_view kPrinted[] = {"<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"};

int32_t first_of(const Vocab& vocab, Texts texts) {
  for (const std::string_view text : texts) {
    if (const int32_t id = vocab.find(text); id >= 0) return id;
  }
  return -1;
}

/// The id under tokenizer.ggml.<name>_token_id, or the default; -1 for an id outside the vocabulary.
Result<int32_t> id_of_key(const GgufFile& file, const std::string& name, int32_t default_id, Vocab& vocab) {
  const std::string key = "tokenizer.ggml." + name + "_token_id";
  if (!file.find(key)) return vocab.has(default_id) ? default_id : -1;
  STERNA_ASSIGN(const uint64_t id, file.get_uint(key, 0));
  if (id < vocab.texts.size()) return static_cast<int32_t>(id);
  vocab.warnings.push_back("key '" + key + "' is ignored: got " + std::to_string(id) +
                           ", expected less than " + std::to_string(vocab.texts.size()));
  return -1;
}

/// Where the key is absent or useless: the first token with one of `texts`, made a control token.
Result<int32_t> id_of_key_or_text(const GgufFile& file, const std::string& name, Texts texts, Vocab& vocab) {
  STERNA_ASSIGN(int32_t id, id_of_key(file, name, -1, vocab));
  if (id >= 0) return id;
  id = first_of(vocab, texts);
  if (id >= 0) vocab.types[static_cast<size_t>(id)] = TokenType::kControl;
  return id;
}

/// Tokens that by their texts would end a generation, but in their vocabulary do not.
void apply_exceptions(Vocab& vocab) {
  const auto present = [&](std::string_view text) { return vocab.find(text) >= 0; };
  const auto keep_going = [&](std::string_view text) {
    if (present(text)) vocab.ends_generation[static_cast<size_t>(vocab.find(text))] = false;
  };
  if ((present("<|return|>") && present("<|call|>")) || (present("<|calls|>") && present("<|flush|>"))) {
    keep_going("<|end|>");
  }
  const int32_t plamo_end = vocab.find("<|plamo:eos|>");
  const bool plamo = plamo_end >= 0 && vocab.ends_generation[static_cast<size_t>(plamo_end)];
  if ((present("<|tool_response>") || plamo) && present("</s>")) {
    keep_going("</s>");
    vocab.types[static_cast<size_t>(vocab.find("</s>"))] = TokenType::kNormal;
  }
}

}  // namespace

Status read_special_tokens(const GgufFile& file, bool pre_adds_bos, Vocab& vocab) {
  const bool llama = vocab.model == "llama";
  STERNA_ASSIGN(vocab.bos, id_of_key(file, "bos", llama ? 1 : 11, vocab));
  STERNA_ASSIGN(vocab.eos, id_of_key(file, "eos", llama ? 2 : 11, vocab));
  STERNA_ASSIGN(vocab.unknown, id_of_key(file, "unknown", llama ? 0 : -1, vocab));
  STERNA_ASSIGN(vocab.padding, id_of_key(file, "padding", -1, vocab));
  STERNA_ASSIGN(vocab.add_bos, file.get_bool("tokenizer.ggml.add_bos_token", llama || pre_adds_bos));
  STERNA_ASSIGN(vocab.add_eos, file.get_bool("tokenizer.ggml.add_eos_token", false));
  if (llama) {
    STERNA_ASSIGN(vocab.add_space_prefix, file.get_bool("tokenizer.ggml.add_space_prefix", true));
  }

  STERNA_ASSIGN(vocab.eot, id_of_key_or_text(file, "eot", kEndOfTurn, vocab));
  STERNA_ASSIGN(const int32_t eom, id_of_key_or_text(file, "eom", kEndOfMessage, vocab));
  STERNA_ASSIGN(const int32_t fim_pad, id_of_key_or_text(file, "fim_pad", kFimPadding, vocab));
  STERNA_ASSIGN(const int32_t fim_rep, id_of_key_or_text(file, "fim_rep", kFimRepository, vocab));
  STERNA_ASSIGN(const int32_t fim_sep, id_of_key_or_text(file, "fim_sep", kFimSeparator, vocab));

  vocab.ends_generation.assign(vocab.texts.size(), false);
  for (const int32_t id : {vocab.eos, vocab.eot, eom, fim_pad, fim_rep, fim_sep}) {
    if (id >= 0) vocab.ends_generation[static_cast<size_t>(id)] = true;
  }
  for (const std::string_view text : kEndOfGeneration) {
    const int32_t id = vocab.find(text);
    if (id < 0) continue;
    vocab.ends_generation[static_cast<size_t>(id)] = true;
    vocab.types[static_cast<size_t>(id)] = TokenType::kControl;
  }
  for (const std::string_view text : kPrinted) {
    if (const int32_t id = vocab.find(text); id >= 0)
      vocab.types[static_cast<size_t>(id)] = TokenType::kUserDefined;
  }
  apply_exceptions(vocab);
  return {};
}

}  // namespace sterna::text
