// Loading a model file: the graph, the tokenizer, the threads, and what info() tells of all.
#include "llm/engine/load.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>

#include "kernels/registry.h"
#include "llm/models/architecture.h"
#include "sterna/gguf.h"

namespace sterna::engine {
namespace {

std::string printable(const GgufValue& value) {
  const auto one = [](const auto& x) -> std::string {
    using T = std::decay_t<decltype(x)>;
    if constexpr (std::is_same_v<T, std::string>)
      return x;
    else if constexpr (std::is_same_v<T, bool>)
      return x ? "true" : "false";
    else
      return std::to_string(x);
  };
  return std::visit(
      [&](const auto& v) -> std::string {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, std::string> || std::is_arithmetic_v<T>) {
          return one(v);
        } else {
          std::string s = "[";
          for (size_t i = 0; i < std::min<size_t>(v.size(), 8); i++)
            s += (i ? ", " : "") + one(typename T::value_type(v[i]));
          return s + (v.size() > 8 ? ", ...] (" + std::to_string(v.size()) + ")" : "]");
        }
      },
      value);
}

head::HeadOptions head_options(const LoadOptions& o) {
  using Choice = head::HeadOptions::Screen;
  head::HeadOptions head;
  head.screen = o.screen == "on" ? Choice::kOn : o.screen == "off" ? Choice::kOff : Choice::kAuto;
  head.bits = o.head_bits;
  return head;
}

/// What the file says of itself, for info().
Status describe_file(const GgufFile& file, ModelInfo& i) {
  STERNA_ASSIGN(i.name, file.get_string("general.name", ""));
  STERNA_ASSIGN(i.architecture, file.get_string("general.architecture", ""));
  STERNA_ASSIGN(i.chat_template, file.get_string("tokenizer.chat_template", ""));
  i.file_bytes = file.file_bytes();
  std::map<std::string, uint64_t> by_format;
  for (const GgufTensor& tensor : file.tensors()) {
    uint64_t n = 1;
    for (uint64_t ne : tensor.shape) n *= ne;
    i.n_params += n;
    if (tensor.name.rfind("blk.", 0) == 0) by_format[tensor.format] += n;
  }
  uint64_t most = 0;
  for (const auto& [format, n] : by_format)
    if (n > most) most = n, i.main_format = format;
  return {};
}

void describe_model(const Runtime& s, ModelInfo& i) {
  const models::DecoderSpec& d = s.decoder->spec();
  const text::Tokenizer& t = *s.tokenizer;
  i.tokenizer = t.model(), i.pre = t.pre(), i.activation = d.activation;
  i.weight_bytes = s.decoder->weight_bytes(), i.bytes_per_token = s.decoder->bytes_per_token();
  i.kv_bytes_per_token = s.decoder->kv_bytes_per_token();
  i.screen_bytes = s.decoder->screen_bytes();
  i.n_layer = d.n_layer, i.n_embd = d.n_embd, i.n_ff = d.n_ff, i.n_head = d.n_head, i.n_head_kv = d.n_head_kv;
  i.head_dim = d.head_dim, i.n_vocab = s.decoder->n_vocab(), i.n_ctx_train = d.n_ctx_train;
  i.n_ctx = s.n_ctx, i.window = d.window;
  i.n_layer_local = size_t(std::count(d.local.begin(), d.local.end(), true));
  i.n_threads = s.threads.size();
  const auto text_of = [&](int32_t id) { return id >= 0 ? t.text(id) : std::string(); };
  i.bos = t.bos(), i.eos = t.eos(), i.eot = t.eot(), i.add_bos = t.add_bos();
  i.bos_text = text_of(i.bos), i.eos_text = text_of(i.eos);
  i.warnings = t.warnings();
  i.warnings.insert(i.warnings.end(), d.warnings.begin(), d.warnings.end());
}

}  // namespace

Result<std::shared_ptr<Runtime>> load(const std::string& path, const LoadOptions& o) {
  const auto start = std::chrono::steady_clock::now();
  if (o.threads && o.n_threads && o.threads->size() != *o.n_threads)
    return Status(Code::kInvalidArgument, "[load] n_threads, got " + std::to_string(*o.n_threads) + " and " +
                                              std::to_string(o.threads->size()) +
                                              " threads, expected one of the two");
  STERNA_RETURN_IF_ERROR(cpu::check_kv_type(o.kv_type));
  STERNA_ASSIGN(const size_t first_isa, kernels::first_active_isa());

  STERNA_ASSIGN(GgufFile file, GgufFile::open(path));
  STERNA_ASSIGN(models::DecoderSpec spec, models::read_spec(file, {o.activation}));
  STERNA_ASSIGN(text::Tokenizer tokenizer, text::Tokenizer::from_gguf(file, {o.pre}));
  std::optional<Threads> threads = o.threads;
  if (!threads) {
    STERNA_ASSIGN(threads, Threads::create(o.n_threads));
  }
  auto s = std::make_shared<Runtime>(*threads);
  s->tokenizer = std::make_unique<text::Tokenizer>(std::move(tokenizer));

  const size_t n_ctx = !o.n_ctx        ? std::min<size_t>(4096, spec.n_ctx_train)
                       : *o.n_ctx == 0 ? spec.n_ctx_train
                                       : size_t(*o.n_ctx);
  if (n_ctx > spec.n_ctx_train)
    spec.warnings.push_back("a context of " + std::to_string(n_ctx) + " tokens is longer than the " +
                            std::to_string(spec.n_ctx_train) + " that the model was made for");
  s->n_ctx = n_ctx;
  STERNA_ASSIGN(s->decoder,
                models::Decoder::load(file, std::move(spec), *threads,
                                      {std::min(size_t(o.n_batch), n_ctx), n_ctx, o.kv_type, head_options(o)},
                                      o.progress));
  STERNA_RETURN_IF_ERROR(file.check_unchanged());
  if (s->tokenizer->size() > s->decoder->n_vocab())
    return Status(Code::kCorrupt, "[load] " + path + ": the tokenizer has " +
                                      std::to_string(s->tokenizer->size()) +
                                      " tokens, but tensor 'token_embd.weight' only " +
                                      std::to_string(s->decoder->n_vocab()) + " rows");

  s->info.path = path;
  STERNA_RETURN_IF_ERROR(describe_file(file, s->info));
  describe_model(*s, s->info);
  s->info.isa = kernels::isas()[first_isa].name;
  for (const GgufKey& k : file.keys()) s->metadata.emplace_back(k.name, printable(k.value));
  s->info.load_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return s;
}

}  // namespace sterna::engine
