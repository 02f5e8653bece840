// The main() of the C++ tests; every tests/**/*_test.cpp adds its cases. Kernels are the built-in choice, so
// that tests neither measure nor write files; choice_test.cpp tests the rest.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdlib>

int main(int argc, char** argv) {
  setenv("STERNA_CHOICE", "builtin", /*overwrite=*/0);
  return doctest::Context(argc, argv).run();
}
