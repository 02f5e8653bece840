// Kinds of files by their first bytes, and kinds of GGUF files by their metadata.
#include "io/file_kind.h"

#include <algorithm>
#include <cctype>
#include <string_view>

#include "io/gguf_parse.h"

namespace sterna::io {
namespace {

using namespace std::string_view_literals;

constexpr size_t kShown = 60;          // Bytes of an unknown text in a message.
constexpr size_t kLookedAt = 1 << 12;  // Bytes that are looked at.

// What to do.
constexpr const char* kPack = "; unpack it first, the model in it must be a .gguf file";
constexpr const char* kWeights =
    "; download the GGUF version of the model, or convert the whole folder with convert_hf_to_gguf.py of "
    "llama.cpp";
constexpr const char* kOld = "; it is from before GGUF: download the model as GGUF";
constexpr const char* kGguf = "; download the model as GGUF";
constexpr const char* kPage =
    "; download the file itself (on Hugging Face its address has /resolve/ in it, not /blob/), signed in if "
    "the "
    "model asks for it";
constexpr const char* kOther = "; the model is another file, which ends in .gguf";
constexpr const char* kMessage = "; is it a server's answer in place of the file?";

struct Magic {
  size_t at;
  std::string_view bytes;
  const char *what, *advice;
};

// The longer magic first where two begin alike.
// Files of llama.cpp before GGUF begin with a number, which reads backwards.
constexpr Magic kMagics[] = {
    {0, "version https://git-lfs"sv, "a Git LFS pointer, not the file it points to",
     "; run 'git lfs pull' in its folder, or download the file itself"},
    {0, "# xet version"sv, "a Xet pointer, not the file it points to",
     "; download the file itself with the client of Hugging Face ('hf download')"},
    {0, "/annex/objects/"sv, "a git-annex pointer, not the file it points to", "; run 'git annex get'"},
    {0, "\x1f\x8b"sv, "a file compressed with gzip", kPack},
    {0, "\x28\xb5\x2f\xfd"sv, "a file compressed with zstd", kPack},
    {0, "\xfd\x37zXZ\0"sv, "a file compressed with xz", kPack},
    {0, "BZh"sv, "a file compressed with bzip2", kPack},
    {0, "\x04\x22\x4d\x18"sv, "a file compressed with lz4", kPack},
    {0, "7z\xbc\xaf\x27\x1c"sv, "a 7-Zip archive", kPack},
    {0, "Rar!"sv, "a RAR archive", kPack},
    {257, "ustar"sv, "a tar archive", kPack},
    {0, "tjgg"sv, "a file of an older llama.cpp (ggjt)", kOld},
    {0, "ggjt"sv, "a file of an older llama.cpp (ggjt)", kOld},
    {0, "fmgg"sv, "a file of an older llama.cpp (ggmf)", kOld},
    {0, "ggmf"sv, "a file of an older llama.cpp (ggmf)", kOld},
    {0, "lmgg"sv, "a file of an older llama.cpp or of whisper.cpp (ggml)", kOld},
    {0, "ggml"sv, "a file of an older llama.cpp or of whisper.cpp (ggml)", kOld},
    {0, "algg"sv, "an adapter (LoRA) of an older llama.cpp (ggla)", kOld},
    {0, "ggla"sv, "an adapter (LoRA) of an older llama.cpp (ggla)", kOld},
    {0, "\x89HDF\r\n"sv, "an HDF5 file (Keras weights)", kWeights},
    {0, "\x93NUMPY"sv, "a NumPy array", kWeights},
    {4, "TFL3"sv, "a TensorFlow Lite model", kGguf},
    {0, "MZqFpD"sv, "a llamafile (a program with the model inside)", kGguf},
    {0,
     "\x7f"
     "ELF"sv,
     "a program", kGguf},
    {0, "%PDF"sv, "a PDF document", kGguf},
    {0, "\xff\xfe"sv, "a text in UTF-16 (PowerShell's > turns a download into one)",
     "; download it with -OutFile or -o"},
};

bool has(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = char(std::tolower(uint8_t(c)));
  return out;
}

/// The text as one line of at most kShown bytes, quoted.
std::string beginning(std::string_view text) {
  std::string line(text.substr(0, kShown));
  std::replace_if(
      line.begin(), line.end(), [](char c) { return uint8_t(c) <= ' '; }, ' ');
  return ", which begins " + quoted(line);
}

FileKind zip_kind(std::string_view text) {
  if (has(text, "data.pkl")) return {"a PyTorch checkpoint", kWeights};
  if (has(text, ".npy")) return {"a NumPy archive (npz)", kWeights};
  return {"a zip archive", kPack};
}

/// Formats whose first bytes are lengths and small numbers.
FileKind structured_kind(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? uint8_t(text[i]) : 0; };
  // safetensors: the length of a header (at most 100 MB there), then the header, which is JSON.
  if (byte(8) == '{' && byte(4) + byte(5) + byte(6) + byte(7) == 0 && byte(3) <= 6)
    return {"a safetensors file", kWeights};
  if (byte(0) == 0x80 && byte(1) >= 2 && byte(1) <= 5)
    return {"a Python pickle (a PyTorch checkpoint)", kWeights};
  if (byte(0) == 8 && byte(1) >= 1 && byte(1) <= 32 &&
      (byte(2) == 0x12 || byte(2) == 0x3a || byte(2) == 0x42))
    return {"an ONNX model", kGguf};
  if (byte(0) == '\n' && has(text.substr(0, 64), "<unk>")) return {"a tokenizer (SentencePiece)", kOther};
  if (text.size() > 8 && byte(5) + byte(6) + byte(7) == 0 && has(text.substr(8, 16), "blk."))
    return {"an importance matrix (imatrix)", kOther};
  return {};
}

FileKind text_kind(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // The byte-order mark of UTF-8.
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  const std::string low = lower(text.substr(0, kLookedAt));
  if (low.starts_with("<!doctype html") || low.starts_with("<html") || low.starts_with("<head") ||
      (low.starts_with("<") && has(low, "<html")))
    return {"a web page (HTML)", kPage};
  const auto control = [](char c) { return uint8_t(c) < ' ' && !std::isspace(uint8_t(c)); };
  if (text.empty() || std::any_of(text.begin(), text.end(), control)) return {};
  if (text[0] == '<') return {"an XML file" + beginning(text), kMessage};
  if (text[0] == '{' || text[0] == '[') return {"a JSON file" + beginning(text), kOther};
  return {"a text" + beginning(text), kMessage};
}

struct Kind {
  std::string_view name;
  const char *what, *advice;
};
constexpr const char* kBeside = "; it belongs beside a model, which is another file";
/// Values of general.type, and of general.architecture in files without that key.
constexpr Kind kTypes[] = {
    {"adapter", "an adapter (LoRA)",
     "; adapters are not supported: download the model with the adapter merged"},
    {"mmproj", "a projector of images or sound (mmproj)", kBeside},
    {"imatrix", "an importance matrix (imatrix)", kOther},
    {"vocab", "a vocabulary without weights", kOther},
};
constexpr Kind kArchitectures[] = {
    {"clip", "a projector of images or sound (clip)", kBeside},
    {"controlvector", "a control vector", "; control vectors are not supported"},
};

const Kind* find(std::span<const Kind> kinds, std::string_view name) {
  const auto it = std::find_if(kinds.begin(), kinds.end(), [&](const Kind& k) { return k.name == name; });
  return it == kinds.end() ? nullptr : &*it;
}

}  // namespace

