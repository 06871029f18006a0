// What a reader asks of the state itself rather than of the read model: counters, why a framework waits. The question
// is put from the HTTP thread, and answered by the state thread between two turns, with a look at the master that ends
// with the call.
//
//     questions.ask([reply = …](const Glance& glance) { reply.respond(metricsText(glance)); });   // any thread
//     questions.answerAll(glance);                                                                // state thread
//
// At most kMostQuestions wait; beyond, the asker is told so at once.
#pragma once

#include "master/core/master.h"
#include "protocol/http/server.h"
#include "protocol/unique_fd.h"
#include "protocol/wire/counters.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

namespace stoa::master {

// What the state thread can show, valid during a question.
struct Glance {
    const Master& master;
    Time now;
    WireCounters wire;
    http::Server::Counts http;
    std::uint64_t store_commits = 0;
    std::uint64_t registry_version = 0;
    std::size_t effects_held = 0;
    std::uint64_t malformed_messages = 0;
    std::uint64_t turns = 0;
    Time started{}; // of the process
};

class Questions {
public:
    static constexpr std::size_t kMostQuestions = 1000;
    using Question = std::function<void(const Glance&)>;

    Questions();
    // False: too many wait, and the question was dropped.
    bool ask(Question question);
    // Readable when a question waits.
    int eventFd() const { return event_.get(); }
    bool any() const;
    void answerAll(const Glance& glance);

private:
    UniqueFd event_;
    mutable std::mutex mutex_;
    std::vector<Question> waiting_;
};

} // namespace stoa::master
