// bitnet, bitnet-25, bitnet-b1.58: split-half rotary pairs, norms inside both blocks before their last
// matrix, and an FFN activation that no metadata names: squared ReLU in BitNet-b1.58-2B-4T
// (https://arxiv.org/abs/2504.12285), SiLU in the 1bitLLM models.
#include "llm/models/architecture.h"

namespace sterna::models {

Status configure_bitnet(const GgufFile& file, const SpecOptions& options, DecoderSpec& spec) {
  spec.sub_norms = true;
  if (options.activation == "silu" || options.activation == "relu2") {
    spec.activation = options.activation == "silu" ? "silu" : "relu2";
    return {};
  }
  STERNA_ASSIGN(const std::string arch, file.get_string("general.architecture", ""));
  const GgufTensor* embedding = file.find_tensor("token_embd.weight");
  const uint64_t n_vocab = embedding && embedding->shape.size() == 2 ? embedding->shape[1] : 0;
  const auto is_1bitllm = [&](size_t embd, size_t ff, size_t layers) {
    return spec.n_embd == embd && spec.n_ff == ff && spec.n_layer == layers &&
           spec.n_head == spec.n_head_kv && n_vocab == 32002;
  };
  bool silu = arch == "bitnet";
  std::string why = "architecture '" + arch + "'";
  if (is_1bitllm(1536, 4096, 24) || is_1bitllm(2048, 5460, 24) || is_1bitllm(3200, 8640, 26)) {
    silu = true;
    why = "the shape of a 1bitLLM model";
  } else if (silu && ((spec.n_embd == 2560 && spec.n_ff == 6912) || n_vocab == 128256 ||
                      spec.n_head_kv < spec.n_head)) {
    silu = false;
    why = "the shape of BitNet-b1.58-2B-4T";
  }
  spec.activation = silu ? "silu" : "relu2";
  spec.warnings.push_back("the FFN activation is not in the file: " + std::string(spec.activation) +
                          " is taken because of " + why + " (override: activation)");
  return {};
}

}  // namespace sterna::models
