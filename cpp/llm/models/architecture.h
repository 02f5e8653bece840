// The architectures that can be loaded (models.inc): each turns a file's metadata into a DecoderSpec.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "llm/models/decoder.h"
#include "sterna/gguf.h"
#include "sterna/status.h"

namespace sterna::models {

struct SpecOptions {
  std::string activation;  ///< Override of the FFN activation: "", "silu" or "relu2" (bitnet only).
};

/// Reads and checks the hyper-parameters of `file`. kUnsupported for an architecture that is not in
/// models.inc (the message lists them) or metadata that asks for a graph that is not implemented; kCorrupt
/// for bad values.
Result<DecoderSpec> read_spec(const GgufFile& file, const SpecOptions& options);

/// Every layer, but for the last one of each `period` (0: none).
std::vector<bool> local_layers(size_t n_layer, uint64_t period);

/// kUnsupported for a key of the architecture that asks for a graph that is not implemented; a warning for
/// one that is not known.
Status refuse_foreign_keys(const GgufFile& file, const std::string& arch, DecoderSpec& spec);

/// Reads what makes the FFN blocks mixtures of experts, which is required. kCorrupt, kUnsupported.
Status read_experts(const GgufFile& file, DecoderSpec& spec);

/// What an architecture adds to the common hyper-parameters already in `spec`.
using Configure = Status(const GgufFile& file, const SpecOptions& options, DecoderSpec& spec);
Configure configure_llama, configure_bitnet, configure_gemma3, configure_olmoe, configure_phi3,
    configure_qwen2, configure_qwen3, configure_qwen3moe;
Configure configure_exaone4, configure_mistral3, configure_olmo2, configure_smollm3;
Configure configure_arcee, configure_gemma2, configure_granite;

}  // namespace sterna::models
