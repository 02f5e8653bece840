// sterna-run bench: tokens per second in the form of llama-bench's markdown table.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>

#include "options.h"

namespace sterna::tools::commands {
namespace {

struct Rate {
  double mean, deviation;  ///< Tokens per second; sample standard deviation.
};

constexpr int kMaxTokens = 1 << 24;
constexpr char kRow[] = "| %-22s | %11s | %9s | %-12s | %7s | %14s | %18s |\n";

template <class... Args>
std::string print(const char* format, Args... args) {
  char text[64];
  std::snprintf(text, sizeof text, format, args...);
  return text;
}

std::string quantity(double x, double step, const char* unit, const char* next_unit) {
  return x < step ? print("%.2f %s", x, unit) : print("%.2f %s", x / step, next_unit);
}

Result<Rate> measure(Model& model, int n_prompt, int n_gen, const Options& o) {
  double sum = 0, squares = 0;
  for (int i = -1; i < o.repetitions; i++) {  // the first one warms up
    const auto seconds =
        model.bench(size_t(n_prompt), size_t(n_gen), size_t(o.n_depth), [] { return !interrupted(); });
    if (!seconds.ok()) return seconds.status();
    if (i < 0) continue;
    const double rate = (n_prompt + n_gen) / seconds.value();
    sum += rate;
    squares += rate * rate;
  }
  const double n = o.repetitions, mean = sum / n;
  return Rate{mean, n > 1 ? std::sqrt(std::fmax(0, (squares - n * mean * mean) / (n - 1))) : 0};
}

}  // namespace

int bench(const Options& o) {
  if (o.model.empty()) return usage_error("bench needs -m FILE");
  for (const int n : {o.n_prompt, o.n_gen, o.n_depth, o.repetitions - 1})
    if (n < 0 || n > kMaxTokens) return usage_error("-p, -n and -d must be 0 to 16777216, and -r at least 1");
  Options sized = o;
  sized.load.screen = "off";  // all logits are computed, as llama-bench does
  sized.load.n_ctx = o.n_depth + std::max({o.n_prompt, o.n_gen, 1});
  auto loaded = load(sized);
  if (!loaded.ok()) return fail(loaded.status());
  Model& model = loaded.value();
  const ModelInfo& info = model.info();

  std::printf(kRow, "model", "size", "params", "backend", "threads", "test", "t/s");
  std::printf(kRow, "---", "---:", "---:", "---", "---:", "---:", "---:");
  const std::string name = info.architecture + " " + info.main_format;
  const std::string size = quantity(double(info.file_bytes) / (1 << 20), 1024, "MiB", "GiB");
  const std::string params = quantity(double(info.n_params) / 1e6, 1000, "M", "B");
  for (const bool prompt : {true, false}) {
    const int n = prompt ? o.n_prompt : o.n_gen;
    if (n == 0) continue;
    std::fflush(stdout);
    const auto rate = measure(model, prompt ? n : 0, prompt ? 0 : n, o);
    if (!rate.ok()) return fail(rate.status());
    const std::string test =
        (prompt ? "pp" : "tg") + std::to_string(n) + (o.n_depth ? " @ d" + std::to_string(o.n_depth) : "");
    std::printf(kRow, name.c_str(), size.c_str(), params.c_str(), info.isa.c_str(),
                std::to_string(info.n_threads).c_str(), test.c_str(),
                print("%.2f ± %.2f", rate.value().mean, rate.value().deviation).c_str());
  }
  return kSuccess;
}

}  // namespace sterna::tools::commands
