#include "master/election/candidate.h"

#include "master/registry/zookeeper_registry.h"
#include "protocol/leader/candidates.h"
#include "protocol/strings.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

namespace stoa::master {

namespace {

// Without a connection for so long, the log says so, and again after each such time.
constexpr Duration kPatience = std::chrono::seconds(5);

} // namespace

Candidate::Candidate(ZooKeeperAddress address, MasterInfo self, Duration session_timeout)
    : address_(std::move(address)), self_(std::move(self)), session_timeout_(session_timeout) {}

std::optional<Time> Candidate::nextDeadline() const {
    if (news_.step_down) return now_; // not told yet
    const Time next = std::min(complain_at_, election_.nextDeadline().value_or(Time::max()));
    return next == Time::max() ? std::nullopt : std::optional(next);
}

Candidate::News Candidate::turn(Time now) {
    now_ = now;
    // A pause of the process may have cost the office: looked at before anything that came meanwhile.
    feed(election_in::Wake{});
    if (client_) client_->dispatch();
    carryOut();
    if (now >= complain_at_) {
        LOG(WARNING) << "no connection to ZooKeeper at " << address_.toString() << "; still trying";
        complain_at_ = now + kPatience;
    }
    return std::exchange(news_, {});
}

void Candidate::writeFailed(const absl::Status& why, Time now) {
    now_ = now;
    feed(election_in::WriteFailed{std::string(why.message())});
    carryOut();
}

void Candidate::feed(const ElectionInput& input) { election_.step(input, now_, actions_); }

// Not within a call of the client's, which an action may end.
void Candidate::carryOut() {
    while (!actions_.empty() || closing_) {
        std::vector<ElectionAction> actions = std::exchange(actions_, {});
        for (const ElectionAction& action : actions) {
            if (std::exchange(closing_, false)) client_.reset();
            std::visit([this](const auto& one) { carryOut(one); }, action);
        }
        if (std::exchange(closing_, false)) {
            client_.reset();
            connected_ = false;
        }
    }
}

void Candidate::carryOut(const election_out::OpenSession&) {
    connected_ = false;
    complain_at_ = std::min(complain_at_, now_ + kPatience);
    absl::StatusOr<std::unique_ptr<ZooKeeper>> client =
        ZooKeeper::open(address_.hosts, session_timeout_,
                        {[this](ZooKeeper::Session session) { on(session); },
                         [this](const std::string&) { feed(election_in::Changed{}); }});
    if (!client.ok()) {
        LOG(WARNING) << client.status().message() << "; still trying";
        return feed(election_in::Expired{std::string(client.status().message())});
    }
    client_ = *std::move(client);
}

void Candidate::on(ZooKeeper::Session session) {
    switch (session) {
    case ZooKeeper::Session::kConnected:
        LOG_IF(INFO, !connected_) << "connected to ZooKeeper";
        connected_ = true;
        complain_at_ = Time::max();
        news_.connected = true;
        return feed(election_in::Connected{client_->sessionTimeout()});
    case ZooKeeper::Session::kSuspended:
        if (std::exchange(connected_, false)) {
            LOG(WARNING) << "lost the connection to ZooKeeper";
            complain_at_ = now_ + kPatience;
        }
        news_.connected = false;
        return feed(election_in::Suspended{});
    case ZooKeeper::Session::kExpired:
        LOG(WARNING) << "the session with ZooKeeper has expired";
        return feed(election_in::Expired{"it has expired"});
    }
}

// ---- Standing for office -----------------------------------------------------------------------------------------

void Candidate::joinFailed(const absl::Status& why) {
    LOG(WARNING) << "can't stand for office: " << why.message() << "; still trying";
    feed(election_in::JoinFailed{std::string(why.message())});
}

void Candidate::carryOut(const election_out::Join&) {
    client_->createAll(address_.path, [this](const absl::Status& made) {
        if (!made.ok()) return joinFailed(made);
        checkRegistry();
    });
}

void Candidate::checkRegistry() {
    const std::string path = concat(address_.path, "/registry");
    client_->get(path, false, [this, path](const absl::StatusOr<ZooKeeper::Node>& node) {
        if (node.ok()) {
            if (auto identity = parseRegistryIdentity(node->data, path); !identity.ok()) {
                refused_ = identity.status();
                return;
            }
        } else if (!absl::IsNotFound(node.status())) {
            return joinFailed(node.status());
        }
        makeNode();
    });
}

void Candidate::makeNode() {
    client_->createAll(concat(address_.path, "/epoch"), [this](const absl::Status& made) {
        if (!made.ok()) return joinFailed(made);
        self_.epoch = 0;
        client_->create(concat(address_.path, "/", kCandidatePrefix), toJson(self_),
                        ZooKeeper::Kind::kEphemeralSequential, [this](const absl::StatusOr<std::string>& path) {
                            if (!path.ok()) return joinFailed(path.status());
                            const std::string node = path->substr(path->rfind('/') + 1);
                            LOG(INFO) << "standing for office as " << *path;
                            feed(election_in::Joined{node});
                        });
    });
}

void Candidate::carryOut(const election_out::List&) {
    client_->children(address_.path, true, [this](const absl::StatusOr<std::vector<std::string>>& names) {
        if (names.ok()) {
            feed(election_in::Listed{candidatesOf(*names)});
        } else if (!absl::IsUnavailable(names.status())) {
            LOG(WARNING) << "can't read the candidates: " << names.status().message();
            feed(election_in::ListFailed{std::string(names.status().message())});
        }
    });
}

// ---- In office ---------------------------------------------------------------------------------------------------

void Candidate::carryOut(const election_out::TakeOffice& take) {
    const std::string epoch = concat(address_.path, "/epoch");
    const auto failed = [this](const absl::Status& why) {
        LOG(WARNING) << "can't take office: " << why.message();
        feed(election_in::OfficeFailed{absl::IsAborted(why), std::string(why.message())});
    };
    client_->get(epoch, false, [this, epoch, failed, node = take.node](const absl::StatusOr<ZooKeeper::Node>& stands) {
        if (!stands.ok()) return failed(stands.status());
        self_.epoch = static_cast<std::uint64_t>(stands->version) + 1;
        using What = ZooKeeper::Op::What;
        client_->multi({{What::kSet, concat(address_.path, "/", node), toJson(self_)},
                        {What::kSet, epoch, concat("master ", self_.id, " at ", self_.httpAddress()), stands->version}},
                       [this, failed, taken = self_.epoch](const absl::Status& done) {
                           if (!done.ok()) return failed(done);
                           feed(election_in::OfficeTaken{taken});
                       });
    });
}

// Not answered when it fails: the lease runs out then.
void Candidate::carryOut(const election_out::Probe& probe) {
    client_->get(concat(address_.path, "/epoch"), false,
                 [this, asked_at = probe.asked_at](const absl::StatusOr<ZooKeeper::Node>& stands) {
                     if (stands.ok()) {
                         feed(election_in::Heard{asked_at, static_cast<std::uint64_t>(stands->version)});
                     }
                 });
}

void Candidate::carryOut(const election_out::Lead& lead) { news_.lead = lead.epoch; }

void Candidate::carryOut(const election_out::StepDown& step_down) { news_.step_down = step_down.why; }

} // namespace stoa::master
