# nanobind, as the Python package that pip installs: nanobind_add_module(). Needs find_package(Python) before it; nanobind_DIR
# names another place. Newer major versions are as good, which nanobind's own version file denies: so its version is compared here.
set(why "The Python module needs nanobind: ${Python_EXECUTABLE} -m pip install nanobind, or -Dnanobind_DIR=FOLDER, or leave it out with -DSTERNA_PYTHON=OFF")
if(NOT nanobind_DIR)
  execute_process(COMMAND ${Python_EXECUTABLE} -m nanobind --cmake_dir
    OUTPUT_VARIABLE nanobind_DIR OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
if(nanobind_DIR)
  find_package(nanobind CONFIG QUIET)
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Nanobind REQUIRED_VARS nanobind_DIR nanobind_FOUND VERSION_VAR nanobind_VERSION
  REASON_FAILURE_MESSAGE "${why}")
unset(why)
