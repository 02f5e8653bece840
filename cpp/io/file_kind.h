// What a file is when it is not a language model, in words that tell a person what to do: the error that most
// people meet first is a file that is something else.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "sterna/gguf.h"

namespace sterna::io {

struct FileKind {
  std::string what;    ///< "a web page (HTML)"; "" if unknown.
  std::string advice;  ///< What to do, for the end of a message: "; download ..."
};
/// What bytes that do not begin as a GGUF file look like.
FileKind other_kind(std::span<const uint8_t> bytes);

/// kUnsupported for a GGUF file that is no model: an adapter, a projector of images, an importance matrix, a
/// control vector, a vocabulary. What it is stands in the message, and what to do.
Status require_model(const GgufFile& file);

}  // namespace sterna::io
