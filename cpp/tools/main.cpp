// sterna-run: Sterna for machines without Python. Reads the flags in commands.inc and runs the command.
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>

#include "options.h"

namespace sterna::tools {
namespace {

volatile std::sig_atomic_t signalled = 0;

void on_signal(int signal) {
  signalled = 1;
  std::signal(signal, SIG_DFL);
}

bool parse(const char* text, auto& out) {
  const char* end = text + std::strlen(text);
  const auto [p, error] = std::from_chars(text, end, out);
  return error == std::errc() && p == end && p != text;
}
bool parse(const char* text, std::string& out) { return out = text, true; }
uint64_t new_seed() { return std::random_device()(); }
bool parse(const char* text, uint64_t& seed) {
  const bool draw = std::string_view(text) == "-1";
  if (draw) seed = new_seed();
  return draw || parse<uint64_t>(text, seed);
}
template <class T>
bool parse(const char* text, std::optional<T>& out) {
  return parse(text, out.emplace());
}

/// Sets an option from the word after its flag; a switch, which has none, to what its default is not.
template <class T>
bool set(T& option, const T& otherwise, const char* text) {
  if constexpr (std::is_same_v<T, bool>)
    return option = !otherwise, true;
  else
    return parse(text, option);
}

struct Flag {
  std::string_view group, option, names, value, help;
  bool (*set)(Options&, const char* text);
};

constexpr Flag kFlags[] = {
#define STERNA_SET(field, type, value) \
  [](Options& o, const char* text) { return set<type>(o.field, type(value), text); }
#define STERNA_COMMAND(...)
#define STERNA_FLAG(type, name, value, names, word, help) \
  {"", #name, names, word, help, STERNA_SET(name, type, value)},
#include "commands.inc"
#undef STERNA_FLAG
#undef STERNA_COMMAND
#define STERNA_LOAD_OPTION(type, name, value, bounds, names, word, help) \
  {"load", #name, names, word, help, STERNA_SET(load.name, type, value)},
#define STERNA_GENERATE_OPTION(type, name, value, bounds, names, word, help) \
  {"generate", #name, names, word, help, STERNA_SET(generate.name, type, value)},
#include "sterna/options.inc"
#undef STERNA_SET
};

struct Command {
  std::string_view name, takes, summary;
  int (*run)(const Options&);
};

constexpr Command kCommands[] = {
#define STERNA_FLAG(...)
#define STERNA_COMMAND(name, takes, summary) {#name, takes, summary, commands::name},
#include "commands.inc"
#undef STERNA_FLAG
#undef STERNA_COMMAND
};

/// Whether `word` is one of the words of a list with spaces between.
bool among(std::string_view list, const std::string& word) {
  return !word.empty() && (" " + std::string(list) + " ").find(" " + word + " ") != std::string::npos;
}

bool takes(const Command& command, const Flag& flag) {
  const std::string option(flag.option);
  return !flag.names.empty() && !among(command.takes, "-" + option) &&
         (among(command.takes, option) || among(command.takes, std::string(flag.group)));
}

void print_help(FILE* to) {
  std::fprintf(to, "usage: sterna-run COMMAND [FLAGS]\n");
  for (const Command& command : kCommands) {
    std::fprintf(to, "\n%s: %s\n", command.name.data(), command.summary.data());
    for (const Flag& flag : kFlags)
      if (takes(command, flag)) {
        const std::string left = std::string(flag.names) + " " + std::string(flag.value);
        std::fprintf(to, "  %-28s %s\n", left.c_str(), flag.help.data());
      }
  }
}

const Flag* find_flag(const Command& command, const std::string& name) {
  for (const Flag& flag : kFlags)
    if (takes(command, flag) && among(flag.names, name)) return &flag;
  return nullptr;
}

/// Reads the words after the command's name; the exit status if they end the program.
std::optional<int> read_flags(const Command& command, std::span<const char* const> words, Options& o) {
  for (size_t i = 0; i < words.size(); i++) {
    const std::string name = words[i];
    if (name == "-h" || name == "--help") return print_help(stdout), kSuccess;
    const Flag* flag = find_flag(command, name);
    if (!flag) return usage_error("unknown flag " + name + " of " + std::string(command.name));
    const char* word = "";
    if (!flag->value.empty()) {
      if (++i == words.size()) return usage_error(name + " needs a value: " + std::string(flag->value));
      word = words[i];
    }
    if (!flag->set(o, word))
      return usage_error(name + ": got '" + word + "', expected " + std::string(flag->value));
  }
  return {};
}

int run(std::span<const char* const> words) {
  if (words.empty()) return print_help(stderr), kUsage;
  const std::string name = words[0];
  if (name == "-h" || name == "--help") return print_help(stdout), kSuccess;
  for (const Command& command : kCommands) {
    if (command.name != name) continue;
    Options options;
    options.generate.seed = new_seed();
    const auto ended = read_flags(command, words.subspan(1), options);
    return ended ? *ended : command.run(options);
  }
  return usage_error("unknown command " + name);
}

}  // namespace

bool interrupted() { return signalled; }

int fail(const Status& status) {
  if (interrupted()) return kInterrupted;
  std::fprintf(stderr, "sterna-run: %s\n", status.message().c_str());
  return kFailure;
}

int usage_error(const std::string& what) {
  std::fprintf(stderr, "sterna-run: %s; see sterna-run --help\n", what.c_str());
  return kUsage;
}

Result<Model> load(const Options& options) {
  LoadOptions l = options.load;
  const bool show = isatty(STDERR_FILENO);
  l.progress = [show](float done) {
    if (show) std::fprintf(stderr, "\rloading %3.0f %%", 100 * done);
    return !interrupted();
  };
  auto model = Model::load(options.model, l);
  if (show) std::fprintf(stderr, "\r\033[K");
  if (model.ok())
    for (const std::string& w : model.value().info().warnings)
      std::fprintf(stderr, "warning: %s\n", w.c_str());
  return model;
}

}  // namespace sterna::tools

int main(int argc, char** argv) {
  std::signal(SIGINT, sterna::tools::on_signal);
  std::signal(SIGTERM, sterna::tools::on_signal);
  return sterna::tools::run({argv + (argc > 0), size_t(argc > 1 ? argc - 1 : 0)});
}
