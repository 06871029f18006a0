#include "protocol/leader/zookeeper.h"

#include "protocol/strings.h"
#include "protocol/unique_fd.h"

#include <glog/logging.h>

#include <sys/eventfd.h>
#include <zookeeper/zookeeper.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <optional>
#include <unordered_set>
#include <utility>

namespace stoa {

namespace {

absl::Status statusOf(int code, const std::string& path) {
    const std::string message = concat("ZooKeeper, ", path, ": ", zerror(code));
    switch (code) {
    case ZOK: return absl::OkStatus();
    case ZNONODE: return absl::NotFoundError(message);
    case ZNODEEXISTS: return absl::AlreadyExistsError(message);
    case ZBADVERSION: return absl::AbortedError(message);
    case ZCONNECTIONLOSS:
    case ZOPERATIONTIMEOUT: return absl::UnavailableError(message);
    case ZSESSIONEXPIRED:
    case ZINVALIDSTATE:
    case ZCLOSING:
    case ZSESSIONMOVED: return absl::FailedPreconditionError(message);
    case ZNOAUTH:
    case ZAUTHFAILED: return absl::PermissionDeniedError(message);
    default: return absl::InternalError(message);
    }
}

// The library's own words are for who looks into it: what an operator needs, the owners say.
void log(const char* message) { VLOG(1) << message; }

} // namespace

// What happened, in the order in which it did, on its way to the owner.
struct ZooKeeper::Shared {
    UniqueFd event{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    std::string hosts;
    zhandle_t* handle = nullptr;

    std::mutex mutex;
    std::vector<std::function<void(const Events&)>> ready;
    std::unordered_set<Pending*> pending; // whose callback has not been called

    void push(std::function<void(const Events&)> one) {
        const std::lock_guard lock(mutex);
        ready.push_back(std::move(one));
        ::eventfd_write(event.get(), 1);
    }
};

// A call under way. Which of the functions is set, the call knows.
struct ZooKeeper::Pending {
    Shared* shared = nullptr;
    std::string path;
    Done<Node> node;
    Done<std::vector<std::string>> names;
    Done<bool> found;
    Done<std::string> created;
    DoneVoid done;
    std::vector<zoo_op_result_t> results;

    Pending(Shared* to, std::string of) : shared(to), path(std::move(of)) {
        const std::lock_guard lock(shared->mutex);
        shared->pending.insert(this);
    }

    void fail(absl::Status why) const {
        if (node)
            node(std::move(why));
        else if (names)
            names(std::move(why));
        else if (found)
            found(std::move(why));
        else if (created)
            created(std::move(why));
        else
            done(std::move(why));
    }
};

// On the library's thread.
struct ZooKeeper::Callbacks {
    static std::unique_ptr<Pending> take(const void* data) {
        std::unique_ptr<Pending> pending(const_cast<Pending*>(static_cast<const Pending*>(data)));
        const std::lock_guard lock(pending->shared->mutex);
        pending->shared->pending.erase(pending.get());
        return pending;
    }

    // std::function wants to be copied.
    template <class Call>
    static void finish(std::unique_ptr<Pending> pending, int code, Call call) {
        Shared& shared = *pending->shared;
        shared.push([kept = std::shared_ptr<Pending>(std::move(pending)), code, call = std::move(call)](const Events&) {
            if (code != ZOK) {
                kept->fail(statusOf(code, kept->path));
            } else {
                call(*kept);
            }
        });
    }

    static void event(zhandle_t*, int type, int state, const char* path, void* context) {
        auto& shared = *static_cast<Shared*>(context);
        if (type != ZOO_SESSION_EVENT) {
            if (type == ZOO_NOTWATCHING_EVENT) return;
            shared.push([where = std::string(path)](const Events& events) { events.changed(where); });
            return;
        }
        const Session session = state == ZOO_CONNECTED_STATE ? Session::kConnected
                                : state == ZOO_EXPIRED_SESSION_STATE || state == ZOO_AUTH_FAILED_STATE
                                    ? Session::kExpired
                                    : Session::kSuspended;
        shared.push([session](const Events& events) { events.session(session); });
    }

    static void node(int code, const char* value, int length, const Stat* stat, const void* data) {
        Node node;
        if (code == ZOK) {
            // A node that was made without data has a length of -1.
            if (length > 0) node.data.assign(value, static_cast<std::size_t>(length));
            node.version = stat->version;
        }
        finish(take(data), code, [node = std::move(node)](const Pending& pending) { pending.node(node); });
    }

    static void names(int code, const String_vector* strings, const void* data) {
        std::vector<std::string> names;
        if (code == ZOK) names.assign(strings->data, strings->data + strings->count);
        finish(take(data), code, [names = std::move(names)](const Pending& pending) { pending.names(names); });
    }

    static void found(int code, const Stat*, const void* data) {
        const bool there = code == ZOK;
        finish(take(data), code == ZNONODE ? int{ZOK} : code,
               [there](const Pending& pending) { pending.found(there); });
    }

    static void created(int code, const char* value, const void* data) {
        std::string path = code == ZOK ? value : "";
        finish(take(data), code, [path = std::move(path)](const Pending& pending) { pending.created(path); });
    }

