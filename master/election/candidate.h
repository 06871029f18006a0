// A master's candidacy in ZooKeeper: the election (election.h) with a session around it. The daemon's loop calls turn() when the
// descriptor is readable or the time has come, first of all it does, and learns that it leads, or no longer:
//
//     Candidate candidate(address, self, session_timeout);
//     poll(candidate.eventFd(), …, candidate.nextDeadline());
//     Candidate::News news = candidate.turn(now); if (news.lead) …; if (news.step_down) …: say nothing more, start over
//
// Below the path it makes json.info_NNNNNNNNNN (this master, while its session lives) and epoch, whose version is the leader's
// epoch. A master that can't read the registry that lies there never stands for office: refused() says why.
//
// Owned by the state thread. Its end closes the session, which the others notice within milliseconds.
#pragma once

#include "master/election/election.h"
#include "protocol/leader/master_info.h"
#include "protocol/leader/zookeeper.h"
#include "protocol/leader/zookeeper_address.h"

#include <absl/status/status.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stoa::master {

class Candidate {
public:
    struct News {
        std::optional<std::uint64_t> lead;    // under this epoch
        std::optional<std::string> step_down; // why
        std::optional<bool> connected;        // with ZooKeeper; changed to this
    };

    Candidate(ZooKeeperAddress address, MasterInfo self, Duration session_timeout);

    // Changes with the session; -1 while there is none.
    int eventFd() const { return client_ ? client_->eventFd() : -1; }
    std::optional<Time> nextDeadline() const;
    News turn(Time now);
    void writeFailed(const absl::Status& why, Time now);

    bool leads(Time now) const { return election_.leads(now); }
    // Not OK: this master can't serve what lies below the path; its process must end.
    const absl::Status& refused() const { return refused_; }
    // Of the session in which we lead.
    ZooKeeper& zookeeper() { return *client_; }
    const std::string& path() const { return address_.path; }

private:
    void feed(const ElectionInput& input);
    void carryOut();
    void carryOut(const election_out::OpenSession&);
    void carryOut(const election_out::CloseSession&) { closing_ = true; }
    void carryOut(const election_out::Join&);
    void carryOut(const election_out::List&);
    void carryOut(const election_out::TakeOffice& take);
    void carryOut(const election_out::Probe& probe);
    void carryOut(const election_out::Lead& lead);
    void carryOut(const election_out::StepDown& step_down);
    void on(ZooKeeper::Session session);
    void joinFailed(const absl::Status& why);
    void checkRegistry();
    void makeNode();

    const ZooKeeperAddress address_;
    MasterInfo self_;
    const Duration session_timeout_;
    Election election_;
    std::vector<ElectionAction> actions_;
    std::unique_ptr<ZooKeeper> client_;
    Time now_{};           // of the turn under way
    bool closing_ = false; // end the session when nothing of it is being called
    bool connected_ = false;
    Time complain_at_ = Time::max(); // no connection: said then, and again
    News news_;
    absl::Status refused_;
};

} // namespace stoa::master
