# Warnings of all our targets; errors where STERNA_WERROR is on (CI).
add_library(sterna_warnings INTERFACE)
target_compile_options(sterna_warnings INTERFACE -Wall -Wextra $<$<BOOL:${STERNA_WERROR}>:-Werror>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # False alarms of GCC 12 in its own headers: bug 105651 (std::string operator+), 105562 (std::variant moves).
  target_compile_options(sterna_warnings INTERFACE -Wno-restrict -Wno-maybe-uninitialized)
endif()
