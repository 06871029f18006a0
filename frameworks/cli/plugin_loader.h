// Loads a framework plug-in (frameworks/sdk/plugin.h). A loaded object stays loaded for as long as the process lives.
// Called once, by `stoa framework run`, before any thread is started.
#pragma once

#include "frameworks/sdk/plugin.h"

#include <absl/status/statusor.h>

#include <string>

namespace stoa::cli {

// The error says what was found and what is needed.
absl::StatusOr<const stoa_framework_plugin_v1*> loadPlugin(const std::string& path);

} // namespace stoa::cli
