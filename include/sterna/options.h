// What load() and generate() can be told: the structs, and the same options as a table for programs that make
// flags, forms or documentation of them. Names, defaults and explanations are the lines of options.inc.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sterna/status.h"
#include "sterna/threads.h"

namespace sterna {

/// Of Model::load(): the fields are the load options of options.inc in their order, from n_threads on.
struct LoadOptions {
#define STERNA_LOAD_OPTION(type, name, value, ...) type name = type(value);
#include "sterna/options.inc"
  std::optional<Threads> threads = {};       ///< Shared with other objects, in place of n_threads of its own.
  std::function<bool(float)> progress = {};  ///< Called with 0..1 while loading; false cancels (kCancelled).
};

/// Of generate(): first come the generate options of options.inc in their order, from max_tokens on. The
/// defaults are llama-cli's, but for the seed.
struct GenerateOptions {
#define STERNA_GENERATE_OPTION(type, name, value, ...) type name = type(value);
#include "sterna/options.inc"
  bool parse_special = true;           ///< Texts of control tokens in the prompt become those tokens.
  bool add_special = true;             ///< Put bos before a text prompt if the model's tokenizer asks for it.
  std::vector<std::string> stop = {};  ///< Generation ends before any of these, control tokens included.
  /// Asked between layers of prompt passes (milliseconds); false stops (Stop::kCallback).
  std::function<bool()> keep_going = {};
};

/// kInvalidArgument for the first option out of its bounds, which load() and generate() refuse, too.
Status check_options(const LoadOptions& options);
Status check_options(const GenerateOptions& options);

/// What values an option may have.
struct OptionBounds {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool open = false;                             ///< `low` itself is not allowed.
  bool finite = false;                           ///< Nor is an infinity.
  std::array<std::string_view, 4> choices = {};  ///< The only values; empty texts fill up; all empty: any.
  std::string_view words = {};  ///< The bounds for a message, where their numbers do not say enough.

  constexpr OptionBounds in_words(std::string_view text) const {
    OptionBounds b = *this;
    b.words = text;
    return b;
  }
};

struct OptionInfo {
  std::string_view call;  ///< "load" or "generate".
  std::string_view name;
  std::string_view type;  ///< "int", "float", "bool", "str" or "seed".
  std::variant<std::monostate, bool, int64_t, double, std::string_view> value;  ///< Default; none: absent.
  OptionBounds bounds;
  std::string_view flags;        ///< With a space between; "": none.
  std::string_view placeholder;  ///< What follows a flag, as help has it; "" after a switch.
  std::string_view help;
};

/// Every line of options.inc.
std::span<const OptionInfo> options();

}  // namespace sterna
