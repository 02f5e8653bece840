// sterna-run: Sterna for machines without Python. Reads the flags in commands.inc and runs the command.
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <system_error>

#include "options.h"

namespace sterna::tools {
namespace {

volatile std::sig_atomic_t signalled = 0;

void on_signal(int signal) {
  signalled = 1;
  std::signal(signal, SIG_DFL);
}

template <class T>
bool parse(const char* text, T& out) {
  const char* end = text + std::strlen(text);
  const auto [p, error] = std::from_chars(text, end, out);
  return error == std::errc() && p == end && p != text;
}
bool parse(const char* text, std::string& out) { return out = text, true; }
template <class T>
bool parse(const char* text, std::optional<T>& out) {
  return parse(text, out.emplace());
}
bool parse(const char*, bool& out) { return out = true; }  // a switch

void print_help(FILE* to) {
  std::fprintf(to, "usage: sterna-run COMMAND [FLAGS]\n");
#define STERNA_COMMAND(name, summary) std::fprintf(to, "\n%s: %s\n", #name, summary);
#define STERNA_FLAG(command, s, l, field, value, help) \
  std::fprintf(to, "  %-2s%s %-19s %-5s %s\n", s, *s ? "," : " ", l, value, help);
#include "commands.inc"
#undef STERNA_COMMAND
#undef STERNA_FLAG
}

/// Reads argv[2..] for `command`; the exit status if that ends the program.
std::optional<int> read_flags(std::string_view command, int argc, char** argv, Options& o) {
  for (int i = 2; i < argc; i++) {
    const std::string_view arg = argv[i];
    bool known = false;
    std::string wrong;
    const auto flag = [&](const char* of, const char* s, const char* l, auto& field, const char* value,
                          const char*) {
      if (known || command != of || (arg != l && (!*s || arg != s))) return;
      known = true;
      if (*value && ++i >= argc)
        wrong = std::string(arg) + " needs a value: " + value;
      else if (!parse(argv[i], field))
        wrong = std::string(arg) + ": got '" + argv[i] + "', expected " + value;
    };
#define STERNA_COMMAND(name, summary)
#define STERNA_FLAG(command, s, l, field, value, help) flag(#command, s, l, o.field, value, help);
#include "commands.inc"
#undef STERNA_COMMAND
#undef STERNA_FLAG
    if (arg == "-h" || arg == "--help") return print_help(stdout), kSuccess;
    if (!known) wrong = "unknown flag " + std::string(arg) + " of " + std::string(command);
    if (!wrong.empty()) return usage_error(wrong);
  }
  return {};
}

int run(int argc, char** argv) {
  const std::string_view command = argc > 1 ? argv[1] : "";
  if (command.empty()) return print_help(stderr), kUsage;
  if (command == "-h" || command == "--help") return print_help(stdout), kSuccess;
  Options options;
#define STERNA_COMMAND(name, summary)                                               \
  if (command == #name) {                                                           \
    if (const auto ended = read_flags(command, argc, argv, options)) return *ended; \
    return commands::name(options);                                                 \
  }
#define STERNA_FLAG(command, s, l, field, value, help)
#include "commands.inc"
#undef STERNA_COMMAND
#undef STERNA_FLAG
  return usage_error("unknown command " + std::string(command));
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
  LoadOptions l;
  l.n_ctx = options.n_ctx;
  l.n_threads = options.n_threads;
  l.n_batch = options.n_batch;
  l.kv_type = options.kv_type;
  l.screen = options.screen;
  l.head_bits = options.head_bits;
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
  return sterna::tools::run(argc, argv);
}
