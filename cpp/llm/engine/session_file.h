// Files that hold a sequence with its keys and values.
//   char[8] "STERNASQ"  u32 version (1)  u32 n_tokens  u64 fingerprint of the model  u32 tokens[n_tokens]
//   for each layer, for each 256 tokens: a page as the KV type lays it out, zero behind the last token; none
//   where all tokens are out of the window of the layer's attention for those to come
//   u64 fingerprint of all before
// Little-endian. The layout is the same on every machine, and so is every bit in it.
#pragma once

#include <string>

#include "llm/engine/runtime.h"
#include "llm/engine/sequence.h"
#include "sterna/status.h"

namespace sterna::engine {

/// Writes the whole file or none. Errors: kIo, kOutOfMemory.
Status save_sequence(const Runtime& runtime, const Sequence& s, const std::string& path);
/// Errors: Model::load_session().
Result<Sequence> load_sequence(const Runtime& runtime, const std::string& path);

}  // namespace sterna::engine
