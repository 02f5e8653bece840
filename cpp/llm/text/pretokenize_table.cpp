// The known pre-tokenizers: which regular expressions each name stands for, and what else it implies.
#include <algorithm>

#include "llm/text/pretokenize.h"

namespace sterna::text {
namespace {

constexpr Alternative run(CharClass body) { return {.body = body}; }
constexpr Alternative run(CharClass prefix, CharClass body, CharClass tail = {}) {
  return {.body = body, .prefix = prefix, .tail = tail};
}
constexpr Alternative count(CharClass body, size_t min, size_t max) {
  return {.body = body, .min = min, .max = max};
}
constexpr Alternative shape(Alternative::Shape shape, CharClass prefix = {}, CharClass body = {}) {
  return {.shape = shape, .body = body, .prefix = prefix};
}
constexpr CharClass any_of(uint32_t bits) { return {bits, false}; }
constexpr CharClass none_of(uint32_t bits) { return {bits, true}; }

constexpr Alternative kContraction = shape(Alternative::kContraction);
constexpr Alternative kContractionAny = shape(Alternative::kContractionAny);
constexpr Alternative kToLineEnd = shape(Alternative::kToLineEnd);
constexpr Alternative kSpaces = shape(Alternative::kSpaces);
constexpr Alternative kFinalSpaces = shape(Alternative::kFinalSpaces);

constexpr CharClass kBeforeWord = none_of(kLineEnd | kLetter | kNumber);  // [^\r\n\p{L}\p{N}]
constexpr Alternative kWord = run(kBeforeWord, any_of(kLetter));
constexpr Alternative kOneNumber = count(any_of(kNumber), 1, 1);
constexpr Alternative kThreeNumbers = count(any_of(kNumber), 1, 3);
constexpr CharClass kMarks = none_of(kWhite | kLetter | kNumber);  // [^\s\p{L}\p{N}]
constexpr Alternative kMarksAndLines = run(any_of(kSpace), kMarks, any_of(kLineEnd));
constexpr Alternative kMarksAndSlashes = run(any_of(kSpace), kMarks, any_of(kLineEnd | kSlash));

constexpr Alternative kGpt2[] = {kContraction, run(any_of(kSpace), any_of(kLetter)),
                                 run(any_of(kSpace), any_of(kNumber)), run(any_of(kSpace), kMarks), kSpaces};
constexpr Alternative kLlama3[] = {kContractionAny, kWord,      kThreeNumbers,
                                   kMarksAndLines,  kToLineEnd, kSpaces};
constexpr Alternative kQwen2[] = {kContractionAny, kWord, kOneNumber, kMarksAndLines, kToLineEnd, kSpaces};
constexpr Alternative kQwen35[] = {
    kContractionAny, run(kBeforeWord, any_of(kLetter | kMark)),
    kOneNumber,      run(any_of(kSpace), none_of(kWhite | kLetter | kMark | kNumber), any_of(kLineEnd)),
    kToLineEnd,      kSpaces,
};
constexpr Alternative kTekken[] = {shape(Alternative::kCasedRun, kBeforeWord), kOneNumber, kMarksAndSlashes,
                                   kToLineEnd, kSpaces};
constexpr Alternative kGpt4o[] = {shape(Alternative::kCasedRunC, kBeforeWord), kThreeNumbers,
                                  kMarksAndSlashes, kToLineEnd, kSpaces};
constexpr Alternative kDeepSeek3[] = {
    shape(Alternative::kPrefixedRun, any_of(kAsciiMark), any_of(kAsciiLetter)),
    run(none_of(kLineEnd | kLetter | kPunctuation | kSymbol), any_of(kLetter | kMark)),
    run(any_of(kSpace), any_of(kPunctuation | kSymbol), any_of(kLineEnd)),
    kToLineEnd,
    kSpaces,
};

constexpr Alternative kEachNumber[] = {kOneNumber};
constexpr Alternative kUpToThreeNumbers[] = {kThreeNumbers};
constexpr Alternative kNumberRuns[] = {run(any_of(kNumber))};
constexpr Alternative kThreeDigits[] = {count(any_of(kDigit), 3, 3)};
constexpr Alternative kEachLineEnd[] = {count(any_of(kLineEnd), 1, 1)};
constexpr Alternative kPunctuationRuns[] = {run(any_of(kPunctuation | kMathMark))};
constexpr Alternative kFalconPunctuationRuns[] = {run(any_of(kPunctuation | kMathMark | kBacktick))};
constexpr Alternative kSpacedCased[] = {run(any_of(kWhite), any_of(kCased))};
constexpr Alternative kSpacedWideMarks[] = {run(any_of(kWhite), any_of(kWideMark))};
constexpr Alternative kSpacedLetters[] = {run(any_of(kWhite), any_of(kLetter))};
constexpr Alternative kSpacedPunctuation[] = {run(any_of(kWhite), any_of(kPunctuation))};
constexpr Alternative kFinalSpacesOnly[] = {kFinalSpaces};
constexpr Alternative kCjkOrOldRuns[] = {run(any_of(kCjkOrOld))};
constexpr Alternative kCjkOrKanaRuns[] = {run(any_of(kCjkOrKana))};

const std::vector<PreTokenizer>& table() {
  // Never destroyed: threads may tokenize while the process ends.
  static const auto& entries = *new std::vector<PreTokenizer>{
      {.names = "default", .rules = {kPunctuationRuns, kGpt2, kNumberRuns, kThreeDigits}},
      {.names = "llama-bpe llama3 llama-v3 falcon3 falcon_e falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano",
       .rules = {kLlama3},
       .ignore_merges = true,
       .add_bos = true},
      {.names = "dbrx smaug-bpe chatglm-bpe glm4 glm5", .rules = {kLlama3}},
      {.names = "qwen2 f2llmv2 stablelm2", .rules = {kQwen2}, .nfc = true},
      {.names = "deepseek-r1-qwen kormo hunyuan grok-2 solar-open megrez", .rules = {kQwen2}},
      {.names = "qwen35", .rules = {kQwen35}, .nfc = true},
      {.names = "gpt-2 phi-2 jais exaone4 gigachat a.x-4.0 mellum jina-es jina-de jina-v2-es jina-v2-de "
                "roberta-bpe jina-v1-en jina-v2-code granite-docling trillion",
       .rules = {kGpt2}},
      {.names = "mpt olmo modern-bert", .rules = {kGpt2}, .nfc = true},
      {.names = "starcoder refact codeshell exaone minerva-7b mellum2 smollm", .rules = {kEachNumber, kGpt2}},
      {.names = "command-r", .rules = {kEachNumber, kGpt2}, .nfc = true},
      {.names = "falcon", .rules = {kFalconPunctuationRuns, kGpt2, kThreeDigits}},
      {.names = "deepseek-llm",
       .rules = {kEachLineEnd, kSpacedCased, kSpacedWideMarks, kFinalSpacesOnly, kCjkOrOldRuns, kNumberRuns}},
      {.names = "deepseek-coder",
       .rules = {kEachLineEnd, kSpacedLetters, kSpacedPunctuation, kCjkOrOldRuns, kEachNumber}},
      {.names = "deepseek-v3 hunyuan-dense hy_v4 joyai-llm",
       .rules = {kUpToThreeNumbers, kCjkOrKanaRuns, kDeepSeek3}},
      {.names = "tekken", .rules = {kTekken}, .ignore_merges = true, .add_bos = true},
      {.names = "gpt-4o llama4 kanana2 talkie minimax-m2", .rules = {kGpt4o}},
  };
  return entries;
}

/// Whether `name` is one of the space-separated `names`.
bool lists(std::string_view names, std::string_view name) {
  for (size_t begin = 0, end = 0; begin < names.size(); begin = end + 1) {
    end = std::min(names.find(' ', begin), names.size());
    if (names.substr(begin, end - begin) == name) return true;
  }
  return false;
}

}  // namespace

const PreTokenizer* find_pre_tokenizer(std::string_view name) {
  for (const PreTokenizer& entry : table()) {
    if (lists(entry.names, name)) return &entry;
  }
  return nullptr;
}

std::string pre_tokenizer_names() {
  std::string names;
  for (const PreTokenizer& entry : table()) names.append(names.empty() ? "" : " ").append(entry.names);
  return names;
}

}  // namespace sterna::text
