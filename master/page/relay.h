// Passes what an agent or the batch framework says over HTTP on to whoever watches through the master: a task's output,
// the list of jobs. So a browser needs to reach the master only, and the page may be kept from talking to anybody else.
//
//   Relay relay;
//   relay.pass("http://agent:5051/api/stoa/sandbox/F/T/stdout?follow=1", std::move(responder));
//
// A thread a watched stream, since the client is a blocking one and watchers are people: at most kMostStreams, beyond 503.
// A watcher that reads slowly makes the sender wait. pass() may be called from any thread and returns at once; destroying
// the relay ends its streams and joins their threads.
#pragma once

#include "protocol/http/server.h"
#include "protocol/unique_fd.h"

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace stoa::master::page {

class Relay {
public:
    static constexpr std::size_t kMostStreams = 64;
    static constexpr std::size_t kAhead = std::size_t{1} << 20; // bytes that may wait for a watcher

    Relay() = default;
    ~Relay();
    Relay(const Relay&) = delete;
    Relay& operator=(const Relay&) = delete;

    // The answer has the status and the body of what `url` answers; 502 with the reason when nothing answers there. The
    // watcher asks in his own name: `authorization` is the header that he came with, or empty.
    void pass(std::string url, http::Responder responder, std::string authorization = {});

private:
    struct Passed;
    void joinEnded();

    std::mutex mutex_; // guards what follows
    std::list<std::shared_ptr<Passed>> passed_;
};

} // namespace stoa::master::page
