// The page's event stream: whoever opens it gets the whole state, then what changes, with no gap between, each entity at
// most once in kBeat however often it changed meanwhile, so that a busy cluster costs a watcher no more than it can read.
//
//   Events events(model, hello);
//   events.start(later);                 // when the server's thread can run things later
//   events.open(stream);                 // a watcher
//   events.before(delta); model.apply(delta);
//
// A line is rendered once for all watchers. The snapshot of one who just came is sent in pieces, as fast as he takes
// them; changes meanwhile go to him too, and since an object replaces the one of the same id, that the two overlap does no
// harm. A watcher that does not read is cut by the stream's own bound, and comes again.
// Owned by the HTTP door; everything runs on the server's thread.
#pragma once

#include "master/page/json.h"
#include "protocol/http/server.h"

#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <set>
#include <string>

namespace stoa::master::page {

class Events {
public:
    static constexpr Duration kBeat = std::chrono::milliseconds(100);
    static constexpr Duration kSamples = std::chrono::seconds(10);
    static constexpr std::size_t kKept = 361;                       // samples: an hour
    static constexpr std::size_t kMostWatchers = 1000;              // beyond, 503
    static constexpr std::size_t kAhead = std::size_t{256} << 10;   // bytes of a snapshot that may wait for a watcher
    static constexpr Duration kPace = std::chrono::milliseconds(5); // between looks whether it took them
    static constexpr Duration kQuiet = std::chrono::seconds(5);     // after which watchers are told that all is well

    // Runs work later, on the same thread.
    using Later = std::function<void(Duration, std::function<void()>)>;
    // The first line, made when it is wanted.
    using Hello = std::function<std::string(const std::deque<Sample>& history)>;

    // The model outlives this.
    Events(const ReadModel& model, Hello hello);
    void start(Later later);

    bool full() const { return watchers_.size() >= kMostWatchers; }
    void open(http::Stream stream);
    // What the model will be told next.
    void before(const Delta& delta);
    std::size_t watchers() const { return watchers_.size(); }

private:
    // Up to where a snapshot has come, in the order of what it lists.
    struct Snapshot {
        enum class Part : std::uint8_t { kAgents, kFrameworks, kRemoved, kEnded, kTasks, kLive } part = Part::kAgents;
        AgentId agent;
        FrameworkId framework;
        FrameworkId removed;
        FrameworkId ended_of;
        TaskKey task;
    };
    struct Watcher {
        http::Stream stream;
        std::optional<Snapshot> snapshot; // absent when it is sent
    };

    void beat();
    void pace();
    void sample();
    // Renders what changed since the last time, for all.
    std::string changes();
    // Goes on with a snapshot; false when the watcher is gone.
    bool advance(Watcher& watcher);
    std::string piece(Snapshot& snapshot) const;
    std::string nextRemoved(Snapshot& snapshot) const;
    void touch(const TaskKey& task, const AgentId& agent);

    const ReadModel& model_;
    const Hello hello_;
    Later later_;
    std::list<Watcher> watchers_;
    std::deque<Sample> history_;
    Duration since_said_{0};
    bool pacing_ = false; // pace() will run
    // Changed since the last beat.
    std::set<AgentId> agents_;
    std::set<AgentId> agents_gone_;
    std::set<FrameworkId> frameworks_;
    std::set<TaskKey> tasks_;
};

} // namespace stoa::master::page
