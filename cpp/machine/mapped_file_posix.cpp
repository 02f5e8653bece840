// Read-only file mapping by mmap and madvise.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <system_error>
#include <utility>

#include "base/checked_math.h"
#include "machine/mapped_file.h"

namespace sterna::machine {
namespace {

Status failed(Code code, const std::string& path, const std::string& got, const char* expected) {
  return {code, "[open] " + path + ", got " + got + ", expected " + expected};
}

Status failed_errno(const std::string& path, int error) {
  const Code code = error == ENOENT || error == ENOTDIR ? Code::kNotFound
                    : error == ENOMEM                   ? Code::kOutOfMemory
                                                        : Code::kIo;
  return failed(code, path, std::generic_category().message(error), "a readable file");
}

}  // namespace

Result<MappedFile> MappedFile::open(const std::string& path) {
  if (path.find('\0') != std::string::npos) {
    return failed(Code::kInvalidArgument, path.substr(0, path.find('\0')), "a path with a NUL byte",
                  "a file name");
  }
  // O_NONBLOCK: opening a named pipe must fail below instead of waiting for a writer.
  MappedFile file;
  file.fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file.fd_ < 0) return failed_errno(path, errno);
  struct stat info;
  if (fstat(file.fd_, &info) != 0) return failed_errno(path, errno);
  if (S_ISDIR(info.st_mode)) return failed(Code::kIo, path, "a directory", "a file, which ends in .gguf");
  if (!S_ISREG(info.st_mode)) return failed(Code::kIo, path, "a pipe or device", "a regular file");
  if (info.st_size == 0)
    return failed(Code::kCorrupt, path, "0 bytes", "a file with content: download it again");
  if (uint64_t(info.st_size) > std::numeric_limits<size_t>::max()) {
    return failed(Code::kIo, path, std::to_string(info.st_size) + " bytes",
                  "a file that fits the address space");
  }
  const size_t size = size_t(info.st_size);
  void* data = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.fd_, 0);
  if (data == MAP_FAILED) return failed_errno(path, errno);
  file.data_ = static_cast<const uint8_t*>(data), file.size_ = size, file.written_ = info.st_mtim;
  return file;
}

MappedFile::MappedFile(MappedFile&& other) noexcept { *this = std::move(other); }

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(fd_, other.fd_);
  std::swap(written_, other.written_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_) munmap(const_cast<uint8_t*>(data_), size_);
  if (fd_ >= 0) close(fd_);
}

bool MappedFile::changed() const {
  struct stat info;
  return fstat(fd_, &info) != 0 || size_t(info.st_size) != size_ || info.st_mtim.tv_sec != written_.tv_sec ||
         info.st_mtim.tv_nsec != written_.tv_nsec;
}

void MappedFile::release(std::span<const uint8_t> range) const {
  const uint64_t page = uint64_t(sysconf(_SC_PAGESIZE));
  const uint64_t start = reinterpret_cast<uintptr_t>(data_), from = reinterpret_cast<uintptr_t>(range.data());
  const uint64_t first = round_up(std::max(from, start), page);
  const uint64_t last = std::min(from + range.size(), start + size_) / page * page;
  // A refusal only means that the pages stay.
  if (first < last) (void)madvise(const_cast<uint8_t*>(data_) + (first - start), last - first, MADV_DONTNEED);
}

}  // namespace sterna::machine
