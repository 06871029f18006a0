// The registry's rows packed into a few large nodes, since thousands of small ones would take a new leader seconds to read,
// and one over ZooKeeper's limit breaks the connection. Rows of a group (agents with their marks, frameworks with their
// deadlines, weights) lie in shards in the order of their admission:
//
//     shards.apply(change);                                     // of the core's records; any number of times
//     for (Shards::Write& write : shards.takeWrites()) …        // what to write so that the nodes say what the rows say
//     loaded.load(name, bytes); … loaded.finish(); loaded.rows()
//
// A shard takes new rows until it has kFull bytes. A row that grows stays where it is, unless its shard would pass kMost: then
// it moves to a newer shard. Writes come in an order, the newest shard first, in which a leader may end anywhere: a row
// that was being moved is then in both, and the one written later counts; none is in neither, but one that was erased and
// came back within the same batch.
//
// PURE: owned by one thread.
#pragma once

#include "protocol/store/store.h"

#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stoa::master {

class Shards {
public:
    static constexpr std::size_t kFull = std::size_t{64} << 10;
    static constexpr std::size_t kMost = std::size_t{192} << 10;
    // Of a row, key and all: with a shard that is nearly full it still fits a node. A larger one is refused at the door.
    static constexpr std::size_t kMostRow = std::size_t{96} << 10;

    struct Write {
        std::string name;                 // of the node: "agents-0000000003"
        std::optional<std::string> bytes; // absent: the node goes
        bool create = false;              // it is not there yet
    };

    // FailedPrecondition: the row is larger than kMostRow; nothing was done.
    absl::Status apply(Store::Change change);
    bool dirty() const { return !dirty_.empty(); }
    // Everything that changed since the last call, in the order in which it is to be written.
    std::vector<Write> takeWrites();

    // For a new leader: all nodes, in any order, then finish(). DataLoss says what is wrong with a node; names of others'
    // nodes are InvalidArgument.
    absl::Status load(std::string_view name, std::string_view bytes);
    // Rows that lie in two shards are reduced to the newer; the other's shard is dirty then.
    void finish();
    // In the order of their first writing.
    std::vector<Store::Row> rows() const;

    std::size_t shardCount() const { return shards_.size(); }
    std::size_t rowCount() const { return place_.size(); }

private:
    enum Group : std::uint8_t { kAgentGroup, kFrameworkGroup, kWeightGroup };
    static constexpr int kGroups = 3;
    using Id = std::pair<Group, std::uint32_t>; // a shard's
    using Key = std::pair<Store::Table, std::string>;

    struct Row {
        std::string blob;
        std::uint64_t order = 0; // of the first writing
        std::uint64_t stamp = 0; // of the last
    };
    struct Shard {
        std::map<Key, Row> rows; // ordered: the same rows give the same bytes
        std::size_t bytes = 0;
        bool stored = false; // the node is there
    };

    static Group groupOf(Store::Table table);
    static std::string nameOf(Id id);
    static std::optional<Id> parseName(std::string_view name);
    static std::size_t sizeOf(const Key& key, const Row& row);
    static std::string encode(const Shard& shard);
    Id makeShard(Group group);
    void insert(Id id, Key key, Row row);
    Row remove(Id id, const Key& key);
    void changed(Id id);

    std::map<Id, Shard> shards_;
    absl::flat_hash_map<Key, Id> place_;
    std::set<Id> roomy_; // below kFull
    std::set<Id> dirty_;
    std::uint32_t next_[kGroups] = {};
    std::uint64_t last_stamp_ = 0;
};

} // namespace stoa::master
