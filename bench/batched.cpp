// Tokens per second of texts generated together: `sterna-bench-batched MODEL [THREADS [TOKENS [ROUNDS]]]`.
// Each round runs 1, 2, 4, 8 and 16 texts, greedily and with 32 arbitrary prompt tokens each; medians over
// the rounds.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <vector>

#include "sterna/sterna.h"

namespace {

using Clock = std::chrono::steady_clock;

double now() { return std::chrono::duration<double>(Clock::now().time_since_epoch()).count(); }

/// Tokens per second of all texts from the moment when each has its first token.
double decode_rate(sterna::Model& model, size_t n_texts, int n_tokens) {
  std::vector<sterna::GenerateRequest> requests(n_texts);
  for (size_t i = 0; i < n_texts; i++) {
    for (size_t k = 0; k < 32; k++)
      requests[i].prompt.push_back(int32_t((i * 7919 + k * 104729 + 17) % model.info().n_vocab));
    requests[i].options.max_tokens = n_tokens, requests[i].options.temperature = 0;
    requests[i].options.ignore_eos = true;
  }
  size_t started = 0, counted = 0;
  std::vector<bool> seen(n_texts);
  double start = 0, end = 0;
  const auto on_token = [&](size_t i, const sterna::Token&) {
    if (!seen[i]) {
      seen[i] = true;
      if (++started == n_texts) start = now();
    } else if (started == n_texts) {
      counted++, end = now();
    }
    return true;
  };
  const auto result = model.generate(requests, on_token, {});
  if (!result.ok()) std::exit(std::puts(result.status().message().c_str()) >= 0 ? 1 : 2);
  return double(counted) / (end - start);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::puts("usage: sterna-bench-batched MODEL [THREADS [TOKENS [ROUNDS]]]"), 2;
  const auto number = [&](int i, int otherwise) { return argc > i ? std::atoi(argv[i]) : otherwise; };
  sterna::LoadOptions options;
  options.n_threads = number(2, sterna::usable_cpus());
  auto model = sterna::Model::load(argv[1], options);
  if (!model.ok()) return std::puts(model.status().message().c_str()), 1;
  std::map<size_t, std::vector<double>> rates;
  for (int round = 0; round < number(4, 3); round++)
    for (const size_t n : {1, 2, 4, 8, 16}) rates[n].push_back(decode_rate(model.value(), n, number(3, 32)));
  std::printf("%s, %s, %d threads, %d tokens a text\n| texts | tokens/s | ratio to one |\n|---:|---:|---:|\n",
              sterna::cpu_name(), model.value().info().isa.c_str(), *options.n_threads, number(3, 32));
  double one = 0;
  for (auto& [n, all] : rates) {
    std::sort(all.begin(), all.end());
    const double median = all[all.size() / 2];
    if (n == 1) one = median;
    std::printf("| %zu | %.1f | %.2f |\n", n, median, median / one);
  }
  return 0;
}
