#include "frameworks/cli/plugin_loader.h"

#include "protocol/strings.h"
#include "protocol/version.h"

#include <cxxabi.h>
#include <dlfcn.h>
#include <elf.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string_view>
#include <system_error>

namespace stoa::cli {

namespace {

#ifdef __aarch64__
constexpr unsigned kMachine = EM_AARCH64;
#else
constexpr unsigned kMachine = EM_X86_64;
#endif

std::string neededSdk() {
    return concat("it must be built for this stoa, ", kVersion, ", whose SDK is libstoa.so.", STOA_SDK_ABI,
                  " (pkg-config --modversion stoa)");
}

// What the file is instead of a shared object for this machine; empty when it is one.
std::string notAnObject(const std::string& path) {
    std::array<char, sizeof(Elf64_Ehdr)> bytes{};
    std::ifstream file(path, std::ios::binary);
    file.read(bytes.data(), bytes.size());
    Elf64_Ehdr header{};
    std::memcpy(&header, bytes.data(), sizeof header);
    if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) {
        std::string start;
        for (char c :
             std::string_view(bytes.data(), std::min<std::size_t>(16, static_cast<std::size_t>(file.gcount())))) {
            if (c == '\n') break;
            start += c >= ' ' && c <= '~' ? c : '?';
        }
        return concat("is no shared object: it begins with \"", start, "\"");
    }
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != kMachine) {
        return concat("is for another kind of machine (", header.e_ident[EI_CLASS] == ELFCLASS64 ? 64 : 32,
                      " bits, ELF machine ", header.e_machine, "); this one needs 64 bits, ELF machine ", kMachine);
    }
    if (header.e_type != ET_DYN) {
        return concat("is no shared object: its ELF type is ", header.e_type, "; build it with -shared");
    }
    return "";
}

// dlerror's words, a C++ name in them as its source has it.
std::string readable(std::string_view error) {
    constexpr std::string_view kUndefined = "undefined symbol: ";
    const std::size_t at = error.find(kUndefined);
    if (at == std::string_view::npos) return std::string(error);
    const std::string symbol(error.substr(at + kUndefined.size()));
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> plain(
        abi::__cxa_demangle(symbol.substr(0, symbol.find_first_of(" ,\t")).c_str(), nullptr, nullptr, &status),
        std::free);
    return concat("nothing defines ", std::string_view(status == 0 ? plain.get() : symbol.c_str()));
}

// Why a table of functions can't be used; empty when it can.
std::string fault(const stoa_framework_plugin_v1* plugin) {
    if (plugin == nullptr) return "it returned no plug-in";
    if (plugin->abi != STOA_FRAMEWORK_ABI) {
        return concat("it was built for version ", plugin->abi, " of the plug-in interface; stoa ", kVersion,
                      " needs version ", STOA_FRAMEWORK_ABI, ": build it anew (pkg-config --modversion stoa)");
    }
    if (plugin->size < sizeof(stoa_framework_plugin_v1)) {
        return concat("its table of functions has ", plugin->size, " bytes; stoa ", kVersion, " needs ",
                      sizeof(stoa_framework_plugin_v1));
    }
    if (plugin->name == nullptr || plugin->summary == nullptr || plugin->usage == nullptr ||
        plugin->create == nullptr || plugin->run == nullptr || plugin->stop == nullptr || plugin->destroy == nullptr) {
        return "an entry of its table is missing";
    }
    return "";
}

} // namespace

absl::StatusOr<const stoa_framework_plugin_v1*> loadPlugin(const std::string& path) {
    std::error_code error;
    // Without a slash dlopen would search the system's directories.
    const std::string absolute = std::filesystem::absolute(path, error).string();
    if (error || !std::filesystem::is_regular_file(absolute, error)) {
        return absl::NotFoundError(concat("there is no file ", path));
    }
    if (const std::string wrong = notAnObject(absolute); !wrong.empty()) return invalid(path, " ", wrong);
    void* object = dlopen(absolute.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (object == nullptr) {
        return invalid(path, " can't be loaded: ", readable(dlerror()), "; ", neededSdk());
    }
    using Exported = const stoa_framework_plugin_v1* (*)();
    const auto exported = reinterpret_cast<Exported>(dlsym(object, STOA_FRAMEWORK_SYMBOL));
    if (exported == nullptr) {
        const bool allocator = dlsym(object, "stoa_allocator_v1") != nullptr;
        return invalid(path, " is no framework plug-in: it doesn't export ", STOA_FRAMEWORK_SYMBOL, "(), ",
                       allocator ? "but it is an allocator module: give it to stoa-master --allocator"
                                 : "which STOA_FRAMEWORK(Class, \"name\", \"summary\") defines");
    }
    const stoa_framework_plugin_v1* plugin = exported();
    if (const std::string wrong = fault(plugin); !wrong.empty()) return invalid(path, ": ", wrong);
    return plugin;
}

} // namespace stoa::cli
