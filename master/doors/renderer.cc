#include "master/doors/renderer.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace stoa::master {

namespace {

// Whoever acts goes before those who look, where processors are scarce.
constexpr int kNice = 10;

} // namespace

void Renderer::start(std::function<void(Work)> post) {
    post_ = std::move(post);
    const std::lock_guard lock(mutex_);
    runs_ = true;
    thread_ = std::thread([this] { run(); });
    ::pthread_setname_np(thread_.native_handle(), "renderer");
}

void Renderer::stop() {
    {
        const std::lock_guard lock(mutex_);
        runs_ = false;
    }
    given_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void Renderer::clear() {
    wanted_.clear();
    begun_ = {};
    changes_.clear();
}

void Renderer::answer(const std::string& what, Reply reply, Make make) {
    bool runs = false;
    {
        const std::lock_guard lock(mutex_);
        runs = runs_;
    }
    if (!runs) return reply(make());
    const auto same =
        std::find_if(wanted_.begin(), wanted_.end(), [&](const Wanted& wanted) { return wanted.what == what; });
    if (same != wanted_.end()) {
        same->replies.push_back(std::move(reply));
        return;
    }
    wanted_.push_back({what, std::move(make), {}});
    wanted_.back().replies.push_back(std::move(reply));
    if (!making_) makeNext();
}

void Renderer::change(Work work) {
    if (!making_) return work();
    changes_.push_back(std::move(work));
}

void Renderer::makeNext() {
    if (wanted_.empty()) return;
    begun_ = std::move(wanted_.front());
    wanted_.pop_front();
    making_ = true;
    {
        const std::lock_guard lock(mutex_);
        make_ = &begun_.make;
    }
    given_.notify_one();
}

void Renderer::made(http::Response response) {
    making_ = false;
    for (; !changes_.empty(); changes_.pop_front()) changes_.front()();
    const Wanted done = std::exchange(begun_, {});
    makeNext();
    if (done.replies.size() == 1) return done.replies.front()(std::move(response));
    const Body body = makeBody(std::move(response.body));
    for (const Reply& reply : done.replies) {
        http::Response same;
        same.status = response.status;
        same.content_type = response.content_type;
        same.headers = response.headers;
        same.shared_body = body;
        reply(std::move(same));
    }
}

void Renderer::run() {
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice); // on Linux of one thread
    for (;;) {
        const Make* make = nullptr;
        {
            std::unique_lock lock(mutex_);
            given_.wait(lock, [this] { return make_ != nullptr || !runs_; });
            if (!runs_) return;
            make = std::exchange(make_, nullptr);
        }
        // std::function wants what can be copied, a response can't.
        auto response = std::make_shared<http::Response>((*make)());
        const std::lock_guard lock(mutex_);
        if (runs_) post_([this, response] { made(std::move(*response)); });
    }
}

} // namespace stoa::master
