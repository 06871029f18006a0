// The way of calls from the HTTP server's thread, where they are read and checked for form, to the state thread, where
// it is known whether they may be said: what schedulers and operators ask for over HTTP, in the order in which it came.
//
//     if (!calls.put(HttpCall{…})) …answer 503…                        // HTTP thread
//     for (HttpArrival& arrival : calls.take()) …                      // state thread, when eventFd() is readable
//
// At most kMostCalls and kMostBytes wait; beyond, the caller is told so at once. Ends of streams always fit: there are
// no more of them than streams.
#pragma once

#include "master/core/events.h"
#include "protocol/codec/framework_messages.h"
#include "protocol/http/server.h"
#include "protocol/unique_fd.h"

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace stoa::master {

// HTTP streams are numbered from here, sessions from 1: one number space for all peers.
inline constexpr Peer kFirstHttpPeer = Peer{1} << 62;

// A stream was opened for a scheduler's SUBSCRIBE.
struct HttpSubscribe {
    Peer peer = 0;
    std::string stream_id;
    http::Stream stream;
    FrameworkId framework; // as the call says
    call::Subscribe call;
};
// Any other call of a scheduler.
struct HttpCall {
    std::string stream_id; // as the header says; may be empty
    AddressedCall call;
    http::Responder reply;
    std::optional<std::string> principal = std::nullopt; // who says it; absent where nobody has to prove it
};
// A stream has ended, whoever ended it.
struct HttpGone {
    Peer peer = 0;
    std::string why;
};
// An operator's wish.
struct HttpWish {
    Wish wish;
    http::Responder reply;
};
using HttpArrival = std::variant<HttpSubscribe, HttpCall, HttpGone, HttpWish>;

class HttpCalls {
public:
    static constexpr std::size_t kMostCalls = 10'000;
    static constexpr std::size_t kMostBytes = std::size_t{64} << 20;

    HttpCalls();
    // `bytes` is what the request took. False: nothing was taken, and the arrival is still the caller's.
    bool put(HttpArrival& arrival, std::size_t bytes);
    void putGone(HttpGone gone);
    std::vector<HttpArrival> take();
    int eventFd() const { return event_.get(); }

private:
    void wake();

    UniqueFd event_;
    std::mutex mutex_;
    std::vector<HttpArrival> waiting_;
    std::size_t bytes_ = 0;
};

} // namespace stoa::master
