// Streaming output: bytes in any portions to whole characters.
#include "llm/text/tokenizer.h"
#include "llm/text/unicode.h"

namespace sterna::text {

std::string Utf8Stream::push(std::string_view bytes) {
  held_ += bytes;
  std::string out;
  size_t at = 0;
  while (at < held_.size()) {
    const Utf8Char c = decode_utf8(std::string_view(held_).substr(at));
    if (c.incomplete) break;
    append_utf8(out, c.code);
    at += c.size;
  }
  held_.erase(0, at);
  return out;
}

std::string Utf8Stream::flush() {
  std::string out;
  if (!held_.empty()) append_utf8(out, kReplacement);
  held_.clear();
  return out;
}

}  // namespace sterna::text
