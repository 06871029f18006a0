#include "tests/sim/zookeeper.h"

#include <absl/strings/str_format.h>

#include <algorithm>
#include <utility>

namespace stoa::sim {

namespace {

absl::Status lost() { return absl::UnavailableError("the connection to ZooKeeper was lost"); }

} // namespace

bool ZooKeeperModel::strikes(Fault fault) {
    if (!rng_.chance(faults_.of(fault))) return false;
    ++counts_[static_cast<std::size_t>(fault)];
    return true;
}

bool ZooKeeperModel::isCut(NodeId node) const {
    const auto found = cut_until_.find(node);
    return found != cut_until_.end() && found->second > queue_.now();
}

Duration ZooKeeperModel::way() { return std::chrono::microseconds(100 + rng_.below(2'000)); }

// ---- Sessions ------------------------------------------------------------------------------------------------

ZooKeeperModel::Client ZooKeeperModel::open(NodeId node, Events events) {
    const Client client = sessions_.size() + 1;
    State& state = sessions_[client];
    state.node = node;
    state.life = queue_.life(node);
    state.events = std::move(events);
    state.expires_at = queue_.now() + kSessionTimeout;
    queue_.scheduleWorld(kSessionTimeout, [this, client] { expire(client); });
    connect(client);
    return client;
}

// In the client's life, and only while it holds the session.
void ZooKeeperModel::toClient(Client client, std::function<void()> action) {
    State& state = sessions_.at(client);
    if (!state.open || queue_.life(state.node) != state.life) return;
    state.down_at = std::max(state.down_at, queue_.now() + way());
    queue_.schedule(state.node, state.down_at - queue_.now(), [this, client, action = std::move(action)] {
        if (sessions_.at(client).open) action();
    });
}

void ZooKeeperModel::connect(Client client) {
    State& state = sessions_.at(client);
    const Duration wait = std::chrono::milliseconds(5 + rng_.below(500));
    queue_.schedule(state.node, wait, [this, client] {
        State& now = sessions_.at(client);
        if (!now.open || now.connected) return;
        if (isCut(now.node)) return connect(client);
        const Time was_due = now.expires_at;
        if (!now.lives) {
            toClient(client, [this, client] {
                sessions_.at(client).open = false;
                sessions_.at(client).events.session(Session::kExpired);
            });
            return;
        }
        if (was_due < queue_.now()) ++zombies_;
        heard(client);
        now.connected = true;
        now.breaking = false;
        ++now.connection;
        now.up_at = queue_.now();
        toClient(client, [this, client, connection = now.connection] {
            State& told = sessions_.at(client);
            if (told.connected && told.connection == connection) told.events.session(Session::kConnected);
        });
        ping(client);
    });
}

// The client sees that its connection is broken.
void ZooKeeperModel::disconnect(Client client) {
    State& state = sessions_.at(client);
    if (!state.open || !state.connected) return;
    state.connected = state.breaking = false;
    state.watching = false;
    state.events.session(Session::kSuspended);
    for (auto& [number, failed] : std::exchange(state.pending, {})) failed(lost());
    if (state.open) connect(client);
}

// What is on its way is lost, and what is sent from now on; the client notices later.
void ZooKeeperModel::breakIn(Client client, Duration wait) {
    State& state = sessions_.at(client);
    state.breaking = true;
    queue_.schedule(state.node, wait, [this, client, connection = state.connection] {
        if (sessions_.at(client).connection == connection) disconnect(client);
    });
}

// A sign of life, as long as the process runs.
void ZooKeeperModel::ping(Client client) {
    State& state = sessions_.at(client);
    queue_.schedule(state.node, kSessionTimeout / 3, [this, client, connection = state.connection] {
        State& now = sessions_.at(client);
        if (!now.open || !now.connected || now.connection != connection) return;
        if (isCut(now.node) || !now.lives) return disconnect(client);
        heard(client);
        ping(client);
    });
}

void ZooKeeperModel::heard(Client client) { sessions_.at(client).expires_at = queue_.now() + kSessionTimeout; }

void ZooKeeperModel::expire(Client client) {
    State& state = sessions_.at(client);
    if (!state.lives) return;
    if (state.expires_at > queue_.now()) {
        queue_.scheduleWorld(state.expires_at - queue_.now(), [this, client] { expire(client); });
        return;
    }
    // The servers look at their sessions a tick late, or were without a leader of their own and wait anew for all.
    Duration late = std::chrono::milliseconds(rng_.below(500));
    if (strikes(Fault::kLateExpiry)) late = std::chrono::milliseconds(rng_.below(30'000));
    queue_.scheduleWorld(late, [this, client] {
        State& now = sessions_.at(client);
        if (now.expires_at > queue_.now()) return expire(client);
        if (!now.lives) return;
        ++expired_;
        end(client);
    });
}

void ZooKeeperModel::end(Client client) {
    sessions_.at(client).lives = false;
    std::vector<std::string> gone;
    for (const auto& [path, node] : nodes_) {
        if (node.owner == client) gone.push_back(path);
    }
    for (const std::string& path : gone) {
        nodes_.erase(path);
        changed(path);
    }
}

void ZooKeeperModel::close(Client client) {
    State& state = sessions_.at(client);
    if (!std::exchange(state.open, false)) return;
    state.pending.clear();
    if (!state.connected || state.breaking || isCut(state.node)) return; // it expires
    queue_.scheduleWorld(std::max(state.up_at, queue_.now() + way()) - queue_.now(), [this, client] {
        if (sessions_.at(client).lives) end(client);
    });
}

void ZooKeeperModel::abandon(Client client) {
    State& state = sessions_.at(client);
    state.open = false;
    state.pending.clear();
}

// ---- Calls ---------------------------------------------------------------------------------------------------

void ZooKeeperModel::call(Client client, std::function<std::function<void()>()> execute, DoneVoid failed) {
    State& state = sessions_.at(client);
    if (!state.connected || !state.open) {
        // Never within the call.
        queue_.schedule(state.node, std::chrono::microseconds(10), [this, client, failed = std::move(failed)] {
            if (sessions_.at(client).open) failed(lost());
        });
        return;
    }
    const std::uint64_t number = ++last_call_;
    state.pending[number] = std::move(failed);
    state.up_at = std::max(state.up_at, queue_.now() + way());
    const Duration up = state.up_at - queue_.now();
    if (state.breaking) return; // it goes nowhere, and is told so when the client notices
    bool carried_out = true;
    bool answered = true;
    if (strikes(Fault::kZooKeeperLoss)) {
        carried_out = rng_.below(2) == 0;
        answered = false;
        breakIn(client, up + way());
    } else if (isCut(state.node)) {
        // One way at least.
        carried_out = rng_.below(4) == 0;
        answered = false;
        breakIn(client, kSessionTimeout / 3);
    }
    if (!carried_out) return;
    queue_.scheduleWorld(up, [this, client, number, answered, execute = std::move(execute)] {
        State& now = sessions_.at(client);
        if (!now.lives) {
            toClient(client, [this, client] { disconnect(client); }); // and learns the rest on reconnect
            return;
        }
        heard(client);
        std::function<void()> answer = execute();
        if (!answered) return;
        toClient(client, [this, client, number, answer = std::move(answer)] {
            if (sessions_.at(client).pending.erase(number) > 0) answer();
        });
    });
}

void ZooKeeperModel::get(Client client, const std::string& path, const Done<NodeData>& done) {
    call(
        client,
        [this, path, done]() -> std::function<void()> {
            const auto found = nodes_.find(path);
            if (found == nodes_.end()) return [done] { done(absl::NotFoundError("no such node")); };
            return [done, data = found->second.data] { done(data); };
        },
        [done](absl::Status why) { done(std::move(why)); });
}

void ZooKeeperModel::children(Client client, const std::string& prefix, bool watch,
                              const Done<std::vector<std::string>>& done) {
    call(
        client,
        [this, client, prefix, watch, done]() -> std::function<void()> {
            std::vector<std::string> names;
            for (auto node = nodes_.lower_bound(prefix); node != nodes_.end() && node->first.starts_with(prefix);
                 ++node) {
                names.push_back(node->first);
            }
            if (watch) sessions_.at(client).watching = true;
            return [done, names = std::move(names)] { done(names); };
        },
        [done](absl::Status why) { done(std::move(why)); });
}

void ZooKeeperModel::createEphemeral(Client client, const std::string& prefix, const std::string& data,
                                     const Done<std::string>& done) {
    call(
        client,
        [this, client, prefix, data, done]() -> std::function<void()> {
            std::string name = absl::StrFormat("%s%010d", prefix, ++last_sequence_);
            nodes_[name] = {{data, 0}, client};
            changed(name);
            return [done, name] { done(name); };
        },
        [done](absl::Status why) { done(std::move(why)); });
}

void ZooKeeperModel::multi(Client client, std::vector<Op> ops, std::function<void()> carried_out,
                           const DoneVoid& done) {
    call(
        client,
        [this, ops = std::move(ops), carried_out = std::move(carried_out), done]() -> std::function<void()> {
            absl::Status status = execute(ops);
            if (status.ok() && carried_out) carried_out();
            return [done, status] { done(status); };
        },
        done);
}

// All or nothing: looked at first, then done.
absl::Status ZooKeeperModel::execute(const std::vector<Op>& ops) {
    for (const Op& op : ops) {
        const auto found = nodes_.find(op.path);
        if (op.what == Op::What::kCreate) {
            if (found != nodes_.end()) return absl::AlreadyExistsError(op.path + " is there already");
        } else if (found == nodes_.end()) {
            return absl::NotFoundError(op.path + " is not there");
        } else if (op.version >= 0 && op.version != found->second.data.version) {
            return absl::AbortedError(op.path + " has another version");
        }
    }
    for (const Op& op : ops) {
        switch (op.what) {
        case Op::What::kCheck: break;
        case Op::What::kSet:
            nodes_[op.path].data.data = op.data;
            ++nodes_[op.path].data.version;
            changed(op.path);
            break;
        case Op::What::kCreate: nodes_[op.path] = {{op.data, 0}, 0}; break;
        case Op::What::kErase: nodes_.erase(op.path); break;
        }
    }
    return absl::OkStatus();
}

// Only candidates are watched.
void ZooKeeperModel::changed(const std::string& path) {
    if (!path.starts_with("json.info_")) return;
    for (auto& [client, state] : sessions_) {
        if (!std::exchange(state.watching, false) || !state.connected || state.breaking) continue;
        if (isCut(state.node)) { // lost with its connection
            if (state.open && queue_.life(state.node) == state.life) breakIn(client, kSessionTimeout / 3);
            continue;
        }
        toClient(client, [this, client = client, connection = state.connection] {
            State& now = sessions_.at(client);
            if (now.connected && now.connection == connection) now.events.changed();
        });
    }
}

// ---- From outside --------------------------------------------------------------------------------------------

void ZooKeeperModel::cut(NodeId node, Time until) {
    ++counts_[static_cast<std::size_t>(Fault::kZooKeeperCut)];
    cut_until_[node] = std::max(cut_until_[node], until);
}

void ZooKeeperModel::stopFaults() {
    faults_ = FaultPlan::none();
    cut_until_.clear();
}

std::int32_t ZooKeeperModel::version(const std::string& path) const {
    const auto found = nodes_.find(path);
    return found == nodes_.end() ? -1 : found->second.data.version;
}

std::optional<std::string> ZooKeeperModel::first(std::string_view prefix) const {
    const auto found = nodes_.lower_bound(std::string(prefix));
    if (found == nodes_.end() || !found->first.starts_with(prefix)) return std::nullopt;
    return found->second.data.data;
}

} // namespace stoa::sim
