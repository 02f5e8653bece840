// What surrounds every public call that can fail: the library's floating-point mode, and no way out for an
// exception.
#pragma once

#include <new>
#include <stdexcept>
#include <string>

#include "base/float_environment.h"
#include "sterna/status.h"

namespace sterna {

/// kOutOfMemory, with a message even if there is no memory for one.
inline Status out_of_memory(const char* who) {
  try {
    return Status(Code::kOutOfMemory, std::string("[") + who + "] no memory");
  } catch (const std::bad_alloc&) {
    return Status(Code::kOutOfMemory, "no memory");  // short enough to need none
  }
}

/// The result of `call(FloatEnvironment&)`, a Status or Result; a failed allocation becomes kOutOfMemory.
template <class Call>
auto public_call(const char* who, Call&& call) -> decltype(call(std::declval<FloatEnvironment&>())) {
  try {
    FloatEnvironment environment;
    return call(environment);
  } catch (const std::bad_alloc&) {
    return out_of_memory(who);
  } catch (const std::length_error&) {  // a container larger than there can be
    return out_of_memory(who);
  }
}

}  // namespace sterna
