// The lines of options.inc as checks and as a table.
#include "sterna/options.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "base/public_call.h"
#include "threads/pool.h"

namespace sterna {
namespace {

constexpr OptionBounds any() { return {}; }
constexpr OptionBounds between(double low, double high) { return {.low = low, .high = high}; }
constexpr OptionBounds at_least(double low) { return {.low = low}; }
constexpr OptionBounds at_most(double high) { return {.high = high}; }
constexpr OptionBounds above(double low) { return {.low = low, .open = true, .finite = true}; }
constexpr OptionBounds finite() { return {.finite = true}; }
constexpr OptionBounds one_of(auto... choices) { return {.choices = {choices...}}; }

std::string text_of(double x) {
  std::string text = std::to_string(x);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

std::string choices_in_words(const OptionBounds& b) {
  std::string words;
  for (size_t i = 0; i < b.choices.size() && !b.choices[i].empty(); i++) {
    const bool last = i + 1 == b.choices.size() || b.choices[i + 1].empty();
    words += (i == 0 ? "" : last ? " or " : ", ") + std::string(b.choices[i]);
  }
  return words;
}

/// "1 to 64", "a finite number above 0": what an error says was expected.
std::string in_words(const OptionBounds& b, bool fraction) {
  if (!b.words.empty()) return std::string(b.words);
  if (!b.choices[0].empty()) return choices_in_words(b);
  const bool low = std::isfinite(b.low), high = std::isfinite(b.high);
  if (!fraction)
    return low && high ? text_of(b.low) + " to " + text_of(b.high)
           : low       ? text_of(b.low) + " or more"
                       : "up to " + text_of(b.high);
  std::string words = b.finite ? "a finite number" : "a number";
  if (low) words += (b.open ? " above " : " from ") + text_of(b.low);
  if (high) words += (low ? " to " : " up to ") + text_of(b.high);
  return words;
}

bool among(const OptionBounds& b, std::string_view value) {
  if (b.choices[0].empty()) return true;
  return !value.empty() && std::find(b.choices.begin(), b.choices.end(), value) != b.choices.end();
}
bool inside(const OptionBounds& b, double value) {
  return value >= b.low && value <= b.high && !(b.open && value == b.low) &&
         (!b.finite || std::isfinite(value));
}

template <class T>
Status check(const char* call, const char* name, const T& value, const OptionBounds& b) {
  std::string got;
  bool allowed;
  if constexpr (std::is_same_v<T, std::string>) {
    allowed = among(b, value);
    got = "'" + value + "'";
  } else {
    got = std::to_string(value);
    allowed = inside(b, double(value)) && among(b, got);
  }
  if (allowed) return {};
  return Status(Code::kInvalidArgument, "[" + std::string(call) + "] " + name + ", got " + got +
                                            ", expected " + in_words(b, std::is_floating_point_v<T>));
}
Status check(const char* call, const char* name, const std::optional<int>& value, const OptionBounds& b) {
  return value ? check(call, name, *value, b) : Status();
}

template <class T>
constexpr std::string_view type_name() {
  if constexpr (std::is_same_v<T, bool>) return "bool";
  if constexpr (std::is_same_v<T, uint64_t>) return "seed";
  if constexpr (std::is_floating_point_v<T>) return "float";
  if constexpr (std::is_same_v<T, std::string>) return "str";
  return "int";
}

template <class T>
constexpr decltype(OptionInfo::value) default_value(auto... value) {
  if constexpr (std::is_same_v<T, bool>) return bool(value...);
  if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) return int64_t(value...);
  if constexpr (std::is_floating_point_v<T>) return double(value...);
  if constexpr (std::is_same_v<T, std::string>) return std::string_view(value...);
  return std::monostate();
}

constexpr OptionInfo kOptions[] = {
#define STERNA_OPTION(call, type, name, value, ...) \
  {call, #name, type_name<type>(), default_value<type>(value), __VA_ARGS__},
#define STERNA_LOAD_OPTION(type, name, value, ...) STERNA_OPTION("load", type, name, value, __VA_ARGS__)
#define STERNA_GENERATE_OPTION(type, name, value, ...) \
  STERNA_OPTION("generate", type, name, value, __VA_ARGS__)
#include "sterna/options.inc"
#undef STERNA_OPTION
};

}  // namespace

Status check_options(const LoadOptions& o) {
  return public_call("load", [&](FloatEnvironment&) -> Status {
#define STERNA_LOAD_OPTION(type, name, value, bounds, ...) \
  STERNA_RETURN_IF_ERROR(check("load", #name, o.name, bounds));
#include "sterna/options.inc"
    return {};
  });
}

Status check_options(const GenerateOptions& o) {
  return public_call("generate", [&](FloatEnvironment&) -> Status {
#define STERNA_GENERATE_OPTION(type, name, value, bounds, ...) \
  STERNA_RETURN_IF_ERROR(check("generate", #name, o.name, bounds));
#include "sterna/options.inc"
    return {};
  });
}

std::span<const OptionInfo> options() { return kOptions; }

}  // namespace sterna
