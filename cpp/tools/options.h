// What the flags of sterna-run set (commands.inc), and how they become the library's options.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "sterna/model.h"

namespace sterna::tools {

struct Options {
  std::string model;
  std::optional<std::string> prompt;
  std::optional<int> n_ctx, n_threads;
  int n_batch = LoadOptions().n_batch;
  std::string kv_type = LoadOptions().kv_type;
  std::string screen = LoadOptions().screen;
  int head_bits = LoadOptions().head_bits;
  int n_predict = GenerateOptions().max_tokens;
  int64_t seed = -1;
  float temperature = GenerateOptions().temperature;
  int top_k = GenerateOptions().top_k;
  float top_p = GenerateOptions().top_p;
  float min_p = GenerateOptions().min_p;
  float repeat_penalty = GenerateOptions().repeat_penalty;
  int repeat_last_n = GenerateOptions().repeat_last_n;
  int lookup = GenerateOptions().lookup;
  bool ignore_eos = false, hide_prompt = false;
  int n_prompt = 512, n_gen = 128, n_depth = 0,
      repetitions = 5;  ///< Of bench; the defaults are llama-bench's.
};

/// Exit statuses of every command.
enum Exit { kSuccess = 0, kFailure = 1, kUsage = 2, kInterrupted = 130 };

/// Whether Ctrl-C was pressed (or SIGTERM came). A second Ctrl-C ends the process at once.
bool interrupted();

/// Prints the status to stderr as "sterna-run: ...". kInterrupted if that is why, else kFailure.
int fail(const Status& status);
/// Prints what is wrong with the arguments.
int usage_error(const std::string& what);

/// Loads options.model with progress on stderr (if that is a terminal), cancelled by Ctrl-C.
Result<Model> load(const Options& options);

namespace commands {
int generate(const Options& options);
int bench(const Options& options);
int selftest(const Options& options);
}  // namespace commands

}  // namespace sterna::tools
