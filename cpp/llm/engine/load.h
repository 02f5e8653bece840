// Loading a model file for use.
#pragma once

#include <memory>
#include <string>

#include "llm/engine/runtime.h"
#include "sterna/options.h"
#include "sterna/status.h"

namespace sterna::engine {

/// Errors: those of Model::load(). `options` are checked.
Result<std::shared_ptr<Runtime>> load(const std::string& path, const LoadOptions& options);

}  // namespace sterna::engine
