// Finds the allocator's module that an operator named: one that is built in, or a shared object with the interface of
// allocator/module.h, which stays loaded until the process ends. Used at start by the master and by
// stoa-allocator-check, before any other thread runs.
#pragma once

#include "allocator/module.h"

#include <absl/status/statusor.h>

#include <string>

namespace stoa::master {

// A name with a '/' in it is a file's. The error says what was looked for and what there is.
absl::StatusOr<const stoa_allocator_module_v1*> findAllocatorModule(const std::string& name_or_path);

} // namespace stoa::master