    static void done(int code, const void* data) {
        finish(take(data), code, [](const Pending& pending) { pending.done(absl::OkStatus()); });
    }
};

absl::StatusOr<std::unique_ptr<ZooKeeper>> ZooKeeper::open(const std::string& hosts, Duration session_timeout,
                                                           Events events) {
    auto shared = std::make_unique<Shared>();
    shared->hosts = hosts;
    zoo_set_debug_level(VLOG_IS_ON(1) ? ZOO_LOG_LEVEL_INFO : ZOO_LOG_LEVEL_ERROR);
    const auto timeout = std::chrono::duration_cast<std::chrono::milliseconds>(session_timeout).count();
    shared->handle = ::zookeeper_init2(hosts.c_str(), &Callbacks::event, static_cast<int>(timeout), nullptr,
                                       shared.get(), ZOO_NO_LOG_CLIENTENV, &log);
    if (shared->handle == nullptr) {
        return absl::UnavailableError(
            concat("can't open a session with ZooKeeper at ", hosts, ": ",
                   errno == ENOENT || errno == EINVAL ? "no such host" : std::strerror(errno)));
    }
    return std::unique_ptr<ZooKeeper>(new ZooKeeper(std::move(shared), std::move(events)));
}

ZooKeeper::ZooKeeper(std::unique_ptr<Shared> shared, Events events)
    : shared_(std::move(shared)), events_(std::move(events)) {}

ZooKeeper::~ZooKeeper() {
    ::zookeeper_close(shared_->handle);
    for (Pending* never_called : shared_->pending) delete never_called;
}

int ZooKeeper::eventFd() const { return shared_->event.get(); }

void ZooKeeper::dispatch() {
    std::vector<std::function<void(const Events&)>> ready;
    {
        const std::lock_guard lock(shared_->mutex);
        eventfd_t count = 0;
        ::eventfd_read(shared_->event.get(), &count);
        ready.swap(shared_->ready);
    }
    for (const auto& one : ready) one(events_);
}

Duration ZooKeeper::sessionTimeout() const { return std::chrono::milliseconds(zoo_recv_timeout(shared_->handle)); }

// The library refused the call at once: its callback won't come.
void ZooKeeper::refused(int code, Pending* pending) {
    if (code == ZOK) return;
    Callbacks::finish(Callbacks::take(pending), code, [](const Pending&) {});
}

void ZooKeeper::get(const std::string& path, bool watch, Done<Node> done) {
    auto* pending = new Pending(shared_.get(), path);
    pending->node = std::move(done);
    refused(zoo_aget(shared_->handle, path.c_str(), watch, &Callbacks::node, pending), pending);
}

void ZooKeeper::children(const std::string& path, bool watch, Done<std::vector<std::string>> done) {
    auto* pending = new Pending(shared_.get(), path);
    pending->names = std::move(done);
    refused(zoo_aget_children(shared_->handle, path.c_str(), watch, &Callbacks::names, pending), pending);
}

void ZooKeeper::exists(const std::string& path, bool watch, Done<bool> done) {
    auto* pending = new Pending(shared_.get(), path);
    pending->found = std::move(done);
    refused(zoo_aexists(shared_->handle, path.c_str(), watch, &Callbacks::found, pending), pending);
}

void ZooKeeper::create(const std::string& path, const std::string& data, Kind kind, Done<std::string> done) {
    auto* pending = new Pending(shared_.get(), path);
    pending->created = std::move(done);
    const int mode = kind == Kind::kPersistent ? ZOO_PERSISTENT : ZOO_EPHEMERAL_SEQUENTIAL;
    refused(zoo_acreate(shared_->handle, path.c_str(), data.data(), static_cast<int>(data.size()), &ZOO_OPEN_ACL_UNSAFE,
                        mode, &Callbacks::created, pending),
            pending);
}

void ZooKeeper::createAll(const std::string& path, DoneVoid done) { createFrom(path, 1, std::move(done)); }

void ZooKeeper::createFrom(const std::string& path, std::size_t from, DoneVoid done) {
    const std::size_t slash = std::min(path.find('/', from), path.size());
    create(path.substr(0, slash), "", Kind::kPersistent,
           [this, path, slash, done = std::move(done)](const absl::StatusOr<std::string>& created) {
               if (!created.ok() && !absl::IsAlreadyExists(created.status())) {
                   done(created.status());
               } else if (slash == path.size()) {
                   done(absl::OkStatus());
               } else {
                   createFrom(path, slash + 1, done);
               }
           });
}

void ZooKeeper::multi(std::vector<Op> ops, DoneVoid done) {
    auto* pending = new Pending(shared_.get(), ops.empty() ? "" : ops.back().path);
    pending->done = std::move(done);
    pending->results.resize(ops.size());
    std::vector<zoo_op_t> wire(ops.size());
    for (std::size_t i = 0; i < ops.size(); ++i) {
        const Op& op = ops[i];
        const auto size = static_cast<int>(op.data.size());
        switch (op.what) {
        case Op::What::kCheck: zoo_check_op_init(&wire[i], op.path.c_str(), op.version); break;
        case Op::What::kSet:
            zoo_set_op_init(&wire[i], op.path.c_str(), op.data.data(), size, op.version, nullptr);
            break;
        case Op::What::kCreate:
            zoo_create_op_init(&wire[i], op.path.c_str(), op.data.data(), size, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT,
                               nullptr, 0);
            break;
        case Op::What::kErase: zoo_delete_op_init(&wire[i], op.path.c_str(), op.version); break;
        }
    }
    refused(zoo_amulti(shared_->handle, static_cast<int>(wire.size()), wire.data(), pending->results.data(),
                       &Callbacks::done, pending),
            pending);
}

} // namespace stoa
