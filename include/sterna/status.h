// How every public call of Sterna reports failure: a code a program can switch on and a message a person can
// act on. The library never throws (not even std::bad_alloc), aborts or prints; compilers warn of a Result or
// Status that is ignored ([[nodiscard]]).
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace sterna {

enum class Code {
  kOk,
  kInvalidArgument,  ///< The caller's value is wrong (Python: ValueError).
  kNotFound,         ///< A file does not exist (Python: FileNotFoundError).
  kIo,               ///< The operating system refused or failed (Python: OSError).
  kCorrupt,          ///< A file breaks its format's rules (Python: ValueError).
  kUnsupported,      ///< Valid, but this build or version cannot do it (Python: sterna.UnsupportedError).
  kOutOfMemory,      ///< (Python: MemoryError)
  kCancelled,  ///< A callback asked to stop (Python: KeyboardInterrupt or the callback's own exception).
};

/// Success, or a code with a message of the form "[operation] what, got X, expected Y".
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}
  bool ok() const { return code_ == Code::kOk; }
  Code code() const { return code_; }
  const std::string& message() const { return message_; }

 private:
  Code code_ = Code::kOk;
  std::string message_;
};

/// A value or the Status that explains its absence. Check ok() before value().
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : v_(std::in_place_index<0>, std::move(value)) {}
  Result(Status error) : v_(std::in_place_index<1>, std::move(error)) {}
  bool ok() const { return v_.index() == 0; }
  T& value() { return *std::get_if<0>(&v_); }
  const T& value() const { return *std::get_if<0>(&v_); }
  /// For sequences: whether there is nothing in it, be it for an error or because the value is empty.
  bool empty() const
    requires requires(const T& t) { t.empty(); }
  {
    return !ok() || value().empty();
  }
  /// Neither form allocates: a message can be read where memory has run out.
  const Status& status() const& {
    static const Status fine;
    return ok() ? fine : *std::get_if<1>(&v_);
  }
  Status status() && { return ok() ? Status() : std::move(*std::get_if<1>(&v_)); }

 private:
  std::variant<T, Status> v_;
};

}  // namespace sterna

/// Returns the error of `expr` (a Status) from the enclosing function, if there is one.
#define STERNA_RETURN_IF_ERROR(expr)                       \
  do {                                                     \
    if (::sterna::Status s_ = (expr); !s_.ok()) return s_; \
  } while (0)

/// `STERNA_ASSIGN(auto x, f())`: x = the value of f() (a Result), or the function returns f()'s error.
#define STERNA_ASSIGN_CAT2(a, b) a##b
#define STERNA_ASSIGN_CAT(a, b) STERNA_ASSIGN_CAT2(a, b)
#define STERNA_ASSIGN(decl, expr) STERNA_ASSIGN_IMPL(STERNA_ASSIGN_CAT(result_, __LINE__), decl, expr)
#define STERNA_ASSIGN_IMPL(tmp, decl, expr)      \
  auto tmp = (expr);                             \
  if (!tmp.ok()) return std::move(tmp).status(); \
  decl = std::move(tmp.value())
