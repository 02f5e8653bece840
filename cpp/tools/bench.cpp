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

Result<Rate> measure(Model& model, int n_prompt, int n_gen, const Options& o) {
  double sum = 0, squares = 0;
  for (int i = -1; i < o.repetitions; i++) {  // the first one warms up
    const auto seconds = model.bench(size_t(n_prompt), size_t(n_gen), size_t(o.n_depth), [] { return !interrupted(); });
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
  if (o.n_prompt < 0 || o.n_gen < 0 || o.n_depth < 0 || o.repetitions < 1)
    return usage_error("-p, -n and -d must not be negative, -r must be positive");
  Options sized = o;
  sized.n_ctx = o.n_depth + std::max({o.n_prompt, o.n_gen, 1});
  auto loaded = load(sized);
  if (!loaded.ok()) return fail(loaded.status());
  Model& model = loaded.value();
  const ModelInfo& info = model.info();

  std::printf("| model                          |       size |     params | backend    | threads |            test |                  t/s |\n");
  std::printf("| ------------------------------ | ---------: | ---------: | ---------- | ------: | --------------: | -------------------: |\n");
  const std::string size = [&] {
    char text[32];
    const double mib = double(info.file_bytes) / (1 << 20);
    std::snprintf(text, sizeof text, mib < 1024 ? "%.2f MiB" : "%.2f GiB", mib < 1024 ? mib : mib / 1024);
    return std::string(text);
  }();
  const std::string params = [&] {
    char text[32];
    const double m = double(info.n_params) / 1e6;
    std::snprintf(text, sizeof text, m < 1000 ? "%.2f M" : "%.2f B", m < 1000 ? m : m / 1000);
    return std::string(text);
  }();
  for (const bool prompt : {true, false}) {
    const int n = prompt ? o.n_prompt : o.n_gen;
    if (n == 0) continue;
    std::fflush(stdout);
    const auto rate = measure(model, prompt ? n : 0, prompt ? 0 : n, o);
    if (!rate.ok()) return fail(rate.status());
    const std::string test = (prompt ? "pp" : "tg") + std::to_string(n) + (o.n_depth ? " @ d" + std::to_string(o.n_depth) : "");
    char result[48];
    std::snprintf(result, sizeof result, "%.2f ± %.2f", rate.value().mean, rate.value().deviation);
    std::printf("| %-30s | %10s | %10s | %-10s | %7d | %15s | %21s |\n", (info.architecture + " " + info.main_format).c_str(),
                size.c_str(), params.c_str(), info.isa.c_str(), info.n_threads, test.c_str(), result);
  }
  return kSuccess;
}

}  // namespace sterna::tools::commands
