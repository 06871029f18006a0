// A simulated master's candidacy and its registry in ZooKeeper: the shipped election (master/election/election.h), the shipped
// packing of rows (master/registry/shards.h), and between them and the model of ZooKeeper what master/election/candidate.cc and
// master/registry/zookeeper_registry.cc do with the real one.
//
//     Office::News news = office.turn(now);         // first of all in each turn of the master
//     office.append(records, number); … commit.durable(office.durable())
//
// One per life of a master's process. Single-threaded.
#pragma once

#include "master/core/events.h"
#include "master/election/election.h"
#include "master/registry/shards.h"
#include "tests/sim/checker.h"
#include "tests/sim/zookeeper.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace stoa::sim {

// The records that have become durable, in order, by whichever leader: what the checks of durability look at.
using RegistryLog = std::vector<master::Record>;

class Office {
public:
    struct News {
        std::optional<master::Recovered> lead; // in office, and the registry is read
        std::optional<std::string> step_down;
    };

    // `poke` asks for a turn.
    Office(NodeId node, ZooKeeperModel& zookeeper, RegistryLog& log, Checker& checker, std::function<void()> poke)
        : node_(node), zookeeper_(zookeeper), log_(log), checker_(checker), poke_(std::move(poke)) {}
    ~Office() {
        if (client_ != 0) zookeeper_.abandon(client_); // as by a crash
    }
    Office(const Office&) = delete;
    Office& operator=(const Office&) = delete;

    News turn(Time now);
    bool leads(Time now) const { return election_.leads(now); }
    std::uint64_t epoch() const { return epoch_; } // 0 until news.lead
    std::optional<Time> nextDeadline() const { return election_.nextDeadline(); }

    void append(std::vector<master::Record> records, RecordNumber number);
    RecordNumber durable() const { return durable_; }

private:
    void feed(const master::ElectionInput& input) { election_.step(input, now_, actions_); }
    void later(std::function<void()> action);
    void carryOut();
    void carryOut(const master::election_out::OpenSession&);
    void carryOut(const master::election_out::CloseSession&);
    void carryOut(const master::election_out::Join&);
    void carryOut(const master::election_out::List&);
    void carryOut(const master::election_out::TakeOffice& take);
    void carryOut(const master::election_out::Probe& probe);
    void carryOut(const master::election_out::Lead& lead);
    void carryOut(const master::election_out::StepDown& step_down);

    void readRegistry();
    void finishReading();
    void fail(const absl::Status& why);
    void writeMore();

    NodeId node_;
    ZooKeeperModel& zookeeper_;
    RegistryLog& log_;
    Checker& checker_;
    std::function<void()> poke_;
    master::Election election_;
    std::vector<master::ElectionAction> actions_;
    std::vector<std::function<void()>> inbox_; // what ZooKeeper has called back, until the next turn
    ZooKeeperModel::Client client_ = 0;
    bool connected_ = false;
    Time now_{};
    News news_;
    std::uint64_t epoch_ = 0;

    // The registry, while this one leads.
    std::uint64_t writing_as_ = 0; // the epoch that each write names; 0: not in office
    master::Shards shards_;
    std::size_t reading_ = 0;
    std::vector<master::Record> waiting_; // appended, not yet in a batch
    RecordNumber appended_ = 0;
    RecordNumber in_batch_ = 0;
    RecordNumber durable_ = 0;
    std::size_t flying_ = 0;
};

} // namespace stoa::sim
