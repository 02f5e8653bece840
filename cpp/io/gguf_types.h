// From a tensor's type id to its format and size. Forks reuse ids: some are decided by a tensor's space.
#pragma once

#include <span>

#include "io/gguf_parse.h"

namespace sterna::io {

/// Where the last tensor ends if the data begin at `start`; offsets are relative. Tensors of an unknown type
/// or whose end cannot be expressed do not count.
uint64_t content_end(std::span<const RawTensor> tensors, uint64_t start);

/// Fills `format` and `bytes` of every tensor and checks that no tensor overlaps the next one or the end of
/// its file. `parts` are all files of a model.
/// Errors: kCorrupt; kUnsupported for a type that cannot be loaded.
Status resolve_types(std::span<GgufPart> parts);

}  // namespace sterna::io
