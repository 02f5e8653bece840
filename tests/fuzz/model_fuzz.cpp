// libFuzzer target: any bytes as a model, through hyper-parameters, tokenizer, weight checks, packing and a
// short forward pass, screened or not. Corpus: tests/data/models/*.gguf.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "llm/models/architecture.h"
#include "llm/models/decoder.h"
#include "llm/text/tokenizer.h"
#include "sterna/gguf.h"
#include "threads/pool.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sterna;
  auto file = GgufFile::from_memory({data, size}, "fuzz");
  if (!file.ok()) return 0;
  auto tokenizer = text::Tokenizer::from_gguf(file.value(), {});
  if (tokenizer.ok())
    tokenizer.value().decode(tokenizer.value().encode("some text <|x|> \xff", true, true), true);
  auto spec = models::read_spec(file.value(), {});
  if (!spec.ok()) return 0;
  static const auto pool = ThreadPool::create(1);
  const models::HeadOptions head{
      size % 2 ? models::HeadOptions::Screen::kOn : models::HeadOptions::Screen::kOff, 0};
  auto decoder =
      models::Decoder::load(file.value(), spec.value(), *pool.value(), {8, 4, cpu::KvType::kF16, head}, {});
  if (!decoder.ok()) return 0;
  models::Decoder& d = *decoder.value();
  const std::vector<int32_t> tokens = {0, int32_t(d.n_vocab() - 1), 0};
  std::vector<float> logits(d.n_vocab());
  std::vector<cpu::Candidate> candidates;
  if (d.forward(tokens, 0, 1, {}).ok() && d.logits(0, 1, logits.data()).ok())
    (void)d.candidates(0, {d.n_vocab(), 0, 0}, candidates);
  return 0;
}
