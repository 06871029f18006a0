#include "master/registry/shards.h"

#include "master/registry/rows.h"
#include "protocol/strings.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_format.h>

#include <algorithm>

namespace stoa::master {

namespace {

constexpr std::string_view kMagic = "stoareg1";
constexpr const char* kGroupNames[] = {"agents", "frameworks", "weights"};
// Table, order, stamp, the lengths of key and blob.
constexpr std::size_t kRowHeader = 1 + 8 + 8 + 4 + 4;
constexpr std::size_t kChecksum = 8;

// FNV-1a. ZooKeeper has checksums of its own; this one tells a node that somebody else wrote.
std::uint64_t checksumOf(std::string_view bytes) {
    std::uint64_t hash = 14695981039346656037U;
    for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
    return hash;
}

template <class Number>
void put(std::string& out, Number number) {
    for (std::size_t i = 0; i < sizeof number; ++i) out += static_cast<char>(number >> (8 * i) & 0xff);
}

template <class Number>
Number get(std::string_view& in) {
    std::uint64_t number = 0;
    for (std::size_t i = 0; i < sizeof(Number); ++i) {
        number |= std::uint64_t{static_cast<unsigned char>(in[i])} << (8 * i);
    }
    in.remove_prefix(sizeof(Number));
    return static_cast<Number>(number);
}

absl::Status damaged(std::string_view name, std::string_view what) {
    return absl::DataLossError(concat("the registry's node ", name, " is damaged: ", what));
}

} // namespace

Shards::Group Shards::groupOf(Store::Table table) {
    if (table == kAgents || table == kUnreachable) return kAgentGroup;
    return table == kWeights ? kWeightGroup : kFrameworkGroup;
}

std::string Shards::nameOf(Id id) { return absl::StrFormat("%s-%010u", kGroupNames[id.first], id.second); }

std::optional<Shards::Id> Shards::parseName(std::string_view name) {
    for (int group = 0; group < kGroups; ++group) {
        const std::string prefix = concat(kGroupNames[group], "-");
        std::uint32_t number = 0;
        if (name.starts_with(prefix) && absl::SimpleAtoi(toAbsl(name.substr(prefix.size())), &number) &&
            nameOf({static_cast<Group>(group), number}) == name) {
            return Id{static_cast<Group>(group), number};
        }
    }
    return std::nullopt;
}

std::size_t Shards::sizeOf(const Key& key, const Row& row) { return kRowHeader + key.second.size() + row.blob.size(); }

// ---- Changing ----------------------------------------------------------------------------------------------------

absl::Status Shards::apply(Store::Change change) {
    Key key{change.table, std::move(change.key)};
    const auto placed = place_.find(key);
    if (!change.blob) {
        if (placed != place_.end()) remove(placed->second, key);
        return absl::OkStatus();
    }
    Row row{*std::move(change.blob), 0, 0};
    if (sizeOf(key, row) > kMostRow) {
        return absl::FailedPreconditionError(concat("the registry's record of \"", key.second, "\" has ",
                                                    sizeOf(key, row), " bytes; the most is ", kMostRow));
    }
    row.stamp = row.order = ++last_stamp_;
    const Group group = groupOf(key.first);
    if (placed == place_.end()) {
        const auto roomy = roomy_.lower_bound({group, 0});
        const bool found = roomy != roomy_.end() && roomy->first == group;
        insert(found ? *roomy : makeShard(group), std::move(key), std::move(row));
        return absl::OkStatus();
    }
    const Id id = placed->second;
    row.order = remove(id, key).order;
    if (shards_[id].bytes + sizeOf(key, row) <= kMost) {
        insert(id, std::move(key), std::move(row));
        return absl::OkStatus();
    }
    const auto newer = roomy_.upper_bound(id);
    const bool found = newer != roomy_.end() && newer->first == group;
    insert(found ? *newer : makeShard(group), std::move(key), std::move(row));
    return absl::OkStatus();
}

Shards::Id Shards::makeShard(Group group) {
    const Id id{group, next_[group]++};
    shards_[id];
    return id;
}

void Shards::insert(Id id, Key key, Row row) {
    Shard& shard = shards_[id];
    shard.bytes += sizeOf(key, row);
    place_[key] = id;
    shard.rows.emplace(std::move(key), std::move(row));
    changed(id);
}

Shards::Row Shards::remove(Id id, const Key& key) {
    Shard& shard = shards_[id];
    const auto found = shard.rows.find(key);
    Row row = std::move(found->second);
    shard.bytes -= kRowHeader + key.second.size() + row.blob.size();
    place_.erase(key);
    shard.rows.erase(found);
    changed(id);
    return row;
}

void Shards::changed(Id id) {
    dirty_.insert(id);
    if (shards_[id].bytes < kFull) {
        roomy_.insert(id);
    } else {
        roomy_.erase(id);
    }
}

// ---- Writing -----------------------------------------------------------------------------------------------------

std::string Shards::encode(const Shard& shard) {
    std::string out;
    out.reserve(kMagic.size() + shard.bytes + kChecksum);
    out += kMagic;
    for (const auto& [key, row] : shard.rows) {
        put(out, key.first);
        put(out, row.order);
        put(out, row.stamp);
        put(out, static_cast<std::uint32_t>(key.second.size()));
        put(out, static_cast<std::uint32_t>(row.blob.size()));
        out += key.second;
        out += row.blob;
    }
    put(out, checksumOf(out));
    return out;
}

// A row moves to a newer shard only, so the newest comes first.
std::vector<Shards::Write> Shards::takeWrites() {
    std::vector<Write> writes;
    for (auto id = dirty_.rbegin(); id != dirty_.rend(); ++id) {
        Shard& shard = shards_[*id];
        if (!shard.rows.empty()) {
            writes.push_back({nameOf(*id), encode(shard), !std::exchange(shard.stored, true)});
        } else {
            if (shard.stored) writes.push_back({nameOf(*id), std::nullopt, false});
            roomy_.erase(*id);
            shards_.erase(*id);
        }
    }
    dirty_.clear();
    return writes;
}

// ---- Loading -----------------------------------------------------------------------------------------------------

absl::Status Shards::load(std::string_view name, std::string_view bytes) {
    const std::optional<Id> id = parseName(name);
    if (!id) return invalid("\"", name, "\" is no node of a registry");
    if (bytes.size() < kMagic.size() + kChecksum || !bytes.starts_with(kMagic)) {
        return damaged(name, "it does not begin as one");
    }
    std::string_view sum = bytes.substr(bytes.size() - kChecksum);
    bytes.remove_suffix(kChecksum);
    if (get<std::uint64_t>(sum) != checksumOf(bytes)) return damaged(name, "its checksum is wrong");
    bytes.remove_prefix(kMagic.size());

    Shard& shard = shards_[*id];
    shard.stored = true;
    while (!bytes.empty()) {
        if (bytes.size() < kRowHeader) return damaged(name, "it ends within a row");
        Key key;
        Row row;
        key.first = get<Store::Table>(bytes);
        row.order = get<std::uint64_t>(bytes);
        row.stamp = get<std::uint64_t>(bytes);
        const auto key_bytes = get<std::uint32_t>(bytes);
        const auto blob_bytes = get<std::uint32_t>(bytes);
        if (bytes.size() < std::uint64_t{key_bytes} + blob_bytes) return damaged(name, "it ends within a row");
        if (key.first >= kRegistryTables || groupOf(key.first) != id->first)
            return damaged(name, "a row is not of its kind");
        key.second = bytes.substr(0, key_bytes);
        row.blob = bytes.substr(key_bytes, blob_bytes);
        bytes.remove_prefix(std::size_t{key_bytes} + blob_bytes);
        last_stamp_ = std::max(last_stamp_, row.stamp);
        shard.bytes += sizeOf(key, row);
        shard.rows[std::move(key)] = std::move(row);
    }
    next_[id->first] = std::max(next_[id->first], id->second + 1);
    return absl::OkStatus();
}

void Shards::finish() {
    for (auto& [id, shard] : shards_) {
        for (auto row = shard.rows.begin(); row != shard.rows.end();) {
            const auto current = row++;
            const auto [placed, first] = place_.emplace(current->first, id);
            if (first) continue;
            const Key key = current->first;
            const Id other = placed->second;
            const Id older = shards_[other].rows.at(key).stamp < current->second.stamp ? other : id;
            const Id newer = older == id ? other : id;
            remove(older, key);
            place_[key] = newer;
        }
        if (shard.bytes < kFull) roomy_.insert(id);
    }
}

std::vector<Store::Row> Shards::rows() const {
    std::vector<std::pair<std::uint64_t, Store::Row>> ordered;
    ordered.reserve(place_.size());
    for (const auto& [id, shard] : shards_) {
        for (const auto& [key, row] : shard.rows) ordered.push_back({row.order, {key.first, key.second, row.blob}});
    }
    std::sort(ordered.begin(), ordered.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<Store::Row> rows;
    rows.reserve(ordered.size());
    for (auto& [order, row] : ordered) rows.push_back(std::move(row));
    return rows;
}

} // namespace stoa::master
