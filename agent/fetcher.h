// Brings a task's input files into its sandbox before it is launched: http:// (another agent's door among them) and
// file://. It works on threads of its own and as the task's user, so that a file:// input reads nothing that the user
// couldn't, and what it writes is the user's.
//
// From another agent's door it asks in the agent's name, by a code that is good for that URL alone: a URL may lead anywhere.
//
//   Fetcher fetcher({.threads = 4});
//   fetcher.submit({key, spec.inputs, sandbox, uid, gid});
//   poll(fetcher.eventFd()) … for (Fetcher::Result& result : fetcher.take()) …
//
// submit(), cancel() and take() belong to the agent's loop. Every submitted job gives one Result.
#pragma once

#include "protocol/codec/task_body.h"
#include "protocol/credentials/credentials.h"
#include "protocol/unique_fd.h"
#include "protocol/units.h"

#include <absl/status/status.h>

#include <sys/types.h>

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace stoa::agent {

class Fetcher {
public:
    struct Options {
        std::size_t threads = 4;
        std::size_t most_jobs = 10'000;                   // waiting; beyond, a job fails at once
        Duration idle_timeout = std::chrono::seconds(30); // without a byte
        SharedCredentials credentials = {};               // the agent's; null: none
    };
    struct Job {
        TaskKey key;
        std::vector<InputSpec> inputs;
        std::filesystem::path sandbox;
        uid_t uid = 0;
        gid_t gid = 0;
    };
    struct Result {
        TaskKey key;
        absl::Status status;
    };

    explicit Fetcher(Options options);
    ~Fetcher(); // gives up what is under way
    Fetcher(const Fetcher&) = delete;
    Fetcher& operator=(const Fetcher&) = delete;

    void submit(Job job);
    // The job's Result comes soon, as Cancelled.
    void cancel(const TaskKey& key);
    int eventFd() const { return event_.get(); }
    std::vector<Result> take();

private:
    struct Cancel {
        UniqueFd event; // readable: give up
    };

    void work();
    absl::Status fetchAll(const Job& job, const Cancel& cancel) const;

    const Options options_;
    UniqueFd event_;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool stopping_ = false; // the rest under mutex_, too
    std::deque<Job> jobs_;
    std::map<TaskKey, std::shared_ptr<Cancel>> under_way_; // of waiting jobs, too
    std::vector<Result> results_;
    std::vector<std::thread> threads_;
};

// Where the input goes below the sandbox: its output_file, else the last part of the URI.
std::string targetOf(const InputSpec& input);

} // namespace stoa::agent
