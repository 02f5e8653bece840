// The embedding example: continues a text with a model.      continue_text model.gguf "A text" [tokens]
#include <sterna/sterna.h>

#include <cstdio>
#include <cstdlib>

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: continue_text model.gguf \"A text\" [tokens]\n");
    return 2;
  }

  // Everything that can fail returns a Result or a Status; nothing throws.
  sterna::LoadOptions load;
  load.n_ctx = 512;
  auto model = sterna::Model::load(argv[1], load);
  if (!model.ok()) {
    std::fprintf(stderr, "%s\n", model.status().message().c_str());
    return 1;
  }
  const sterna::ModelInfo& info = model.value().info();
  std::fprintf(stderr, "%s, %s, %zu layers, %s, %d threads\n", info.architecture.c_str(),
               info.main_format.c_str(), info.n_layer, info.isa.c_str(), info.n_threads);

  sterna::GenerateOptions options;
  options.max_tokens = argc > 3 ? std::atoi(argv[3]) : 32;
  options.seed = 7;  // same seed, same text, on every machine
  const auto result = model.value().generate(argv[2], options, [](const sterna::Token& token) {
    std::fputs(token.text.c_str(), stdout);  // each token as it comes
    return std::fflush(stdout) == 0;         // false would stop the generation
  });
  if (!result.ok()) {
    std::fprintf(stderr, "%s\n", result.status().message().c_str());
    return 1;
  }
  std::printf("\n");
  return result.value().tokens.empty();
}
