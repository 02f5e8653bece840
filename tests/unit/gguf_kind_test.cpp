// What a file is when it is not a model: the message must say it, and what to do; and what is incomplete must
// say how much is missing.
#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gguf_builder.h"
#include "gguf_check.h"
#include "io/file_kind.h"
#include "sterna/gguf.h"

TEST_SUITE_BEGIN("unit");

using namespace sterna;
using namespace sterna::testing;
using namespace std::string_literals;
using namespace std::string_view_literals;

namespace {

Bytes bytes_of(std::string_view text) { return {text.begin(), text.end()}; }
std::string padded(std::string_view text, size_t n = 600) {
  std::string s(text);
  s.resize(n, '\1');
  return s;
}

GgufBuilder weightless() { return GgufBuilder().string("general.architecture", "llama"); }
GgufBuilder model() { return weightless().tensor("t", {8}, 0, zeros(32)); }

Status required(const GgufBuilder& b) {
  const Opened o = open_image(b.build());
  REQUIRE_MESSAGE(o.file.ok(), o.file.status().message());
  return io::require_model(o.file.value());
}

}  // namespace

TEST_CASE("file kinds: files that are not GGUF are named, with what to do") {
  const std::pair<std::string, std::vector<std::string>> cases[] = {
      {"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n",
       {"Git LFS pointer", "git lfs pull"}},
      {"/annex/objects/SHA256E-s1--0\n", {"git-annex"}},
      {"<!doctype html>\n<html>", {"web page", "/resolve/"}},
      {"\n  <!DOCTYPE HTML PUBLIC>", {"web page"}},
      {"\xef\xbb\xbf<html lang=en>", {"web page"}},
      {"<!-- c --><HTML>", {"web page"}},
      {"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", {"XML", "AccessDenied"}},
      {"{\"error\": \"Repository not found\"}", {"JSON", "Repository not found"}},
      {"[1, 2]", {"JSON"}},
      {"Entry not found", {"text", "'Entry not found'", "server"}},
      {"Access to model x/y is restricted.", {"text", "restricted"}},
      {"h\xc3\xa9 bien", {"text"}},
      {padded("\x1f\x8b\x08\0"sv), {"gzip", "unpack"}},
      {padded("\x28\xb5\x2f\xfd"), {"zstd"}},
      {padded("\xfd\x37zXZ\0"sv), {"xz"}},
      {padded("BZh91AY"), {"bzip2"}},
      {padded("7z\xbc\xaf\x27\x1c"), {"7-Zip"}},
      {padded("PK\3\4____________archive/data.pkl"), {"PyTorch", "convert_hf_to_gguf.py"}},
      {padded("PK\3\4____________model.gguf"), {"zip archive", "unpack"}},
      {padded("PK\3\4____________w.npy"), {"npz"}},
      {std::string(257, '\1') + padded("ustar\0"sv), {"tar archive"}},
      {"\x20\0\0\0\0\0\0\0{\"__metadata__\":{}}"s, {"safetensors", "convert"}},
      {padded("\x80\2\x8a\n"), {"pickle", "PyTorch"}},
      {padded("\x08\x07\x12\x07pytorch"), {"ONNX"}},
      {padded("tjgg\3\0\0\0"sv), {"older llama.cpp", "before GGUF"}},
      {padded("ggjt\3\0\0\0"sv), {"older llama.cpp"}},
      {padded("lmgg"), {"ggml"}},
      {padded("algg"), {"adapter"}},
      {padded("\x89HDF\r\n\x1a\n"), {"HDF5"}},
      {padded("\177ELF"), {"program"}},
      {padded("\xff\xfeV\0e\0"sv), {"UTF-16"}},
      {padded("\n\x0e\n\x05<unk>\x15"), {"SentencePiece"}},
      {std::string("\x0a\0\0\0\x0e\0\0\0blk.0.ffn_down"sv), {"importance matrix"}},
      {std::string(5000, '\0'), {"zeros", "not finished"}},
  };
  for (const auto& [text, words] : cases) {
    CAPTURE(text.substr(0, 40));
    std::vector<std::string> all = {"[gguf] test.gguf: the file, got ", "expected a GGUF file"};
    all.insert(all.end(), words.begin(), words.end());
    check_error(open_image(bytes_of(text)).file.status(), Code::kCorrupt, all);
  }
}

