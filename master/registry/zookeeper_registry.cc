#include "master/registry/zookeeper_registry.h"

#include "master/registry/rows.h"
#include "protocol/boot_clock.h"
#include "protocol/strings.h"

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <poll.h>

#include <utility>

namespace stoa::master {

namespace {

constexpr std::string_view kKind = "stoa master registry";
// At the end of a leader that stops by itself: longer than any write takes while ZooKeeper answers.
constexpr Duration kLongestFlush = std::chrono::seconds(5);

} // namespace

absl::StatusOr<RegistryIdentity> parseRegistryIdentity(std::string_view json, std::string_view path) {
    rapidjson::Document document;
    document.Parse(json.data(), json.size());
    const auto member = [&](const char* key) -> const rapidjson::Value* {
        if (document.HasParseError() || !document.IsObject()) return nullptr;
        const auto found = document.FindMember(key);
        return found == document.MemberEnd() ? nullptr : &found->value;
    };
    const rapidjson::Value* kind = member("kind");
    const rapidjson::Value* version = member("version");
    const rapidjson::Value* id = member("master_id");
    if (kind == nullptr || !kind->IsString() || kind->GetString() != kKind || version == nullptr ||
        !version->IsUint()) {
        return absl::FailedPreconditionError(
            concat("ZooKeeper's ", path, " is no master registry but something else; is the path of --zk right?"));
    }
    if (version->GetUint() > kRegistryVersion) {
        return absl::FailedPreconditionError(
            concat("the master registry in ZooKeeper's ", path, " was written by a newer version (", version->GetUint(),
                   "; this one knows ", kRegistryVersion, "): start that version, or name another path with --zk"));
    }
    if (id == nullptr || !id->IsString() || id->GetStringLength() == 0) {
        return absl::DataLossError(
            concat("the master registry in ZooKeeper's ", path, " is damaged: it does not say whose it is"));
    }
    return RegistryIdentity{id->GetString()};
}

std::string registryIdentityJson(const RegistryIdentity& identity) {
    rapidjson::StringBuffer buffer;
    rapidjson::Writer<rapidjson::StringBuffer> out(buffer);
    out.StartObject();
    out.Key("kind");
    out.String(kKind.data(), static_cast<rapidjson::SizeType>(kKind.size()));
    out.Key("version");
    out.Uint(kRegistryVersion);
    out.Key("master_id");
    out.String(identity.master_id.data(), static_cast<rapidjson::SizeType>(identity.master_id.size()));
    out.EndObject();
    return {buffer.GetString(), buffer.GetSize()};
}

// ---- Reading -----------------------------------------------------------------------------------------------------

std::unique_ptr<ZooKeeperRegistry> ZooKeeperRegistry::read(ZooKeeper& zookeeper, const std::string& path,
                                                           std::uint64_t epoch) {
    std::unique_ptr<ZooKeeperRegistry> registry(new ZooKeeperRegistry(zookeeper, path, epoch));
    registry->readIdentity();
    return registry;
}

ZooKeeperRegistry::ZooKeeperRegistry(ZooKeeper& zookeeper, const std::string& path, std::uint64_t epoch)
    : zookeeper_(zookeeper), epoch_path_(concat(path, "/epoch")), path_(concat(path, "/registry")), epoch_(epoch) {}

void ZooKeeperRegistry::fail(absl::Status why) { failure_.Update(std::move(why)); }

void ZooKeeperRegistry::readIdentity() {
    zookeeper_.get(path_, false, [this](const absl::StatusOr<ZooKeeper::Node>& node) {
        if (absl::IsNotFound(node.status())) return found();
        if (!node.ok()) return fail(node.status());
        absl::StatusOr<RegistryIdentity> identity = parseRegistryIdentity(node->data, path_);
        if (!identity.ok()) return fail(identity.status());
        identity_ = *std::move(identity);
        version_ = static_cast<std::uint64_t>(node->version);
        list();
    });
}

// The first leader of a cluster.
void ZooKeeperRegistry::found() {
    identity_.master_id = newMasterId();
    using What = ZooKeeper::Op::What;
    zookeeper_.multi({{What::kCheck, epoch_path_, "", static_cast<std::int32_t>(epoch_)},
                      {What::kCreate, path_, registryIdentityJson(identity_)}},
                     [this](absl::Status done) {
                         if (!done.ok()) return fail(std::move(done));
                         list();
                     });
}

void ZooKeeperRegistry::list() {
    zookeeper_.children(path_, false, [this](const absl::StatusOr<std::vector<std::string>>& names) {
        if (!names.ok()) return fail(names.status());
        readShards(*names);
    });
}

void ZooKeeperRegistry::readShards(const std::vector<std::string>& names) {
    reading_ = names.size();
    if (names.empty()) finishReading();
    for (const std::string& name : names) {
        zookeeper_.get(concat(path_, "/", name), false, [this, name](const absl::StatusOr<ZooKeeper::Node>& node) {
            if (!node.ok()) return fail(node.status());
            if (absl::Status loaded = shards_.load(name, node->data); !loaded.ok()) {
                return fail(absl::DataLossError(concat("master registry in ZooKeeper's ", path_, ": ", loaded.message(),
                                                       ". It was left as it is")));
            }
            if (--reading_ == 0) finishReading();
        });
    }
}

void ZooKeeperRegistry::finishReading() {
    shards_.finish();
    absl::StatusOr<Recovered> recovered = recoveredFrom(shards_.rows(), concat("in ZooKeeper's ", path_));
    if (!recovered.ok()) return fail(recovered.status());
    recovered_ = *std::move(recovered);
    ready_ = true;
}

// ---- Writing -----------------------------------------------------------------------------------------------------

void ZooKeeperRegistry::append(const std::vector<Record>& records, RecordNumber number) {
    if (records.empty()) return;
    std::vector<Store::Change> changes;
    for (const Record& record : records) addChangesOf(record, changes);
    for (Store::Change& change : changes) {
        if (absl::Status applied = shards_.apply(std::move(change)); !applied.ok()) return fail(std::move(applied));
    }
    appended_ = number;
    writeMore();
}

void ZooKeeperRegistry::pause() { paused_ = true; }

void ZooKeeperRegistry::resume() {
    if (std::exchange(paused_, false)) writeMore();
}

// All that has gathered goes out as one batch, a multi for as much as fits one; a batch after the other.
void ZooKeeperRegistry::writeMore() {
    if (flying_ > 0 || paused_ || !failure_.ok()) return;
    in_batch_ = appended_;
    if (!shards_.dirty()) {
        durable_ = in_batch_;
        return;
    }
    using What = ZooKeeper::Op::What;
    std::vector<ZooKeeper::Op> ops = {{What::kSet, path_, registryIdentityJson(identity_)}};
    std::size_t bytes = 0;
    for (Shards::Write& one : shards_.takeWrites()) {
        ZooKeeper::Op op;
        op.what = !one.bytes ? What::kErase : one.create ? What::kCreate : What::kSet;
        op.path = concat(path_, "/", one.name);
        if (one.bytes) op.data = *std::move(one.bytes);
        const std::size_t size = op.path.size() + op.data.size();
        if (!ops.empty() && bytes + size > kMostBatchBytes) {
            write(std::exchange(ops, {}));
            bytes = 0;
        }
        bytes += size;
        ops.push_back(std::move(op));
    }
    write(std::move(ops));
}

void ZooKeeperRegistry::write(std::vector<ZooKeeper::Op> ops) {
    ops.insert(ops.begin(), {ZooKeeper::Op::What::kCheck, epoch_path_, "", static_cast<std::int32_t>(epoch_)});
    ++flying_;
    zookeeper_.multi(std::move(ops), [this](absl::Status done) {
        --flying_;
        ++commits_;
        if (absl::IsAborted(done)) {
            return fail(absl::AbortedError(concat("another master has taken office since epoch ", epoch_)));
        }
        if (!done.ok()) return fail(std::move(done));
        if (flying_ > 0 || !failure_.ok()) return;
        ++version_;
        durable_ = in_batch_;
        writeMore();
    });
}

absl::Status ZooKeeperRegistry::flush() {
    const Time end = bootTime() + kLongestFlush;
    while (failure_.ok() && durable_ < appended_) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - bootTime()).count();
        if (left <= 0) return absl::DeadlineExceededError("ZooKeeper does not answer; the last records may be lost");
        pollfd waited{zookeeper_.eventFd(), POLLIN, 0};
        (void)::poll(&waited, 1, static_cast<int>(left));
        zookeeper_.dispatch();
    }
    return failure_;
}

} // namespace stoa::master
