// After load() the file is not used any more: cut, overwritten or deleted, the model computes the same bits.
#include <doctest/doctest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "sterna/sterna.h"

namespace sterna {
namespace {

namespace fs = std::filesystem;

std::vector<float> logits(Model& m) {
  const std::vector<int32_t> tokens = {1, 2, 3, 250, 7};
  std::vector<float> out(tokens.size() * m.info().n_vocab);
  const Status s = m.forward(tokens, out, {});
  REQUIRE_MESSAGE(s.ok(), s.message());
  return out;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a loaded model does not need its file") {
    const fs::path folder = fs::temp_directory_path() / ("sterna-loaded-file-" + std::to_string(getpid()));
    fs::create_directories(folder);
    const fs::path copy = folder / "x.gguf";
    size_t n_models = 0;
    for (const fs::directory_entry& e :
         fs::directory_iterator(std::string(STERNA_TEST_DATA_DIR) + "/data/models")) {
      if (e.path().extension() != ".gguf") continue;
      n_models++;
      CAPTURE(e.path().filename().string());
      for (const char* screen : {"off", "on"}) {
        fs::copy_file(e.path(), copy, fs::copy_options::overwrite_existing);
        LoadOptions options;
        options.n_threads = 2, options.n_ctx = 64, options.screen = screen;
        auto model = Model::load(copy.string(), options);
        if (!model.ok() && model.status().code() == Code::kUnsupported) continue;  // cannot be screened
        REQUIRE_MESSAGE(model.ok(), model.status().message());
        const std::vector<float> want = logits(model.value());
        const size_t n_keys = model.value().metadata().size(), n_tensors = model.value().tensors().size();
        const auto size = fs::file_size(copy);
        {
          std::ofstream over(copy, std::ios::binary | std::ios::in);
          const std::vector<char> other(size, '\x5a');
          over.write(other.data(), std::streamsize(other.size()));
        }
        CHECK(logits(model.value()) == want);
        fs::resize_file(copy, 100);
        CHECK(logits(model.value()) == want);
        fs::remove(copy);
        CHECK(logits(model.value()) == want);
        CHECK(n_keys > 0);
        CHECK(model.value().metadata().size() == n_keys);
        CHECK(model.value().tensors().size() == n_tensors);
        GenerateOptions o;
        o.max_tokens = 4, o.temperature = 0;
        CHECK(model.value().generate("The", o, {}).ok());
      }
    }
    CHECK(n_models >= 6);
    fs::remove_all(folder);
  }

  TEST_CASE("a file that is written to while it is loaded is an error") {
    const fs::path copy =
        fs::temp_directory_path() / ("sterna-written-" + std::to_string(getpid()) + ".gguf");
    fs::copy_file(std::string(STERNA_TEST_DATA_DIR) + "/data/models/mini-spm.gguf", copy,
                  fs::copy_options::overwrite_existing);
    fs::last_write_time(copy, fs::file_time_type::clock::now() - std::chrono::hours(1));
    LoadOptions options;
    options.progress = [&](float done) {
      if (done > 0.5f && done < 1) std::ofstream(copy, std::ios::binary | std::ios::in).write("GGUF", 4);
      return true;
    };
    const auto model = Model::load(copy.string(), options);
    CHECK_FALSE(model.ok());
    CHECK(model.status().code() == Code::kIo);
    options.progress = [&](float) {
      return fs::remove(copy), true;
    };  // what is replaced by renaming stays whole
    CHECK(Model::load(copy.string(), options).ok());
  }
}

}  // namespace sterna
