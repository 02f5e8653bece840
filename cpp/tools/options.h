// What the flags of sterna-run set (commands.inc, sterna/options.inc), and what its commands share.
#pragma once

#include <optional>
#include <string>

#include "sterna/model.h"

namespace sterna::tools {

struct Options {
  LoadOptions load;
  GenerateOptions generate;
#define STERNA_FLAG(type, name, value, ...) type name = type(value);
#define STERNA_COMMAND(...)
#include "commands.inc"
#undef STERNA_FLAG
#undef STERNA_COMMAND
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
#define STERNA_FLAG(...)
#define STERNA_COMMAND(name, ...) int name(const Options& options);
#include "commands.inc"
#undef STERNA_FLAG
#undef STERNA_COMMAND
}  // namespace commands

}  // namespace sterna::tools
