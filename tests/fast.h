// Whether tests are to be short, as under emulators and sanitizers.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace sterna::testing {

/// STERNA_TEST_FAST=1: the same kinds of cases, fewer of each. Says so once.
inline bool fast() {
  static const bool value = [] {
    const char* env = std::getenv("STERNA_TEST_FAST");
    const bool on = env && *env && *env != '0';
    if (on)
      std::fprintf(stderr,
                   "STERNA_TEST_FAST: fewer shapes, positions, tokens and configurations, and no models from "
                   "outside the repository\n");
    return on;
  }();
  return value;
}

}  // namespace sterna::testing
