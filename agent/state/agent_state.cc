#include "agent/state/agent_state.h"

#include "agent/state/record_codec.h"
#include "protocol/strings.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_format.h>

#include <algorithm>
#include <random>
#include <type_traits>

namespace stoa::agent {
namespace {

constexpr std::uint32_t kVersion = 1;

enum Tables : Store::Table { kAgent = 1, kLaunches, kStatuses, kAcknowledgements, kKills, kExecutors, kShutdowns };
constexpr std::string_view kWorkId = "work_id";
constexpr std::string_view kEpoch = "epoch";
constexpr std::string_view kIdentity = "identity";

// Unambiguous whatever the ids contain.
std::string rowKey(const TaskKey& key) {
    return concat(key.framework.value().size(), ":", key.framework.value(), key.task.value());
}

std::string rowKey(const ExecutorKey& key) { return rowKey(TaskKey{key.framework, TaskId(key.executor.value())}); }

std::string randomId() {
    std::random_device device;
    return absl::StrFormat("%08x%08x%08x%08x", device(), device(), device(), device());
}

absl::Status damaged(const std::string& path, std::string_view what) {
    return absl::DataLossError(concat("the agent's state ", path, " is damaged: ", what,
                                      ". It is left as it is. Restore it, or move the work directory away to begin "
                                      "anew (tasks that still run here are then killed)"));
}

} // namespace

absl::StatusOr<std::unique_ptr<AgentState>> AgentState::open(const std::filesystem::path& file) {
    auto store = Store::open({.path = file.string(), .kind = "agent state", .version = kVersion});
    if (!store.ok()) return store.status();
    std::unique_ptr<AgentState> state(new AgentState(*std::move(store)));
    if (absl::Status loaded = state->load(file.string()); !loaded.ok()) return loaded;
    return state;
}

// The store gives rows in the order of their first writing; of a task, the core wants the intent first, then statuses
// in order, then what was acknowledged.
absl::Status AgentState::load(const std::string& path) {
    std::vector<Store::Row> rows = store_->takeRows();
    std::map<Store::Table, std::vector<Record>> records;
    for (Store::Row& row : rows) {
        if (row.table == kAgent && row.key == kWorkId) {
            work_id_ = std::move(row.blob);
            continue;
        }
        if (row.table == kAgent && row.key == kEpoch) {
            if (!absl::SimpleAtoi(row.blob, &highest_epoch_)) return damaged(path, "its epoch is not a number");
            continue;
        }
        absl::StatusOr<Record> record = decodeRecord(row.blob);
        if (!record.ok()) return damaged(path, toStd(record.status().message()));
        if (const auto* status = std::get_if<StatusAppended>(&*record)) {
            if (!status->status.uuid) return damaged(path, "a status has no uuid");
            statuses_[{status->framework, status->status.task}].push_back({*status->status.uuid, row.key});
            const std::size_t mark = row.key.rfind('#');
            std::uint64_t number = 0;
            if (mark == std::string::npos || !absl::SimpleHexAtoi(row.key.substr(mark + 1), &number)) {
                return damaged(path, "a status has no number");
            }
            next_status_ = std::max(next_status_, number + 1);
        }
        records[row.table].push_back(*std::move(record));
    }
    for (auto& [table, list] : records) std::move(list.begin(), list.end(), std::back_inserter(records_));
    if (!work_id_.empty()) return absl::OkStatus();
    if (!rows.empty()) return damaged(path, "it has no work id");
    work_id_ = randomId();
    store_->write({Store::put(kAgent, std::string(kWorkId), work_id_)}, 0);
    return store_->flush();
}

void AgentState::write(const std::vector<Record>& records, RecordNumber number) {
    if (records.empty()) return;
    std::vector<Store::Change> changes;
    for (const Record& record : records) changesOf(record, changes);
    written_ = number;
    // An acknowledgement that is lost is said again, so none is worth a commit of its own, which the next status would
    // then have to wait for.
    const bool lazy = std::all_of(records.begin(), records.end(), [](const Record& record) {
        return std::holds_alternative<StatusAcknowledged>(record) || std::holds_alternative<TaskForgotten>(record);
    });
    store_->write(std::move(changes), number, lazy ? Store::When::kLater : Store::When::kNow);
}

absl::Status AgentState::raiseEpoch(std::uint64_t epoch) {
    if (epoch <= highest_epoch_) return absl::OkStatus();
    highest_epoch_ = epoch;
    store_->write({Store::put(kAgent, std::string(kEpoch), concat(epoch))}, written_);
    return store_->flush();
}

void AgentState::changesOf(const Record& record, std::vector<Store::Change>& changes) {
    std::visit(
        [&](const auto& one) {
            using Kind = std::decay_t<decltype(one)>;
            if constexpr (std::is_same_v<Kind, Identity>) {
                changes.push_back(Store::put(kAgent, std::string(kIdentity), encodeRecord(record)));
            } else if constexpr (std::is_same_v<Kind, LaunchIntended>) {
                changes.push_back(
                    Store::put(kLaunches, rowKey(TaskKey{one.framework.id, one.task.id}), encodeRecord(record)));
            } else if constexpr (std::is_same_v<Kind, StatusAppended>) {
                const TaskKey key{one.framework, one.status.task};
                std::string row = concat(rowKey(key), "#", absl::StrFormat("%016x", next_status_++));
                statuses_[key].push_back({one.status.uuid.value_or(Uuid{}), row});
                changes.push_back(Store::put(kStatuses, std::move(row), encodeRecord(record)));
            } else if constexpr (std::is_same_v<Kind, StatusAcknowledged>) {
                // The newest acknowledged one stays, because it may be all that tells the task's state.
                std::deque<StatusRow>& its = statuses_[one.key];
                while (its.size() > 1 && its.front().uuid != one.uuid) {
                    changes.push_back(Store::erase(kStatuses, its.front().key));
                    its.pop_front();
                }
                changes.push_back(Store::put(kAcknowledgements, rowKey(one.key), encodeRecord(record)));
            } else if constexpr (std::is_same_v<Kind, KillIntended>) {
                changes.push_back(Store::put(kKills, rowKey(one.key), encodeRecord(record)));
            } else if constexpr (std::is_same_v<Kind, ExecutorIntended>) {
                changes.push_back(
                    Store::put(kExecutors, rowKey(ExecutorKey{one.framework.id, one.info.id}), encodeRecord(record)));
            } else if constexpr (std::is_same_v<Kind, ExecutorShutDown>) {
                changes.push_back(Store::put(kShutdowns, rowKey(one.key), encodeRecord(record)));
            } else if constexpr (std::is_same_v<Kind, ExecutorForgotten>) {
                for (const Store::Table table : {kExecutors, kShutdowns}) {
                    changes.push_back(Store::erase(table, rowKey(one.key)));
                }
            } else {
                static_assert(std::is_same_v<Kind, TaskForgotten>);
                for (const StatusRow& row : statuses_[one.key]) changes.push_back(Store::erase(kStatuses, row.key));
                statuses_.erase(one.key);
                for (const Store::Table table : {kLaunches, kAcknowledgements, kKills}) {
                    changes.push_back(Store::erase(table, rowKey(one.key)));
                }
            }
        },
        record);
}

} // namespace stoa::agent
