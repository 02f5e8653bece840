// Every kernel on a fixed input, against scalar and against what was recorded.
#pragma once

#include <functional>
#include <string>

#include "sterna/status.h"

namespace sterna::kernels {

/// What sterna::selftest_kernels() does.
Status compare_kernels(const std::function<void(const std::string&)>& report);

}  // namespace sterna::kernels
