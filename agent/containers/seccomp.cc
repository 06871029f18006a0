#include "agent/containers/seccomp.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <cerrno>
#include <cstdint>
#include <initializer_list>

namespace stoa::agent {
namespace {

constexpr std::initializer_list<const char*> kRefused = {
    // Kernel and machine.
    "acct", "create_module", "delete_module", "finit_module", "get_kernel_syms", "init_module", "ioperm", "iopl",
    "kexec_file_load", "kexec_load", "lookup_dcookie", "nfsservctl", "query_module", "quotactl", "quotactl_fd",
    "reboot", "swapoff", "swapon", "_sysctl", "sysfs", "uselib", "ustat", "vhangup", "vm86", "vm86old",
    // Clock.
    "clock_adjtime", "clock_adjtime64", "clock_settime", "clock_settime64", "settimeofday", "stime",
    // Mounts and namespaces.
    "fsconfig", "fsmount", "fsopen", "fspick", "mount", "mount_setattr", "move_mount", "open_by_handle_at", "open_tree",
    "pivot_root", "setns", "umount", "umount2", "unshare",
    // What has been a way into the kernel.
    "add_key", "bpf", "io_uring_enter", "io_uring_register", "io_uring_setup", "kcmp", "keyctl", "perf_event_open",
    "request_key", "userfaultfd"};

// With 32-bit programs of the same family.
constexpr std::initializer_list<const char*> kArchitectures = {
#if defined(__x86_64__)
    "SCMP_ARCH_X86_64", "SCMP_ARCH_X86"
#elif defined(__aarch64__)
    "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"
#endif
};

constexpr std::uint64_t kCloneNewUser = 0x10000000; // CLONE_NEWUSER; the other namespaces want CAP_SYS_ADMIN

std::string makeProfile() {
    rapidjson::StringBuffer text;
    rapidjson::Writer<rapidjson::StringBuffer> json(text);
    const auto strings = [&](const char* key, std::initializer_list<const char*> values) {
        json.Key(key);
        json.StartArray();
        for (const char* value : values) json.String(value);
        json.EndArray();
    };
    const auto refuse = [&](std::initializer_list<const char*> names, unsigned error) {
        strings("names", names);
        json.Key("action");
        json.String("SCMP_ACT_ERRNO");
        json.Key("errnoRet");
        json.Uint(error);
    };
    json.StartObject();
    json.Key("defaultAction");
    json.String("SCMP_ACT_ALLOW");
    if (kArchitectures.size() > 0) strings("architectures", kArchitectures);
    json.Key("syscalls");
    json.StartArray();
    json.StartObject();
    refuse(kRefused, EPERM);
    json.EndObject();
    json.StartObject();
    refuse({"clone3"}, ENOSYS);
    json.EndObject();
    json.StartObject();
    refuse({"clone"}, EPERM);
    json.Key("args");
    json.StartArray();
    json.StartObject();
    json.Key("index");
    json.Uint(0);
    json.Key("value"); // the mask
    json.Uint64(kCloneNewUser);
    json.Key("valueTwo");
    json.Uint64(kCloneNewUser);
    json.Key("op");
    json.String("SCMP_CMP_MASKED_EQ");
    json.EndObject();
    json.EndArray();
    json.EndObject();
    json.EndArray();
    json.EndObject();
    return {text.GetString(), text.GetSize()};
}

} // namespace

const std::string& seccompProfile() {
    static const std::string profile = makeProfile();
    return profile;
}

} // namespace stoa::agent
