// libFuzzer target: any bytes as a saved session, and any keys and values behind a header that is right; then
// a token more.
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "base/fingerprint.h"
#include "fuzz/input.h"
#include "sterna/sterna.h"

namespace {

using namespace sterna;

const std::string kFile = "/dev/shm/sterna_session_fuzz." + std::to_string(getpid());

void write(const std::string& bytes) {
  std::ofstream(kFile, std::ios::binary).write(bytes.data(), std::streamsize(bytes.size()));
}

std::string read() {
  std::ifstream in(kFile, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

Model load(const char* name, const char* kv_type) {
  LoadOptions o;
  o.n_threads = 1, o.kv_type = kv_type, o.n_ctx = 300;
  return std::move(Model::load(std::string(STERNA_TEST_DATA_DIR) + "/data/models/" + name, o).value());
}

/// Bytes of a saved session of n tokens.
std::string saved(const Model& model, size_t n) {
  Session s = std::move(model.session().value());
  const std::vector<int32_t> ids(n, 1);
  std::vector<float> out(n * model.info().n_vocab);
  fuzz::require(s.forward(ids, out, {}).ok() && s.save(kFile).ok());
  return read();
}

/// A saved session of n tokens with the input's bytes where keys and values are, and its checksum.
std::string behind_right_header(const Model& model, size_t n, fuzz::Input& in) {
  std::string bytes = saved(model, n);
  const size_t end = bytes.size() - sizeof(uint64_t), ids_end = 24 + 4 * n;
  // A layer with a window has left its first pages; of one token each layer keeps one.
  const size_t page = (saved(model, 1).size() - 24 - 4 - sizeof(uint64_t)) / model.info().n_layer;
  for (size_t i = 24; i < end && !in.ended(); i += 1 + in.byte() % 64) bytes[i] = char(in.byte());
  // As the writer takes them: the header, the tokens, each page.
  uint64_t print = mix(mix(0, fingerprint(bytes.data(), 24)), fingerprint(bytes.data() + 24, 4 * n));
  for (size_t at = ids_end; at < end; at += page) print = mix(print, fingerprint(bytes.data() + at, page));
  std::memcpy(bytes.data() + end, &print, sizeof print);
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Model models[] = {
      load("mini-bitnet-i2_s.gguf", "int8"), load("mini-bitnet-i2_s.gguf", "f16"),
      load("mini-gemma3.gguf", "int8"), load("mini-gemma3.gguf", "f16")};  // these have windows
  fuzz::Input in(data, size);
  const uint8_t kind = in.byte();
  const Model& model = models[(kind & 1) | (kind & 4) >> 1];
  if (kind & 2)
    write(std::string(reinterpret_cast<const char*>(data) + 1, size ? size - 1 : 0));
  else
    write(behind_right_header(model, in.between(1, 280), in));
  auto session = model.load_session(kFile);
  unlink(kFile.c_str());
  if (!session.ok()) return 0;
  const int32_t id = 2;
  std::vector<float> out(model.info().n_vocab);
  (void)session.value().forward({&id, 1}, out, {});
  return 0;
}
