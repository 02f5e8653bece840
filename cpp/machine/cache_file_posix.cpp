// Small files by POSIX calls: the streams of C++ can neither refuse links and pipes nor insist on a new file.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "machine/cache_file.h"

namespace sterna::machine {
namespace {

struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) close(fd);
  }
};

/// What `call` (read or write) moves, also when a signal or a short transfer interrupts it.
template <class Call, class Byte>
size_t transfer(Call call, int fd, Byte* data, size_t bytes) {
  size_t done = 0;
  while (done < bytes) {
    const ssize_t n = call(fd, data + done, bytes - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    done += size_t(n);
  }
  return done;
}

/// Writing beyond this limit would not fail but end the process by a signal.
bool may_write(size_t bytes) {
  rlimit limit;
  return getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur >= bytes;
}

}  // namespace

std::string cache_file() {
  const auto folder = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value && *value == '/' ? value : "");
  };
  if (const std::string cache = folder("XDG_CACHE_HOME"); !cache.empty())
    return cache + "/sterna/kernels.txt";
  if (const std::string home = folder("HOME"); !home.empty()) return home + "/.cache/sterna/kernels.txt";
  return "";
}

std::string read_small_file(const std::string& path, size_t max_bytes) {
  // O_NONBLOCK: opening a named pipe would wait for a writer.
  const Descriptor file{open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  struct stat info;
  if (file.fd < 0 || fstat(file.fd, &info) != 0 || !S_ISREG(info.st_mode)) return "";
  if (info.st_size < 0 || size_t(info.st_size) > max_bytes) return "";
  std::string text(size_t(info.st_size), '\0');
  text.resize(transfer(read, file.fd, text.data(), text.size()));
  return text;
}

void replace_file(const std::string& path, const std::string& text) {
  if (path.empty() || !may_write(text.size())) return;
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  std::string part = path + ".XXXXXX";  // mkostemp makes a name that nobody foresees, with O_EXCL
  const int fd = mkostemp(part.data(), O_CLOEXEC);
  if (fd < 0) return;
  const bool written = transfer(write, fd, text.data(), text.size()) == text.size();
  const bool closed = close(fd) == 0;  // some file systems tell only now that they are full
  if (!written || !closed || rename(part.c_str(), path.c_str()) != 0) unlink(part.c_str());
}

}  // namespace sterna::machine
