// Finds the allocator module that --allocator names: a built-in one, or a shared object that exports
// stoa_allocator_v1 (allocator/module.h). A loaded object stays loaded for as long as the process lives, since the
// allocator holds pointers into it. Not pure: it opens files. Called by main() once, before any thread is started.
#pragma once

#include "allocator/module.h"

#include <absl/status/statusor.h>

#include <string>

namespace stoa::master {

// A name with a slash, or ending in ".so", is a path. The error says what was found and what is needed.
absl::StatusOr<const stoa_allocator_module_v1*> findAllocatorModule(const std::string& name_or_path);

} // namespace stoa::master
