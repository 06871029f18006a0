#include "master/allocator_loader.h"

#include "allocator/allocator.h"
#include "protocol/strings.h"

#include <dlfcn.h>

#include <cstddef>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace stoa::master {
namespace {

// Why a table of functions can't be used; empty when it can.
std::string fault(const stoa_allocator_module_v1* module) {
    if (module == nullptr) return "it returned no module";
    if (module->abi != STOA_ALLOCATOR_ABI) {
        return concat("it was built for version ", module->abi, " of the interface; this master needs version ",
                      STOA_ALLOCATOR_ABI, ": build it anew with this master's allocator/module.h");
    }
    if (module->size < sizeof(stoa_allocator_module_v1)) {
        return concat("its table of functions has ", module->size, " bytes; this master needs ",
                      sizeof(stoa_allocator_module_v1));
    }
    if (module->name == nullptr || module->create == nullptr || module->destroy == nullptr ||
        module->begin == nullptr || module->next == nullptr || module->place == nullptr || module->charged == nullptr ||
        module->retired == nullptr) {
        return "a function in its table is missing";
    }
    return "";
}

} // namespace

absl::StatusOr<const stoa_allocator_module_v1*> findAllocatorModule(const std::string& name_or_path) {
    const bool is_path = name_or_path.find('/') != std::string::npos || name_or_path.ends_with(".so");
    if (!is_path) {
        if (const auto* built_in = allocator::builtInModule(name_or_path)) return built_in;
        std::string known;
        for (std::string_view name : allocator::builtInModules()) known += concat(known.empty() ? "" : ", ", name);
        return invalid("there is no allocator \"", name_or_path, "\"; there are ", known,
                       ", or give the path of a module (./mine.so)");
    }
    std::error_code error;
    // Without a slash dlopen would search the system's directories.
    const std::string path = std::filesystem::absolute(name_or_path, error).string();
    if (error || !std::filesystem::is_regular_file(path, error)) {
        return absl::NotFoundError(concat("there is no file ", name_or_path));
    }
    void* object = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (object == nullptr) {
        return invalid(name_or_path, " can't be loaded: ", std::string_view(dlerror()));
    }
    using Exported = const stoa_allocator_module_v1* (*)();
    const auto exported = reinterpret_cast<Exported>(dlsym(object, STOA_ALLOCATOR_SYMBOL));
    if (exported == nullptr) {
        dlclose(object);
        return invalid(name_or_path, " is not an allocator module for version ", STOA_ALLOCATOR_ABI,
                       " of the interface: it doesn't export ", STOA_ALLOCATOR_SYMBOL, "()");
    }
    const stoa_allocator_module_v1* module = exported();
    if (const std::string wrong = fault(module); !wrong.empty()) {
        dlclose(object);
        return invalid(name_or_path, ": ", wrong);
    }
    return module;
}

} // namespace stoa::master
