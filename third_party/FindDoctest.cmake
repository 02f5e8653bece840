# doctest, one header: the target doctest::doctest. Looks where headers are installed; DOCTEST_INCLUDE_DIR names another place.
find_path(DOCTEST_INCLUDE_DIR doctest/doctest.h)
if(DOCTEST_INCLUDE_DIR)
  file(STRINGS ${DOCTEST_INCLUDE_DIR}/doctest/doctest.h parts REGEX "^#define DOCTEST_VERSION_(MAJOR|MINOR|PATCH) [0-9]+")
  string(REGEX MATCHALL "[0-9]+" parts "${parts}")
  list(JOIN parts . Doctest_VERSION)
  unset(parts)
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Doctest REQUIRED_VARS DOCTEST_INCLUDE_DIR VERSION_VAR Doctest_VERSION
  REASON_FAILURE_MESSAGE "The C++ tests need the header doctest/doctest.h: apt install doctest-dev, or -DDOCTEST_INCLUDE_DIR=FOLDER, or leave them out with -DSTERNA_TESTS=OFF")
if(Doctest_FOUND AND NOT TARGET doctest::doctest)
  add_library(doctest::doctest INTERFACE IMPORTED)
  target_include_directories(doctest::doctest INTERFACE ${DOCTEST_INCLUDE_DIR})  # imported: no warnings from it
endif()
