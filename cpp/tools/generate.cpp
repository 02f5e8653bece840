// sterna-run generate: continues a text.
#include <cstdio>

#include "options.h"

namespace sterna::tools::commands {

int generate(const Options& o) {
  if (o.model.empty()) return usage_error("generate needs -m FILE");
  if (!o.prompt) return usage_error("generate needs -p TEXT");
  auto model = load(o);
  if (!model.ok()) return fail(model.status());
  const ModelInfo& info = model.value().info();
  std::fprintf(stderr, "%s, %s, %d threads, %s; loaded in %.2f s\n", info.architecture.c_str(),
               info.main_format.c_str(), info.n_threads, info.isa.c_str(), info.load_seconds);

  bool written = true;
  const auto write = [&](const std::string& text) {
    written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
    return written && !interrupted();
  };
  if (!o.hide_prompt) write(*o.prompt);
  const auto result =
      model.value().generate(*o.prompt, o.generate, [&](const Token& t) { return write(t.text); });
  if (!result.ok()) return fail(result.status());
  std::fputc('\n', stdout);
  if (!written || std::fflush(stdout) != 0)
    return fail(Status(Code::kIo, "[generate] cannot write to stdout"));

  const GenerateResult& r = result.value();
  const auto rate = [](size_t n, double seconds) { return seconds > 0 ? double(n) / seconds : 0.0; };
  std::fprintf(stderr, "prompt: %zu tokens, %.1f t/s; generated: %zu tokens, %.1f t/s", r.n_prompt,
               rate(r.n_prompt - r.n_reused, r.prompt_seconds), r.tokens.size(),
               rate(r.tokens.size(), r.decode_seconds));
  if (r.n_drafted) std::fprintf(stderr, "; %zu of %zu guesses right", r.n_accepted, r.n_drafted);
  std::fputc('\n', stderr);
  if (const ScreenStats& s = r.screen; s.tokens > 0) {
    const auto per_token = [&](uint64_t n) { return double(n) / double(s.tokens); };
    std::fprintf(stderr,
                 "output matrix: %zu of %zu tokens screened; of %zu rows, %.1f left by 4 bits, %.1f by 8; "
                 "%.1f MB read a token\n",
                 size_t(s.tokens), size_t(s.tokens + s.full), info.n_vocab, per_token(s.after_4),
                 per_token(s.after_8), per_token(s.bytes) / 1e6);
  }
  return interrupted() ? kInterrupted : kSuccess;
}

}  // namespace sterna::tools::commands
