// Reads the numbers of an architecture, bounded.
#pragma once

#include <cmath>
#include <string>
#include <utility>
#include <variant>

#include "sterna/gguf.h"
#include "sterna/status.h"

namespace sterna::models {

/// "[model] FILE: key 'ARCHITECTURE.NAME', got X, expected Y" for what is wrong.
class KeyReader {
 public:
  KeyReader(const GgufFile& file, std::string arch) : file_(file), arch_(std::move(arch)) {}
  std::string key(const char* name) const { return arch_ + "." + name; }

  /// A required or defaulted count in lo..hi. A per-layer array is accepted if all its entries agree.
  Status count(const char* name, size_t lo, size_t hi, size_t* out) {
    const GgufValue* v = file_.find(key(name));
    uint64_t n = *out;
    if (v && std::holds_alternative<GgufNumbers<uint64_t>>(*v)) {
      STERNA_RETURN_IF_ERROR(uniform(name, std::get<GgufNumbers<uint64_t>>(*v), &n));
    } else if (v && std::holds_alternative<GgufNumbers<int64_t>>(*v)) {
      STERNA_RETURN_IF_ERROR(uniform(name, std::get<GgufNumbers<int64_t>>(*v), &n));
    } else {
      if (!v && *out == 0)
        return Status(Code::kCorrupt, "[model] " + file_.path() + ": key '" + key(name) + "' is missing");
      STERNA_ASSIGN(n, file_.get_uint(key(name), n));
    }
    if (n < lo || n > hi)
      return range(name, std::to_string(n), std::to_string(lo) + " to " + std::to_string(hi));
    *out = size_t(n);
    return {};
  }

  /// A finite positive number.
  Status positive(const char* name, double* out) {
    STERNA_ASSIGN(*out, file_.get_float(key(name), *out));
    if (!(std::isfinite(float(*out)) && float(*out) > 0))  // some are kept as floats
      return range(name, std::to_string(*out), "a finite number above 0");
    return {};
  }

  /// A number that is multiplied or divided by; 0 is "not set", as in llama.cpp.
  Status factor(const char* name, double* out) {
    STERNA_ASSIGN(const double x, file_.get_float(key(name), 0));
    if (x == 0) return {};
    if (!(x >= double(1e-6f) && x <= 1e6)) return range(name, std::to_string(x), "0, or a number from 1e-6 to 1e6");
    *out = x;
    return {};
  }
  /// The bound of a soft cap; 0: none.
  Status cap(const char* name, double* out) {
    if (file_.find(key(name))) *out = 0;
    return factor(name, out);
  }

  Status range(const char* name, const std::string& got, const std::string& expected) const {
    return Status(Code::kCorrupt, "[model] " + file_.path() + ": key '" + key(name) + "', got " + got +
                                      ", expected " + expected);
  }

 private:
  template <class T>
  Status uniform(const char* name, const GgufNumbers<T>& a, uint64_t* out) const {
    if (a.empty()) return range(name, "an empty array", "a number");
    for (const T x : a)
      if (x != a[0])
        return Status(Code::kUnsupported, "[model] " + file_.path() + ": key '" + key(name) +
                                              "' differs between layers, which is not implemented");
    *out = uint64_t(a[0]);
    return {};
  }

  const GgufFile& file_;
  std::string arch_;
};

}  // namespace sterna::models
