#include "master/module_loader.h"

#include "allocator/allocator.h"
#include "protocol/strings.h"

#include <dlfcn.h>

namespace stoa::master {

absl::StatusOr<const stoa_allocator_module_v1*> findAllocatorModule(const std::string& name_or_path) {
    if (name_or_path.find('/') == std::string::npos) {
        if (const stoa_allocator_module_v1* module = allocator::builtInModule(name_or_path)) return module;
        std::string known;
        for (std::string_view name : allocator::builtInModules()) known += concat(known.empty() ? "" : ", ", name);
        return invalid("--allocator: no module is called \"", name_or_path, "\": built in are ", known,
                       "; a shared object is named by a path with a '/'");
    }
    void* object = ::dlopen(name_or_path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (object == nullptr) return invalid("--allocator: ", ::dlerror());
    using Entry = const stoa_allocator_module_v1* (*)();
    auto entry = reinterpret_cast<Entry>(::dlsym(object, STOA_ALLOCATOR_SYMBOL));
    if (entry == nullptr) {
        return invalid("--allocator: ", name_or_path, " does not export ", STOA_ALLOCATOR_SYMBOL,
                       "(): it is no allocator module");
    }
    const stoa_allocator_module_v1* module = entry();
    if (module == nullptr) return invalid("--allocator: ", name_or_path, " gave no module");
    if (module->abi != STOA_ALLOCATOR_ABI) {
        return invalid("--allocator: ", name_or_path, " was built for interface ", module->abi, "; this master has ",
                       STOA_ALLOCATOR_ABI);
    }
    return module;
}

} // namespace stoa::master
