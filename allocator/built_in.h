// The modules that come with Stoa, which see no more than a loaded one does. Stateless tables, usable from any thread;
// others find them through builtInModule() in allocator.h.
#pragma once

#include "allocator/module.h"

namespace stoa::allocator {

const stoa_allocator_module_v1* drfModule();
const stoa_allocator_module_v1* spreadModule();

} // namespace stoa::allocator
