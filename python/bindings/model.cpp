// Loading a model and everything it does. python/sterna/model.py gives it defaults, chat and streams.
#include "sterna/model.h"

#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "calls.h"
#include "repr.h"
#include "sterna/session.h"

namespace sterna::python {
namespace {

Model load(const nb::bytes& path, LoadOptions options, const Callback<float>& progress,
           const std::optional<Threads>& threads) {
  Callbacks callbacks;
  options.threads = threads;
  options.progress = [&](float fraction) {
    return progress ? callbacks.call(*progress, fraction) : callbacks.poll();
  };
  const std::string file(path.c_str(), path.size());
  return take(callbacks.run([&] { return Model::load(file, options); }));
}

nb::dict metadata(const Model& model) {
  nb::dict dict;
  for (const auto& [key, value] : model.metadata()) dict[to_str(key)] = to_str(value);
  return dict;
}

std::vector<int32_t> tokenize(const Model& model, const nb::bytes& text, bool add_special,
                              bool parse_special) {
  const std::string_view view(text.c_str(), text.size());
  return take(without_gil([&] { return model.tokenize(view, add_special, parse_special); }));
}

std::vector<int32_t> prompt_tokens(const Model& model, const nb::bytes& prompt) {
  const std::string_view view(prompt.c_str(), prompt.size());
  return take(without_gil([&] { return model.prompt_tokens(view, {}); }));
}

nb::str detokenize(const Model& model, const TokenIds& tokens, bool special) {
  return to_str(take(without_gil([&] { return model.detokenize(span_of(tokens), special); })));
}

/// Prompt, options and session.
using Request = std::tuple<TokenIds, GenerateOptions, std::optional<Session*>>;

std::vector<GenerateResult> generate_many(Model& model, const std::vector<Request>& requests,
                                          const Callback<size_t, Token>& on_token) {
  std::vector<GenerateRequest> ours;
  for (const auto& [prompt, options, session] : requests) {
    const auto ids = span_of(prompt);
    ours.push_back({{ids.begin(), ids.end()}, options, session.value_or(nullptr)});
  }
  Callbacks callbacks;
  return take(callbacks.run([&] {
    const auto tell = [&](size_t i, const Token& token) {
      return on_token ? callbacks.call(*on_token, i, token) : callbacks.poll();
    };
    return model.generate(ours, tell, [&] { return callbacks.poll(); });
  }));
}

Session load_session(const Model& model, const nb::bytes& path) {
  const std::string file(path.c_str(), path.size());
  return take(without_gil([&] { return model.load_session(file); }));
}

std::pair<double, size_t> perplexity(Model& model, const TokenIds& tokens, size_t window,
                                     const Callback<double, size_t>& progress) {
  Callbacks callbacks;
  const Model::Perplexity total = take(callbacks.run([&] {
    return model.perplexity(span_of(tokens), window, [&](const Model::Perplexity& p) {
      return progress ? callbacks.call(*progress, p.nll, p.count) : callbacks.poll();
    });
  }));
  return {total.nll, total.count};
}

double bench(Model& model, size_t n_prompt, size_t n_gen, size_t n_depth) {
  Callbacks callbacks;
  return take(
      callbacks.run([&] { return model.bench(n_prompt, n_gen, n_depth, [&] { return callbacks.poll(); }); }));
}

const char* stop_reason(const GenerateResult& result) {
  switch (result.stop) {
    case GenerateResult::Stop::kEnd:
      return "end";
    case GenerateResult::Stop::kLength:
      return "length";
    case GenerateResult::Stop::kContext:
      return "context";
    case GenerateResult::Stop::kStopText:
      return "stop";
    case GenerateResult::Stop::kCallback:
      return "callback";
  }
  return "";
}

template <class T, std::string T::*kMember>
nb::str text_of(const T& object) {
  return to_str(object.*kMember);
}

void init_results(nb::module_& m) {
  nb::class_<ScreenStats>(m, "ScreenStats", "How much of the output matrix a generation read.")
      .def_ro("tokens", &ScreenStats::tokens, "Tokens that were sampled from screened logits.")
      .def_ro("full", &ScreenStats::full, "Tokens for which all logits were computed.")
      .def_ro("after_4", &ScreenStats::after_4,
              "Rows that the first plane could not rule out, over all screened tokens,")
      .def_ro("after_8", &ScreenStats::after_8, "and both planes together: these were multiplied exactly.")
      .def_ro("bytes", &ScreenStats::bytes, "Of planes and matrix read for the screened tokens.")
      .def("__repr__", [](nb::handle self) {
        return repr_of(self, {"tokens", "full", "after_4", "after_8", "bytes"});
      });
  nb::class_<Token>(m, "Token", "What `on_token` gets.")
      .def_ro("id", &Token::id)
      .def_prop_ro("text", &text_of<Token, &Token::text>, "Empty while a character is incomplete.")
      .def("__repr__", [](nb::handle self) {
        return repr_of(self, {"id", "text"});
      });
  nb::class_<GenerateResult>(m, "Completion", "What Model.complete() returns.")
      .def_prop_ro("text", &text_of<GenerateResult, &GenerateResult::text>)
      .def_ro("tokens", &GenerateResult::tokens, "Generated ids, without the one that ended the generation.")
      .def_prop_ro("stop_reason", &stop_reason,
                   "\"end\" of the model's text, \"length\" (max_tokens), \"context\" is full, \"stop\" "
                   "text, \"callback\".")
      .def_ro("n_prompt", &GenerateResult::n_prompt, "Prompt tokens.")
      .def_ro("n_reused", &GenerateResult::n_reused,
              "Prompt tokens that some call before had computed already.")
      .def_ro("n_drafted", &GenerateResult::n_drafted, "Tokens guessed by lookup.")
      .def_ro("n_accepted", &GenerateResult::n_accepted, "Of these, generated.")
      .def_ro("prompt_seconds", &GenerateResult::prompt_seconds)
      .def_ro("decode_seconds", &GenerateResult::decode_seconds)
      .def_ro("screen", &GenerateResult::screen)
      .def("__repr__", [](nb::handle self) {
        return repr_of(self, {"text", "stop_reason", "n_prompt", "tokens"});
      });
  nb::class_<TensorInfo>(m, "TensorInfo", "A tensor of a loaded model.")
      .def_prop_ro("name", &text_of<TensorInfo, &TensorInfo::name>)
      .def_ro("format", &TensorInfo::format)
      .def_ro("shape", &TensorInfo::shape, "The fastest dimension first, as in the file.")
      .def_ro("bytes", &TensorInfo::bytes, "In the file.")
      .def_ro("kernel", &TensorInfo::kernel, "That multiplies with it; empty if none does.")
      .def_ro("why", &TensorInfo::why, "Why this kernel, in words.")
      .def("__repr__", [](nb::handle self) {
        return repr_of(self, {"name", "format", "shape", "kernel"});
      });
}

void init_info(nb::module_& m) {
  nb::class_<ModelInfo>(m, "ModelInfo", "What Model.info returns.")
      .def_prop_ro("path", &text_of<ModelInfo, &ModelInfo::path>)
      .def_prop_ro("name", &text_of<ModelInfo, &ModelInfo::name>)
      .def_prop_ro("architecture", &text_of<ModelInfo, &ModelInfo::architecture>)
      .def_prop_ro("tokenizer", &text_of<ModelInfo, &ModelInfo::tokenizer>)
      .def_prop_ro("pre", &text_of<ModelInfo, &ModelInfo::pre>, "Name of the pre-tokenizer.")
      .def_ro("activation", &ModelInfo::activation)
      .def_ro("file_bytes", &ModelInfo::file_bytes)
      .def_ro("n_params", &ModelInfo::n_params)
      .def_ro("weight_bytes", &ModelInfo::weight_bytes, "In memory after packing.")
      .def_ro("bytes_per_token", &ModelInfo::bytes_per_token,
              "Weight bytes read to decode one token, without screening.")
      .def_ro("screen_bytes", &ModelInfo::screen_bytes, "In memory besides the weights, for screening.")
      .def_ro("kv_bytes_per_token", &ModelInfo::kv_bytes_per_token,
              "KV cache; memory is taken as tokens come, for local layers up to their window.")
      .def_ro("n_layer_local", &ModelInfo::n_layer_local,
              "Layers whose attention sees the last `window` tokens only.")
      .def_ro("window", &ModelInfo::window)
      .def_ro("n_layer", &ModelInfo::n_layer)
      .def_ro("n_embd", &ModelInfo::n_embd)
      .def_ro("n_ff", &ModelInfo::n_ff)
      .def_ro("n_head", &ModelInfo::n_head)
      .def_ro("n_head_kv", &ModelInfo::n_head_kv)
      .def_ro("head_dim", &ModelInfo::head_dim)
      .def_ro("n_vocab", &ModelInfo::n_vocab)
      .def_ro("n_ctx_train", &ModelInfo::n_ctx_train)
      .def_ro("n_ctx", &ModelInfo::n_ctx)
      .def_ro("n_threads", &ModelInfo::n_threads)
      .def_ro("isa", &ModelInfo::isa, "The best instruction set in use.")
      .def_ro("main_format", &ModelInfo::main_format, "The format that holds most weights.")
      .def_prop_ro("chat_template", &text_of<ModelInfo, &ModelInfo::chat_template>)
      .def_prop_ro("bos_text", &text_of<ModelInfo, &ModelInfo::bos_text>)
      .def_prop_ro("eos_text", &text_of<ModelInfo, &ModelInfo::eos_text>)
      .def_ro("add_bos", &ModelInfo::add_bos)
      .def_ro("bos", &ModelInfo::bos)
      .def_ro("eos", &ModelInfo::eos)
      .def_ro("eot", &ModelInfo::eot)
      .def_prop_ro(
          "warnings",
          [](const ModelInfo& info) {
            nb::list list;
            for (const std::string& w : info.warnings) list.append(to_str(w));
            return list;
          },
          nb::sig("def warnings(self) -> list[str]"), "What had to be guessed or ignored.")
      .def_ro("load_seconds", &ModelInfo::load_seconds)
      .def("__repr__",
           [](nb::handle self) {
             return repr_of(self, {"name", "architecture", "main_format", "n_params", "n_ctx", "isa"});
           })
      .def("_repr_html_", [](nb::handle self) {
        return html_of(self, {"name", "architecture", "main_format", "n_params", "weight_bytes", "n_layer",
                              "n_embd", "n_vocab", "n_ctx", "n_threads", "isa", "path", "warnings"});
      });
}

}  // namespace

void init_model(nb::module_& m) {
  init_results(m);
  init_info(m);
  nb::class_<Model> model(m, "Model");
  def_calls(model)
      .def_static("load", &load, nb::arg("path"), nb::arg("options"), nb::arg("progress").none(),
                  nb::arg("threads").none())
      .def_prop_ro("info", &Model::info, nb::rv_policy::copy)
      .def("tensors", &Model::tensors, nb::rv_policy::copy)
      .def("metadata", &metadata, nb::sig("def metadata(self) -> dict[str, str]"))
      .def("tokenize", &tokenize, nb::arg("text"), nb::arg("add_special"), nb::arg("parse_special"))
      .def("prompt_tokens", &prompt_tokens, nb::arg("prompt"))
      .def("detokenize", &detokenize, nb::arg("tokens").noconvert(), nb::arg("special"))
      .def("is_eog", &Model::is_eog, nb::arg("token"))
      .def("generate_many", &generate_many, nb::arg("requests").noconvert(), nb::arg("on_token").none())
      .def("session", [](const Model& self) { return take(self.session()); })
      .def("load_session", &load_session, nb::arg("path"))
      .def("perplexity", &perplexity, nb::arg("tokens").noconvert(), nb::arg("window"),
           nb::arg("progress").none())
      .def("bench", &bench, nb::arg("n_prompt"), nb::arg("n_gen"), nb::arg("n_depth"));
}

}  // namespace sterna::python
