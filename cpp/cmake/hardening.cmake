# What makes faults that are still to be found harder to exploit, in all that a user runs: the library but its kernels (they see
# no text and no lengths from outside, and a check in them costs time), the tools and the Python module.
option(STERNA_HARDEN "Stack protector, checked libc calls, read-only relocations" ON)
add_library(sterna_hardening INTERFACE)
if(STERNA_HARDEN AND CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang" AND CMAKE_SYSTEM_NAME STREQUAL "Linux")
  target_compile_options(sterna_hardening INTERFACE -fstack-protector-strong)
  if(NOT STERNA_SANITIZE)  # sanitizers check more, and cannot see into the checked calls
    set(level 2)
    if(CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 12)
      set(level 3)
    endif()
    # Needs an optimizer; undefined first, since some distributions define it.
    target_compile_options(sterna_hardening INTERFACE
      $<$<CONFIG:Release,RelWithDebInfo,MinSizeRel>:-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=${level}>)
  endif()
  add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack)
endif()
