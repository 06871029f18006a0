// The C++ side of plugin.h: a scheduler becomes a plug-in for `stoa framework run`.
//
//   class Hello : public stoa::sdk::Scheduler {
//   public:
//       struct Options {
//           int tasks = 3;
//           void add(stoa::sdk::Flags& flags) { flags.add("tasks", tasks, "how many tasks to run"); }
//       };
//       Hello(const Options& options, stoa::sdk::FrameworkState& state);
//       …
//   };
//   STOA_FRAMEWORK(Hello, "hello", "says hello from some tasks")
//
// `stoa framework new` writes a whole one. The constructor refuses its options with an exception. Options may further
// say `void configure(stoa::sdk::DriverOptions&) const` (plugin_run.h). Header-only, over libstoa; one instance a run.
#pragma once

#include "frameworks/sdk/flags.h"
#include "frameworks/sdk/plugin.h"
#include "frameworks/sdk/plugin_run.h"

#include <cstddef>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

namespace stoa::sdk {

// The table of functions for a class as above.
template <class S>
struct PluginOf {
    static const stoa_framework_plugin_v1* table(const char* name, const char* summary) {
        static const stoa_framework_plugin_v1 plugin = {
            sizeof(stoa_framework_plugin_v1), STOA_FRAMEWORK_ABI, name, summary, usage, create, run, stop, destroy};
        return &plugin;
    }

private:
    static int say(const std::string& what, int code, char* error, std::size_t error_size) {
        if (error_size > 0) {
            std::strncpy(error, what.c_str(), error_size - 1);
            error[error_size - 1] = '\0';
        }
        return code;
    }
    static int say(const absl::Status& status, char* error, std::size_t error_size) {
        const std::string what(status.message().data(), status.message().size());
        const bool usage = absl::IsInvalidArgument(status);
        return say(what, usage ? STOA_FRAMEWORK_USAGE : STOA_FRAMEWORK_FAILED, error, error_size);
    }
    // No exception crosses the border.
    template <class F>
    static int guarded(char* error, std::size_t error_size, F call) {
        try {
            return call();
        } catch (const std::exception& e) {
            return say(e.what(), STOA_FRAMEWORK_FAILED, error, error_size);
        }
    }

    static const char* usage() {
        static const std::string text = [] {
            typename S::Options options;
            Flags flags;
            options.add(flags);
            return flags.usage();
        }();
        return text.c_str();
    }
    static int create(const stoa_framework_host_v1* host, const char* const* arguments, std::size_t count, void** self,
                      char* error, std::size_t error_size) {
        return guarded(error, error_size, [&] {
            typename S::Options options;
            Flags flags;
            options.add(flags);
            const absl::Status parsed = flags.parse(std::vector<std::string>(arguments, arguments + count));
            if (!parsed.ok()) return say(parsed, error, error_size);
            auto run = PluginRun::create({host->master, host->name, host->user, host->directory},
                                         schedulerMaker<S>(std::move(options)));
            if (!run.ok()) return say(run.status(), error, error_size);
            *self = run->release();
            return STOA_FRAMEWORK_OK;
        });
    }
    static int run(void* self, char* error, std::size_t error_size) {
        return guarded(error, error_size, [&] {
            const absl::Status end = static_cast<PluginRun*>(self)->run();
            return end.ok() ? STOA_FRAMEWORK_OK : say(end, error, error_size);
        });
    }
    static void stop(void* self) { static_cast<PluginRun*>(self)->stop(); }
    static void destroy(void* self) { delete static_cast<PluginRun*>(self); }
};

} // namespace stoa::sdk

// At the end of a plug-in's source, outside of any namespace.
#define STOA_FRAMEWORK(Class, plugin_name, summary)                                                                    \
    extern "C" __attribute__((visibility("default"))) const stoa_framework_plugin_v1* stoa_framework_v1(void);         \
    extern "C" const stoa_framework_plugin_v1* stoa_framework_v1(void) {                                               \
        return stoa::sdk::PluginOf<Class>::table(plugin_name, summary);                                                \
    }
