// The shim's loop: one epoll over the socket to the agent, the sockets to started processes, the
// pidfds of adopted ones, and signals. It lives as long as there is a living task or a connected
// agent; before the first agent has come, for kFirstAgentMillis.
//
// One thread, no other. Nothing in it blocks but the journal's fdatasync.

#pragma once

#include <sys/types.h>

#include <cstdint>

#include "agent/shim/tasks.h"

namespace stoa::shim {

inline constexpr int kFirstAgentMillis = 10'000;
inline constexpr int kKilledMillis = 1'000; // to die in, of those without a task, before the shim ends

class Server {
public:
    // From here on the shim can be found. False: `stderr` has the reason.
    bool open(int run_directory);

    int run();

private:
    bool listenForAgents();
    void acceptAgent();
    void dropAgent();
    void onAgent();
    void onRequest(const struct Request& request, int memfd);
    void onSignals();
    void reapChildren();
    void awaitTheKilled();
    void sendEvents();
    bool sendEvent(const Event& event);
    bool finished(std::int64_t now_millis) const;
    int waitMillis(std::int64_t now_millis) const;

    int run_directory_ = -1;
    int epoll_ = -1;
    int signals_ = -1;
    int listener_ = -1;
    int agent_ = -1;
    Tasks tasks_;
    Watch listener_watch_ = {Watch::Kind::kListener, nullptr};
    Watch agent_watch_ = {Watch::Kind::kAgent, nullptr};
    Watch signals_watch_ = {Watch::Kind::kSignals, nullptr};
    bool had_agent_ = false;
    bool told_to_end_ = false;
    bool list_end_owed_ = false;
    bool waits_to_send_ = false;
    std::int64_t started_millis_ = 0;
    std::int64_t timer_millis_ = 0; // when onTimer() ran last
};

} // namespace stoa::shim