TEST_CASE("file kinds: unknown bytes are shown, and no beginning is too short") {
  check_fails(zeros(100), Code::kCorrupt, {"magic at byte 0", "\\x00"});
  check_fails(bytes_of(padded("GGUX\3")), Code::kCorrupt, {"magic", "'GGUX'"});
  for (const std::string_view text :
       {"GGUF\3\0\0\0PK\3\4ustar\x80\2"sv, "\x80\2"sv, "\x8a\xff\0{"sv, " <"sv}) {
    for (size_t n = 0; n <= text.size(); n++)
      CHECK(int(open_image(bytes_of(text.substr(0, n))).file.status().code()) == int(Code::kCorrupt));
  }
  // What a file says of itself cannot break the line of a message.
  const std::string message = open_image(bytes_of("no\n\x7f\xc3\xa9 good")).file.status().message();
  CHECK(message.find('\n') == std::string::npos);
  CHECK(message.find("'no \\x7f\\xc3\\xa9 good'") != std::string::npos);
}

TEST_CASE("file kinds: a file that ends too early says how many bytes are missing") {
  const Bytes whole = GgufBuilder()
                          .string("general.architecture", "llama")
                          .tensor("a", {1000}, 0, zeros(4000))
                          .tensor("b", {256, 10}, 12, zeros(1440))
                          .build();
  const size_t data = whole.size() - 4000 - 1440;
  for (const size_t n : {data + 4000 + 1439, data + 4001, data + 4000, data + 1, data}) {
    CAPTURE(n);
    const Bytes cut(whole.begin(), whole.begin() + ptrdiff_t(n));
    check_fails(cut, Code::kCorrupt,
                {"incomplete", std::to_string(n) + " of at least " + std::to_string(whole.size()),
                 std::to_string(whole.size() - n) + " are missing", "download it again"});
  }
  for (size_t n = 1; n < data; n++) {
    CAPTURE(n);
    const Bytes cut(whole.begin(), whole.begin() + ptrdiff_t(n));
    check_fails(cut, Code::kCorrupt, {"incomplete", "download it again"});
  }
  // Not where the numbers themselves are wrong.
  GgufBuilder overlap;
  overlap.tensor({"b", {8}, 0, zeros(32), 0, {}, {}}).tensor({"a", {16}, 0, zeros(64), 0, {}, {}});
  CHECK(open_image(overlap.build()).file.status().message().find("incomplete") == std::string::npos);
}

TEST_CASE("file kinds: GGUF files that are not models") {
  CHECK(required(model()).ok());
  CHECK(required(model().string("general.type", "model")).ok());
  const auto refused = [](const GgufBuilder& b, std::vector<std::string> words) {
    words.push_back("[model] test.gguf: got ");
    check_error(required(b), Code::kUnsupported, words);
  };
  refused(model().string("general.type", "adapter"), {"adapter (LoRA)", "merged"});
  refused(model().string("adapter.type", "lora"), {"adapter (LoRA)"});
  refused(model().string("general.type", "mmproj"), {"projector", "another file"});
  refused(model().string("general.type", "imatrix"), {"importance matrix"});
  refused(model().string("general.type", "poem\n"), {"general.type", "'poem\\x0a'"});
  for (const char* architecture : {"clip", "controlvector"}) {
    GgufBuilder b = GgufBuilder().string("general.architecture", architecture);
    refused(b.tensor("t", {8}, 0, zeros(32)), {architecture == "clip"sv ? "projector" : "control vector"});
  }
  refused(weightless().strings("tokenizer.ggml.tokens", {"a"}), {"a vocabulary without weights"});
  refused(weightless(), {"without tensors"});
  check_error(required(model().u32("general.type", 1)), Code::kCorrupt, {"general.type"});
}

TEST_SUITE_END();
