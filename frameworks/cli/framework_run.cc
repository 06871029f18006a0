// `stoa framework run`: a framework plug-in, in this process, until it ends.
#include "frameworks/cli/command.h"
#include "frameworks/cli/command_framework.h"
#include "frameworks/cli/plugin_loader.h"
#include "protocol/strings.h"
#include "protocol/unique_fd.h"

#include <CLI/CLI.hpp>

#include <poll.h>
#include <pwd.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

namespace stoa::cli {

namespace {

using Clock = std::chrono::steady_clock;

// How long a callback may go on once the framework was asked to end.
constexpr auto kPatience = std::chrono::seconds(5);

struct RunOptions {
    std::string name;
    std::string user;
    std::string state;
};

// The plug-in has a thread of its own, so that a signal is answered whatever it does.
class PluginProcess {
public:
    PluginProcess(const stoa_framework_plugin_v1& plugin, std::string path) : plugin_(plugin), path_(std::move(path)) {}

    int run(const stoa_framework_host_v1& host, const std::vector<std::string>& flags) {
        Interrupts interrupts;
        std::thread thread([&] { work(host, flags); });
        std::optional<Clock::time_point> asked;
        int signal = 0;
        for (;;) {
            pollfd fds[] = {{ended_.get(), POLLIN, 0}, {interrupts.fd(), POLLIN, 0}};
            int timeout = -1;
            if (asked) {
                const auto left = std::chrono::ceil<std::chrono::milliseconds>(*asked + kPatience - Clock::now());
                timeout = static_cast<int>(std::max<std::int64_t>(0, left.count()));
            }
            const int ready = ::poll(fds, 2, timeout);
            if (fds[0].revents != 0) break;
            const int came = interrupts.next();
            if (came != 0 && !asked) {
                asked = Clock::now();
                signal = came;
                stop();
            } else if (came != 0 || (asked && ready == 0)) {
                std::cerr << "stoa: " << path_ << " does not end: a callback of it still runs; ended without it"
                          << std::endl;
                ::_exit(kSignalled + signal); // its thread can't be waited for
            }
        }
        thread.join();
        if (code_ != 0) return fail(error_.data(), code_);
        return signal != 0 ? kSignalled + signal : 0;
    }

private:
    void work(const stoa_framework_host_v1& host, const std::vector<std::string>& flags) {
        std::vector<const char*> arguments;
        arguments.reserve(flags.size());
        for (const std::string& flag : flags) arguments.push_back(flag.c_str());
        void* self = nullptr;
        code_ = plugin_.create(&host, arguments.data(), arguments.size(), &self, error_.data(), error_.size());
        if (code_ == 0) {
            if (begin(self)) code_ = plugin_.run(self, error_.data(), error_.size());
            {
                std::lock_guard lock(mutex_);
                self_ = nullptr;
            }
            plugin_.destroy(self);
        }
        const std::uint64_t one = 1;
        [[maybe_unused]] const ssize_t written = ::write(ended_.get(), &one, sizeof one);
    }
    bool begin(void* self) {
        std::lock_guard lock(mutex_);
        self_ = self;
        return !stopping_;
    }
    void stop() {
        std::lock_guard lock(mutex_);
        stopping_ = true;
        if (self_ != nullptr) plugin_.stop(self_);
    }

    const stoa_framework_plugin_v1& plugin_;
    const std::string path_;
    UniqueFd ended_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    int code_ = 0; // the thread's until it has ended
    std::array<char, 2000> error_{};

    std::mutex mutex_; // guards what follows
    void* self_ = nullptr;
    bool stopping_ = false;
};

std::string homeOfUser() {
    if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') return home;
    const passwd* entry = ::getpwuid(::geteuid());
    return entry != nullptr ? entry->pw_dir : "/";
}

// Where frameworks are kept, a directory each.
std::string stateDirectory(const std::string& flag) {
    if (!flag.empty()) return flag;
    if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && *state == '/') {
        return concat(std::string_view(state), "/stoa/frameworks");
    }
    return homeOfUser() + "/.local/state/stoa/frameworks";
}

bool isDirectoryName(std::string_view name) {
    return !name.empty() && name.size() <= 100 && name.front() != '.' &&
           std::all_of(name.begin(), name.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                      c == '_' || c == '-';
           });
}

