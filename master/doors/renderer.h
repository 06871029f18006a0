// Makes large answers out of the read model on a thread of its own, so that a reader of the whole state keeps nobody from
// the HTTP server's thread. While an answer is made, everybody may go on reading the model and nobody may change it: what
// changes it is kept until the answer is there. Who asks for the same before its making has begun is given the same
// answer, made once, and its bytes are in memory once.
//
//   Renderer renderer;
//   renderer.start([server](std::function<void()> work) { server->post(std::move(work)); });
//   renderer.answer("/state", reply, [&read] { return jsonResponse(stateJson(read.model, read.identity)); });
//   renderer.change([&read, delta] { read.model.apply(delta); });
//   renderer.stop();    // by whoever owns the server, before it goes; clear() after it is gone
//
// So an answer holds whatever was known when it was asked for, or later. answer() and change() belong to the server's
// thread, the others to the owner's; the replies are given on the server's.
#pragma once

#include "protocol/http/message.h"

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace stoa::master {

class Renderer {
public:
    using Work = std::function<void()>;
    using Make = std::function<http::Response()>;
    using Reply = std::function<void(http::Response)>;

    Renderer() = default;
    ~Renderer() { stop(); }
    Renderer(const Renderer&) = delete;
    Renderer& operator=(const Renderer&) = delete;

    // `post` has work done on the server's thread, in order; called from any thread, until stop() has returned.
    void start(std::function<void(Work)> post);
    // What is being made is made to its end, and goes nowhere.
    void stop();
    // Drops what was asked for and kept.
    void clear();

    // Answers by `make`, at once when there is no thread (any more). `what` names all that the answer depends on.
    void answer(const std::string& what, Reply reply, Make make);
    void change(Work work);

private:
    struct Wanted {
        std::string what;
        Make make;
        std::vector<Reply> replies;
    };

    void makeNext();
    void made(http::Response response);
    void run();

    // The server's thread's own.
    std::deque<Wanted> wanted_; // none of which is begun
    Wanted begun_;
    bool making_ = false;
    std::deque<Work> changes_; // kept

    std::function<void(Work)> post_;
    std::mutex mutex_; // guards what follows
    std::condition_variable given_;
    const Make* make_ = nullptr; // given to the thread, and not taken yet
    bool runs_ = false;
    std::thread thread_;
};

} // namespace stoa::master
