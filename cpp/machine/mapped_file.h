// A file mapped read-only into memory. Pages are read when touched and can be given back, range by range.
#pragma once

#include <cstdint>
#include <ctime>
#include <span>
#include <string>

#include "sterna/status.h"

namespace sterna::machine {

/// Owns one mapping. If another process shortens the file meanwhile, touching the lost pages raises SIGBUS:
/// model files must be replaced by renaming, not by overwriting.
class MappedFile {
 public:
  /// Errors: kNotFound, kIo, kOutOfMemory (also of address space), kCorrupt for an empty file,
  /// kInvalidArgument for a path with a NUL byte.
  static Result<MappedFile> open(const std::string& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const uint8_t> bytes() const { return {data_, size_}; }
  /// Whether the file was written to or cut since it was opened.
  bool changed() const;
  /// Drops the whole pages inside `range` from memory; the part of `range` outside this file is ignored.
  void release(std::span<const uint8_t> range) const;

 private:
  MappedFile() = default;

  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
  int fd_ = -1;  ///< Kept open for changed().
  std::timespec written_{};
};

}  // namespace sterna::machine
