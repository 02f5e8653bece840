// libFuzzer target: any sequence of calls of the public API on a loaded model, with any arguments, cancelled
// anywhere. Afterwards the model must compute what a fresh one computes.
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "fuzz/input.h"
#include "sterna/sterna.h"

namespace sterna::fuzz {
namespace {

constexpr size_t kContext = 24;

/// A model that is used by all inputs, one after the other, and what it computed before the first.
struct Subject {
  Model model;
  std::vector<int32_t> probe;
  std::vector<float> logits;
};

std::vector<float> forward(Model& m, const std::vector<int32_t>& tokens) {
  std::vector<float> out(tokens.size() * m.info().n_vocab);
  require(m.forward(tokens, out, {}).ok());
  return out;
}

std::vector<Subject>& subjects() {
  static std::vector<Subject> all = [] {
    (void)set_kernel_choice("builtin");
    std::vector<Subject> list;
    for (const char* name :
         {"mini-bitnet-i2_s", "mini-qwen3-q1_0", "mini-llama-kquants", "mini-spm", "mini-qwen3moe",
          "mini-gemma2"}) {
      LoadOptions o;
      o.n_threads = 1, o.n_ctx = int(kContext), o.n_batch = list.size() % 2 ? 3 : 512;
      o.kv_type = list.size() % 2 ? "int8" : "f16";
      o.screen = list.size() % 2 ? "on" : "off";
      auto model = Model::load(std::string(STERNA_TEST_DATA_DIR) + "/data/models/" + name + ".gguf", o);
      require(model.ok());
      const int32_t last = int32_t(model.value().info().n_vocab) - 1;
      list.push_back({std::move(model.value()), {1, last, 7, 7, 30}, {}});
      list.back().logits = forward(list.back().model, list.back().probe);
    }
    return list;
  }();
  return all;
}

int32_t token(Input& in, const Model& m) {
  const uint8_t kind = in.byte();
  if (kind >= 8) return int32_t(in.between(0, m.info().n_vocab - 1));
  return kind == 0   ? -1
         : kind == 1 ? int32_t(m.info().n_vocab)
         : kind == 2 ? in.bits<int32_t>()
                     : int32_t(kind);
}

std::vector<int32_t> tokens(Input& in, const Model& m) {
  std::vector<int32_t> all(in.between(0, kContext + 2));
  for (int32_t& t : all) t = token(in, m);
  return all;
}

std::string text(Input& in) {
  std::string s(in.between(0, 20), ' ');
  for (char& c : s) c = char(in.byte());
  return s;
}

/// Says no at a moment that the input chooses, or never.
std::function<bool()> limit(Input& in) {
  const uint8_t n = in.byte();
  if (n >= 128) return {};
  return [left = int(n)]() mutable { return left-- > 0; };
}

GenerateOptions options(Input& in) {
  GenerateOptions o;
  o.max_tokens = int(in.between(0, 31)) - 1;
  o.temperature = in.byte() % 3 ? 0.0f : in.number();
  o.top_k = int8_t(in.byte());
  o.top_p = in.number(), o.min_p = in.number();
  o.repeat_penalty = in.byte() % 2 ? 1.0f : in.number();
  o.repeat_last_n = int8_t(in.byte());
  o.seed = in.byte(), o.lookup = int8_t(in.byte());
  o.ignore_eos = in.byte() % 2, o.parse_special = in.byte() % 2, o.add_special = in.byte() % 2;
  if (in.byte() % 4 == 0) o.stop = {text(in), text(in)};
  o.keep_going = limit(in);
  return o;
}

void generate(Input& in, Model& m) {
  const GenerateOptions o = options(in);
  const auto stop = limit(in);
  std::string seen;
  const auto on_token = [&](const Token& t) {
    seen += t.text;
    return !stop || stop();
  };
  const bool from_text = in.byte() % 2;
  const auto r = from_text ? m.generate(std::string_view(text(in)), o, on_token)
                           : m.generate(std::span<const int32_t>(tokens(in, m)), o, on_token);
  if (!r.ok()) return;
  require(r.value().n_prompt + r.value().tokens.size() <= kContext + 1);
  require(o.max_tokens < 0 || r.value().tokens.size() <= size_t(o.max_tokens));
  for (const int32_t t : r.value().tokens) require(t >= 0 && size_t(t) < m.info().n_vocab);
}

void call(Input& in, Model& m) {
  switch (in.byte() % 7) {
    case 0:
    case 1:
      return generate(in, m);
    case 2: {
      const std::vector<int32_t> ids = tokens(in, m);
      std::vector<float> out((ids.size() + (in.byte() % 8 == 0)) * m.info().n_vocab);
      (void)m.forward(ids, out, limit(in));
      return;
    }
    case 3: {
      const auto keep = limit(in);
      const auto progress = [&](const Model::Perplexity&) { return !keep || keep(); };
      const std::vector<int32_t> ids = tokens(in, m);
      (void)m.perplexity(ids, in.between(0, kContext + 1), progress);
      return;
    }
    case 4:
      (void)m.bench(in.between(0, kContext), in.byte() % 8, in.byte() % 32, limit(in));
      return;
    case 5: {
      const std::string s = text(in);
      const auto ids = m.tokenize(s, in.byte() % 2, in.byte() % 2);
      if (ids.ok()) (void)m.detokenize(ids.value(), in.byte() % 2);
      return;
    }
    default:
      (void)m.is_eog(token(in, m));
  }
}

}  // namespace
}  // namespace sterna::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sterna::fuzz;
  Input in(data, size);
  Subject& s = subjects()[in.byte() % subjects().size()];
  for (int i = 0; i < 12 && !in.ended(); i++) call(in, s.model);
  require(forward(s.model, s.probe) == s.logits);
  return 0;
}
