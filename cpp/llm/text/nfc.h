// Unicode normalization form C: composing what can be written in several ways (e and U+0301 becomes é).
#pragma once

#include <string>
#include <string_view>

namespace sterna::text {

/// Whether nfc(text) is known to be `text`, from one look at each character.
bool is_nfc(std::string_view text);

/// The text in normalization form C. Bytes that are not UTF-8 stay as they are; nothing composes across them.
/// n bytes take O(n log n) time.
std::string nfc(std::string_view text);

}  // namespace sterna::text
