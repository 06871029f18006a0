// The batch framework's door for submitters: HTTP with JSON, on a unix socket, where the kernel says who asks, and on a
// TCP port, where everybody may look but nobody submit.
//
//   GET  /health                                 200
//   POST /api/stoa/jobs                          a JobSpec; 201 {"job": N} when it is durable
//   GET  /api/stoa/jobs                          {"framework_id", "jobs": […]}
//   GET  /api/stoa/jobs/N?since=V&first=0&tasks=100   {"framework_id", "job": {…}}; with `since` it waits up to 30 s
//                                                for a version other than V
//   GET  /api/stoa/jobs/events                   all jobs, a line of JSON each, and then each that changes, as it does
//   POST /api/stoa/jobs/N/cancel                 200
//
// Requests become inputs of the queue, handed over by `ask`; the queue's answers come back to answer(), from any thread.
#pragma once

#include "frameworks/batch/queue.h"
#include "protocol/credentials/credentials.h"
#include "protocol/http/gate.h"
#include "protocol/http/server.h"

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace stoa::batch {

class Door {
public:
    struct Options {
        std::string host = "127.0.0.1";
        std::uint16_t port = 0; // 0: any free one
        std::string unix_socket;
        SharedCredentials credentials; // whom the TCP port admits, a framework's or an operator's; null: everybody
    };

    // `ask` takes an input for the queue; called on the servers' threads. False: the framework is ending.
    static absl::StatusOr<std::unique_ptr<Door>> open(const Options& options, std::function<bool(Input)> ask);
    ~Door();

    const std::string& address() const { return tcp_->address(); } // "127.0.0.1:40123"
    void answer(Answer answer);

private:
    Door(std::function<bool(Input)> ask, SharedCredentials credentials)
        : ask_(std::move(ask)), gate_(std::move(credentials)) {}
    http::Router routes(bool may_submit);
    // The number under which the responder waits.
    RequestId keep(http::Responder responder);
    void pass(Input input, RequestId request);
    absl::StatusOr<Asker> askerOf(const http::Request& request) const;
    void follow(http::Stream stream, std::uint64_t after);
    void followOn(http::Stream stream, std::uint64_t after);
    void passOn(const answer::ChangedJobs& changed, http::Stream stream);
    void submit(const http::Request& request, http::Responder responder);
    void change(const http::Request& request, http::Responder responder, JobNumber job, bool cancels);
    void onJob(const http::Request& request, http::Responder responder, bool may_submit);

    const std::function<bool(Input)> ask_;
    http::Gate gate_;  // the TCP server's thread's
    std::mutex mutex_; // guards what follows
    RequestId last_request_ = 0;
    std::map<RequestId, http::Responder> waiting_;
    std::map<RequestId, http::Stream> following_;

    std::unique_ptr<http::Server> unix_; // last: their threads use the above
    std::unique_ptr<http::Server> tcp_;
};

} // namespace stoa::batch
