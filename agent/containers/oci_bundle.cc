#include "agent/containers/oci_bundle.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <cerrno>
#include <initializer_list>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/containers/fd.h"
#include "agent/containers/seccomp.h"
#include "agent/shim/shim_protocol.h"

namespace stoa::agent {
namespace {

namespace fs = std::filesystem;

constexpr const char* kBundles = "bundles";
constexpr const char* kRuntimeState = "runtime";

// Docker's default set without CAP_MKNOD.
constexpr std::initializer_list<const char*> kRootCapabilities = {
    "CAP_CHOWN",      "CAP_DAC_OVERRIDE", "CAP_FSETID",     "CAP_FOWNER",  "CAP_NET_RAW",
    "CAP_SETGID",     "CAP_SETUID",       "CAP_SETFCAP",    "CAP_SETPCAP", "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT", "CAP_KILL",         "CAP_AUDIT_WRITE"};

// What Docker and Podman mask: windows into the kernel that no task needs.
constexpr std::initializer_list<const char*> kMaskedPaths = {
    "/proc/acpi",          "/proc/asound",      "/proc/interrupts", "/proc/kcore", "/proc/keys",
    "/proc/latency_stats", "/proc/sched_debug", "/proc/timer_list", "/proc/scsi",  "/sys/firmware"};
constexpr std::initializer_list<const char*> kReadonlyPaths = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                                               "/proc/sysrq-trigger"};

using Options = std::initializer_list<const char*>;

// RapidJSON's writer with the shapes that config.json is made of.
class Json {
public:
    template <typename Body>
    void object(Body body) {
        writer_.StartObject();
        body();
        writer_.EndObject();
    }
    template <typename Body>
    void array(Body body) {
        writer_.StartArray();
        body();
        writer_.EndArray();
    }
    void key(const char* name) { writer_.Key(name); }
    // Of a value that is JSON already.
    void verbatim(const char* name, const std::string& json) {
        key(name);
        writer_.RawValue(json.data(), json.size(), rapidjson::kObjectType);
    }
    void text(const std::string& value) {
        writer_.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
    }
    void member(const char* name, const std::string& value) { key(name), text(value); }
    void member(const char* name, const char* value) { key(name), writer_.String(value); }
    void member(const char* name, bool value) { key(name), writer_.Bool(value); }
    void member(const char* name, unsigned value) { key(name), writer_.Uint(value); }
    void number(unsigned value) { writer_.Uint(value); }
    template <typename Strings>
    void member(const char* name, const Strings& values) {
        key(name);
        array([&] {
            for (const auto& value : values) text(value);
        });
    }
    void mount(const std::string& destination, const char* type, const std::string& source, Options options) {
        object([&] {
            member("destination", destination);
            member("type", type);
            member("source", source);
            member("options", options);
        });
    }
    std::string take() const { return {buffer_.GetString(), buffer_.GetSize()}; }

private:
    rapidjson::StringBuffer buffer_;
    rapidjson::Writer<rapidjson::StringBuffer> writer_{buffer_};
};

bool isUnder(const std::string& path, const std::string& directory) {
    return path == directory || absl::StartsWith(path, directory == "/" ? directory : directory + "/");
}

// Covered by an empty file system of the container's own already.
bool isPrivate(const std::string& path) {
    return isUnder(path, "/tmp") || isUnder(path, "/run") || isUnder(path, "/dev") || isUnder(path, "/proc");
}

void writeProcess(Json& json, const ContainerSpec& spec) {
    json.object([&] {
        json.member("terminal", false);
        json.key("user");
        json.object([&] {
            json.member("uid", unsigned{spec.uid});
            json.member("gid", unsigned{spec.gid});
            if (!spec.groups.empty()) {
                json.key("additionalGids");
                json.array([&] {
                    for (const gid_t group : spec.groups) json.number(group);
                });
            }
        });
        std::vector<std::string> arguments = {kInitPath, "init"};
        arguments.insert(arguments.end(), spec.argv.begin(), spec.argv.end());
        json.member("args", arguments);
        std::vector<std::string> environment;
        for (const auto& [name, value] : spec.environment) environment.push_back(absl::StrCat(name, "=", value));
        json.member("env", environment);
        json.member("cwd", spec.work_directory.empty() ? spec.sandbox.string() : spec.work_directory);
        json.key("capabilities");
        json.object([&] {
            const Options none = {};
            const Options& set = spec.uid == 0 ? kRootCapabilities : none;
            for (const char* name : {"bounding", "effective", "permitted"}) json.member(name, set);
            for (const char* name : {"inheritable", "ambient"}) json.member(name, none);
        });
        json.member("noNewPrivileges", true);
    });
}

void writeMounts(Json& json, const OciRuntime& runtime, const ContainerSpec& spec) {
    json.mount("/proc", "proc", "proc", {"nosuid", "noexec", "nodev"});
    json.mount("/dev", "tmpfs", "tmpfs", {"nosuid", "noexec", "strictatime", "mode=755", "size=64k"});
    json.mount("/dev/pts", "devpts", "devpts", {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"});
    // Without a size of their own: what is in them counts as the container's memory.
    json.mount("/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777"});
    json.mount("/tmp", "tmpfs", "tmpfs", {"nosuid", "nodev", "mode=1777"});
    json.mount("/run", "tmpfs", "tmpfs", {"nosuid", "nodev", "mode=755", "size=64k"});
    json.mount(kInitPath, "bind", runtime.shim.string(), {"bind", "ro", "nosuid", "nodev"});
    std::error_code error;
    const fs::path resolver = fs::canonical("/etc/resolv.conf", error);
    if (!error && isUnder(resolver.string(), "/run"))
        json.mount(resolver.string(), "bind", resolver.string(), {"bind", "ro", "nosuid", "nodev", "noexec"});

    const auto writable = [&](const std::string& path) {
        json.mount(path, "bind", path, {"rbind", "rw", "nosuid", "nodev"});
    };
    // What hides the agent's directories lies over a work directory that holds them, and below one that they hold.
    const auto holds = [&](const fs::path& directory) {
        return !directory.empty() && isUnder(spec.work_directory, directory.string());
    };
    const bool inside = holds(runtime.work_dir) || holds(runtime.run_dir);
    const bool own = mountsWorkDirectory(spec);
    if (own && !inside) writable(spec.work_directory);
    std::vector<std::string> hidden;
    for (const fs::path& directory : {runtime.work_dir, runtime.run_dir}) {
        const std::string path = directory.string();
        if (path.empty() || isPrivate(path) || (!hidden.empty() && isUnder(path, hidden.front()))) continue;
        hidden.push_back(path);
        json.mount(path, "tmpfs", "tmpfs", {"nosuid", "nodev", "mode=755", "size=64k"});
    }
    if (own && inside) writable(spec.work_directory);
    writable(spec.sandbox.string());
    for (const std::string& path : spec.writable_paths) writable(path);
}

} // namespace

bool mountsWorkDirectory(const ContainerSpec& spec) {
    const auto holds = [&](const std::string& path) {
        return path != spec.work_directory && isUnder(spec.work_directory, path);
    };
    return !spec.work_directory.empty() && std::none_of(spec.writable_paths.begin(), spec.writable_paths.end(), holds);
}

OciBundle bundleOf(const OciRuntime& runtime, const std::string& id) {
    OciBundle bundle;
    bundle.directory = runtime.run_dir / kBundles / id;
    bundle.pid_file = bundle.directory / "pid";
    bundle.runtime_log = bundle.directory / "runtime.log";
    bundle.command = {runtime.path, absl::StrCat("--root=", (runtime.run_dir / kRuntimeState).string()),
                      absl::StrCat("--log=", bundle.runtime_log.string())};
    // The task's cgroup is ours: made before, entered by pid 1 before the command runs, read after it ended.
    if (!runtime.is_runc) bundle.command.push_back("--cgroup-manager=disabled");
    bundle.command.insert(bundle.command.end(),
                          {"run", "--detach", "--preserve-fds=1", absl::StrCat("--bundle=", bundle.directory.string()),
                           absl::StrCat("--pid-file=", bundle.pid_file.string()), id});
    return bundle;
}

std::string ociConfig(const OciRuntime& runtime, const ContainerSpec& spec, const std::string& runc_cgroup) {
    Json json;
    json.object([&] {
        json.member("ociVersion", "1.0.0");
        json.key("process");
        writeProcess(json, spec);
        json.key("root");
        json.object([&] {
            json.member("path", (runtime.run_dir / shim::kHostViewName).string());
            // The view is read-only, but without this crun takes that off its topmost mount.
            json.member("readonly", true);
        });
        json.key("mounts");
        json.array([&] { writeMounts(json, runtime, spec); });
        json.key("linux");
        json.object([&] {
            json.key("namespaces");
            json.array([&] {
                for (const char* type : {"pid", "ipc", "uts", "mount"}) json.object([&] { json.member("type", type); });
            });
            if (runtime.is_runc) json.member("cgroupsPath", runc_cgroup);
            json.member("maskedPaths", kMaskedPaths);
            json.member("readonlyPaths", kReadonlyPaths);
            if (runtime.seccomp) json.verbatim("seccomp", seccompProfile());
        });
    });
    return json.take();
}

absl::Status writeBundle(const OciBundle& bundle, const std::string& config) {
    if (mkdir(bundle.directory.c_str(), 0700) != 0 && errno == ENOENT) {
        std::error_code error;
        fs::create_directories(bundle.directory, error);
    }
    const std::string path = bundle.directory / "config.json";
    const Fd file(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (file && write(file.get(), config.data(), config.size()) == static_cast<ssize_t>(config.size()))
        return absl::OkStatus();
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", path));
}

void removeBundle(const OciRuntime& runtime, const std::string& id) {
    std::error_code ignored;
    fs::remove_all(runtime.run_dir / kBundles / id, ignored);
    fs::remove_all(runtime.run_dir / kRuntimeState / id, ignored);
}

std::vector<std::string> bundles(const OciRuntime& runtime) {
    std::vector<std::string> ids;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(runtime.run_dir / kBundles, error))
        ids.push_back(entry.path().filename());
    return ids;
}

} // namespace stoa::agent
