// A module from another time.
#include "allocator/module.h"

namespace {
const stoa_allocator_module_v1 kModule = {sizeof(kModule), 7,       "wrong-version", nullptr, nullptr,
                                          nullptr,         nullptr, nullptr,         nullptr, nullptr};
} // namespace

extern "C" const stoa_allocator_module_v1* stoa_allocator_v1() { return &kModule; }
