// Runs a scheduler whose framework id and state are kept for it in a directory, from one run to the next: what is behind
// a framework plug-in (plugin_face.h), and of use to a program of its own as well.
//
//   auto run = PluginRun::create({.master = "127.0.0.1:5052", .name = "hello", .directory = "hello.state"},
//                                schedulerMaker<Hello>({.tasks = 3}));
//   if (!run.ok()) …              // the state is damaged, in use, or the scheduler refuses its options
//   absl::Status end = (*run)->run();   // until teardown(), stop(), or an error from the master
//
// A framework that has torn itself down is over: its id and state are forgotten, and the next run begins anew. After
// any other end the next run takes over the framework and its tasks, if it comes within the failover timeout.
//
// stop() may come from any thread; the rest belongs to one. Scheduler and state are used by the driver's thread.
#pragma once

#include "frameworks/sdk/driver.h"
#include "frameworks/sdk/framework_state.h"
#include "frameworks/sdk/scheduler.h"

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace stoa::sdk {

// Makes the scheduler of one life of a framework. It may change the options of the driver; master, name, user and id
// are filled in already. An exception refuses, with its words.
using MakeScheduler = std::function<std::unique_ptr<Scheduler>(FrameworkState& state, DriverOptions& driver)>;

// For a class with a struct Options and a constructor of (const Options&, FrameworkState&). The Options may say
// `void configure(DriverOptions&) const`, e.g. for roles and the failover timeout.
template <class S>
MakeScheduler schedulerMaker(typename S::Options options) {
    return [options = std::move(options)](FrameworkState& state, DriverOptions& driver) -> std::unique_ptr<Scheduler> {
        if constexpr (requires { options.configure(driver); }) options.configure(driver);
        return std::make_unique<S>(options, state);
    };
}

class PluginRun {
public:
    struct Host {
        std::string master;    // what the driver dials
        std::string name;      // of the framework
        std::string user;      // as whom its tasks run
        std::string directory; // exists; id and state are kept there
    };

    // InvalidArgument: the scheduler refused. Else what the store said, which names the file.
    static absl::StatusOr<std::unique_ptr<PluginRun>> create(const Host& host, const MakeScheduler& make);
    ~PluginRun();

    // Blocks until the framework has ended. Once.
    absl::Status run();
    // Ends run(); the tasks go on.
    void stop();

private:
    struct Impl;
    explicit PluginRun(std::unique_ptr<Impl> impl);
    void abort(const absl::Status& why);
    std::unique_ptr<Impl> impl_;
};

} // namespace stoa::sdk