int help(const stoa_framework_plugin_v1& plugin, const std::string& path) {
    const std::string flags = plugin.usage();
    std::cout << plugin.name << ": " << plugin.summary << "\nUsage: stoa framework run [OPTIONS] " << path
              << " [FLAGS]\n\n"
              << (flags.empty() ? "It takes no flags of its own.\n" : "Its flags, and what they are by default:\n")
              << flags << "\n`stoa framework run --help` lists the OPTIONS.\n";
    return 0;
}

int runPlugin(const Context& context, const RunOptions& options, std::vector<std::string> arguments) {
    const std::string path = arguments.front();
    arguments.erase(arguments.begin());
    absl::StatusOr<const stoa_framework_plugin_v1*> plugin = loadPlugin(path);
    if (!plugin.ok()) return fail(plugin.status());
    for (const std::string& argument : arguments) {
        if (argument == "--help" || argument == "-h") return help(**plugin, path);
    }
    const std::string name = options.name.empty() ? (*plugin)->name : options.name;
    if (!isDirectoryName(name)) {
        return fail(concat("\"", name,
                           "\" can't be the name of a framework here, since it is that of a directory, "
                           "too: take letters, digits, '.', '_' and '-'"),
                    kUsage);
    }
    absl::StatusOr<MasterClient> master = MasterClient::find(context);
    if (!master.ok()) return fail(master.status(), kUsage);
    absl::StatusOr<std::string> wire = master->wireAddress();
    if (!wire.ok()) return fail(wire.status());

    if (const absl::Status there = master->get("/version").status(); absl::IsUnavailable(there)) {
        std::cerr << "stoa: " << toStd(there.message()) << "; waiting for it\n";
    }
    // The plug-in's driver reads it from there.
    if (!master->credentialFile().empty()) ::setenv("STOA_CREDENTIAL", master->credentialFile().c_str(), 1);
    const std::filesystem::path directory = std::filesystem::path(stateDirectory(options.state)) / name;
    std::error_code error;
    std::filesystem::create_directories(directory, error);
    if (!error) std::filesystem::permissions(directory, std::filesystem::perms::owner_all, error);
    if (error) return fail(concat(directory.string(), " can't be made: ", error.message()));
    const std::string kept = directory.string();
    const std::string user = options.user.empty() ? ownUserName() : options.user;
    const stoa_framework_host_v1 host = {
        sizeof(stoa_framework_host_v1), STOA_FRAMEWORK_ABI, wire->c_str(), name.c_str(), user.c_str(), kept.c_str()};
    return PluginProcess(**plugin, path).run(host, arguments);
}

} // namespace

void addFrameworkRun(CLI::App& group, Context& context) {
    CLI::App* command = group.add_subcommand("run", "run a framework plug-in until it ends");
    command->footer(
        "What stands behind the plug-in's path are flags of its own; `stoa framework run ./libhello.so --help` lists\n"
        "them. Its framework id and state are kept in DIR/NAME: run again, it takes over the tasks that it left.\n"
        "Ctrl-C ends it, and its tasks go on for its failover timeout; a second one does not wait for its callbacks.\n"
        "Exit codes: 0 when the framework ended by itself, 1 for a failure, 2 for wrong usage, 128+N for signal N.\n\n"
        "Example:\n  stoa framework run ./libhello.so --tasks=5");
    command->prefix_command();
    // Else what isn't known here would be taken for the application's.
    command->fallthrough(false);
    addGlobalOptions(*command, context);
    auto options = std::make_shared<RunOptions>();
    command->add_option("--name", options->name, "the framework's name (default: the plug-in's)");
    command->add_option("--user", options->user,
                        "run its tasks as this user (default: you; root becomes the agents' unprivileged user)");
    command->add_option("--state", options->state,
                        "DIR, where frameworks are kept (default: ~/.local/state/stoa/frameworks)");
    command->callback([command, options, &context] {
        std::vector<std::string> arguments = command->remaining();
        if (context.command) arguments.insert(arguments.end(), context.command->begin(), context.command->end());
        if (arguments.empty()) {
            context.exit_code = fail("say which plug-in: stoa framework run [OPTIONS] ./libNAME.so [FLAGS]", kUsage);
        } else if (arguments.front().starts_with("-")) {
            context.exit_code = fail(concat(arguments.front(), " is no option of `stoa framework run`; the plug-in's "
                                                               "own flags stand behind its path"),
                                     kUsage);
        } else {
            context.exit_code = runPlugin(context, *options, std::move(arguments));
        }
    });
}

} // namespace stoa::cli
