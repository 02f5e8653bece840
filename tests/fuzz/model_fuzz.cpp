// libFuzzer target: any bytes as a model, through hyper-parameters, tokenizer, weight checks, packing and a
// short forward pass, screened or not. Corpus: tests/data/models/*.gguf.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "llm/engine/sequence.h"
#include "llm/models/architecture.h"
#include "llm/models/decoder.h"
#include "llm/text/tokenizer.h"
#include "sterna/gguf.h"
#include "sterna/threads.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sterna;
  auto file = GgufFile::from_memory({data, size}, "fuzz");
  if (!file.ok()) return 0;
  auto tokenizer = text::Tokenizer::from_gguf(file.value(), {});
  if (tokenizer.ok())
    tokenizer.value().decode(tokenizer.value().encode("some text <|x|> \xff", true, true), true);
  auto spec = models::read_spec(file.value(), {});
  if (!spec.ok()) return 0;
  static const auto threads = Threads::create(1);
  using Screen = head::HeadOptions::Screen;
  const head::HeadOptions head{size % 2 ? Screen::kOn : Screen::kOff, 0};
  auto decoder = models::Decoder::load(file.value(), spec.value(), threads.value(), {4, 64, "f16", head}, {});
  if (!decoder.ok()) return 0;
  models::Decoder& d = *decoder.value();
  const std::vector<int32_t> tokens = {0, int32_t(d.n_vocab() - 1), 0};
  std::vector<float> floats(d.n_vocab());
  std::vector<cpu::Candidate> candidates;
  ScreenStats stats;
  engine::Sequence s(d, 8);
  head::Logits logits;
  if (!s.extend(tokens.size()).ok()) return 0;
  const cpu::Span span{s.states().data(), 0, tokens.size(), 0};
  const size_t wanted[] = {2};
  if (d.forward({tokens, {&span, 1}, wanted}, logits, {}).ok() && logits.full(0, 1, floats.data()).ok())
    (void)logits.candidates(0, {d.n_vocab(), 0, 0}, candidates, stats);
  return 0;
}
