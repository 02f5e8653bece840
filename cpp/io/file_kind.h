// What a file is when it is not a language model, in words that tell a person what to do: the error that most
// people meet first is a file that is something else.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "sterna/gguf.h"

namespace sterna::io {

/// What bytes that do not begin as a GGUF file look like, and what to do: "a web page; ...". "" if unknown.
std::string other_kind(std::span<const uint8_t> bytes);

/// kUnsupported for a GGUF file that is no model: an adapter, a projector of images, an importance matrix, a
/// control vector, a vocabulary. What it is stands in the message, and what to do.
Status require_model(const GgufFile& file);

}  // namespace sterna::io
