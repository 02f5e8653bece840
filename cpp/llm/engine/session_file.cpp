// Writing and reading sequences. Every count is checked before use.
#include "llm/engine/session_file.h"

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "base/fingerprint.h"
#include "machine/mapped_file.h"

namespace sterna::engine {
namespace {

constexpr char kMagic[8] = {'S', 'T', 'E', 'R', 'N', 'A', 'S', 'Q'};
constexpr uint32_t kVersion = 1;

struct Header {
  char magic[8];
  uint32_t version, n_tokens;
  uint64_t model;
};
static_assert(sizeof(Header) == 24);

size_t n_pages(size_t n_tokens) { return (n_tokens + cpu::kPagePositions - 1) / cpu::kPagePositions; }

/// The first page that a token behind n_tokens sees.
size_t first_page(const cpu::KvState& state, size_t n_tokens) {
  return cpu::first_seen(n_tokens, state.window()) / cpu::kPagePositions;
}

/// Bytes and their fingerprint, piece by piece.
class Writer {
 public:
  explicit Writer(const std::string& path) : file_(path, std::ios::binary | std::ios::trunc) {}
  void put(const void* data, size_t bytes) {
    print_ = mix(print_, fingerprint(data, bytes));
    file_.write(static_cast<const char*>(data), std::streamsize(bytes));
  }
  bool finish() {
    file_.write(reinterpret_cast<const char*>(&print_), sizeof print_);
    file_.close();
    return bool(file_);
  }

 private:
  std::ofstream file_;
  uint64_t print_ = 0;
};

Status write(const Runtime& runtime, const Sequence& s, const std::string& path) {
  Writer out(path);
  Header h{};
  std::memcpy(h.magic, kMagic, sizeof kMagic);
  h.version = kVersion, h.n_tokens = uint32_t(s.size()), h.model = runtime.decoder->fingerprint();
  out.put(&h, sizeof h);
  out.put(s.ids().data(), s.size() * sizeof(int32_t));
  for (const cpu::KvState& state : s.states())
    for (size_t i = first_page(state, s.size()); i < n_pages(s.size()); i++) {
      const size_t bytes = state.type().page_bytes();
      const Buffer page = Buffer::allocate(bytes);
      if (page.empty())
        return Status(Code::kOutOfMemory, "[save] no memory for " + std::to_string(bytes) + " bytes");
      state.type().copy(state.page(i), std::min(cpu::kPagePositions, s.size() - i * cpu::kPagePositions),
                        page.data());
      out.put(page.data(), bytes);
    }
  if (!out.finish()) return Status(Code::kIo, "[save] " + path + ": the file cannot be written");
  return {};
}

/// The parts of a file, each checked to be in it.
class Reader {
 public:
  explicit Reader(std::span<const uint8_t> bytes) : rest_(bytes) {}
  const uint8_t* take(size_t bytes) {
    const uint8_t* at = rest_.data();
    print_ = mix(print_, fingerprint(at, bytes));
    rest_ = rest_.subspan(bytes);
    return at;
  }
  uint64_t left() const { return rest_.size(); }
  uint64_t print() const { return print_; }

 private:
  std::span<const uint8_t> rest_;
  uint64_t print_ = 0;
};

}  // namespace

Status save_sequence(const Runtime& runtime, const Sequence& s, const std::string& path) {
  const std::string part = path + ".part";
  Status status = write(runtime, s, part);
  std::error_code error;
  if (status.ok()) {
    std::filesystem::rename(part, path, error);
    if (error) status = Status(Code::kIo, "[save] " + path + ": " + error.message());
  }
  if (!status.ok()) std::filesystem::remove(part, error);
  return status;
}

Result<Sequence> load_sequence(const Runtime& runtime, const std::string& path) {
  const auto bad = [&](Code code, const std::string& what) {
    return Status(code, "[load_session] " + path + ": " + what);
  };
  STERNA_ASSIGN(const machine::MappedFile file, machine::MappedFile::open(path));
  Reader in(file.bytes());
  Header h{};
  if (in.left() < sizeof h + sizeof(uint64_t) || std::memcmp(file.bytes().data(), kMagic, sizeof kMagic))
    return bad(Code::kCorrupt, "is no saved session");
  std::memcpy(&h, in.take(sizeof h), sizeof h);
  if (h.version != kVersion)
    return bad(Code::kUnsupported,
               "version, got " + std::to_string(h.version) + ", expected " + std::to_string(kVersion));
  if (h.model != runtime.decoder->fingerprint())
    return bad(Code::kUnsupported, "was saved with another model or kv_type");
  if (h.n_tokens > runtime.n_ctx)
    return bad(Code::kUnsupported, "got " + std::to_string(h.n_tokens) +
                                       " tokens, expected at most the context of " +
                                       std::to_string(runtime.n_ctx));
  Sequence s(*runtime.decoder, runtime.n_ctx);
  const size_t pages = n_pages(h.n_tokens), page_bytes = s.states()[0].type().page_bytes();
  uint64_t expected = uint64_t(h.n_tokens) * sizeof(int32_t) + sizeof(uint64_t);
  for (const cpu::KvState& state : s.states())
    expected += (pages - std::min(pages, first_page(state, h.n_tokens))) * page_bytes;
  if (in.left() != expected)
    return bad(Code::kCorrupt, "got " + std::to_string(in.left()) + " bytes after the header, expected " +
                                   std::to_string(expected));
  std::vector<int32_t> ids(h.n_tokens);
  const uint8_t* tokens = in.take(ids.size() * sizeof(int32_t));
  if (!ids.empty()) std::memcpy(ids.data(), tokens, ids.size() * sizeof(int32_t));
  for (const int32_t id : ids)
    if (id < 0 || size_t(id) >= runtime.decoder->n_vocab())
      return bad(Code::kCorrupt, "token id " + std::to_string(id) + ", expected 0 to " +
                                     std::to_string(runtime.decoder->n_vocab() - 1));
  STERNA_RETURN_IF_ERROR(s.extend(ids.size()));
  for (const cpu::KvState& state : s.states())
    for (size_t i = first_page(state, h.n_tokens); i < pages; i++)
      std::memcpy(state.page(i), in.take(page_bytes), page_bytes);
  uint64_t print;
  const uint64_t found = in.print();
  std::memcpy(&print, in.take(sizeof print), sizeof print);
  if (print != found) return bad(Code::kCorrupt, "the checksum differs: the file is damaged");
  s.append(ids);
  s.forget_unseen();
  s.set_foreign();
  return s;
}

}  // namespace sterna::engine
