// The file that remembers the choice of kernels: where it lies, and reading and replacing it in a folder
// where anything else may lie in its place. Nothing here waits, follows a link or fails loudly.
#pragma once

#include <cstddef>
#include <string>

namespace sterna::machine {

/// $XDG_CACHE_HOME/sterna/kernels.txt, else ~/.cache/sterna/kernels.txt; "" if there is neither.
std::string cache_file();

/// The bytes of a regular file of at most `max_bytes`. "" if it is larger or absent, a link, a pipe, a device
/// or a folder, or if it cannot be read.
std::string read_small_file(const std::string& path, size_t max_bytes);

/// Puts a new file with this text at `path`, all of it or nothing, and makes the folders above it. Where that
/// is not possible (no permission, no space) nothing is left behind.
void replace_file(const std::string& path, const std::string& text);

}  // namespace sterna::machine
