// Which ids mean begin, end, unknown or padding, and which end a generation: from the file's keys, else by
// well-known texts.
#include <span>

#include "llm/text/vocab.h"

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
constexpr std::string_view kFimPrefix[] = {"<|fim_prefix|>",  "<fim-prefix>", "<fim_prefix>",
                                           "<｜fim▁begin｜>", "<PRE>",        "▁<PRE>",
                                           "<|code_prefix|>", "<|prefix|>"};
constexpr std::string_view kFimSuffix[] = {"<|fim_suffix|>",  "<fim-suffix>", "<fim_suffix>",
                                           "<｜fim▁hole｜>",  "<SUF>",        "▁<SUF>",
                                           "<|code_suffix|>", "<|suffix|>"};
constexpr std::string_view kFimMiddle[] = {"<|fim_middle|>",  "<fim-middle>", "<fim_middle>",
                                           "<｜fim▁end｜>",   "<MID>",        "▁<MID>",
                                           "<|code_middle|>", "<|middle|>"};
constexpr std::string_view kFimPadding[] = {"<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"};
constexpr std::string_view kFimRepository[] = {"<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>",
                                               "<reponame>"};
constexpr std::string_view kFimSeparator[] = {"<|file_sep|>"};
// Not control tokens even where the file calls them that: they frame what is to be printed.
constexpr std::string_view kPrinted[] = {"<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"};

int32_t first_of(const Vocab& vocab, Texts texts) {
  for (const std::string_view text : texts) {
    if (const int32_t id = vocab.find(text); id >= 0) return id;
  }
  return -1;
}

/// Makes a token that the file has under another type a control token, so that plain text never becomes it.
void make_control(Vocab& vocab, int32_t id) {
  if (id >= 0) vocab.types[static_cast<size_t>(id)] = TokenType::kControl;
}
void make_control(Vocab& vocab, Texts texts) {
  for (const std::string_view text : texts) make_control(vocab, vocab.find(text));
}

/// The id under tokenizer.ggml.<name>_token_id; -1 if the key is absent or its id outside the vocabulary. A
/// user-defined token that the file gives such a part is a control token.
Result<int32_t> id_of_key(const GgufFile& file, const std::string& name, Vocab& vocab) {
  const std::string key = "tokenizer.ggml." + name + "_token_id";
  if (!file.find(key)) return -1;
  STERNA_ASSIGN(const uint64_t stored, file.get_uint(key, 0));
  if (stored < vocab.texts.size()) {
    const int32_t id = static_cast<int32_t>(stored);
    if (vocab.type(id) == TokenType::kUserDefined) make_control(vocab, id);
    return id;
  }
  vocab.warnings.push_back("key '" + key + "' is ignored: got " + std::to_string(stored) +
                           ", expected less than " + std::to_string(vocab.texts.size()));
  return -1;
}

/// For the three ids that SentencePiece fixes by itself and old files of model "llama" leave out: `usual`,
/// but only if the vocabulary confirms it by text and type. Any other id that a file does not name does not
/// exist.
Result<int32_t> id_of_key_or_usual(const GgufFile& file, const std::string& name, int32_t usual,
                                   std::string_view text, Vocab& vocab) {
  STERNA_ASSIGN(const int32_t id, id_of_key(file, name, vocab));
  if (file.find("tokenizer.ggml." + name + "_token_id") || vocab.model != "llama" || !vocab.has(usual))
    return id;
  const TokenType type = vocab.type(usual);
  const bool special = type == TokenType::kControl || type == TokenType::kUnknown;
  return special && vocab.texts[static_cast<size_t>(usual)] == text ? usual : id;
}

/// Where the key is absent or useless: the first token with one of `texts`. All of them are control tokens.
Result<int32_t> id_of_key_or_text(const GgufFile& file, const std::string& name, Texts texts, Vocab& vocab) {
  STERNA_ASSIGN(const int32_t id, id_of_key(file, name, vocab));
  make_control(vocab, texts);
  return id >= 0 ? id : first_of(vocab, texts);
}

/// Whether encoding adds bos and eos: as the file says, else `default_bos` and no eos; never one that does
/// not exist.
Status read_frame(const GgufFile& file, bool default_bos, Vocab& vocab) {
  STERNA_ASSIGN(vocab.add_bos, file.get_bool("tokenizer.ggml.add_bos_token", default_bos));
  STERNA_ASSIGN(vocab.add_eos, file.get_bool("tokenizer.ggml.add_eos_token", false));
  const auto drop = [&](bool& add, int32_t id, const std::string& name) {
    if (!add || id >= 0) return;
    add = false;
    vocab.warnings.push_back("a text should start or end with the " + name +
                             " token, but the file names none (key " + "'tokenizer.ggml." + name +
                             "_token_id'): none is added");
  };
  drop(vocab.add_bos, vocab.bos, "bos");
  drop(vocab.add_eos, vocab.eos, "eos");
  return {};
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
  STERNA_ASSIGN(vocab.bos, id_of_key_or_usual(file, "bos", 1, "<s>", vocab));
  STERNA_ASSIGN(vocab.eos, id_of_key_or_usual(file, "eos", 2, "</s>", vocab));
  STERNA_ASSIGN(vocab.unknown, id_of_key_or_usual(file, "unknown", 0, "<unk>", vocab));
  STERNA_ASSIGN(vocab.padding, id_of_key(file, "padding", vocab));
  STERNA_RETURN_IF_ERROR(read_frame(file, llama || pre_adds_bos, vocab));
  if (llama) {
    STERNA_ASSIGN(vocab.add_space_prefix, file.get_bool("tokenizer.ggml.add_space_prefix", true));
  }

  STERNA_ASSIGN(vocab.eot, id_of_key_or_text(file, "eot", kEndOfTurn, vocab));
  STERNA_ASSIGN(const int32_t eom, id_of_key_or_text(file, "eom", kEndOfMessage, vocab));
  STERNA_ASSIGN(const int32_t fim_pad, id_of_key_or_text(file, "fim_pad", kFimPadding, vocab));
  STERNA_ASSIGN(const int32_t fim_rep, id_of_key_or_text(file, "fim_rep", kFimRepository, vocab));
  STERNA_ASSIGN(const int32_t fim_sep, id_of_key_or_text(file, "fim_sep", kFimSeparator, vocab));
  for (const Texts texts :
       {Texts(kFimPrefix), Texts(kFimSuffix), Texts(kFimMiddle), Texts(kEndOfGeneration)}) {
    make_control(vocab, texts);
  }
  // The second three are the names of older files.
  for (const char* name : {"fim_pre", "fim_suf", "fim_mid", "prefix", "suffix", "middle"}) {
    STERNA_RETURN_IF_ERROR(id_of_key(file, name, vocab).status());
  }

  vocab.ends_generation.assign(vocab.texts.size(), false);
  const auto end_with = [&](int32_t id) {
    if (id >= 0) vocab.ends_generation[static_cast<size_t>(id)] = true;
  };
  for (const int32_t id : {vocab.eos, vocab.eot, eom, fim_pad, fim_rep, fim_sep}) end_with(id);
  for (const std::string_view text : kEndOfGeneration) end_with(vocab.find(text));
  for (const std::string_view text : kPrinted) {
    if (const int32_t id = vocab.find(text); id >= 0)
      vocab.types[static_cast<size_t>(id)] = TokenType::kUserDefined;
  }
  apply_exceptions(vocab);
  return {};
}

}  // namespace sterna::text
