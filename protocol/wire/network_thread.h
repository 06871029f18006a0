// A thread with a name that takes no signals (they are the main thread's) and is joined before it goes.
// Private to this folder; owned by a wire endpoint.
#pragma once

#include <pthread.h>
#include <signal.h>

#include <thread>
#include <utility>

namespace stoa {

class NetworkThread {
public:
    NetworkThread() = default;
    // `name` has at most 15 letters.
    template <class Body>
    NetworkThread(const char* name, Body body) {
        sigset_t all;
        sigset_t before;
        ::sigfillset(&all);
        ::pthread_sigmask(SIG_SETMASK, &all, &before);
        thread_ = std::thread(std::move(body));
        ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
        ::pthread_setname_np(thread_.native_handle(), name);
    }
    NetworkThread(NetworkThread&&) = default;
    NetworkThread& operator=(NetworkThread&&) = default;
    ~NetworkThread() { join(); }

    void join() {
        if (thread_.joinable()) thread_.join();
    }

private:
    std::thread thread_;
};

} // namespace stoa
