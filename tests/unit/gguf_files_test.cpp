// The GGUF reader on files: opening, releasing pages, models split over several files, running out of memory.
#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <new>

#include "gguf_builder.h"
#include "gguf_check.h"
#include "machine/mapped_file.h"
#include "sterna/gguf.h"

TEST_SUITE_BEGIN("unit");

using namespace sterna;
using namespace sterna::testing;
namespace fs = std::filesystem;

#ifndef __has_feature  // Clang's.
#define __has_feature(x) 0
#endif

namespace {

class TempDir {
 public:
  TempDir() {
    std::string name = (fs::temp_directory_path() / "sterna-gguf-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TempDir() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  std::string file(const std::string& name) const { return (path_ / name).string(); }
  std::string write(const std::string& name, const Bytes& bytes) const {
    std::ofstream(file(name), std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return file(name);
  }

 private:
  fs::path path_;
};

}  // namespace

TEST_CASE("gguf: memory that runs out is an error, not an exception") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || __has_feature(address_sanitizer) || \
    __has_feature(thread_sanitizer)
  MESSAGE("left out: sanitizers do not work under a memory limit");
#elif defined(__linux__)
  const Bytes narrow = GgufBuilder().array("k", kU8, 1 << 24, zeros(1 << 24)).build(),
              wide = GgufBuilder().array("k", kU64, 1 << 24, zeros(128 << 20)).build();
  const TempDir dir;
  const std::string sparse = dir.write("sparse.gguf", narrow);
  fs::resize_file(sparse, uintmax_t{8} << 30);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    const rlim_t limit = pages * size_t(sysconf(_SC_PAGESIZE)) + (64 << 20);
    const rlimit r{limit, limit};
    setrlimit(RLIMIT_AS, &r);
    if (void* p = ::operator new(128 << 20, std::nothrow)) {  // Emulators ignore the limit.
      ::operator delete(p);
      _exit(77);
    }
    if (!GgufFile::from_memory(narrow, "test.gguf").ok()) _exit(2);  // numbers stay as wide as in the file
    if (GgufFile::open(sparse).status().code() != Code::kOutOfMemory) _exit(3);  // of address space
    _exit(GgufFile::from_memory(wide, "test.gguf").status().code() == Code::kOutOfMemory ? 0 : 1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) {
    MESSAGE("left out: this system has no effective memory limit");
  } else {
    CHECK(WEXITSTATUS(status) == 0);
  }
#endif
}

TEST_CASE("gguf: files") {
  const TempDir dir;
  const Bytes bytes = GgufBuilder().tensor("t", {2}, 0, packed(1.0f, 2.0f)).build();

  SUBCASE("open, move, read") {
    Result<GgufFile> f = GgufFile::open(dir.write("a.gguf", bytes));
    REQUIRE(f.ok());
    const uint8_t* data = f.value().find_tensor("t")->data;
    GgufFile moved = std::move(f.value());
    CHECK(moved.find_tensor("t")->data == data);
    CHECK(std::memcmp(data, packed(1.0f, 2.0f).data(), 8) == 0);
    CHECK(moved.file_bytes() == bytes.size());
    CHECK(moved.path() == dir.file("a.gguf"));
  }
  SUBCASE("what cannot be opened") {
    check_error(GgufFile::open(dir.file("absent.gguf")).status(), Code::kNotFound, {"absent.gguf"});
    check_error(GgufFile::open(dir.write("file", bytes) + "/below.gguf").status(), Code::kNotFound,
                {"below.gguf"});
    check_error(GgufFile::open(dir.file("")).status(), Code::kIo, {"directory"});
    check_error(GgufFile::open(dir.write("empty.gguf", {})).status(), Code::kCorrupt,
                {"empty.gguf", "0 bytes"});
    REQUIRE(mkfifo(dir.file("pipe").c_str(), 0600) == 0);
    check_error(GgufFile::open(dir.file("pipe")).status(), Code::kIo, {"pipe", "regular file"});
    const std::string valid = dir.write("valid.gguf", bytes);
    check_error(GgufFile::open(valid + std::string("\0x", 2)).status(), Code::kInvalidArgument, {"NUL"});
    if (geteuid() != 0) {
      fs::permissions(valid, fs::perms::none);
      check_error(GgufFile::open(valid).status(), Code::kIo, {"valid.gguf"});
    } else {
      MESSAGE("left out: an unreadable file, because root reads everything");
    }
  }
  SUBCASE("a broken file is named") {
    check_error(GgufFile::open(dir.write("broken.gguf", zeros(100))).status(), Code::kCorrupt,
                {"broken.gguf", "magic"});
  }
}

TEST_CASE("gguf: released pages are read again") {
  constexpr size_t kBytes = 16 << 20;
  Bytes data(kBytes);
  for (size_t i = 0; i < kBytes; ++i) data[i] = uint8_t(i * 2654435761u >> 24);
  const Bytes image = GgufBuilder()
                          .tensor("before", {8}, 0, zeros(32))
                          .tensor("big", {kBytes}, 24, data)
                          .tensor("after", {8}, 0, zeros(32))
                          .build();
  SUBCASE("file") {
    const TempDir dir;
    const Result<GgufFile> f = GgufFile::open(dir.write("big.gguf", image));
    REQUIRE(f.ok());
    const GgufTensor& t = *f.value().find_tensor("big");
    CHECK(std::memcmp(t.data, data.data(), kBytes) == 0);
#ifdef __linux__
    const auto shared_pages = [] {  // Pages of mapped files in this process's memory.
      size_t size = 0, resident = 0, shared = 0;
      std::ifstream("/proc/self/statm") >> size >> resident >> shared;
      return shared;
    };
    const size_t touched = shared_pages(), half = kBytes / 2 / size_t(sysconf(_SC_PAGESIZE));
    GgufTensor quarter = t;
    quarter.bytes = kBytes / 4;
    f.value().release(quarter);
    CHECK(shared_pages() < touched);
    CHECK(shared_pages() + half > touched);
    f.value().release(t);
    CHECK(shared_pages() + half < touched);
#else
    f.value().release(t);
#endif
    CHECK(std::memcmp(t.data, data.data(), kBytes) == 0);
    f.value().release(*f.value().find_tensor("before"));  // Less than a page.
    f.value().release(GgufTensor{});
  }
  SUBCASE("memory is left alone") {
    const Opened o = open_image(image);
    REQUIRE(o.file.ok());
    const GgufTensor& t = *o.file.value().find_tensor("big");
    o.file.value().release(t);
    CHECK(std::memcmp(t.data, data.data(), kBytes) == 0);
  }
  SUBCASE("nothing outside the range or the mapping is dropped") {
    const TempDir dir;
    const Result<machine::MappedFile> map = machine::MappedFile::open(dir.write("big.gguf", image));
    REQUIRE(map.ok());
    Bytes mine(1 << 20, 7);
    map.value().release(mine);
    CHECK(mine == Bytes(1 << 20, 7));
  }
}

TEST_CASE("gguf: split files") {
  const TempDir dir;
  struct Keys {
    uint16_t no, count;
    int32_t tensors;
  };
  const auto part = [](Keys k, const std::string& tensor) {
    GgufBuilder b;
    if (k.no == 0) b.string("general.architecture", "llama");
    b.key("split.no", kU16, packed(k.no)).key("split.count", kU16, packed(k.count));
    b.key("split.tensors.count", kI32, packed(k.tensors));
    b.tensor(tensor, {2}, 0, packed(float(k.no), 1.0f));
    return b;
  };
  const auto write = [&](int i, const GgufBuilder& b) {
    return dir.write("m-0000" + std::to_string(i) + "-of-00003.gguf", b.build());
  };
  const std::string first = write(1, part({0, 3, 3}, "a"));
  write(2, part({1, 3, 3}, "b"));
  write(3, part({2, 3, 3}, "c"));

  SUBCASE("all parts") {
    const Result<GgufFile> f = GgufFile::open(first);
    INFO(f.status().message());
    REQUIRE(f.ok());
    CHECK(f.value().path() == first);
    CHECK(f.value().tensors().size() == 3);
    CHECK(f.value().find("general.architecture") != nullptr);
    CHECK(f.value().file_bytes() ==
          fs::file_size(first) * 3 -
              2 * (fs::file_size(first) - fs::file_size(dir.file("m-00002-of-00003.gguf"))));
    float v = 0;
    std::memcpy(&v, f.value().find_tensor("c")->data, 4);
    CHECK(v == 2.0f);
  }
  SUBCASE("another part than the first") {
    check_error(GgufFile::open(dir.file("m-00002-of-00003.gguf")).status(), Code::kInvalidArgument,
                {"m-00002-of-00003.gguf", "file 2 of 3", "-00001-of-00003.gguf"});
  }
  SUBCASE("renamed first part") {
    check_error(GgufFile::open(dir.write("m.gguf", part({0, 3, 3}, "a").build())).status(),
                Code::kInvalidArgument, {"m.gguf", "file 1 of 3", "-00001-of-00003.gguf", "snapshots/"});
  }
  SUBCASE("another part under the name of the first") {
    write(1, part({1, 3, 3}, "a"));
    check_error(GgufFile::open(first).status(), Code::kInvalidArgument,
                {"m-00001-of-00003.gguf", "file 2 of 3"});
  }
  SUBCASE("missing part") {
    fs::remove(dir.file("m-00003-of-00003.gguf"));
    check_error(GgufFile::open(first).status(), Code::kNotFound,
                {"m-00003-of-00003.gguf", "file 3 of 3 of a split model", "one folder"});
  }
  SUBCASE("broken part") {
    dir.write("m-00003-of-00003.gguf", zeros(64));
    check_error(GgufFile::open(first).status(), Code::kCorrupt, {"m-00003-of-00003.gguf", "magic"});
  }
  SUBCASE("wrong split.no") {
    write(2, part({2, 3, 3}, "b"));
    check_error(GgufFile::open(first).status(), Code::kCorrupt,
                {"m-00002-of-00003.gguf", "'split.no'", "got 2", "expected 1"});
    write(2, part({3, 3, 3}, "b"));
    check_error(GgufFile::open(first).status(), Code::kCorrupt, {"m-00002", "'split.no'", "got 3", "0 to 2"});
  }
  SUBCASE("wrong split.count") {
    write(3, part({2, 4, 3}, "c"));
    check_error(GgufFile::open(first).status(), Code::kCorrupt,
                {"m-00003", "'split.count'", "got 4", "expected 3"});
    write(3, part({0, 0, 3}, "c"));
    CHECK(int(GgufFile::open(first).status().code()) == int(Code::kCorrupt));
  }
  SUBCASE("wrong split.tensors.count") {
    write(2, part({1, 3, 4}, "b"));
    check_error(GgufFile::open(first).status(), Code::kCorrupt,
                {"m-00002", "'split.tensors.count'", "got 4", "expected 3"});
    for (int i = 1; i <= 3; ++i) write(i, part({uint16_t(i - 1), 3, 5}, std::string(1, char('a' + i))));
    check_error(GgufFile::open(first).status(), Code::kCorrupt,
                {"m-00001", "'split.tensors.count'", "got 5", "expected 3"});
    for (int i = 1; i <= 3; ++i) write(i, part({uint16_t(i - 1), 3, -1}, std::string(1, char('a' + i))));
    check_error(GgufFile::open(first).status(), Code::kCorrupt,
                {"m-00001", "'split.tensors.count'", "got -1"});
  }
  SUBCASE("missing or wrong keys") {
    dir.write("x-00001-of-00002.gguf", GgufBuilder().key("split.count", kU16, packed(uint16_t{2})).build());
    check_error(GgufFile::open(dir.file("x-00001-of-00002.gguf")).status(), Code::kCorrupt,
                {"'split.no'", "none"});
    dir.write("x.gguf", GgufBuilder().string("split.count", "2").build());
    check_error(GgufFile::open(dir.file("x.gguf")).status(), Code::kCorrupt, {"'split.count'", "a string"});
  }
  SUBCASE("the same name in two parts") {
    write(3, part({2, 3, 3}, "a"));
    check_error(GgufFile::open(first).status(), Code::kCorrupt,
                {"m-00003-of-00003.gguf", "'a'", "used before"});
  }
  SUBCASE("sizes in one part decide about an id in all") {
    const auto q2 = [&](Keys k, const char* name, int64_t n, size_t bytes) {
      return GgufBuilder()
          .key("split.no", kU16, packed(k.no))
          .key("split.count", kU16, packed(k.count))
          .key("split.tensors.count", kI32, packed(k.tensors))
          .tensor(name, {n}, 42, zeros(bytes));
    };
    const std::string path = dir.write("q-00001-of-00002.gguf", q2({0, 2, 2}, "small", 128, 34).build());
    dir.write("q-00002-of-00002.gguf", q2({1, 2, 2}, "large", 8192, 8192 / 128 * 34).build());
    const Result<GgufFile> f = GgufFile::open(path);
    REQUIRE(f.ok());
    CHECK(f.value().find_tensor("small")->format == "Q2_0_G128");
    CHECK(f.value().find_tensor("small")->bytes == 34);
  }
  SUBCASE("a split model in memory") {
    check_fails(part({0, 3, 3}, "a"), Code::kUnsupported, {"'split.count'", "got 3", "by its path"});
  }
  SUBCASE("one of one is not split") { check_opens(part({0, 1, 1}, "a")); }
}

TEST_CASE("gguf: real files") {
  const char* shared = std::getenv("STERNA_SHARED");
  if (!shared) {
    MESSAGE("left out: STERNA_SHARED is not set");
    return;
  }
  int opened = 0;
  for (const auto& entry : fs::recursive_directory_iterator(shared)) {
    if (entry.path().extension() != ".gguf") continue;
    const Result<GgufFile> f = GgufFile::open(entry.path().string());
    INFO(f.status().message());
    CHECK(f.ok());
    if (f.ok()) CHECK(f.value().find("general.architecture") != nullptr);
    ++opened;
  }
  CHECK(opened > 0);
}

TEST_SUITE_END();
