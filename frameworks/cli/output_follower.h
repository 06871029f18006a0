// One stream of a task's output, from its agent's HTTP door to a file descriptor of ours, as it grows, until the task
// has ended and all was written. Survives the agent's restart: it goes on where it was. A thread of its own per stream;
// the owner calls ended() when the task's end is known from elsewhere, and join().
#pragma once

#include "frameworks/cli/command.h"
#include "protocol/message/framework.h"
#include "protocol/unique_fd.h"

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

namespace stoa::cli {

class OutputFollower {
public:
    struct Source {
        MasterClient master; // where to ask for the agent's address when it has moved
        FrameworkId framework;
        TaskId task;
        AgentId agent;
        Address address;
        std::string which = "stdout";
    };

    OutputFollower(Source source, int out);
    ~OutputFollower(); // gives up what is not written yet

    // The task has ended: a stream that breaks from now on is not waited for.
    void ended() { ended_ = true; }
    void join();
    // Readable when the stream is through, for poll().
    int doneFd() const { return done_.get(); }
    // Why not all could be shown; empty otherwise. After join().
    const std::string& problem() const { return problem_; }
    std::uint64_t bytes() const { return offset_; }

private:
    void run();
    bool moveOn(); // waits before another try; false when there is no point in one

    Source source_;
    const int out_;
    UniqueFd done_, cancel_;
    std::atomic<bool> ended_{false};
    std::uint64_t offset_ = 0;
    std::uint32_t tries_ = 0;
    std::string problem_;
    std::thread thread_;
};

// Where that agent's door is now, as the master knows it.
absl::StatusOr<Address> addressOf(const MasterClient& master, const AgentId& agent);

} // namespace stoa::cli