FileKind other_kind(std::span<const uint8_t> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), std::min(bytes.size(), kLookedAt));
  for (const Magic& m : kMagics)
    if (text.size() >= m.at && text.substr(m.at).starts_with(m.bytes)) return {m.what, m.advice};
  if (text.starts_with("PK\3\4")) return zip_kind(text);
  if (text.size() >= 512 && std::all_of(text.begin(), text.end(), [](char c) { return c == 0; }))
    return {"zeros", "; the space is reserved for a download that was not finished: download it again"};
  if (FileKind kind = structured_kind(text); !kind.what.empty()) return kind;
  return text_kind(text);
}

Status require_model(const GgufFile& file) {
  const auto refuse = [&](const std::string& what, const char* advice) {
    return Status(Code::kUnsupported,
                  "[model] " + file.path() + ": got " + what + ", expected a language model" + advice);
  };
  STERNA_ASSIGN(const std::string type, file.get_string("general.type", "model"));
  STERNA_ASSIGN(const std::string architecture, file.get_string("general.architecture", ""));
  const Kind* kind = find(kTypes, type);
  if (!kind) kind = find(kArchitectures, architecture);
  if (!kind && file.find("adapter.type")) kind = &kTypes[0];
  if (kind) return refuse(kind->what, kind->advice);
  if (type != "model") return refuse("a file of general.type " + quoted(type), "");
  if (file.tensors().empty() && file.find("tokenizer.ggml.tokens"))
    return refuse("a vocabulary without weights", kOther);
  if (file.tensors().empty()) return refuse("a file without tensors", kOther);
  return {};
}

}  // namespace sterna::io
